/**
 * Checks what the service does with bad input. The dashboard API, over a real Redis, refuses in the shape of the contract,
 * changes no key, and echoes nothing of the input. Raw bytes on a socket get an answer in JSON or a closed connection,
 * and the process lives.
 */
import { createPublicKey, generateKeyPairSync, randomUUID, sign as signWith } from 'node:crypto'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import { dashboardOperations } from '../../schemas/generated/dashboard.js'
import { apiHeaders, refused } from '../routes/expectations.js'
import { startApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { effortOf } from '../support/effort.js'
import { base64url, forge, hmac } from '../support/forge.js'
import { startStopwatch } from '../support/held-up.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { snapshot } from '../support/snapshot.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'

const ENVIRONMENT_ID = '0123abcd-0123-4567-89ab-0123456789ab'
const ACCOUNT_ID = '4567abcd-0123-4567-89ab-0123456789ab'
const CANARY = 'CANARY4canary'
/** All that a 400 may say: our field names and the words of the validator, in the characters of RFC 6749 §5.2. */
const SENTENCE =
  /^((The body|(client_type|client_metadata(\.(name|version|hostname|os))?|grant_code|user_code|action|label)) (is missing|must (be (string|object|equal to one of the allowed values)|NOT have (more|fewer) than \d+ characters)|must be string,null|must match a schema in anyOf)|The body is not UTF-8|The body holds half a character|The request cannot be read)\.$/

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
type Json = Record<string, unknown>

/**
 * Starts a service on Redis with a user, a pending grant and an authorization. Returns ways to ask it that check the
 * whole answer.
 */
async function setUp(t: Test, variables: Record<string, string> = { SIGNING_ALG: 'EdDSA' }) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startApp(t, {
    REDIS_URL: redis.url,
    LIMITS: 'off',
    PUBLIC_URL: 'https://grants.example.com',
    ENVIRONMENT_ID,
    ...variables
  })
  const { app, call, start, collect } = service
  const tokens = { accessToken: 'token', refreshToken: undefined, scopes: [], expiresAtMs: undefined }
  const identity = { subject: 'ann', username: 'ann', name: 'Ann' }
  await app.core.connections.keep('ann', ACCOUNT_ID, { upstreamId: 'acme', identity, tokens }, BY)
  const grant = await start({ hostname: 'h' })
  const client = await collect('ann', { hostname: 'mine' })
  await call('GET', '/auth/clients', { token: client })
  const [{ id }] = (await call('GET', '/auth/clients', { user: 'ann' })).body.data
  const session = await sessionOf('ann')
  const authorization = `Bearer ${session}`

  const routes: Record<string, { method: Method; url: string; body?: Json; isPublic?: true }> = {
    startGrant: { method: 'POST', url: '/auth/grant/code', body: { client_type: 'cli' }, isPublic: true },
    pollGrantToken: { method: 'POST', url: '/auth/grant/token', body: { grant_code: 'x' }, isPublic: true },
    peekGrant: { method: 'GET', url: `/auth/grant/peek?user_code=${grant.user_code}` },
    decideGrant: {
      method: 'POST',
      url: '/auth/grant/approve',
      body: { user_code: grant.user_code, action: 'approve' }
    },
    withdrawGrant: { method: 'POST', url: '/auth/grant/revoke', body: { grant_code: 'x' }, isPublic: true },
    listAuthorizedClients: { method: 'GET', url: '/auth/clients' },
    updateAuthorizedClient: { method: 'PATCH', url: `/auth/clients/${id}`, body: { label: 'new' } },
    revokeAuthorizedClient: { method: 'DELETE', url: `/auth/clients/${id}` },
    listOauthAccounts: { method: 'GET', url: '/oauthAccounts' },
    unlinkOauthAccount: { method: 'DELETE', url: `/oauthAccounts/${ACCOUNT_ID}` },
    getUserOauthAccessToken: { method: 'GET', url: `/oauthAccounts/${ACCOUNT_ID}/accessToken` },
    getEndUserOauthAccessToken: {
      method: 'GET',
      url: `/sdk/${ENVIRONMENT_ID}/oauthAccounts/${ACCOUNT_ID}/accessToken`
    }
  }
  // This operation takes no input that could be wrong.
  const { getEndUserOauthAccessTokenOptions: _options, ...operations } = dashboardOperations
  t.strictSame(Object.keys(routes), Object.keys(operations), 'every operation is asked')

  let asked = 0
  /** Sends a request, and checks that it is refused, changes nothing and echoes nothing. */
  async function refuses(t: Test, request: InjectOptions, status: number, about: string, sentence?: string | RegExp) {
    asked += 1
    const before = await snapshot(redis)
    const { url, headers, ...rest } = request
    const answer = await app.inject({ url: `/api/v0${url}`, headers: { ...headers }, ...rest })
    const isJson = String(answer.headers['content-type']).startsWith('application/json')
    const body = isJson ? answer.json() : answer.body
    refused(t, { status: answer.statusCode, body, headers: answer.headers }, status, sentence, about)
    if (status === 400) t.match(body.error, SENTENCE, `${about}: the sentence is one of ours`)
    t.notOk(answer.body.toLowerCase().includes(CANARY.toLowerCase()), `${about}: no echo`)
    t.ok(answer.body.length < 200, `${about}: ${answer.body.length} bytes`)
    t.strictSame(await snapshot(redis), before, `${about}: nothing changed`)
  }
  const json = (method: Method, url: string, payload: string | Buffer): InjectOptions => ({
    method,
    url,
    headers: { 'content-type': 'application/json', authorization },
    payload
  })
  return { ...service, redis, routes, session, authorization, client, id, grant, refuses, json, asked: () => asked }
}

/** Every field of a body: its path, its maximum length, and whether it is required, may be null or may be empty. */
const FIELDS = [
  { operation: 'startGrant', path: ['client_type'], longest: 0, required: true },
  { operation: 'startGrant', path: ['client_metadata', 'name'], longest: 255, mayBeEmpty: true, mayBeNull: true },
  { operation: 'startGrant', path: ['client_metadata', 'version'], longest: 64, mayBeEmpty: true, mayBeNull: true },
  { operation: 'startGrant', path: ['client_metadata', 'hostname'], longest: 255, mayBeEmpty: true, mayBeNull: true },
  { operation: 'startGrant', path: ['client_metadata', 'os'], longest: 64, mayBeEmpty: true, mayBeNull: true },
  { operation: 'pollGrantToken', path: ['grant_code'], longest: 128, required: true },
  { operation: 'withdrawGrant', path: ['grant_code'], longest: 128, required: true },
  { operation: 'decideGrant', path: ['user_code'], longest: 64, required: true },
  { operation: 'decideGrant', path: ['action'], longest: 0, required: true },
  {
    operation: 'updateAuthorizedClient',
    path: ['label'],
    longest: 255,
    required: true,
    mayBeEmpty: true,
    mayBeNull: true
  }
] as const

/** Returns the body with one field replaced by JSON text as it is; undefined removes the field. */
function bodyWith(body: Json, [first, second]: readonly string[], raw: string | undefined): string {
  const marked =
    second === undefined ? { ...body, [first as string]: '@@' } : { ...body, [first as string]: { [second]: '@@' } }
  if (raw !== undefined) return JSON.stringify(marked).replace('"@@"', () => raw)
  const { [first as string]: _gone, ...rest } = body
  return JSON.stringify(rest)
}

t.test('fields of bodies', async (t) => {
  const { routes, refuses, json, asked } = await setUp(t)
  for (const { operation, path, longest, ...can } of FIELDS) {
    t.test(`${operation} ${path.join('.')}`, async (t) => {
      const { method, url, body = {} } = routes[operation] ?? { method: 'GET', url: '' }
      const send = (raw: string | undefined) => json(method, url, bodyWith(body, path, raw))
      const name = path.join('.')
      if ('required' in can) await refuses(t, send(undefined), 400, 'missing', `${name} is missing.`)
      const wrong: Record<string, string> = {
        number: '5',
        'a number as large as they come': '1e400',
        float: '0.1',
        boolean: 'true',
        array: `["${CANARY}"]`,
        'an empty array': '[]',
        object: `{"${CANARY}":"${CANARY}"}`,
        'an object that converts': `{"toString":"${CANARY}","length":1}`,
        ...(!('mayBeNull' in can) && { null: 'null' }),
        ...(!('mayBeEmpty' in can) && { empty: '""' }),
        ...(longest > 0
          ? { 'one character too many': `"${CANARY}${'x'.repeat(longest + 1 - CANARY.length)}"` }
          : { 'not one of the words': `"${CANARY}"`, capitals: '"CLI"', NUL: '"cli\\u0000"' }),
        '10,000 characters': `"${CANARY.repeat(769)}"`
      }
      for (const [about, raw] of Object.entries(wrong)) {
        await refuses(t, send(raw), 400, about, new RegExp(`^${name} must `))
      }
      await refuses(t, send('"\\ud800"'), 400, 'half a surrogate pair', 'The body holds half a character.')
      await refuses(t, send(`"${CANARY.repeat(80_660)}"`), 413, 'a megabyte', 'The body is too large.')
      const bytes = Buffer.from(bodyWith(body, path, `"${CANARY}\u00ff"`), 'latin1')
      await refuses(t, { ...send('""'), payload: bytes }, 400, 'no UTF-8', 'The body is not UTF-8.')
      for (const hex of ['c0ae', 'eda080', 'f4908080', 'fe', 'e282']) {
        const payload = Buffer.from(bodyWith(body, path, '"@"').replace('"@"', `"${CANARY}@"`))
        const at = payload.indexOf('@')
        const broken = Buffer.concat([payload.subarray(0, at), Buffer.from(hex, 'hex'), payload.subarray(at + 1)])
        await refuses(t, { ...send('""'), payload: broken }, 400, `the bytes ${hex}`, 'The body is not UTF-8.')
      }
    })
  }
  t.test('it asked for all of them', async (t) => t.ok(asked() >= 150, `${asked()} refusals`))
})

t.test('texts that are odd but texts', async (t) => {
  const { app, call, routes, json, authorization, redis, id, poll } = await setUp(t)
  const odd = [
    '\u0000',
    '\u0000'.repeat(30),
    '\u202e\u200b',
    '\r\n\r\nHTTP/1.1 200 OK',
    '{}:*',
    '__proto__',
    '#{7*7}',
    "'; DROP",
    '\u2028'
  ]

  t.test('200 client_metadata is kept as it was sent', async (t) => {
    for (const text of odd) {
      const body = { client_type: 'cli', client_metadata: { name: text, hostname: text } }
      const answer = await call('POST', '/auth/grant/code', { body })
      t.equal(answer.status, 200, encodeURIComponent(text))
      const { user_code, grant_code } = answer.body
      const seen = await call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'eve' })
      t.strictSame(seen.body.client_metadata, { name: text, hostname: text }, 'on the consent page')
      t.equal(
        (await call('POST', '/auth/grant/approve', { user: 'eve', body: { user_code, action: 'approve' } })).status,
        200
      )
      t.equal((await poll(grant_code)).body.status, 'approved')
      const clients = (await call('GET', '/auth/clients', { user: 'eve' })).body.data
      t.ok(
        clients.some((row: Json) => row.label === text && row.client_name === text),
        `${encodeURIComponent(text)} is what the list shows`
      )
    }
  })

  t.test('200 label is kept as it was sent', async (t) => {
    for (const label of odd) {
      const answer = await call('PATCH', `/auth/clients/${id}`, { user: 'ann', body: { label } })
      t.equal(answer.status, 200, encodeURIComponent(label))
      t.equal(answer.body.label, label, encodeURIComponent(label))
    }
  })

  t.test('400 half of a surrogate pair, which no store could keep as it is, wherever it stands', async (t) => {
    const sentence = 'The body holds half a character.'
    for (const text of ['\ud800', '\udc00\ud800', 'a\udfff']) {
      const before = await snapshot(redis)
      const metadata = { client_type: 'cli', client_metadata: { name: text } }
      refused(t, await call('POST', '/auth/grant/code', { body: metadata }), 400, sentence)
      refused(t, await call('POST', '/auth/grant/code', { body: { client_type: 'cli', [text]: 1 } }), 400, sentence)
      refused(t, await call('PATCH', `/auth/clients/${id}`, { user: 'ann', body: { label: text } }), 400, sentence)
      refused(t, await poll(text), 400, sentence)
      t.strictSame(await snapshot(redis), before, 'nothing changed')
    }
    const whole = await call('PATCH', `/auth/clients/${id}`, { user: 'ann', body: { label: '\ud83d\ude00' } })
    t.equal(whole.body.label, '\ud83d\ude00', 'a whole pair is a character')
  })

  t.test('a code of that kind is an unknown code', async (t) => {
    for (const text of odd) {
      const before = await snapshot(redis)
      t.strictSame((await poll(text)).body, { status: 'expired_token' }, encodeURIComponent(text))
      const body = { user_code: text, action: 'approve' }
      refused(t, await call('POST', '/auth/grant/approve', { user: 'ann', body }), 404, 'Unknown or expired user_code.')
      const url = `/auth/grant/peek?user_code=${encodeURIComponent(text)}`
      refused(t, await call('GET', url, { user: 'ann' }), 404, 'Unknown or expired user_code.')
      t.strictSame(await snapshot(redis), before, 'nothing changed')
    }
  })

  t.test('keys that reach for prototypes are refused', async (t) => {
    for (const [operation, { method, url, body = {} }] of Object.entries(routes)) {
      if (method === 'GET' || method === 'DELETE') continue
      const rest = JSON.stringify(body).slice(1)
      for (const key of [
        '{"__proto__":{"polluted":1},',
        '{"constructor":{"prototype":{"polluted":1}},',
        '{"a":{"__proto__":{"polluted":1}},',
        '{"\\u005f_proto__":{"polluted":1},'
      ]) {
        const before = await snapshot(redis)
        const request = json(method, url, key + rest)
        const answer = await app.inject({ ...request, url: `/api/v0${url}` })
        refused(
          t,
          { status: answer.statusCode, body: answer.json(), headers: answer.headers },
          400,
          'The request cannot be read.',
          `${operation} ${key}`
        )
        t.strictSame(await snapshot(redis), before)
      }
    }
    t.equal(({} as Json).polluted, undefined)
  })

  t.test('200 depth and width in what is dropped cost nothing', async (t) => {
    const wide = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`k${i}`, 1]))
    for (const padding of [
      `${'['.repeat(7_000)}${']'.repeat(7_000)}`,
      `${'{"a":'.repeat(2_500)}1${'}'.repeat(2_500)}`,
      JSON.stringify(wide)
    ]) {
      const payload = `{"client_type":"cli","client_metadata":{"x":${padding}},"y":1}`
      const effort = await effortOf(async () => {
        const answer = await app.inject({ ...json('POST', '', payload), url: '/api/v0/auth/grant/code' })
        t.equal(answer.statusCode, 200)
      })
      t.ok(effort < 15, effort.toFixed(2))
    }
    t.ok(authorization)
  })
})

t.test('bodies as a whole', async (t) => {
  const { routes, refuses, json, authorization, asked, redis, app } = await setUp(t)
  const withBody = Object.entries(routes).filter(([, { body }]) => body !== undefined)
  t.equal(withBody.length, 5)

  for (const [operation, { method, url, body = {} }] of withBody) {
    t.test(operation, async (t) => {
      const good = JSON.stringify(body)
      const types: (string | undefined)[] = [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/jsonx',
        'text/json',
        'application/vnd.api+json',
        'application/*+json',
        'application/json5',
        'application/json, text/plain',
        'text/plain; application/json',
        'application/jso\u0001n',
        `application/${CANARY}`,
        '',
        'json',
        undefined
      ]
      for (const type of types) {
        const headers = { authorization, ...(type !== undefined && { 'content-type': type }) }
        await refuses(
          t,
          { method, url, headers, payload: good },
          415,
          `type ${type}`,
          'The body must be application/json.'
        )
      }
      for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'GZIP', CANARY]) {
        for (const payload of [good, gzipSync(good)]) {
          const request = json(method, url, payload)
          const headers = { ...request.headers, 'content-encoding': encoding }
          await refuses(t, { ...request, headers }, 415, `encoding ${encoding}`)
        }
      }
      for (const text of [
        '',
        ' ',
        '{',
        '{]',
        `{"${CANARY}"}`,
        `${good}x`,
        `${good}${good}`,
        good.replaceAll('"', "'"),
        good.replace('{', '{,'),
        good.replace('}', ',}'),
        `// c\n${good}`,
        'undefined',
        'NaN',
        '{"a":01}',
        `{"a":"${CANARY}\n"}`,
        '{"a":"\\x41"}',
        '{"a":"\\ud8"}',
        `\u0000${good}`,
        `)]}'\n${good}`,
        'client_type=cli',
        '['.repeat(8_000),
        '{"a":'.repeat(3_000)
      ]) {
        await refuses(t, json(method, url, text), 400, `text ${text.slice(0, 20)}`)
      }
      for (const text of [
        'null',
        'true',
        '5',
        `"${CANARY}"`,
        '[]',
        `[${good}]`,
        `${'['.repeat(8_000)}${']'.repeat(8_000)}`
      ]) {
        await refuses(
          t,
          json(method, url, text),
          400,
          `not an object: ${text.slice(0, 20)}`,
          'The body must be object.'
        )
      }
      const missing = `${Object.keys(body)[0]} is missing.`
      await refuses(t, { method, url, headers: { authorization } }, 400, 'no body at all', missing)
      for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'json', '']) {
        const headers = { authorization, 'content-type': type, 'content-length': '0' }
        await refuses(t, { method, url, headers }, 400, `no body, said to be ${type}`, missing)
      }
      await refuses(t, json(method, url, ' '.repeat(16_385)), 413, 'one byte too many', 'The body is too large.')
      await refuses(t, json(method, url, `${good.slice(0, -1)},"x":"${'x'.repeat(1 << 20)}"}`), 413, 'a megabyte')
      await refuses(t, { ...json(method, url, Buffer.from(good, 'utf16le')) }, 400, 'UTF-16')
    })
  }

  t.test('a route without a body takes none it cannot read', async (t) => {
    const { url } = routes.revokeAuthorizedClient ?? { url: '' }
    await refuses(
      t,
      { method: 'DELETE', url, headers: { authorization, 'content-type': 'text/plain' }, payload: 'x' },
      415,
      'text'
    )
    await refuses(t, json('DELETE', url, '{'), 400, 'malformed', 'The request cannot be read.')
    await refuses(t, json('DELETE', url, ' '.repeat(16_385)), 413, 'too large')
  })

  t.test('queries and paths', async (t) => {
    const headers = { authorization }
    const peek = (query: string) => ({ method: 'GET' as const, url: `/auth/grant/peek${query}`, headers })
    for (const query of [
      '',
      '?',
      `?${CANARY}=1`,
      '?user_code[]=x',
      '?user_code%00=x',
      '?User_code=x',
      '#user_code=x'
    ]) {
      await refuses(t, peek(query), 400, query, 'user_code is missing.')
    }
    for (const query of ['?user_code', '?user_code=', '?user_code=&x=1']) {
      await refuses(t, peek(query), 400, query, /^user_code must NOT have fewer/)
    }
    for (const query of [`?user_code=${CANARY}&user_code=x`, '?user_code=&user_code=']) {
      await refuses(t, peek(query), 400, query, 'user_code must be string.')
    }
    await refuses(t, peek(`?user_code=${CANARY.repeat(700)}`), 400, '9 KB', /^user_code must NOT have more than 64/)
    for (const query of [
      `?user_code=${CANARY}`,
      '?user_code=%',
      '?user_code=%zz',
      '?user_code=%c0%ae',
      '?user_code=%00',
      '?user_code=%ed%a0%80',
      '?user_code=*'
    ]) {
      await refuses(t, peek(query), 404, query, 'Unknown or expired user_code.')
    }
    for (const path of ['/auth/clients/%zz', '/auth/clients/%c0%ae', '/auth/clients/%ff', `/%zz${CANARY}`]) {
      await refuses(t, { method: 'DELETE', url: path, headers }, 404, path, 'Not Found')
    }
    for (const path of [`/${CANARY}`, `/auth/${CANARY}?user_code=${CANARY}`, '/auth/grant/code/']) {
      await refuses(t, { method: 'POST', url: path, headers }, 404, path, 'Not Found')
    }
    for (const [operation, { url }] of Object.entries(routes)) {
      await refuses(t, { method: 'PUT', url, headers, payload: CANARY }, 405, operation, 'Method Not Allowed')
    }
  })
  t.test('it asked for all of them, and there was something to compare', async (t) => {
    t.ok(asked() >= 200, `${asked()} refusals`)
    t.equal((await app.inject('/readyz')).statusCode, 200)
    t.ok((await snapshot(redis)).size >= 4)
  })
})

t.test('tokens', async (t) => {
  const { app, call, clock, routes, refuses, session, client, asked, redis } = await setUp(t, { SIGNING_ALG: 'RS256' })
  const key = app.core.signingKeys.current()
  if (!key) throw new Error('no signing key')
  const ours = (text: Buffer) => signWith('sha256', text, key.privateKey)
  const [headerPart = '', payloadPart = '', signature = ''] = client.split('.')
  const header: Json = JSON.parse(Buffer.from(headerPart, 'base64url').toString())
  const claims: Json = JSON.parse(Buffer.from(payloadPart, 'base64url').toString())
  const nowS = Math.floor(clock() / 1000)
  const user = { sub: 'ann', iat: nowS, exp: nowS + 600 }
  const good = hmac(DASHBOARD_SECRET)
  const hs = { alg: 'HS256', typ: 'JWT' }
  const without = (object: Json, name: string) => Object.fromEntries(Object.entries(object).filter(([k]) => k !== name))
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(key.publicKey)
  const pem = key.publicKey
  const jwk = (await call('GET', '/.well-known/jwks.json')).body.keys[0]
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const pkcs1 = publicKey.export({ format: 'pem', type: 'pkcs1' })

  t.test('200 what is forged the right way is good: the forger works', async (t) => {
    t.equal((await call('GET', '/auth/clients', { token: forge(hs, user, good) })).status, 200)
    t.equal((await call('GET', '/auth/clients', { token: forge(header, claims, ours) })).status, 200)
    for (const sub of ['x'.repeat(255), 'a:b{c}*', '\u0000', '__proto__', ' ', 'ü😀']) {
      const token = forge(hs, { ...user, sub }, good)
      t.strictSame((await call('GET', '/auth/clients', { token })).body, { data: [] }, JSON.stringify(sub).slice(0, 20))
    }
  })

  const secrets: Record<string, string | Buffer> = {
    'our public key as PEM': pem,
    'the PEM, trimmed': pem.trim(),
    'the PEM after a newline': `\n${pem}`,
    'the PEM after a space': ` ${pem}`,
    'the PEM after a BOM': `\ufeff${pem}`,
    'the PEM after a comment': `# key\n${pem}`,
    'the PEM with CRLF': pem.replaceAll('\n', '\r\n'),
    'the PEM in one line': pem.replaceAll('\n', ''),
    'the PEM as PKCS#1': pkcs1,
    'the JWK as it is published': JSON.stringify(jwk),
    'the JWK of the key': JSON.stringify(publicKey.export({ format: 'jwk' })),
    'the DER': spki,
    'the DER as base64': spki.toString('base64'),
    'the kid': key.kid,
    nothing: '',
    'the word secret': 'secret',
    'the wrong secret': `${DASHBOARD_SECRET} `
  }
  const tokens: Record<string, string> = {
    'no JWT at all': CANARY,
    'three words': `${CANARY}.y.z`,
    dots: '..',
    'two parts': `${headerPart}.${payloadPart}`,
    'four parts': `${client}.x`,
    'five parts': `${client}.x.y`,
    'no signature': `${headerPart}.${payloadPart}.`,
    'a session without signature': `${session.split('.').slice(0, 2).join('.')}.`,
    'padding after the signature of a client': `${client}=`,
    'another signature': `${headerPart}.${payloadPart}.${base64url(CANARY)}`,
    'another payload under our signature': `${headerPart}.${base64url({ ...claims, sub: 'bob' })}.${signature}`,
    'expired a second ago': forge(hs, { ...user, exp: nowS - 1 }, good),
    'expired this second': forge(hs, { ...user, exp: nowS }, good),
    'not before in ten minutes': forge(hs, { ...user, nbf: nowS + 600 }, good),
    'exp as a text': forge(hs, { ...user, exp: `${nowS + 600}` }, good),
    'exp null': forge(hs, { ...user, exp: null }, good),
    'nbf as a text': forge(hs, { ...user, nbf: 'x' }, good),
    'no exp': forge(hs, without(user, 'exp'), good),
    'no sub': forge(hs, without(user, 'sub'), good),
    'sub a number': forge(hs, { ...user, sub: 5 }, good),
    'sub an array': forge(hs, { ...user, sub: ['ann'] }, good),
    'sub null': forge(hs, { ...user, sub: null }, good),
    'sub empty': forge(hs, { ...user, sub: '' }, good),
    'sub of 256 characters': forge(hs, { ...user, sub: CANARY.padEnd(256, 'x') }, good),
    'sub a lone surrogate': forge(hs, JSON.stringify(user).replace('ann', '\\ud800'), good),
    'sub not UTF-8': forge(hs, Buffer.from('x').toString(), good),
    'payload an array': forge(hs, [user], good),
    'payload null': forge(hs, 'null', good),
    'payload no JSON': forge(hs, CANARY, good),
    'header an array': forge([hs], user, good),
    'header null': forge('null', user, good),
    'header a text': forge('"HS256"', user, good),
    'header no JSON': forge(CANARY, user, good),
    'no alg': forge({ typ: 'JWT' }, user, good),
    'alg a number': forge({ alg: 256 }, user, good),
    'alg an array': forge({ alg: ['HS256'] }, user, good),
    'alg null': forge({ alg: null }, user, good),
    'alg in another spelling': forge({ alg: 'hs256' }, user, good),
    'HS384 with the right secret': forge({ alg: 'HS384' }, user, hmac(DASHBOARD_SECRET, 'sha384')),
    'HS512 with the right secret': forge({ alg: 'HS512' }, user, hmac(DASHBOARD_SECRET, 'sha512')),
    'crit unknown': forge({ ...hs, crit: ['x'], x: 1 }, user, good),
    'crit of what is known': forge({ ...hs, crit: ['exp'], exp: 1 }, user, good),
    'b64 false': forge({ ...hs, crit: ['b64'], b64: false }, user, good),
    'a foreign key': forge(header, claims, (text) => signWith('sha256', text, foreign.privateKey)),
    'a foreign key of its own name': forge({ ...header, kid: CANARY }, claims, (text) =>
      signWith('sha256', text, foreign.privateKey)
    ),
    'a foreign key brought along': forge(
      {
        ...header,
        jwk: foreign.publicKey.export({ format: 'jwk' }),
        jku: 'http://127.0.0.1:1/',
        x5u: 'http://127.0.0.1:1/'
      },
      claims,
      (text) => signWith('sha256', text, foreign.privateKey)
    ),
    'RS512 with our key': forge({ ...header, alg: 'RS512' }, claims, (text) =>
      signWith('sha512', text, key.privateKey)
    ),
    'a session signed with our key': forge({ alg: 'RS256', kid: key.kid }, user, ours),
    'huge, and genuine': forge(hs, { ...user, padding: 'x'.repeat(16_384) }, good),
    'a megabyte': `${headerPart}.${'x'.repeat(1 << 20)}.${signature}`
  }
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '']) {
    tokens[`alg "${alg}", a session`] = forge({ alg, typ: 'JWT' }, user, () => '')
    tokens[`alg "${alg}", a session with a signature`] = forge({ alg, typ: 'JWT' }, user, good)
    tokens[`alg "${alg}", a client`] = forge({ ...header, alg }, claims, () => '')
    tokens[`alg "${alg}", a client with our signature`] = forge({ ...header, alg }, claims, ours)
  }
  for (const [about, secret] of Object.entries(secrets)) {
    tokens[`HS256 over ${about}, a client`] = forge({ ...header, alg: 'HS256' }, claims, hmac(secret))
    tokens[`HS256 over ${about}, a session`] = forge({ ...hs, kid: key.kid }, user, hmac(secret))
  }
  for (const typ of ['JWT', 'dpop+jwt', 'refresh+jwt', 'logout+jwt', ' at+jwt', 'at+jwt ', '', null, 5, ['at+jwt']]) {
    tokens[`typ ${JSON.stringify(typ)} of a client`] = forge({ ...header, typ }, claims, ours)
  }
  tokens['no typ of a client'] = forge(without(header, 'typ'), claims, ours)
  for (const kid of [
    '',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    '../../dev/null',
    "' OR 1=1",
    '*',
    'newest',
    'K'.repeat(5_000),
    5,
    null,
    true,
    [key.kid],
    { kid: key.kid },
    ` ${key.kid}`,
    `${key.kid}\u0000`
  ]) {
    tokens[`kid ${JSON.stringify(kid).slice(0, 30)}`] = forge({ ...header, kid }, claims, ours)
  }
  tokens['no kid'] = forge(without(header, 'kid'), claims, ours)
  for (const name of ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_type']) {
    tokens[`a client without ${name}`] = forge(header, without(claims, name), ours)
    for (const value of [null, '', {}, [], 5.5e300, 'x'.repeat(300), true]) {
      const isTime = name === 'iat' || name === 'exp'
      if (isTime && typeof value === 'number') continue
      tokens[`a client with ${name} ${JSON.stringify(value).slice(0, 20)}`] = forge(
        header,
        { ...claims, [name]: value },
        ours
      )
    }
  }
  const uuid = '00000000-0000-4000-8000-000000000000'
  Object.assign(tokens, {
    'a client that is not there': forge(header, { ...claims, cid: uuid }, ours),
    'a client of somebody else': forge(header, { ...claims, sub: 'bob' }, ours),
    'a token that is named by no UUID': forge(header, { ...claims, jti: `${uuid}0` }, ours),
    'a client for another audience': forge(header, { ...claims, aud: 'https://elsewhere.example' }, ours),
    'a client of another issuer': forge(header, { ...claims, iss: 'https://elsewhere.example' }, ours),
    'a client whose issuer has a slash more': forge(header, { ...claims, iss: `${claims.iss}/` }, ours),
    'a client of ours and another issuer': forge(header, { ...claims, iss: [claims.iss, 'x'] }, ours),
    'a client, expired': forge(header, { ...claims, exp: nowS - 1 }, ours),
    'a client, not yet': forge(header, { ...claims, nbf: nowS + 600 }, ours),
    'a client of a surrogate': forge(header, JSON.stringify(claims).replace('"ann"', '"\\ud800"'), ours),
    'a client with crit': forge({ ...header, crit: ['x'], x: 1 }, claims, ours),
    'a client of no known type': forge(header, { ...claims, client_type: CANARY }, ours)
  })
  const bytes = Buffer.from(signature, 'base64url')
  for (let i = 0; i < 64; i++) {
    const flipped = Buffer.from(bytes)
    const at = Math.floor((i * bytes.length) / 64)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (i % 8))
    tokens[`bit ${i % 8} of byte ${at} flipped`] = `${headerPart}.${payloadPart}.${flipped.toString('base64url')}`
  }

  t.test('401 every token that is not right, on every route that needs one', async (t) => {
    const guarded = Object.entries(routes).filter(([, { isPublic }]) => !isPublic)
    t.equal(guarded.length, 9)
    t.ok(Object.keys(tokens).length >= 220, `${Object.keys(tokens).length} tokens`)
    let turn = 0
    for (const [about, token] of Object.entries(tokens)) {
      // Most tokens are tried on one route, which changes from token to token, because all routes share one guard.
      // Telling ones are tried on every route.
      const everywhere = /session|HS256|none|kid|expired|surrogate/.test(about)
      // A token with one wrong claim is tried only on routes where its acceptance would not change what later rows
      // need.
      const chosen = everywhere ? guarded : [guarded[/^a client with/.test(about) ? 0 : turn++ % 5]]
      // Side by side, because none of them may change anything.
      await Promise.all(
        (chosen as typeof guarded).map(([operation, { method, url, body }]) => {
          const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
          const request = { method, url, headers, ...(body && { payload: JSON.stringify(body) }) }
          return refuses(t, request, 401, `${about}: ${operation}`, 'The jwt is not valid.')
        })
      )
    }
  })

  t.test('401 what is no bearer token', async (t) => {
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      'Bearer    ',
      `Basic ${Buffer.from(`${CANARY}:x`).toString('base64')}`,
      `Basic ${session}`,
      `DPoP ${session}`,
      session,
      `Bearer:${session}`,
      `Bearer=${session}`,
      `Bearer\u00a0${session}`,
      `Bearer ${session} ${session}`,
      `Bearer ${session}, Bearer ${session}`,
      `Token ${CANARY}`
    ]) {
      for (const { method, url, body, isPublic } of Object.values(routes)) {
        if (isPublic) continue
        const headers = { authorization, ...(body && { 'content-type': 'application/json' }) }
        const request = { method, url, headers, ...(body && { payload: JSON.stringify(body) }) }
        await refuses(t, request, 401, `"${authorization.slice(0, 20)}" ${method} ${url}`, 'No jwt provided!')
      }
    }
    for (const text of ['null', 'undefined', '[object Object]'.replace(' ', ''), '""', 'x,y']) {
      const headers = { authorization: `Bearer ${text}` }
      await refuses(t, { method: 'GET', url: '/auth/clients', headers }, 401, text, 'The jwt is not valid.')
    }
  })

  t.test('401 a token anywhere else is no token', async (t) => {
    const request = { method: 'GET' as const, headers: { cookie: `token=${session}`, 'x-authorization': session } }
    await refuses(t, { ...request, url: `/auth/clients?access_token=${session}` }, 401, 'query', 'No jwt provided!')
  })

  t.test('403 a client JWT where a user is wanted', async (t) => {
    for (const operation of ['peekGrant', 'decideGrant']) {
      const { method, url, body } = routes[operation] ?? { method: 'GET', url: '' }
      const headers = { authorization: `Bearer ${client}`, ...(body && { 'content-type': 'application/json' }) }
      const request = { method, url, headers, ...(body && { payload: JSON.stringify(body) }) }
      await refuses(t, request, 403, operation, 'Access Forbidden')
    }
  })

  t.test('what was good is still good', async (t) => {
    for (const token of [session, client]) {
      const answer = await call('GET', '/auth/clients', { token })
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
    }
    t.ok((await snapshot(redis)).size >= 4)
    t.ok(asked() >= 500, `${asked()} refusals`)
  })
})

interface Reply {
  status: number
  headers: Record<string, string>
  body: string
}

interface Exchange {
  /** Every answer, including interim ones (1xx). */
  replies: Reply[]
  /** Whether the server closed the connection. */
  closed: boolean
  ms: number
  raw: string
}

/** Every answer comes sooner, even on a busy machine. */
const PATIENCE_MS = 60_000

/**
 * Sends the pieces with pauses between them (numbers, in ms). Resolves when the server has answered or closed, or the
 * time is over.
 */
function exchange(port: number, pieces: (string | Buffer | number)[], withinMs = PATIENCE_MS): Promise<Exchange> {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    let raw = ''
    let closed = false
    let sent = false
    const socket: Socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    let quiet: NodeJS.Timeout | undefined
    socket.on('data', (data) => {
      raw += data
      clearTimeout(quiet)
      // An answer followed by 100 ms of silence is complete. Two further turns read what arrived while this process was
      // blocked.
      if (sent && replies(raw).some(({ status }) => status >= 200)) quiet = setTimeout(() => lookAgain(raw.length), 100)
    })
    const lookAgain = (length: number) =>
      setImmediate(() => setImmediate(() => (raw.length === length ? finish() : undefined)))
    const finish = () => {
      clearTimeout(timer)
      clearTimeout(quiet)
      socket.destroy()
      resolve({ replies: replies(raw), closed, ms: performance.now() - startedAt, raw })
    }
    const timer = setTimeout(finish, withinMs)
    socket.on('error', () => {})
    socket.on('close', () => {
      closed = true
      finish()
    })
    socket.on('connect', async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return
        if (typeof piece === 'number') await new Promise((next) => setTimeout(next, piece))
        else socket.write(piece)
      }
      sent = true
    })
  })
}

function replies(raw: string): Reply[] {
  const found: Reply[] = []
  let rest = raw
  while (rest.startsWith('HTTP/1.1 ')) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) break
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
    )
    const length = Number(headers['content-length'] ?? 0)
    found.push({ status: Number(first.split(' ')[1]), headers, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
  return found
}

async function listening(t: Test, variables: Record<string, string> = {}) {
  const service = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...variables })
  await service.app.listen({ port: await freePort(), host: '127.0.0.1' })
  const { port } = service.app.server.address() as AddressInfo
  const send = (bytes: string | Buffer, withinMs?: number) => exchange(port, [bytes], withinMs)
  const alive = async (t: Test, about: string) => {
    const { replies } = await send('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    t.equal(replies[0]?.status, 200, `alive after ${about}`)
  }
  return { ...service, port, send, alive }
}

/** Checks a refusal: a 4xx in JSON with an error sentence, or a closed connection without an answer. A 5xx fails. */
function refusedOrClosed(
  t: Test,
  { replies, closed, raw }: Exchange,
  about: string,
  allowed = [400, 404, 405, 408, 411, 413, 414, 415, 417, 431]
) {
  const last = replies.at(-1)
  if (!last) {
    t.ok(closed, `${about}: hung up, "${raw.slice(0, 40)}"`)
    return
  }
  t.ok(allowed.includes(last.status), `${about}: ${last.status}`)
  // Without Host, or with an unknown Expect, Node.js itself answers with a status and an empty body.
  if (last.body === '' && (last.status === 400 || last.status === 417)) return
  t.match(last.headers['content-type'], /^application\/json/, `${about}: JSON`)
  t.type(JSON.parse(last.body).error, 'string', `${about}: ${last.body}`)
  t.notMatch(last.body, /canary|node_modules| at /i, `${about}: says nothing of the input`)
}

const json = '{"client_type":"cli"}'
const post = (headers: string, body = json, path = '/api/v0/auth/grant/code') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}\r\n${body}`
const good = post(`Content-Length: ${json.length}\r\n`)

t.test('malformed requests', async (t) => {
  const { send, alive } = await listening(t)
  t.equal((await send(good)).replies[0]?.status, 200, 'a good one')
  const rows: Record<string, string | Buffer> = {
    'bare LF line ends': good.replaceAll('\r\n', '\n'),
    'one bare LF': good.replace('localhost\r\n', 'localhost\n'),
    'a bare CR': good.replace('localhost\r\n', 'localhost\rX: y\r\n'),
    'two Content-Lengths that differ': post('Content-Length: 5\r\nContent-Length: 21\r\n'),
    'two Content-Lengths alike': post('Content-Length: 21\r\nContent-Length: 21\r\n'),
    'a list of Content-Lengths': post('Content-Length: 21, 21\r\n'),
    'a negative Content-Length': post('Content-Length: -1\r\n'),
    'a Content-Length with a sign': post('Content-Length: +21\r\n'),
    'a Content-Length in hex': post('Content-Length: 0x15\r\n'),
    'a Content-Length with a space': post('Content-Length: 2 1\r\n'),
    'a Content-Length too large to be': post('Content-Length: 99999999999999999999\r\n'),
    'an empty Content-Length': post('Content-Length:\r\n'),
    'both lengths': post('Content-Length: 21\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'both lengths the other way': post('Transfer-Encoding: chunked\r\nContent-Length: 21\r\n', '0\r\n\r\n'),
    xchunked: post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
    'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 'z\r\n'),
    'chunked, identity': post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'),
    identity: post('Transfer-Encoding: identity\r\n', json),
    'a chunk size that is none': post('Transfer-Encoding: chunked\r\n', 'zz\r\n{}\r\n0\r\n\r\n'),
    'a negative chunk size': post('Transfer-Encoding: chunked\r\n', '-1\r\n{}\r\n0\r\n\r\n'),
    'a chunk size too large to be': post('Transfer-Encoding: chunked\r\n', 'ffffffffffffffffff\r\n{}\r\n'),
    'a chunk longer than its size': post('Transfer-Encoding: chunked\r\n', '2\r\n{}canary\r\n0\r\n\r\n'),
    'a chunk line that ends in LF': post('Transfer-Encoding: chunked\r\n', `15\n${json}\r\n0\r\n\r\n`),
    'a chunk extension of 20 KB': post(
      'Transfer-Encoding: chunked\r\n',
      `15;${'x'.repeat(20_000)}\r\n${json}\r\n0\r\n\r\n`
    ),
    'no Host': good.replace('Host: localhost\r\n', ''),
    'a header name with a space': good.replace('Host:', 'X canary: y\r\nHost:'),
    'a space before the colon': good.replace('Host:', 'Content-Length : 5\r\nHost:'),
    'no header name': good.replace('Host:', ': canary\r\nHost:'),
    'a folded header': good.replace('Host:', 'X: y\r\n canary\r\nHost:'),
    'a NUL in a header': good.replace('localhost', 'local\u0000canary'),
    'a control character in a header': good.replace('localhost', 'local\u0001canary'),
    'a header line of 20 KB': good.replace('Host:', `X: ${'canary'.repeat(3_400)}\r\nHost:`),
    'a URL of 20 KB': good.replace('/code', `/code?${'canary'.repeat(3_400)}`),
    '4,000 headers': good.replace('Host:', `${Array.from({ length: 4_000 }, (_, i) => `X${i}: y\r\n`).join('')}Host:`),
    'a method in small letters': good.replace('POST', 'post'),
    'a method nobody knows': good.replace('POST', 'CANARY'),
    TRACE: 'TRACE /healthz HTTP/1.1\r\nHost: x\r\nX: canary\r\n\r\n',
    CONNECT: 'CONNECT canary:443 HTTP/1.1\r\nHost: canary:443\r\n\r\n',
    'PRI of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a version nobody knows': good.replace('HTTP/1.1', 'HTTP/3.7'),
    'no version': 'GET /canary\r\n\r\n',
    'a space in the path': 'GET /can ary HTTP/1.1\r\nHost: x\r\n\r\n',
    'a NUL in the path': 'GET /\u0000canary HTTP/1.1\r\nHost: x\r\n\r\n',
    'the hello of TLS': Buffer.from('16030100a5010000a10303', 'hex'),
    noise: Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 197 + 13) % 256)),
    'only line ends and noise': '\r\n\r\n\r\n\u0001'
  }
  t.test('are refused or hung up on', async (t) => {
    const answers = await Promise.all(
      Object.entries(rows).map(async ([about, bytes]) => [about, await send(bytes)] as const)
    )
    const seen: Record<string, number> = {}
    for (const [about, answer] of answers) {
      refusedOrClosed(t, answer, about)
      const status = String(answer.replies.at(-1)?.status ?? 'closed')
      seen[status] = (seen[status] ?? 0) + 1
    }
    t.comment(JSON.stringify(seen))
    t.ok(answers.length >= 45, `${answers.length} requests`)
    await alive(t, 'all of them')
  })

  t.test('431 for headers that are too large', async (t) => {
    for (const about of ['a header line of 20 KB', 'a URL of 20 KB', '4,000 headers']) {
      const { replies } = await send(rows[about] as string)
      t.equal(replies[0]?.status, 431, about)
    }
  })

  t.test('a smuggled second request is never answered', async (t) => {
    const second = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
    for (const bytes of [
      post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${second}`),
      post(`Content-Length: 21\r\nContent-Length: 0\r\n`, json + second),
      post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${second}`),
      post('Content-Length: 21\r\nTransfer-Encoding : chunked\r\n', json + second)
    ]) {
      const { raw } = await send(bytes)
      t.notMatch(raw, /"ok"/)
    }
  })
})

t.test('bodies that never come', async (t) => {
  const { port, alive } = await listening(t)
  const drip = (text: string) => [...text].flatMap((letter) => [letter, 900])
  const cases: Record<string, (string | number)[]> = {
    'half a request line': ['POST /api'],
    'half the headers': [good.slice(0, 60)],
    'headers, a byte at a time': drip(good.slice(0, 40)),
    'a body that never starts': [post('Content-Length: 21\r\n', '')],
    'a body that stops': [post('Content-Length: 21\r\n', '{"client')],
    'a body, a byte at a time': [post('Content-Length: 21\r\n', ''), ...drip(json)],
    'chunks that never end': [post('Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n')],
    'a chunk at a time': [
      post('Transfer-Encoding: chunked\r\n', ''),
      ...Array.from({ length: 20 }, () => ['1\r\n{\r\n', 900]).flat()
    ]
  }
  t.test('are cut within twelve seconds, and others are served meanwhile', async (t) => {
    const ownMs = startStopwatch(t)
    const waiting = Object.entries(cases).map(
      async ([about, pieces]) => [about, await exchange(port, pieces), ownMs()] as const
    )
    await alive(t, 'eight that wait')
    for (const [about, answer, ms] of await Promise.all(waiting)) {
      t.ok(answer.closed, `${about}: closed`)
      t.ok(ms <= 12_000, `${about}: within ${Math.round(ms)} ms of its own`)
      t.ok(answer.ms > 5_000, `${about}: after ${Math.round(answer.ms)} ms`)
      refusedOrClosed(t, answer, about, [408, 400])
    }
    await alive(t, 'the waiting')
  })
})

t.test('requests that are odd but right', async (t) => {
  const { send, port, call, alive } = await listening(t)

  t.test('200 a body in chunks, one after the other, and on a connection that stays', async (t) => {
    const chunked = post(
      'Transfer-Encoding: chunked\r\n',
      `5\r\n${json.slice(0, 5)}\r\n10;x=y\r\n${json.slice(5)}\r\n0\r\nX: y\r\n\r\n`
    )
    t.equal((await send(chunked)).replies[0]?.status, 200)
    const { replies } = await send(good + good + chunked)
    t.strictSame(
      replies.map(({ status }) => status),
      [200, 200, 200],
      'three in a row'
    )
    const slow = await exchange(port, [good.slice(0, 30), 50, good.slice(30, 90), 50, good.slice(90)])
    t.equal(slow.replies[0]?.status, 200, 'in three packets')
  })

  t.test('a refusal does not cost the connection its next request', async (t) => {
    const bad = post('Content-Length: 2\r\n', '{}')
    const { replies } = await send(bad + good + bad)
    t.strictSame(
      replies.map(({ status }) => status),
      [400, 200, 400]
    )
  })

  t.test('Expect: 100-continue', async (t) => {
    const length = `Content-Length: ${json.length}\r\n`
    const small = await send(post(`${length}Expect: 100-continue\r\n`))
    t.strictSame(
      small.replies.map(({ status }) => status),
      [100, 200]
    )
    const large = await send(post('Content-Length: 10000000000\r\nExpect: 100-continue\r\n', ''))
    t.ok(
      large.replies.some(({ status }) => status === 413),
      'too large: 413 before a byte of it'
    )
    const other = await send(post(`${length}Expect: canary\r\n`))
    refusedOrClosed(t, other, 'another expectation', [417, 400])
  })

  t.test('413 a body too large by its own word, before it has come', async (t) => {
    const { replies } = await send(post('Content-Length: 1073741824\r\n', '{'))
    t.equal(replies[0]?.status, 413)
    t.strictSame(JSON.parse(replies[0]?.body ?? ''), { error: 'The body is too large.' })
    const chunk = 'x'.repeat(4_096)
    const chunks = post('Transfer-Encoding: chunked\r\n', `1000\r\n${chunk}\r\n`.repeat(8))
    t.equal((await send(chunks)).replies[0]?.status, 413, 'in chunks')
  })

  t.test('an upgrade is ignored', async (t) => {
    for (const protocol of ['websocket', 'h2c']) {
      const headers = `Content-Length: ${json.length}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n`
      const { replies } = await send(post(headers))
      t.ok(replies.length <= 1)
      t.not(replies[0]?.status, 101)
    }
    await alive(t, 'upgrades')
  })

  t.test('paths: what is not spelled as documented is another path', async (t) => {
    const token = await sessionOf('ann')
    const get = async (path: string, authorization = '') =>
      (await send(`GET ${path} HTTP/1.1\r\nHost: x\r\n${authorization}Connection: close\r\n\r\n`)).replies[0]
    for (const path of [
      '//api/v0/auth/clients',
      '/api/v0//auth/clients',
      '/api/v0/./auth/clients',
      '/api/v0/x/../auth/clients',
      '/api%2fv0/auth/clients',
      '/api/v0/auth%2fclients',
      '/api/v0/auth/clients;x=y',
      '/api/v0/auth/clients%20',
      '/api/v0/auth/clients%00',
      '/api/v0/auth/clients/',
      '/API/v0/auth/clients',
      '\\api\\v0\\auth\\clients'
    ]) {
      const reply = await get(path, `Authorization: Bearer ${token}\r\n`)
      t.ok([400, 404, 405].includes(reply?.status ?? 0), `${path}: ${reply?.status}`)
      if (reply) t.type(JSON.parse(reply.body).error, 'string', path)
    }
    // `*` may be answered with the start page, but with no other part of the service.
    t.ok([400, 404, 200].includes((await get('*'))?.status ?? 0))
    t.match((await get('/'))?.body, '<form method="post" action="/device"', 'which asks for a code')
    for (const path of ['/api/v0/auth/clients', '/%61pi/v0/auth/clients', 'http://evil.example/api/v0/auth/clients']) {
      t.equal(
        (await get(path))?.status,
        path.startsWith('http') ? (await get(path))?.status : 401,
        `${path} asks for a token`
      )
      t.not((await get(path))?.status, 200, `${path} without one`)
    }
    for (const path of ['/%zz', '/api/v0/auth/clients/%zz', '/%c0%ae', '/%ff']) {
      const reply = await get(path)
      const wanted = path.startsWith('/api/v0/') ? [404, 'Not Found'] : [400, 'The request cannot be read.']
      t.strictSame([reply?.status, JSON.parse(reply?.body ?? '').error], wanted, path)
    }
  })

  t.test('Host and its relatives never get into an address we hand out', async (t) => {
    const relatives = [
      '',
      'X-Forwarded-Host: evil.example\r\n',
      'X-Forwarded-Proto: javascript\r\n',
      'X-Forwarded-Port: 1\r\n',
      'Forwarded: host=evil.example;proto=https\r\n',
      'X-Original-URL: /evil\r\n',
      'X-Host: evil.example\r\n'
    ].map(
      async (headers) =>
        [
          headers,
          (await send(good.replace('Host: localhost\r\n', `Host: evil.example\r\n${headers}`))).replies[0]
        ] as const
    )
    for (const [headers, reply] of await Promise.all(relatives)) {
      t.equal(reply?.status, 200, headers.trim())
      t.equal(JSON.parse(reply?.body ?? '').verification_uri, 'http://localhost:3333/device')
      t.notMatch(reply?.body, /evil/)
    }
    const hosts = ['a b', 'u@evil', 'x'.repeat(1_000), '', '[::1', 'evil:99999'].map(
      async (host) => [host, await send(good.replace('Host: localhost', `Host: ${host}`))] as const
    )
    for (const [host, answer] of await Promise.all(hosts)) {
      const [reply] = answer.replies
      if (reply?.status === 200) t.notMatch(reply.body, /evil/, host.slice(0, 20))
      else refusedOrClosed(t, answer, host.slice(0, 20))
    }
    const absolute = await send(good.replace('POST /', 'POST http://evil.example/'))
    t.notMatch(absolute.raw, /evil/)
  })

  t.test(
    '400 two Host headers, on every surface, whether or not they are the same, and one that is no host',
    async (t) => {
      const paths = [
        ...['/', '/device', '/healthz', '/nowhere', '/v1/providers', '/v1/nowhere', '/api/v0/auth/clients'],
        ...[
          '/.well-known/jwks.json',
          '/.well-known/jwks',
          '/oauth/userinfo',
          '/openapi.json',
          `/${randomUUID()}/.well-known/jwks`
        ]
      ]
      const twice = paths.flatMap((path) =>
        ['Host: localhost\r\nHost: localhost', 'Host: evil.example\r\nX: y\r\nhOST: localhost'].map(
          async (hosts) => [path, hosts, (await send(`GET ${path} HTTP/1.1\r\n${hosts}\r\n\r\n`)).replies[0]] as const
        )
      )
      for (const [path, hosts, reply] of await Promise.all(twice)) {
        t.equal(reply?.status, 400, `${path} ${hosts.length}`)
        t.notMatch(reply?.body, /evil/)
      }
      const toHost = async (host: string) =>
        [host, (await send(good.replace('Host: localhost', `Host: ${host}`))).replies[0]] as const
      const odd = ['a, b', 'a b', 'user@localhost', 'localhost/x', 'localhost?x', '[::1', '::1', 'localhost:8o', 'ä']
      for (const [host, reply] of await Promise.all(odd.map(toHost))) {
        t.strictSame([reply?.status, reply?.body], [400, '{"error":"The Host header is no host."}'], host)
      }
      const right = ['', 'localhost:', 'LOCALHOST.:80', '127.0.0.1:3333', '[::1]', '[2001:db8::7]:443', 'my_host']
      for (const [host, reply] of await Promise.all(right.map(toHost))) t.equal(reply?.status, 200, host)
      const { replies } = await send(good.replace('Host: localhost', 'Host: localhost\r\nHost: localhost'))
      t.strictSame([replies[0]?.status, replies[0]?.body], [400, '{"error":"There is more than one Host header."}'])
    }
  )

  t.test('a body that comes in no chunk is no body', async (t) => {
    const chunks = 'Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    const { replies } = await send(`POST /api/v0/auth/grant/code HTTP/1.1\r\n${chunks}`)
    t.strictSame([replies[0]?.status, replies[0]?.body], [400, '{"error":"client_type is missing."}'])
  })

  t.test('the id of a request is ours', async (t) => {
    for (const id of ['mine', '\u001b[31mred', '{"a":1}', 'x'.repeat(8_000)]) {
      const { replies } = await send(good.replace('Host:', `X-Request-Id: ${id}\r\nRequest-Id: ${id}\r\nHost:`))
      const reply = replies.at(-1)
      if (reply?.status === 200) t.match(reply.headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/)
      else t.equal(reply?.status, 400)
    }
  })

  t.test('400 two Authorization headers, whichever comes first', async (t) => {
    const [ann, bob] = [await sessionOf('ann'), await sessionOf('bob')]
    for (const [one, other] of [
      [ann, bob],
      [ann, ann],
      [ann, 'x'],
      ['x', ann]
    ] as const) {
      const { replies } = await send(
        `GET /api/v0/auth/clients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${one}\r\nauthorization: Bearer ${other}\r\n\r\n`
      )
      t.equal(replies[0]?.status, 400)
      t.strictSame(JSON.parse(replies[0]?.body ?? ''), { error: 'There is more than one Authorization header.' })
      t.equal(replies[0]?.headers['cache-control'], 'no-store')
    }
  })

  t.test('two Content-Types: never a body that nobody checked', async (t) => {
    for (const [one, other] of [
      ['text/plain', 'application/json'],
      ['application/json', 'text/plain']
    ] as const) {
      const bytes = `POST /api/v0/auth/grant/code HTTP/1.1\r\nHost: x\r\nContent-Type: ${one}\r\nContent-Type: ${other}\r\nContent-Length: 2\r\n\r\n{}`
      const { replies } = await send(bytes)
      t.ok([400, 415].includes(replies[0]?.status ?? 0), `${one}, ${other}: ${replies[0]?.status}`)
    }
  })

  t.test('a hundred sockets that say nothing keep nobody out', async (t) => {
    const silent = Array.from({ length: 100 }, () => exchange(port, [], 800))
    t.equal((await call('GET', '/readyz')).status, 200)
    await alive(t, 'a hundred of them')
    await Promise.all(silent)
  })

  t.test('clients that leave in the middle', async (t) => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => exchange(port, [good.slice(0, 10 + i * 3)], 5 + (i % 20))))
    await alive(t, 'fifty that left')
  })
})
