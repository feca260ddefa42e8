/**
 * Sends random requests to the tokens API and its issuers, made from the OpenAPI document: valid and corrupted ones,
 * some with real ids and keys. No answer may be a 5xx, or have a status or a shape that the document does not name.
 * any-request.test.ts does the same for the other surfaces. ANY_REQUEST_SEED repeats a run.
 */
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { startDnsServer } from '../support/dns-server.js'
import {
  type DocumentedOperation,
  documentedOperations,
  type Node,
  problemWith
} from '../support/documented-operations.js'
import { startRedis } from '../support/redis-server.js'
import { type ListeningApp, mint, startListeningApp } from '../support/relying-party.js'
import { BODIES, makeOneOfEach, OPERATIONS } from '../support/tokens-client.js'

const seed = Number(process.env.ANY_REQUEST_SEED ?? Date.now() % 2 ** 31)
const operations: readonly DocumentedOperation[] = documentedOperations(
  (path) => path.startsWith('/v1/') || path.startsWith('/{providerId}/')
)

/** A placeholder for something real, which is chosen when the request is sent and such things exist. */
interface Real {
  real: 'policy' | 'token' | 'audience' | 'url'
  pick: number
}
const anyPick = fc.noBias(fc.nat())
const real = (name: Real['real']): fc.Arbitrary<Real> => fc.record({ real: fc.constant(name), pick: anyPick })

/** Plain texts, and texts that users and attackers send; none is longer than `longest` code points. */
const text = (shortest: number, longest: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      { arbitrary: fc.string({ minLength: shortest, maxLength: Math.min(longest, 300), unit: 'binary' }), weight: 3 },
      { arbitrary: fc.string({ minLength: shortest, maxLength: Math.min(longest, 40) }), weight: 3 },
      { arbitrary: fc.constantFrom('__proto__', '\u0000', '\ud800', 'null', '{}', 'x'.repeat(longest)), weight: 1 }
    )
    .map((value) => [...value.padEnd(shortest, 'x')].slice(0, longest).join(''))

/** Issuers that the service must not connect to. */
const ISSUERS = [
  'https://10.0.0.1',
  'http://issuer.example.com/',
  'https://[fd00::1]/x',
  'ftp://a.example',
  'x',
  'https://a?b'
]
const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?$/)
const TOKENS = ['x', 'x.y.z', 'e30.e30.', 'eyJhbGciOiJub25lIn0.e30.', 'eyJhbGciOiJIUzI1NiJ9.e30.AA', 'a.b.c.d.e']

/** Values with a meaning, for fields that the document describes only as text. */
const FIELDS: Record<string, fc.Arbitrary<unknown>> = {
  domain: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(label, fc.constantFrom('example', 'Example.COM')).map((parts) => parts.join('.'))
    },
    { weight: 1, arbitrary: fc.constantFrom('www.example.com', 'localhost', 'taken.example', 'Taken.example') },
    { weight: 1, arbitrary: text(3, 255) }
  ),
  url: fc.oneof(
    { weight: 4, arbitrary: fc.webUrl() },
    { weight: 3, arbitrary: real('url') },
    { weight: 2, arbitrary: fc.constantFrom(...ISSUERS) }
  ),
  tenantProviderPolicyId: fc.oneof({ weight: 6, arbitrary: real('policy') }, { weight: 1, arbitrary: text(1, 64) }),
  token: fc.oneof(
    { weight: 4, arbitrary: real('token') },
    { weight: 2, arbitrary: fc.constantFrom(...TOKENS) },
    text(1, 16_384)
  ),
  audience: fc.oneof({ weight: 1, arbitrary: real('audience') }, { weight: 1, arbitrary: text(3, 100) })
}

/** Makes a value that the schema accepts. */
function valid(schema: Node, name = ''): fc.Arbitrary<unknown> {
  const known = FIELDS[name]
  if (known) return known
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.type === 'string') return text(schema.minLength ?? 0, schema.maxLength ?? 100)
  if (schema.type === 'integer') return fc.integer({ min: schema.minimum, max: schema.maximum })
  if (schema.type === 'number') return fc.double({ min: schema.minimum, max: schema.maximum, noNaN: true })
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'array') {
    return fc.array(valid(schema.items), { minLength: schema.minItems ?? 0, maxLength: schema.maxItems ?? 5 })
  }
  if (schema.type !== 'object') throw new Error(`a schema nobody expected: ${JSON.stringify(schema)}`)
  const properties = Object.fromEntries(
    Object.entries(schema.properties as Node).map(([key, inner]) => [key, valid(inner, key)])
  )
  const members = fc.record(properties, { requiredKeys: schema.required ?? [] })
  const others = fc.dictionary(
    fc.string({ maxLength: 5 }).map((key) => `x-${key}`),
    fc.jsonValue(),
    { maxKeys: 2 }
  )
  return fc.tuple(members, others).map(([one, two]) => ({ ...two, ...one }))
}

type Body = { json: unknown } | { raw: string; type?: string; encoding?: string } | undefined

/** A body one byte longer than any operation reads. */
const tooLarge: Body = { raw: ' '.repeat(17_409), type: 'application/json' }
const raw = fc.record(
  {
    raw: fc.oneof(fc.string(), fc.json(), fc.constantFrom('', '{', '{"__proto__":{}}', '[]', 'null')),
    type: fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain', 'application/jsonx'),
    encoding: fc.constantFrom('gzip', 'identity')
  },
  { requiredKeys: ['raw'] }
) as fc.Arbitrary<Body>

/** Makes a body as documented, or one that is corrupted in one of many ways, at any depth. */
function bodies({ body: schema, isBodyRequired }: DocumentedOperation): fc.Arbitrary<Body> {
  const none = { arbitrary: fc.constant(undefined), weight: isBodyRequired ? 1 : 12 }
  const bad = [
    { arbitrary: raw, weight: 2 },
    { arbitrary: fc.constant(tooLarge), weight: 1 },
    { arbitrary: fc.jsonValue().map((json) => ({ json })), weight: 1 }
  ]
  if (!schema) return fc.oneof(none, ...bad)
  const right = valid(schema)
  const spoilt = fc
    .tuple(right, anyPick, fc.oneof(fc.jsonValue(), text(0, 300), fc.double()))
    .map(([body, pick, value]) => {
      const json = structuredClone(body)
      const places = placesIn(json)
      const place = places[pick % places.length]
      if (place) place.inside[place.key] = value
      return { json }
    })
  const missing = fc.tuple(right, anyPick).map(([body, pick]) => {
    const json = structuredClone(body) as Record<string, unknown>
    delete json[Object.keys(json)[pick % Object.keys(json).length] as string]
    return { json }
  })
  return fc.oneof(
    none,
    { arbitrary: right.map((json) => ({ json })), weight: 12 },
    { arbitrary: spoilt, weight: 4 },
    { arbitrary: missing, weight: 2 },
    ...bad
  )
}

/** Returns every place in a value that can be corrupted. */
function placesIn(value: unknown): { inside: Record<string, unknown>; key: string }[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = value as Record<string, unknown>
  if ('real' in inside) return []
  return Object.entries(inside).flatMap(([key, inner]) => [{ inside, key }, ...placesIn(inner)])
}

const CREDENTIALS = ['own', 'own', 'own', 'own', 'own', 'own', 'own', 'other', 'ended', 'none', 'raw', 'twice'] as const

const requests = fc.oneof(
  ...operations.map((operation) => ({
    weight: operation.path.startsWith('/v1') ? 3 : 2,
    arbitrary: fc.record({
      // The operation is named by its id, so that a failing request can be read in the report.
      operation: fc.constant(operation.id),
      body: bodies(operation),
      credential: fc.constantFrom(...CREDENTIALS),
      raw: fc.oneof(
        fc.string({ unit: fc.constantFrom(...'abcXYZ019.-_=~ ') }),
        fc.constantFrom('Bearer', 'Bearer x.y.z', 'Bearer uga_acme.x', 'Basic eDp5', `Bearer ${'x'.repeat(9_000)}`)
      ),
      /** Chooses the real resources that the request is about. */
      pick: anyPick,
      /** Decides for each id of the path whether it is real, of another owner, unknown or malformed. */
      ids: fc.array(fc.constantFrom('real', 'real', 'real', 'real', 'real', 'real', 'elsewhere', 'unknown', 'odd'), {
        minLength: 3,
        maxLength: 3
      }),
      unknown: fc.uuid(),
      odd: text(1, 90),
      host: fc.constantFrom('localhost', 'localhost', 'localhost', 'evil.example', 'a b', '[::1]', ''),
      laterMs: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 120_000 }) })
    })
  }))
)
type Request = typeof requests extends fc.Arbitrary<infer T> ? T : never

/** Creates the real resources: two owners with some of each kind. Requests delete them, and the world adds new ones. */
async function createWorld(service: ListeningApp, publish: (name: string, text: string) => void) {
  const { app, newKey, by, publicUrl } = service
  const [own, other, keeper] = await Promise.all(['acme', 'other', 'keeper'].map(newKey))
  const ended = await app.core.apiKeys.create('acme', {})
  await app.core.apiKeys.revoke('acme', ended.key.id)
  // The issuer of this owner is never deleted, so that its tokens can always be validated.
  const kept = await makeOneOfEach(by(keeper))
  const token = await mint(by(keeper), kept, { expiresIn: 172_800 })
  await by(keeper).addDomain(kept, { domain: 'taken.example' })
  const url = `${publicUrl}/${kept.providerId}`
  const chains: Record<string, string>[][] = [[], []]
  let added = 0

  async function add(account: 0 | 1): Promise<void> {
    // The world uses keys of its own, so that its requests do not count against the limits of the tested keys.
    const api = by(await newKey(account === 0 ? 'acme' : 'other'))
    const ids = await makeOneOfEach(api)
    const { body: domain } = await api.getDomain(ids)
    if (++added % 2 === 0) publish(domain.challengeName, domain.challenge)
    const trusted = {
      ...BODIES.createTenantProvider,
      url,
      earliestIssuanceTimeAllowed: 0
    }
    const audience = BODIES.createClient.audience
    const { body: provider } = await api.createTenantProvider(ids, { ...trusted, audience })
    const place = { ...ids, tenantProviderId: provider.id }
    const conditions = [{ key: 'sub', operator: 'stringLike', value: '*' }]
    const { body: policy } = await api.createTenantProviderPolicy(place, {
      ...BODIES.createTenantProviderPolicy,
      audience,
      conditions
    })
    chains[account]?.push({ ...place, policyId: policy.id })
    if ((chains[account]?.length ?? 0) > 5) chains[account]?.shift()
  }

  for (const account of [0, 0, 0, 1, 1] as const) await add(account)
  return {
    chains: chains as [Record<string, string>[], Record<string, string>[]],
    keys: { own, other, ended: ended.text } as Record<string, string>,
    token,
    url,
    audience: BODIES.createClient.audience,
    add
  }
}
type World = Awaited<ReturnType<typeof createWorld>>

const of = <T>(list: readonly T[], pick: number) => list[pick % list.length] as T

function realize(value: unknown, world: World, chain: Record<string, string>): unknown {
  if (Array.isArray(value)) return value.map((inner) => realize(inner, world, chain))
  if (typeof value !== 'object' || value === null) return value
  const { real: name, pick } = value as Partial<Real>
  if (name !== undefined && pick !== undefined) {
    if (name === 'policy') return (pick % 8 ? chain : of(world.chains[0], pick)).policyId
    if (name === 'audience') return world.audience
    if (name === 'url') return world.url
    return pick % 4 ? world.token : `${world.token.slice(0, -5)}AAAAA`
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, realize(inner, world, chain)]))
}

/** A lone surrogate cannot be encoded in a URL. */
const encoded = (value: string) => encodeURIComponent(value.replace(/\p{Surrogate}/gu, '\ufffd'))

function pathOf(
  path: string,
  { ids, pick, unknown, odd }: Request,
  world: World,
  chain: Record<string, string>
): string {
  let count = 0
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const kind = ids[count++]
    if (kind === 'unknown') return unknown
    if (kind === 'odd') return encoded(odd)
    return (kind === 'elsewhere' ? of(world.chains[1], pick) : chain)[name] as string
  })
}

function headersOf({ credential, raw, host, body }: Request, { keys }: World): Record<string, string | string[]> {
  const own = `Bearer ${keys.own}`
  const said = { own, twice: [own, own], raw, none: undefined, other: undefined, ended: undefined }[credential]
  const authorization = said ?? (keys[credential] === undefined ? undefined : `Bearer ${keys[credential]}`)
  const type = body && ('json' in body ? 'application/json' : body.type)
  return {
    host,
    ...(authorization !== undefined && { Authorization: authorization }),
    ...(type !== undefined && { 'content-type': type }),
    ...(body && 'encoding' in body && body.encoding && { 'content-encoding': body.encoding })
  }
}

async function explore(t: Test, seed: number, count: number, variables: Record<string, string>) {
  const dns = await startDnsServer(t)
  const service = await startListeningApp(t, {
    DNS_RESOLVER: dns.address,
    FOREIGN_ISSUERS_ON_LOOPBACK: 'on',
    ...variables
  })
  const { app, clock } = service
  const world = await createWorld(service, (name, text) => dns.publish(name, text))
  const seen = new Map<string, number>()
  let sent = 0

  const ask = async (request: Request) => {
    clock.advance(request.laterMs)
    if (++sent % 24 === 0) await world.add(sent % 48 === 0 ? 1 : 0)
    const chain = of(world.chains[request.credential === 'other' ? 1 : 0], request.pick)
    const { body } = request
    const operation = operations.find(({ id }) => id === request.operation) as DocumentedOperation
    const payload = body && ('json' in body ? JSON.stringify(realize(body.json, world, chain)) : body.raw)
    const answer = await app.inject({
      method: operation.method as 'GET',
      url: pathOf(operation.path, request, world, chain),
      headers: headersOf(request, world) as Record<string, string>,
      ...(payload !== undefined && { payload })
    })
    const problem = problemWith(operation, answer)
    if (problem !== undefined) throw new Error(problem)
    const key = `${operation.id} ${answer.statusCode}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
    if (operation.id === 'verifyDomain' && answer.statusCode === 200) seen.set(`verified ${answer.json().verified}`, 1)
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

/** No request to an existing route can get these statuses from a healthy service. */
const OUT_OF_REACH = [405, 408, 500, 503]
const documented = operations.flatMap(({ id, answers }) =>
  [...answers.keys()].filter((status) => !OUT_OF_REACH.includes(status)).map((status) => `${id} ${status}`)
)

t.test('it is about all of them', async (t) => {
  const issuers = ['getProviderJwks', 'getProviderJwksJson', 'getProviderOpenidConfiguration']
  t.strictSame(operations.map(({ id }) => id).sort(), [...Object.keys(OPERATIONS), ...issuers].sort())
  t.comment(`ANY_REQUEST_SEED=${seed}`)
})

t.test('without limits, in memory', async (t) => {
  const seen = await explore(t, seed, 3_600, { LIMITS: 'off' })
  // The run with limits covers 429.
  const expected = documented.filter((key) => !key.endsWith(' 429'))
  const missing = expected.filter((key) => !seen.has(key))
  t.comment(`not seen: ${missing.join(', ')}`)
  const share = 1 - missing.length / expected.length
  t.ok(share >= 0.9, `${Math.round(share * 100)} % of the ${expected.length} were seen`)
  for (const { id, answers } of operations) {
    const success = `${id} ${[...answers.keys()].find((status) => status < 300)}`
    t.ok(seen.has(success), success)
  }
  t.ok(seen.has('verified true') && seen.has('verified false'), 'domains were verified, and were not')
})

t.test('with limits, over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { REDIS_URL: redis.url, LIMITS: 'on', LIMIT_TOKENS_API_PER_HOUR: '60' }
  const seen = await explore(t, seed + 1, 1_800, variables)
  const limited = operations.filter(({ id }) => id in OPERATIONS).map(({ id }) => `${id} 429`)
  const missing = limited.filter((key) => !seen.has(key))
  t.ok(missing.length <= 3, `not seen: ${missing.join(', ')}`)
  const share = documented.filter((key) => seen.has(key)).length / documented.length
  t.ok(share >= 0.7, `${Math.round(share * 100)} % of what is documented`)
})
