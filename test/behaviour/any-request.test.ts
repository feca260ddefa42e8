/**
 * Sends random requests made from the OpenAPI document, valid and corrupted ones, some with real codes, tokens, ids and
 * keys. No answer may be a 5xx, or have a status or a shape that the document does not name. The tokens API and its issuers
 * have a world of their own in the second half, because their resources differ. ANY_REQUEST_SEED repeats a run.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { CODE_GRANT, DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { anyCharacter } from '../support/any-character.js'
import { startApp, type TestApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { answerAs, challengeOf, codeRequest } from '../support/code-flow.js'
import { startDnsServer } from '../support/dns-server.js'
import {
  type DocumentedOperation,
  documentedOperations,
  type Node,
  pathSegmentOf,
  problemWith
} from '../support/documented-operations.js'
import { PLAIN_TOKEN_ENDPOINT, type PlainProvider, startPlainProvider } from '../support/plain-upstream.js'
import { startRedis } from '../support/redis-server.js'
import { type ListeningApp, mint, startListeningApp } from '../support/relying-party.js'
import { connectAt, providersFile } from '../support/sign-in.js'
import { sessionOf } from '../support/tokens.js'
import { BODIES, makeOneOfEach, OPERATIONS } from '../support/tokens-client.js'
import { changed, json } from '../support/upstream-gate.js'

type Answer = Awaited<ReturnType<TestApp['app']['inject']>>

const seed = Number(process.env.ANY_REQUEST_SEED ?? Date.now() % 2 ** 31)

const FORM = 'application/x-www-form-urlencoded'

/** The tokens API and its issuers. */
const isOfTokens = (path: string) => path.startsWith('/v1/') || path.startsWith('/{providerId}/')
/** The admin API has a file of its own: admin-any-request.test.ts. */
const isOfOperators = (path: string) => path.startsWith('/admin/')
const operations = documentedOperations((path) => !isOfTokens(path) && !isOfOperators(path))
const tokensOperations = documentedOperations(isOfTokens)

/** A placeholder for something real, which is chosen when the request is sent and such things exist. */
interface Real {
  real: (typeof REAL)[number] | 'id'
  pick: number
}
/** Chooses each item of a list with equal probability. */
const anyPick = fc.noBias(fc.nat())
const real = (name: Real['real']) => fc.record({ real: fc.constant(name), pick: anyPick })

/** Fields with these names hold something real most of the time. All of a request come from the same flow. */
const OF_A_FLOW = [
  'device_code',
  'refresh_token',
  'token',
  'client_id',
  'client_secret',
  'code',
  'code_verifier',
  'redirect_uri'
] as const
const REAL = ['grant_code', 'user_code', ...OF_A_FLOW] as const
const isReal = (name: string): name is (typeof REAL)[number] => REAL.some((one) => one === name)
const isOfAFlow = (name: string) => OF_A_FLOW.some((one) => one === name)

/** Where the answers for clients with redirect URIs go. */
const CALLBACK = 'http://127.0.0.1:43123/callback'
/** A resource that every client may ask for. */
const API = 'https://api.example'

const mostly = (word: string) => Array.from({ length: 16 }, () => word)

/** Words with a meaning, for fields that the document describes only as text. */
const WORDS: Record<string, string[]> = {
  grant_type: [DEVICE_CODE_GRANT, DEVICE_CODE_GRANT, DEVICE_CODE_GRANT, 'refresh_token', CODE_GRANT],
  response_type: [...mostly('code'), 'token'],
  code_challenge: [...mostly(challengeOf('x'.repeat(43))), 'short'],
  code_challenge_method: [...mostly('S256'), 'plain'],
  response_mode: [...mostly('query'), '', 'form_post'],
  prompt: [...mostly(''), 'login', 'consent', ...Array.from({ length: 10 }, () => 'none'), 'none login'],
  max_age: [...mostly(''), '0', '60', '-1'],
  ui_locales: ['', 'de', 'xx pt-BR'],
  scope: ['', 'openid', 'offline_access', 'openid offline_access', 'openid admin', 'openid openid'],
  resource: ['', '', '', '', '', API],
  Prefer: ['wait=0', 'wait=x', 'respond-async', 'wait="', 'wait=5.5']
}

/** Plain texts, and texts that users and attackers send; none is longer than `longest` code points. */
const text = (shortest: number, longest: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      {
        arbitrary: fc.string({ minLength: shortest, maxLength: Math.min(longest, 300), unit: anyCharacter }),
        weight: 3
      },
      { arbitrary: fc.string({ minLength: shortest, maxLength: Math.min(longest, 40) }), weight: 3 },
      {
        arbitrary: fc.constantFrom('__proto__', '\u0000', '\ud800', 'null', '{}', 'BBBB-BBBB', 'x'.repeat(longest)),
        weight: 1
      }
    )
    .map((value) => [...value.padEnd(shortest, 'x')].slice(0, longest).join(''))

/** Makes a value that the schema accepts. A field that names something real has a real value most of the time. */
function valid(schema: Node, name = ''): fc.Arbitrary<unknown> {
  if (schema.nullable)
    return fc.oneof({ arbitrary: valid({ ...schema, nullable: false }, name), weight: 4 }, fc.constant(null))
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one: Node) => valid(one, name)))
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.type === 'string') {
    const anyText = text(schema.minLength ?? 0, schema.maxLength ?? 100)
    const words = WORDS[name]
    if (!words && !isReal(name)) return anyText
    const likely: fc.Arbitrary<unknown> = isReal(name) ? real(name) : fc.constantFrom(...(words as string[]))
    // Fields with long lists have to be right all together, so that anything comes of the others.
    const weight = isOfAFlow(name) ? 14 : (words?.length ?? 0) > 16 ? 30 : 4
    return fc.oneof({ arbitrary: likely, weight }, { arbitrary: anyText, weight: 1 })
  }
  if (schema.type === 'integer') return fc.integer()
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'array') return fc.array(valid(schema.items, name), { maxLength: 3 })
  if (schema.type === 'object') {
    const properties = Object.fromEntries(
      Object.entries(schema.properties as Node).map(([key, inner]) => [key, valid(inner, key)])
    )
    const requiredKeys = [...(schema.required ?? []), ...Object.keys(properties).filter(isOfAFlow)]
    const known = fc.record(properties, { requiredKeys })
    const other = fc.dictionary(
      fc.string({ maxLength: 5 }).map((key) => `x-${key}`),
      fc.jsonValue(),
      { maxKeys: 2 }
    )
    return fc.tuple(known, other).map(([one, two]) => ({ ...two, ...one }))
  }
  throw new Error(`a schema nobody expected: ${JSON.stringify(schema)}`)
}

/** A body one byte longer than any operation reads. */
const tooLargeOf = (type: string): Body => ({ raw: ' '.repeat(17_409), type })
const tooLarge = tooLargeOf('application/json')

type Body = { json: unknown } | { raw: string; type?: string; encoding?: string } | undefined

/** Makes a body as documented, or one that is corrupted in one of many ways. */
function bodies({ body: schema, takesJson }: DocumentedOperation): fc.Arbitrary<Body> {
  if (!schema) {
    return fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 9 },
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
      raw: fc.oneof(
        fc.string(),
        fc.json(),
        fc.constantFrom('', '{', '{"__proto__":{}}', '\ufeff{}', 'token=%&token', '=&&')
      ),
      type: fc.constantFrom(
        'application/json',
        'application/json; charset=utf-8',
        'text/plain',
        FORM,
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
    { arbitrary: fc.constant(takesJson ? tooLarge : tooLargeOf(FORM)), weight: 1 }
  )
}

/**
 * The credentials of the caller, genuine or not. `own` is the client to which the codes and tokens in the body belong.
 */
type Credential = { kind: (typeof KINDS)[keyof typeof KINDS][number]; twice: boolean; pick: number; raw: string }
const KINDS = {
  nobody: ['none', 'none', 'none', 'user', 'raw'],
  account: ['owner', 'owner', 'owner', 'owner', 'owner', 'owner', 'user', 'client', 'revoked', 'key', 'none', 'raw'],
  apiKey: [
    'key',
    'key',
    'key',
    'key',
    'owner',
    'owner',
    'owner',
    'owner',
    'user',
    'client',
    'bare key',
    'ended key',
    'none',
    'raw'
  ],
  bearerAuth: ['user', 'user', 'user', 'user', 'user', 'user', 'client', 'client', 'revoked', 'none', 'raw'],
  accessToken: ['access', 'access', 'access', 'access', 'client', 'revoked', 'user', 'none', 'raw'],
  clientSecretBasic: [
    'own by post',
    'own by post',
    'own by post',
    'own by post',
    'own',
    'own',
    'other',
    'other',
    'user',
    'raw'
  ]
} as const
function kindsOf({ path, schemes }: DocumentedOperation): readonly Credential['kind'][] {
  if (schemes.includes('apiKey')) return KINDS.apiKey
  if (schemes.length > 0 && isAboutAccounts(path)) return KINDS.account
  return KINDS[(schemes[0] ?? 'nobody') as keyof typeof KINDS]
}
const isAboutAccounts = (path: string) => path.includes('/oauthAccounts')

const credentials = (operation: DocumentedOperation): fc.Arbitrary<Credential> =>
  fc.record({
    kind: fc.constantFrom(...kindsOf(operation)),
    twice: fc.nat({ max: 24 }).map((n) => n === 0),
    pick: anyPick,
    raw: fc.oneof(
      fc.string({ unit: fc.constantFrom(...'abcXYZ019.-_=~ ') }),
      fc.constantFrom('Bearer', 'Bearer x.y.z', 'Basic eDp5', 'Basic Og==', `Bearer ${'x'.repeat(9_000)}`)
    )
  })

const ENVIRONMENT_ID = '0f0e0d0c-0b0a-4908-8706-050403020100'

/** The relative frequency of an operation. */
function weightOf({ id, method, path, schemes }: DocumentedOperation): number {
  if (id === 'requestToken') return 30
  if (path === '/oauth/authorize') return 5
  if (method === 'OPTIONS') return 1
  return path.startsWith('/api') || schemes.length > 0 ? 6 : 1
}

/**
 * How often a request is sent at once: once or twice where nothing is said. Polls go up to three times, and token requests more
 * often, because the first repetition of a poll gets the same answer and only the second one is told to slow down.
 */
const TIMES: Record<string, number[]> = { requestToken: [1, 3], pollGrantToken: [1, 2, 3, 3] }

const requests = fc.oneof(
  ...operations.map((operation) => ({
    weight: weightOf(operation),
    arbitrary: fc.record({
      operation: fc.constant(operation),
      credential: credentials(operation),
      body: bodies(operation),
      asForm: fc.constantFrom(...waysToWrite(operation)),
      headers: fc.tuple(
        ...operation.headers.map(({ name, schema }: Node) =>
          fc.option(valid(schema, name), { nil: undefined }).map((value) => [name, value])
        )
      ) as fc.Arbitrary<[string, unknown][]>,
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
      environment: fc.oneof(
        { weight: 8, arbitrary: fc.constant(ENVIRONMENT_ID) },
        { weight: 1, arbitrary: fc.uuid() },
        { weight: 1, arbitrary: text(1, 90) }
      ),
      address: fc.nat({ max: 11 }),
      times: fc.constantFrom(...(TIMES[operation.id] ?? [1, 1, 1, 1, 2])),
      laterMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 8_000 }))
    })
  }))
)
type Request = typeof requests extends fc.Arbitrary<infer T> ? T : never

/** Whether a body is sent as a form. What takes forms alone is sent JSON once in a while. */
function waysToWrite({ takesForms, takesJson }: DocumentedOperation): boolean[] {
  if (!takesForms) return [false]
  return takesJson ? [true, false] : [true, true, true, false]
}

const FULL = { scope: 'openid profile offline_access', redirect_uris: [CALLBACK] }
const CLIENTS: {
  client_id: string
  client_secret?: string
  scope?: string
  grant_types?: string[]
  redirect_uris?: string[]
}[] = [
  { client_id: 'box', client_secret: 'the secret of the box', ...FULL },
  { client_id: 'tv', ...FULL },
  { client_id: 'lamp', client_secret: 'the secret of the lamp', ...FULL },
  { client_id: 'once', scope: 'openid profile', grant_types: [DEVICE_CODE_GRANT] },
  { client_id: 'api', client_secret: 'the secret of the api', grant_types: [] }
]
const CLIENTS_FILE = JSON.stringify({
  clients: CLIENTS.map(({ client_secret, ...client }) => ({
    ...client,
    ...(client.grant_types?.length !== 0 && { resources: [API] }),
    ...(client_secret !== undefined && { client_secret_digests: [digestOf(client_secret)] })
  })),
  resources: [{ identifier: API, name: 'An API', scope: 'films.read', built_in_clients: true }]
})
type Client = (typeof CLIENTS)[number]

/** A device authorization with its codes and tokens, or a code that was approved in a browser. */
interface Flow {
  client: Client
  device_code: string
  user_code: string
  code?: string
  code_verifier?: string
  access_token?: string
  refresh_token?: string
}

/**
 * Creates the real things that requests can be about. They are renewed all the time, so that requests meet a grant or a
 * connection in every state.
 */
async function createWorld({ app, call, clock }: TestApp) {
  const users = await Promise.all(
    Array.from({ length: 12 }, async (_, i) => ({
      name: `user-${i}`,
      token: await sessionOf(`user-${i}`, { expires: '3650d' })
    }))
  )
  const grants: { grant_code: string; user_code: string }[] = []
  const clients: { id: string; jwt: string }[] = []
  const revoked: string[] = []
  const flows: Flow[] = []
  /** The flows that have a code. */
  const coded: Flow[] = []
  /** The flows that have tokens. */
  const redeemed: Flow[] = []
  /** The connections of the users. In time some are disconnected, and the upstream refuses the tokens of others. */
  const accounts: { id: string; owner: number }[] = []
  const rights = ['introspect', 'connected-accounts'] as const
  const [key, ended, bare] = [
    await app.core.apiKeys.create('acme', { rights }, BY),
    await app.core.apiKeys.create('acme', { rights }, BY),
    await app.core.apiKeys.create('acme', {}, BY)
  ]
  await app.core.apiKeys.revoke('acme', ended.key.id, BY)
  let round = 0

  const of = <T>(list: T[], pick: number) => list[pick % list.length] as T
  /**
   * The requests of the world use their own addresses, so that they do not count against the limits of the tested
   * requests.
   */
  const headers = () => ({ 'x-forwarded-for': `10.${round >> 16}.${(round >> 8) & 255}.${round & 255}` })

  async function post(path: string, body: Record<string, unknown>) {
    const answer = await call('POST', path, { headers: headers(), body })
    return answer.body
  }
  const decide = (user_code: string, token: string, action: 'approve' | 'deny') =>
    call('POST', '/auth/grant/approve', { token, headers: headers(), body: { user_code, action } })

  async function renewFlows() {
    const begin = async (client: Client, scope = ''): Promise<Flow> => {
      const { client_id, client_secret } = client
      const codes = await post('/oauth/device_authorization', { client_id, client_secret, scope })
      return { client, device_code: codes.device_code, user_code: codes.user_code }
    }
    flows.push(await begin(of(CLIENTS.slice(0, 4), round)))
    const client = of(CLIENTS.slice(0, 3), round)
    const flow = await begin(client, round % 5 === 0 ? 'profile' : 'openid offline_access')
    flows.push(flow)
    const wanted = of(['deny', 'approve', 'collect', 'approve'] as const, round)
    await decide(flow.user_code, of(users, round).token, wanted === 'deny' ? 'deny' : 'approve')
    if (wanted === 'collect') {
      const { client_id, client_secret } = client
      const { device_code } = flow
      const tokens = await post('/oauth/token', {
        client_id,
        client_secret,
        grant_type: DEVICE_CODE_GRANT,
        device_code
      })
      redeemed.push(Object.assign(flow, tokens))
    }
    const asked = codeRequest({ client_id: client.client_id, redirect_uri: CALLBACK })
    const code = await answerAs({ app, clock }, asked, of(users, round).name)
    coded.push({ ...flow, code, code_verifier: asked.verifier })
    // Codes live for a minute.
    while (coded.length > 4) coded.shift()
    while (flows.length > 48) flows.shift()
    while (redeemed.length > 12) redeemed.shift()
  }

  async function renewAccounts() {
    const owner = round % users.length
    const connected = await connectAt(app, 'hub', `login-${round}`, of(users, owner).name)
    if (connected.kind !== 'connected') throw new Error(`not connected: ${connected.kind}`)
    accounts.push({ id: connected.connection.id, owner })
    while (accounts.length > 8) accounts.shift()
  }

  return {
    users,
    of,
    grants,
    clients,
    revoked,
    flows,
    coded,
    redeemed,
    accounts,
    apiKeys: { key: key.text, 'bare key': bare.text, 'ended key': ended.text },
    async renew() {
      round += 1
      if (round % 3 === 0) await renewAccounts()
      const begin = () => post('/auth/grant/code', { client_type: 'cli', client_metadata: { hostname: 'h' } })
      for (let i = 0; i < 2; i++) grants.push(await begin())
      const { token } = of(users, round)
      const { grant_code, user_code } = await begin()
      const approval = await decide(user_code, token, 'approve')
      if (approval.status === 200) {
        const { jwt } = await post('/auth/grant/token', { grant_code })
        const id = String(decodeJwt(jwt).cid)
        if (round % 4 === 0) {
          await call('DELETE', `/auth/clients/${id}`, { token, headers: headers() })
          revoked.push(jwt)
        } else clients.push({ id, jwt })
      }
      grants.push({ grant_code, user_code })
      for (const list of [grants, clients, revoked]) while (list.length > 24) list.shift()
      await renewFlows()
      clock.advance(500)
    }
  }
}
type World = Awaited<ReturnType<typeof createWorld>>

/** Chooses the flow of a request; if the request needs tokens, one that has some. */
function flowOf({ body, credential }: Request, world: World): Flow {
  const { token, grant_type } = (body && 'json' in body ? (body.json ?? {}) : {}) as Record<string, unknown>
  const wantsTokens = token !== undefined || grant_type === 'refresh_token' || credential.kind === 'access'
  if (grant_type === CODE_GRANT) return world.of(world.coded, credential.pick)
  return world.of(wantsTokens ? world.redeemed : world.flows, credential.pick)
}

/** The real things that a request may contain. */
interface Ingredients {
  world: World
  /** The connection that the request is about, if any. */
  account: World['accounts'][number] | undefined
  flow: Flow
  asker: Client
  byPost: boolean
}

/** Replaces placeholders by real values. */
function realize(value: unknown, from: Ingredients): unknown {
  if (Array.isArray(value)) return value.map((inner) => realize(inner, from))
  if (typeof value !== 'object' || value === null) return value
  const { real: name, pick } = value as Partial<Real>
  if (name === undefined || pick === undefined || Object.keys(value).length !== 2) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, realize(inner, from)]))
  }
  const { world, account, asker, byPost } = from
  if (name === 'id') return (account ?? world.of(world.clients, pick)).id
  if (name === 'grant_code') return world.of(world.grants, pick).grant_code
  if (name === 'user_code')
    return world.of<{ user_code: string }>(pick % 4 ? world.grants : world.flows, pick).user_code
  // One in sixteen values belongs to another flow, whose client or state does not fit.
  const isOther = pick % 16 === 0
  const flow = isOther ? world.of(world.flows, pick >> 4) : from.flow
  if (name === 'client_id') return isOther ? flow.client.client_id : asker.client_id
  if (name === 'client_secret') return byPost ? asker.client_secret : undefined
  if (name === 'redirect_uri') return isOther ? `${CALLBACK}/other` : CALLBACK
  if (name === 'token') return flow[pick % 2 ? 'access_token' : 'refresh_token'] ?? flow.device_code
  return flow[name] ?? flow.device_code
}

function authorizationOf(
  { kind, pick, raw }: Credential,
  { world, account, flow, asker }: Ingredients
): string | undefined {
  switch (kind) {
    case 'none':
    case 'own by post':
      return undefined
    case 'raw':
      return raw
    case 'user':
      return `Bearer ${world.of(world.users, pick).token}`
    case 'owner':
      return `Bearer ${world.of(world.users, account?.owner ?? pick).token}`
    case 'key':
    case 'bare key':
    case 'ended key':
      return `Bearer ${world.apiKeys[kind]}`
    case 'client':
      return `Bearer ${world.of(world.clients, pick).jwt}`
    case 'revoked':
      return `Bearer ${world.of(world.revoked, pick)}`
    case 'access':
      return `Bearer ${flow.access_token}`
    case 'own':
    case 'other': {
      const { client_id, client_secret = '' } = asker
      return `Basic ${Buffer.from(`${client_id}:${encodeURIComponent(client_secret)}`).toString('base64')}`
    }
  }
}

/** A lone surrogate cannot be encoded in a URL. */
const encoded = (value: unknown) => encodeURIComponent(String(value).replace(/\p{Surrogate}/gu, '\ufffd'))

/** Encodes fields as a form; a list repeats its parameter. */
function toForm(fields: object): string {
  const pairs = Object.entries(fields).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
  return pairs
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encoded(name)}=${encoded(typeof value === 'object' ? JSON.stringify(value) : value)}`)
    .join('&')
}

/** Returns the body as it is sent, with its content type. */
function written({ body, asForm }: Request, fields: unknown): { type?: string; payload?: string; encoding?: string } {
  if (body === undefined) return {}
  if (!('json' in body)) {
    const { raw, type, encoding } = body
    return { payload: raw, ...(type !== undefined && { type }), ...(encoding !== undefined && { encoding }) }
  }
  const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields)
  return asForm && isObject
    ? { type: FORM, payload: toForm(fields) }
    : { type: 'application/json', payload: JSON.stringify(fields) }
}

/** Starts an upstream whose access tokens expire soon and which sometimes refuses a refresh token. */
async function startHub(t: Test): Promise<PlainProvider> {
  const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })
  hub.expires = true
  const short = changed({ expires_in: 90 })
  hub.at(PLAIN_TOKEN_ENDPOINT, (exchange) => {
    const isRefused = exchange.form.get('grant_type') === 'refresh_token' && hub.count('refresh_token') % 4 === 0
    return isRefused ? json({ error: 'bad_refresh_token' })(exchange) : short(exchange)
  })
  return hub
}
const PUBLIC_URL = 'https://grants.example'

interface Asking<T> {
  seed: number
  count: number
  requests: fc.Arbitrary<T>
  ask(request: T): Promise<void>
  /** What the answers were, with how often. */
  seen: ReadonlyMap<string, number>
}

/** Asks as many requests as `count`, and comments on what was seen. */
async function askAll<T>(t: Test, { seed, count, requests, ask, seen }: Asking<T>): Promise<void> {
  t.comment(`seed ${seed}`)
  await fc.assert(fc.asyncProperty(requests, ask), { seed, numRuns: count, endOnFailure: true })
  t.comment(
    [...seen]
      .sort()
      .map(([key, times]) => `${key} × ${times}`)
      .join(', ')
  )
}

async function explore(t: Test, seed: number, count: number, variables: Record<string, string>) {
  const hub = await startHub(t)
  const service = await startApp(t, {
    PUBLIC_URL,
    ENVIRONMENT_ID,
    PROVIDERS_FILE: providersFile(t, [hub.entry()]),
    SIGNING_ALG: 'EdDSA',
    TRUST_PROXY: '127.0.0.1',
    // The short life lets many grants expire while requests are still about them.
    GRANT_TTL_SECONDS: '60',
    OAUTH_CLIENTS_FILE: join(t.testdir({ 'clients.json': CLIENTS_FILE }), 'clients.json'),
    ...variables
  })
  const { app, clock } = service
  const world = await createWorld(service)
  for (let i = 0; i < 8; i++) await world.renew()
  const seen = new Map<string, number>()
  let sent = 0

  const ask = async (request: Request) => {
    clock.advance(request.laterMs)
    for (let i = 0; i < request.times; i++) await askOnce(request)
  }
  const askOnce = async (request: Request) => {
    const { operation, credential, body, query, headers, id, environment, address } = request
    if (++sent % 8 === 0) await world.renew()
    const flow = flowOf(request, world)
    const asker = credential.kind === 'other' ? world.of(CLIENTS, credential.pick) : flow.client
    const account = isAboutAccounts(operation.path) ? world.of(world.accounts, credential.pick) : undefined
    const ingredients = { world, account, flow, asker, byPost: credential.kind === 'own by post' }
    const put = (value: unknown) => realize(value, ingredients)
    const authorization = authorizationOf(credential, ingredients)
    const search = query.map(([name, value]) => `${name}=${encoded(put(value))}`).join('&')
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name) =>
      pathSegmentOf(name === 'environmentId' ? environment : put(id))
    )
    const fields = body && 'json' in body ? put(body.json) : undefined
    const { type, payload, encoding } = written(request, fields)
    const answer = await app.inject({
      method: operation.method as 'GET',
      url: `${path}${search && `?${search}`}`,
      headers: {
        'x-forwarded-for': `192.0.2.${address}`,
        ...Object.fromEntries(headers.filter(([, value]) => value !== undefined)),
        ...(authorization !== undefined && {
          Authorization: credential.twice ? [authorization, authorization] : authorization
        }),
        ...(type !== undefined && { 'content-type': type }),
        ...(encoding !== undefined && { 'content-encoding': encoding })
      },
      ...(payload !== undefined && { payload })
    })
    check(operation, answer)
    if (operation.id !== 'requestToken' || answer.statusCode !== 200) return
    note(`token for ${(fields as { grant_type: string }).grant_type}`)
    // Every second rotation is not noted, so that requests also use rotated refresh tokens.
    if (sent % 2 === 0) Object.assign(flow, answer.json())
  }
  const note = (key: string) => seen.set(key, (seen.get(key) ?? 0) + 1)
  /** Throws unless the answer is as documented, and notes what it was. */
  function check(operation: DocumentedOperation, answer: Answer): void {
    const { statusCode: status } = answer
    const problem = problemWith(operation, answer)
    if (problem !== undefined) throw new Error(problem)
    note(`${operation.id} ${status}`)
    if (operation.id === 'pollGrantToken' && status === 200) note(`state ${answer.json().status}`)
    if (operation.path.endsWith('/accessToken') && status === 404) note(`${operation.id} ${answer.json().error}`)
    if (operation.id === 'requestToken' && status !== 200) note(`token ${answer.json().error}`)
    if (status !== 303) return
    const { pathname, searchParams } = new URL(String(answer.headers.location), PUBLIC_URL)
    note(pathname.startsWith('/authorize/') ? 'asked' : `sent back ${searchParams.get('error')}`)
  }

  await askAll(t, { seed, count, requests, ask, seen })
  t.ok(sent >= count, `${sent} requests`)
  await askForRareThings()
  return seen

  /**
   * What by chance alone may never come, or never before a limit does: a code that there is not, what was denied, and
   * an account that its provider no longer accepts.
   */
  async function askForRareThings(): Promise<void> {
    // By the clock of the service, more than an hour has passed.
    const session = `Bearer ${await sessionOf('nobody else', { expires: '3650d' })}`
    const send = async (id: string, url: string, payload?: object, authorization?: string) => {
      const operation = operations.find((one) => one.id === id) as DocumentedOperation
      // Nobody has asked from this address yet.
      const headers = { 'x-forwarded-for': '198.51.100.7', ...(authorization && { authorization }) }
      const answer = await app.inject({ method: operation.method as 'GET', url, headers, ...(payload && { payload }) })
      check(operation, answer)
      return answer.json()
    }
    const deny = (user_code: string) =>
      send('decideGrant', '/api/v0/auth/grant/approve', { user_code, action: 'deny' }, session)
    await send('peekGrant', '/api/v0/auth/grant/peek?user_code=BBBB-BBBB', undefined, session)
    const { grant_code, user_code } = await send('startGrant', '/api/v0/auth/grant/code', { client_type: 'cli' })
    await deny(user_code)
    await send('pollGrantToken', '/api/v0/auth/grant/token', { grant_code })
    const client_id = 'tv'
    const codes = await send('authorizeDevice', '/oauth/device_authorization', { client_id })
    await deny(codes.user_code)
    const { device_code } = codes
    await send('requestToken', '/oauth/token', { client_id, grant_type: DEVICE_CODE_GRANT, device_code })
    const connected = await connectAt(app, 'hub', 'login-last', 'nobody else')
    if (connected.kind !== 'connected') throw new Error(`not connected: ${connected.kind}`)
    hub.at(PLAIN_TOKEN_ENDPOINT, json({ error: 'bad_refresh_token' }))
    clock.advance(90_000)
    const account = `oauthAccounts/${connected.connection.id}/accessToken`
    await send('getUserOauthAccessToken', `/api/v0/${account}`, undefined, `Bearer ${world.apiKeys.key}`)
    await send('getEndUserOauthAccessToken', `/api/v0/sdk/${ENVIRONMENT_ID}/${account}`, undefined, session)
  }
}

/** No request to an existing route can get these statuses from a healthy service. */
const OUT_OF_REACH = [405, 408, 500, 503]
const documented = operations.flatMap(({ id, answers }) =>
  [...answers.keys()].filter((status) => !OUT_OF_REACH.includes(status)).map((status) => `${id} ${status}`)
)

const NEEDS_RECONNECT = 'The provider no longer accepts this account: its user has to connect it again.'

/** Every outcome of the token endpoint. */
const TOKEN_OUTCOMES = [
  `for ${DEVICE_CODE_GRANT}`,
  'for refresh_token',
  `for ${CODE_GRANT}`,
  'authorization_pending',
  'slow_down',
  'access_denied',
  'expired_token',
  'invalid_request',
  'invalid_grant',
  'invalid_client',
  'invalid_scope',
  'invalid_target',
  'unsupported_grant_type',
  'unauthorized_client'
]

/** What the authorization endpoint says to a client of a browser that has no session. */
const SENT_BACK = ['invalid_request', 'unsupported_response_type', 'invalid_scope', 'invalid_target', 'login_required']

t.comment(`ANY_REQUEST_SEED=${seed}`)

t.test('without limits, in memory', async (t) => {
  const seen = await explore(t, seed, 4_300, { LIMITS: 'off', TOKEN_STATUS_LIST: 'on' })
  const missing = documented.filter((key) => !seen.has(key))
  t.comment(`not seen: ${missing.join(', ')}`)
  t.strictSame(
    operations.filter(({ id }) => ![...seen.keys()].some((key) => key.startsWith(`${id} `))).map(({ id }) => id),
    []
  )
  t.ok(operations.length >= 25, `${operations.length} operations`)
  // The run with limits covers 429.
  const expected = documented.filter((key) => !key.endsWith(' 429'))
  const share = expected.filter((key) => seen.has(key)).length / expected.length
  t.ok(share >= 0.9, `${Math.round(share * 100)} % of the ${expected.length} others were seen`)
  for (const state of ['authorization_pending', 'slow_down', 'approved', 'access_denied', 'expired_token']) {
    t.ok(seen.has(`state ${state}`), state)
  }
  for (const sentence of ['Not Found', NEEDS_RECONNECT]) {
    t.ok(seen.has(`getUserOauthAccessToken ${sentence}`), sentence)
    t.ok(seen.has(`getEndUserOauthAccessToken ${sentence}`), sentence)
  }
  for (const outcome of TOKEN_OUTCOMES) t.ok(seen.has(`token ${outcome}`), outcome)
  t.ok(seen.has('asked'), 'browsers were sent on to the question')
  for (const error of SENT_BACK) t.ok(seen.has(`sent back ${error}`), error)
})

t.test('with limits, over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  // Low enough to be reached at the pace of a busy machine too, for these minutes are real ones.
  const seen = await explore(t, seed + 1, 2_600, {
    REDIS_URL: redis.url,
    // Most of what is sent is wrong: of so many one at least is let in.
    LIMIT_START_PER_MINUTE: '20',
    LIMIT_PEEK_PER_MINUTE: '2',
    LIMIT_APPROVE_PER_MINUTE: '2',
    LIMIT_REFRESH_PER_MINUTE: '1',
    LIMIT_REVOKE_PER_MINUTE: '2',
    LIMIT_INTROSPECT_PER_MINUTE: '2',
    LIMIT_USERINFO_PER_MINUTE: '2',
    LIMIT_ACCESS_TOKEN_PER_MINUTE: '2'
  })
  for (const key of [
    'startGrant 429',
    'peekGrant 404',
    'peekGrant 429',
    'decideGrant 429',
    'authorizeDevice 429',
    'authorize 429',
    'authorizeByPost 429',
    'revokeToken 429',
    'introspectToken 429',
    'getUserinfo 429',
    'getUserOauthAccessToken 429',
    'getEndUserOauthAccessToken 429',
    'startGrant 200',
    'pollGrantToken 200'
  ]) {
    t.ok(seen.has(key), key)
  }
  const share = documented.filter((key) => seen.has(key)).length / documented.length
  t.ok(share >= 0.75, `${Math.round(share * 100)} % of what is documented`)
})

/** A placeholder for something real, which is chosen when the request is sent and such things exist. */
interface RealToken {
  real: 'policy' | 'token' | 'audience' | 'url'
  pick: number
}
const realToken = (name: RealToken['real']): fc.Arbitrary<RealToken> =>
  fc.record({ real: fc.constant(name), pick: anyPick })

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
    { weight: 3, arbitrary: realToken('url') },
    { weight: 2, arbitrary: fc.constantFrom(...ISSUERS) }
  ),
  tenantProviderPolicyId: fc.oneof(
    { weight: 6, arbitrary: realToken('policy') },
    { weight: 1, arbitrary: text(1, 64) }
  ),
  token: fc.oneof(
    { weight: 4, arbitrary: realToken('token') },
    { weight: 2, arbitrary: fc.constantFrom(...TOKENS) },
    text(1, 16_384)
  ),
  audience: fc.oneof({ weight: 1, arbitrary: realToken('audience') }, { weight: 1, arbitrary: text(3, 100) })
}

/** Makes a value that the schema accepts. */
function validForTokens(schema: Node, name = ''): fc.Arbitrary<unknown> {
  const known = FIELDS[name]
  if (known) return known
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.type === 'string') return text(schema.minLength ?? 0, schema.maxLength ?? 100)
  if (schema.type === 'integer') return fc.integer({ min: schema.minimum, max: schema.maximum })
  if (schema.type === 'number') return fc.double({ min: schema.minimum, max: schema.maximum, noNaN: true })
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'array') {
    return fc.array(validForTokens(schema.items), { minLength: schema.minItems ?? 0, maxLength: schema.maxItems ?? 5 })
  }
  if (schema.type !== 'object') throw new Error(`a schema nobody expected: ${JSON.stringify(schema)}`)
  const properties = Object.fromEntries(
    Object.entries(schema.properties as Node).map(([key, inner]) => [key, validForTokens(inner, key)])
  )
  const members = fc.record(properties, { requiredKeys: schema.required ?? [] })
  const others = fc.dictionary(
    fc.string({ maxLength: 5 }).map((key) => `x-${key}`),
    fc.jsonValue(),
    { maxKeys: 2 }
  )
  return fc.tuple(members, others).map(([one, two]) => ({ ...two, ...one }))
}
const raw = fc.record(
  {
    raw: fc.oneof(fc.string(), fc.json(), fc.constantFrom('', '{', '{"__proto__":{}}', '[]', 'null')),
    type: fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain', 'application/jsonx'),
    encoding: fc.constantFrom('gzip', 'identity')
  },
  { requiredKeys: ['raw'] }
) as fc.Arbitrary<Body>

/** Makes a body as documented, or one that is corrupted in one of many ways, at any depth. */
function bodiesForTokens({ body: schema, isBodyRequired }: DocumentedOperation): fc.Arbitrary<Body> {
  const none = { arbitrary: fc.constant(undefined), weight: isBodyRequired ? 1 : 12 }
  const bad = [
    { arbitrary: raw, weight: 2 },
    { arbitrary: fc.constant(tooLarge), weight: 1 },
    { arbitrary: fc.jsonValue().map((json) => ({ json })), weight: 1 }
  ]
  if (!schema) return fc.oneof(none, ...bad)
  const right = validForTokens(schema)
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

/** `reader` is a key of the same owner that may not use the tokens API. */
const OTHER_CREDENTIALS = ['other', 'reader', 'ended', 'none', 'raw', 'twice'] as const
const CREDENTIALS = [...Array.from({ length: 7 }, () => 'own' as const), ...OTHER_CREDENTIALS]

const tokensRequests = fc.oneof(
  ...tokensOperations.map((operation) => ({
    weight: operation.path.startsWith('/v1') ? 3 : 2,
    arbitrary: fc.record({
      // The operation is named by its id, so that a failing request can be read in the report.
      operation: fc.constant(operation.id),
      body: bodiesForTokens(operation),
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
type TokensRequest = typeof tokensRequests extends fc.Arbitrary<infer T> ? T : never

/** Creates the real resources: two owners with some of each kind. Requests delete them, and the world adds new ones. */
async function createTokensWorld(service: ListeningApp, publish: (name: string, text: string) => void) {
  const { app, newKey, by, publicUrl } = service
  const [own, other, keeper] = await Promise.all(['acme', 'other', 'keeper'].map(newKey))
  const ended = await app.core.apiKeys.create('acme', {}, BY)
  await app.core.apiKeys.revoke('acme', ended.key.id, BY)
  const { text: reader } = await app.core.apiKeys.create('acme', { rights: ['introspect'] }, BY)
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
    keys: { own, other, ended: ended.text, reader } as Record<string, string>,
    token,
    url,
    audience: BODIES.createClient.audience,
    add
  }
}
type TokensWorld = Awaited<ReturnType<typeof createTokensWorld>>

const pickOf = <T>(list: readonly T[], pick: number) => list[pick % list.length] as T

function realizeForTokens(value: unknown, world: TokensWorld, chain: Record<string, string>): unknown {
  if (Array.isArray(value)) return value.map((inner) => realizeForTokens(inner, world, chain))
  if (typeof value !== 'object' || value === null) return value
  const { real: name, pick } = value as Partial<RealToken>
  if (name !== undefined && pick !== undefined) {
    if (name === 'policy') return (pick % 8 ? chain : pickOf(world.chains[0], pick)).policyId
    if (name === 'audience') return world.audience
    if (name === 'url') return world.url
    return pick % 4 ? world.token : `${world.token.slice(0, -5)}AAAAA`
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, realizeForTokens(inner, world, chain)]))
}

function pathOf(
  path: string,
  { ids, pick, unknown, odd }: TokensRequest,
  world: TokensWorld,
  chain: Record<string, string>
): string {
  let count = 0
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const kind = ids[count++]
    if (kind === 'unknown') return unknown
    if (kind === 'odd') return pathSegmentOf(odd)
    return (kind === 'elsewhere' ? pickOf(world.chains[1], pick) : chain)[name] as string
  })
}

function headersOf(
  { credential, raw, host, body }: TokensRequest,
  { keys }: TokensWorld
): Record<string, string | string[]> {
  const own = `Bearer ${keys.own}`
  const said: Partial<Record<typeof credential, string | string[]>> = { own, twice: [own, own], raw }
  const authorization = said[credential] ?? (keys[credential] === undefined ? undefined : `Bearer ${keys[credential]}`)
  const type = body && ('json' in body ? 'application/json' : body.type)
  return {
    host,
    ...(authorization !== undefined && { Authorization: authorization }),
    ...(type !== undefined && { 'content-type': type }),
    ...(body && 'encoding' in body && body.encoding && { 'content-encoding': body.encoding })
  }
}

async function exploreTokens(t: Test, seed: number, count: number, variables: Record<string, string>) {
  const dns = await startDnsServer(t)
  const service = await startListeningApp(t, {
    DNS_RESOLVER: dns.address,
    FOREIGN_ISSUERS_ON_LOOPBACK: 'on',
    ...variables
  })
  const { app, clock } = service
  const world = await createTokensWorld(service, (name, text) => dns.publish(name, text))
  const seen = new Map<string, number>()
  let sent = 0

  const ask = async (request: TokensRequest) => {
    clock.advance(request.laterMs)
    if (++sent % 24 === 0) await world.add(sent % 48 === 0 ? 1 : 0)
    const chain = pickOf(world.chains[request.credential === 'other' ? 1 : 0], request.pick)
    const { body } = request
    const operation = tokensOperations.find(({ id }) => id === request.operation) as DocumentedOperation
    const payload = body && ('json' in body ? JSON.stringify(realizeForTokens(body.json, world, chain)) : body.raw)
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

  await askAll(t, { seed, count, requests: tokensRequests, ask, seen })
  t.ok(sent >= count, `${sent} requests`)
  await askForRareThings()
  return seen

  /** What by chance alone may never come, of resources that nobody has deleted yet: every second domain has its challenge. */
  async function askForRareThings(): Promise<void> {
    const right = {
      credential: 'own',
      raw: '',
      ids: ['real', 'real', 'real'],
      unknown: '',
      odd: '',
      host: 'localhost'
    } as const
    for (let i = 0; i < 2; i++) {
      await world.add(0)
      const newest = { ...right, ids: [...right.ids], pick: world.chains[0].length - 1, laterMs: 0 }
      await ask({ ...newest, operation: 'verifyDomain', body: undefined })
      const real = (name: RealToken['real']) => ({ real: name, pick: 1 })
      const json = { tenantProviderPolicyId: real('policy'), token: real('token') }
      await ask({ ...newest, operation: 'validateToken', body: { json } })
    }
  }
}
const documentedForTokens = tokensOperations.flatMap(({ id, answers }) =>
  [...answers.keys()].filter((status) => !OUT_OF_REACH.includes(status)).map((status) => `${id} ${status}`)
)

t.test('the tokens API: it is about all of its operations', async (t) => {
  const issuers = ['getProviderJwks', 'getProviderJwksJson', 'getProviderOpenidConfiguration']
  t.strictSame(tokensOperations.map(({ id }) => id).sort(), [...Object.keys(OPERATIONS), ...issuers].sort())
  t.comment(`ANY_REQUEST_SEED=${seed}`)
})

t.test('the tokens API without limits, in memory', async (t) => {
  const seen = await exploreTokens(t, seed, 3_600, { LIMITS: 'off' })
  // The run with limits covers 429.
  const expected = documentedForTokens.filter((key) => !key.endsWith(' 429'))
  const missing = expected.filter((key) => !seen.has(key))
  t.comment(`not seen: ${missing.join(', ')}`)
  const share = 1 - missing.length / expected.length
  t.ok(share >= 0.9, `${Math.round(share * 100)} % of the ${expected.length} were seen`)
  for (const { id, answers } of tokensOperations) {
    const success = `${id} ${[...answers.keys()].find((status) => status < 300)}`
    t.ok(seen.has(success), success)
  }
  t.ok(seen.has('verified true') && seen.has('verified false'), 'domains were verified, and were not')
})

t.test('the tokens API with limits, over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { REDIS_URL: redis.url, LIMITS: 'on', LIMIT_TOKENS_API_PER_HOUR: '60' }
  const seen = await exploreTokens(t, seed + 1, 1_800, variables)
  const limited = tokensOperations.filter(({ id }) => id in OPERATIONS).map(({ id }) => `${id} 429`)
  const missing = limited.filter((key) => !seen.has(key))
  t.ok(missing.length <= 3, `not seen: ${missing.join(', ')}`)
  const share = documentedForTokens.filter((key) => seen.has(key)).length / documentedForTokens.length
  t.ok(share >= 0.7, `${Math.round(share * 100)} % of what is documented`)
})
