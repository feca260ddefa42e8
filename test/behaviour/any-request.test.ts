/**
 * Requests made from the OpenAPI document, right ones and spoilt ones, with real codes and tokens among them: no answer is
 * a 5xx, or has a status or a shape that the document does not name. ANY_REQUEST_SEED repeats a run.
 */
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { openapiDocument } from '../../schemas/generated/openapi.js'
import { startApp, type TestApp } from '../support/app.js'
import { startRedis } from '../support/redis-server.js'
import { sessionOf } from '../support/tokens.js'

const seed = Number(process.env.ANY_REQUEST_SEED ?? Date.now() % 2 ** 31)

// biome-ignore lint/suspicious/noExplicitAny: a document is looked at keyword by keyword
type Node = any

/** The document without references; there are no cycles in it. */
function resolve(node: Node): Node {
  if (Array.isArray(node)) return node.map(resolve)
  if (typeof node !== 'object' || node === null) return node
  if (typeof node.$ref === 'string') {
    const path = node.$ref.slice(2).split('/')
    return resolve(path.reduce((inner: Node, key: string) => inner[key], openapiDocument))
  }
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, resolve(inner)]))
}

/** What an answer holds is named in full: no other member may appear. */
function closed(node: Node): Node {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const inner = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  return node.type === 'object' && node.properties ? { ...inner, additionalProperties: false } : inner
}

const ajv = new Ajv({ strict: false, allErrors: true })
addFormats.default(ajv)

interface Operation {
  id: string
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  isPublic: boolean
  body: Node
  query: Node[]
  hasId: boolean
  answers: Map<number, { check: ValidateFunction | undefined; type: string }>
}

const operations: Operation[] = Object.entries(resolve(openapiDocument.paths)).flatMap(([path, item]) =>
  Object.entries(item as Node).map(([method, operation]: [string, Node]) => ({
    id: operation.operationId,
    method: method.toUpperCase() as Operation['method'],
    path,
    isPublic: operation.security.length === 0,
    body: operation.requestBody?.content['application/json'].schema,
    query: (operation.parameters ?? []).filter((parameter: Node) => parameter.in === 'query'),
    hasId: path.includes('{'),
    answers: new Map(
      Object.entries(operation.responses).map(([status, answer]: [string, Node]) => {
        const [[type = '', content] = []] = Object.entries(answer.content ?? {}) as [string, Node][]
        const check = type === 'application/json' ? ajv.compile(closed(content.schema)) : undefined
        return [Number(status), { check, type }]
      })
    )
  }))
)

/** Stands for something real, chosen when the request is sent: by then there is something to choose from. */
interface Real {
  real: 'grant_code' | 'user_code' | 'id'
  pick: number
}
const real = (name: Real['real']) => fc.record({ real: fc.constant(name), pick: fc.nat() })

/** Texts people and attackers send, and plain ones; none longer than `longest` code points. */
const text = (shortest: number, longest: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      { arbitrary: fc.string({ minLength: shortest, maxLength: Math.min(longest, 300), unit: 'binary' }), weight: 3 },
      { arbitrary: fc.string({ minLength: shortest, maxLength: Math.min(longest, 40) }), weight: 3 },
      {
        arbitrary: fc.constantFrom('__proto__', '\u0000', '\ud800', 'null', '{}', 'BBBB-BBBB', 'x'.repeat(longest)),
        weight: 1
      }
    )
    .map((value) => [...value.padEnd(shortest, 'x')].slice(0, longest).join(''))

/** A value the schema accepts; a field that names something real holds it most of the time. */
function valid(schema: Node, name = ''): fc.Arbitrary<unknown> {
  if (schema.nullable)
    return fc.oneof({ arbitrary: valid({ ...schema, nullable: false }, name), weight: 4 }, fc.constant(null))
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.type === 'string') {
    const anyText = text(schema.minLength ?? 0, schema.maxLength ?? 100)
    if (name !== 'grant_code' && name !== 'user_code') return anyText
    return fc.oneof({ arbitrary: real(name), weight: 4 }, { arbitrary: anyText, weight: 1 })
  }
  if (schema.type === 'integer') return fc.integer()
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'array') return fc.array(valid(schema.items), { maxLength: 3 })
  if (schema.type === 'object') {
    const properties = Object.fromEntries(
      Object.entries(schema.properties as Node).map(([key, inner]) => [key, valid(inner, key)])
    )
    const known = fc.record(properties, { requiredKeys: schema.required ?? [] })
    const other = fc.dictionary(
      fc.string({ maxLength: 5 }).map((key) => `x-${key}`),
      fc.jsonValue(),
      { maxKeys: 2 }
    )
    return fc.tuple(known, other).map(([one, two]) => ({ ...two, ...one }))
  }
  throw new Error(`a schema nobody expected: ${JSON.stringify(schema)}`)
}

/** One byte more than the service reads. */
const tooLarge: Body = { raw: ' '.repeat(16_385), type: 'application/json' }

type Body = { json: unknown } | { raw: string; type?: string; encoding?: string } | undefined

/** A body as documented, or spoilt in one of many ways. */
function bodies(schema: Node): fc.Arbitrary<Body> {
  if (!schema) {
    return fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 12 },
      fc.record({ json: fc.jsonValue() }),
      fc.record({ raw: fc.string(), type: fc.constantFrom('application/json', 'text/plain') }),
      fc.constant(tooLarge)
    )
  }
  const right = valid(schema)
  const names = Object.keys(schema.properties)
  const spoilt = fc.tuple(right, fc.constantFrom(...names), fc.jsonValue()).map(([body, name, value]) => ({
    json: { ...(body as object), [name]: value }
  }))
  const missing = fc.tuple(right, fc.constantFrom(...names)).map(([body, name]) => {
    const { [name]: _gone, ...json } = body as Record<string, unknown>
    return { json }
  })
  const tooLong = fc
    .tuple(right, fc.constantFrom(...names), fc.integer({ min: 1, max: 2_000 }))
    .map(([body, name, length]) => ({
      json: { ...(body as object), [name]: 'x'.repeat(length) }
    }))
  const raw = fc.record(
    {
      raw: fc.oneof(fc.string(), fc.json(), fc.constantFrom('', '{', '{"__proto__":{}}', '\ufeff{}')),
      type: fc.constantFrom(
        'application/json',
        'application/json; charset=utf-8',
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/jsonx'
      ),
      encoding: fc.constantFrom('gzip', 'identity')
    },
    { requiredKeys: ['raw'] }
  ) as fc.Arbitrary<Body>
  return fc.oneof(
    { arbitrary: right.map((json) => ({ json })), weight: 10 },
    { arbitrary: spoilt, weight: 2 },
    { arbitrary: missing, weight: 2 },
    { arbitrary: tooLong, weight: 1 },
    { arbitrary: fc.jsonValue().map((json) => ({ json })), weight: 1 },
    { arbitrary: raw, weight: 3 },
    { arbitrary: fc.constant(tooLarge), weight: 1 }
  )
}

type Credential = { kind: 'user' | 'client' | 'revoked' | 'none' | 'raw'; pick: number; raw: string }
const credentials = (isPublic: boolean): fc.Arbitrary<Credential> =>
  fc.record({
    kind: isPublic
      ? fc.constantFrom('none', 'none', 'none', 'user', 'raw' as const)
      : fc.constantFrom(
          'user',
          'user',
          'user',
          'user',
          'user',
          'user',
          'client',
          'client',
          'revoked',
          'none',
          'raw' as const
        ),
    pick: fc.nat(),
    raw: fc.oneof(
      fc.string({ unit: fc.constantFrom(...'abcXYZ019.-_=~ ') }),
      fc.constantFrom('Bearer', 'Bearer x.y.z', 'Basic eDp5', `Bearer ${'x'.repeat(9_000)}`)
    )
  })

const requests = fc.oneof(
  ...operations.map((operation) => ({
    weight: operation.path.startsWith('/api') ? 6 : 1,
    arbitrary: fc.record({
      operation: fc.constant(operation),
      credential: credentials(operation.isPublic),
      body: bodies(operation.body),
      query: fc.oneof(
        {
          weight: 6,
          arbitrary: fc.tuple(
            ...operation.query.map(({ name, schema }: Node) => valid(schema, name).map((value) => [name, value]))
          )
        },
        {
          weight: 1,
          arbitrary: fc.array(fc.tuple(fc.constantFrom('user_code', 'x', '__proto__'), text(0, 80)), { maxLength: 3 })
        }
      ) as fc.Arbitrary<[string, unknown][]>,
      id: fc.oneof(
        { weight: 6, arbitrary: real('id') },
        { weight: 1, arbitrary: fc.uuid() },
        { weight: 2, arbitrary: text(1, 90) }
      ),
      address: fc.nat({ max: 11 }),
      times: fc.constantFrom(1, 1, 1, 1, 2),
      laterMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 8_000 }))
    })
  }))
)
type Request = typeof requests extends fc.Arbitrary<infer T> ? T : never

/** What real things there are to ask about: renewed all the time, so that every state of a grant is met. */
async function createWorld({ call, clock }: TestApp) {
  const users = await Promise.all(
    Array.from({ length: 12 }, async (_, i) => ({
      name: `user-${i}`,
      token: await sessionOf(`user-${i}`, { expires: '3650d' })
    }))
  )
  const grants: { grant_code: string; user_code: string }[] = []
  const clients: { id: string; jwt: string }[] = []
  const revoked: string[] = []
  let round = 0

  const of = <T>(list: T[], pick: number) => list[pick % list.length] as T
  return {
    users,
    of,
    grants,
    clients,
    revoked,
    async renew() {
      round += 1
      // From addresses of its own: the world is not what is tried here.
      const headers = { 'x-forwarded-for': `10.${round >> 16}.${(round >> 8) & 255}.${round & 255}` }
      const begin = async () =>
        (
          await call('POST', '/auth/grant/code', {
            headers,
            body: { client_type: 'cli', client_metadata: { hostname: 'h' } }
          })
        ).body
      for (let i = 0; i < 2; i++) grants.push(await begin())
      const { token, name } = of(users, round)
      const { grant_code, user_code } = await begin()
      const approval = await call('POST', '/auth/grant/approve', {
        token,
        headers,
        body: { user_code, action: 'approve' }
      })
      if (approval.status === 200) {
        const { jwt } = (await call('POST', '/auth/grant/token', { body: { grant_code } })).body
        const id = String(decodeJwt(jwt).cid)
        if (round % 4 === 0) {
          await call('DELETE', `/auth/clients/${id}`, { token, headers })
          revoked.push(jwt)
        } else clients.push({ id, jwt })
      }
      grants.push({ grant_code, user_code })
      for (const list of [grants, clients, revoked]) while (list.length > 24) list.shift()
      clock.advance(500)
      return name
    }
  }
}
type World = Awaited<ReturnType<typeof createWorld>>

/** Puts what is real where it is wanted. */
function realize(value: unknown, world: World): unknown {
  if (Array.isArray(value)) return value.map((inner) => realize(inner, world))
  if (typeof value !== 'object' || value === null) return value
  const { real: name, pick } = value as Partial<Real>
  if (name !== undefined && pick !== undefined && Object.keys(value).length === 2) {
    return name === 'id' ? world.of(world.clients, pick).id : world.of(world.grants, pick)[name]
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, realize(inner, world)]))
}

function authorizationOf({ kind, pick, raw }: Credential, world: World): string | undefined {
  if (kind === 'none') return undefined
  if (kind === 'raw') return raw
  const token =
    kind === 'user'
      ? world.of(world.users, pick).token
      : kind === 'client'
        ? world.of(world.clients, pick).jwt
        : world.of(world.revoked, pick)
  return `Bearer ${token}`
}

/** A lone surrogate has no form in a URL. */
const encoded = (value: unknown) => encodeURIComponent(String(value).replace(/\p{Surrogate}/gu, '\ufffd'))

async function explore(t: Test, seed: number, count: number, variables: Record<string, string>) {
  const service = await startApp(t, { SIGNING_ALG: 'EdDSA', TRUST_PROXY: '127.0.0.1', ...variables })
  const { app, clock } = service
  const world = await createWorld(service)
  for (let i = 0; i < 8; i++) await world.renew()
  const seen = new Map<string, number>()
  let sent = 0

  const ask = async (request: Request) => {
    clock.advance(request.laterMs)
    for (let i = 0; i < request.times; i++) await askOnce(request)
  }
  const askOnce = async ({ operation, credential, body, query, id, address }: Request) => {
    if (++sent % 8 === 0) await world.renew()
    const authorization = authorizationOf(credential, world)
    const search = query.map(([name, value]) => `${name}=${encoded(realize(value, world))}`).join('&')
    const path = operation.path.replace(/\{\w+\}/, () => encoded(realize(id, world)))
    const type = body === undefined ? undefined : 'json' in body ? 'application/json' : body.type
    const answer = await app.inject({
      method: operation.method,
      url: `${path}${search && `?${search}`}`,
      headers: {
        'x-forwarded-for': `192.0.2.${address}`,
        ...(authorization !== undefined && { authorization }),
        ...(type !== undefined && { 'content-type': type }),
        ...(body && 'encoding' in body && body.encoding && { 'content-encoding': body.encoding })
      },
      ...(body && { payload: 'json' in body ? JSON.stringify(realize(body.json, world)) : body.raw })
    })
    const { statusCode: status, headers } = answer
    const documented = operation.answers.get(status)
    const what = `${operation.id} ${status} ${answer.body.slice(0, 200)}`
    if (status >= 500) throw new Error(`a 5xx: ${what}`)
    if (!documented) throw new Error(`not documented: ${what}`)
    if (!String(headers['content-type']).startsWith(documented.type))
      throw new Error(`${headers['content-type']}: ${what}`)
    if (documented.check && !documented.check(answer.json())) {
      throw new Error(`not as documented: ${what} ${ajv.errorsText(documented.check.errors)}`)
    }
    if (status === 429 && !/^[1-9]\d*$/.test(String(headers['retry-after']))) throw new Error(`no Retry-After: ${what}`)
    const key = `${operation.id} ${status}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
    if (operation.id === 'pollGrantToken' && status === 200) {
      const state = `state ${answer.json().status}`
      seen.set(state, (seen.get(state) ?? 0) + 1)
    }
  }

  t.comment(`seed ${seed}`)
  await fc.assert(fc.asyncProperty(requests, ask), { seed, numRuns: count, endOnFailure: true })
  t.comment(
    [...seen]
      .sort()
      .map(([key, times]) => `${key} × ${times}`)
      .join(', ')
  )
  t.ok(sent >= count, `${sent} requests`)
  return seen
}

/** Not to be had by a request to a route that exists, on a service that is well. */
const OUT_OF_REACH = [405, 408, 500, 503]
const documented = operations.flatMap(({ id, answers }) =>
  [...answers.keys()].filter((status) => !OUT_OF_REACH.includes(status)).map((status) => `${id} ${status}`)
)

t.comment(`ANY_REQUEST_SEED=${seed}`)

t.test('without limits, in memory', async (t) => {
  const seen = await explore(t, seed, 1_800, { LIMITS: 'off' })
  const missing = documented.filter((key) => !seen.has(key))
  t.comment(`not seen: ${missing.join(', ')}`)
  t.strictSame(
    operations.filter(({ id }) => ![...seen.keys()].some((key) => key.startsWith(`${id} `))).map(({ id }) => id),
    []
  )
  t.ok(operations.length >= 11, `${operations.length} operations`)
  // Two Authorization headers, the 400 of the routes without input, cannot be injected; 429 belongs to the other pass.
  const expected = documented.filter((key) => !key.endsWith(' 429') && key !== 'listAuthorizedClients 400')
  const share = expected.filter((key) => seen.has(key)).length / expected.length
  t.ok(share >= 0.9, `${Math.round(share * 100)} % of the ${expected.length} others were seen`)
  for (const state of ['authorization_pending', 'slow_down', 'approved', 'access_denied', 'expired_token']) {
    t.ok(seen.has(`state ${state}`), state)
  }
})

t.test('with limits, over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const seen = await explore(t, seed + 1, 1_000, {
    REDIS_URL: redis.url,
    LIMIT_START_PER_MINUTE: '5',
    LIMIT_PEEK_PER_MINUTE: '10',
    LIMIT_APPROVE_PER_MINUTE: '10'
  })
  for (const key of [
    'startGrant 429',
    'peekGrant 429',
    'decideGrant 429',
    'startGrant 200',
    'pollGrantToken 200',
    'peekGrant 404'
  ]) {
    t.ok(seen.has(key), key)
  }
  const share = documented.filter((key) => seen.has(key)).length / documented.length
  t.ok(share >= 0.75, `${Math.round(share * 100)} % of what is documented`)
})
