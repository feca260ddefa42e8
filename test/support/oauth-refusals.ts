/**
 * Checks refusals of the OAuth surface, on a service over Redis. Every answer is compared in full, no key of Redis may
 * change, and nothing of the input may appear in the answer or in the log.
 */
import { join } from 'node:path'
import type { InjectOptions } from 'fastify'
import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import * as schemas from '../../schemas/generated/oauth.js'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { loggerOptions } from '../../src/logger.js'
import { startApp } from './app.js'
import { startRedis } from './redis-server.js'
import { snapshot } from './snapshot.js'
import { sessionOf } from './tokens.js'

export const CANARY = 'CANARY4canary'
export const ISSUER = 'https://grants.example.com'
export const FORM = 'application/x-www-form-urlencoded'

export type Parameters = Record<string, string>
export type Json = Record<string, unknown>

export const PATHS = {
  authorizeDevice: '/oauth/device_authorization',
  requestToken: '/oauth/token',
  revokeToken: '/oauth/revoke',
  introspectToken: '/oauth/introspect',
  userinfo: '/oauth/userinfo'
}

/** The secret has every character that must be encoded on its way into a header. */
export const BOX_SECRET = 's%c:r e+t/é&='
export const BOX = { client_id: 'box', client_secret: BOX_SECRET }
export const LAMP = { client_id: 'lamp', client_secret: 'the secret of the lamp' }
/** A resource server: it introspects tokens and cannot get any itself. */
export const API = { client_id: 'api', client_secret: 'the secret of the api' }
export const TV = { client_id: 'tv' }
/** A client that gets access tokens but no refresh tokens. */
export const ONCE = { client_id: 'once' }

export const digests = ({ client_secret }: { client_secret: string }) => ({
  client_secret_digests: [digestOf(client_secret)]
})
export const CLIENTS = [
  {
    ...{ client_id: 'box', ...digests(BOX), scope: 'openid profile email offline_access' },
    redirect_uris: ['https://box.example/']
  },
  { client_id: 'lamp', ...digests(LAMP), scope: 'openid offline_access', authorization_ttl_seconds: 3_600 },
  { client_id: 'api', ...digests(API), grant_types: [] },
  { client_id: 'tv', scope: 'openid profile offline_access' },
  { client_id: 'once', scope: 'openid', grant_types: [DEVICE_CODE_GRANT] }
]

/** RFC 6749 §2.3.1: id and secret are form-encoded first. */
export const basic = (id: string, secret: string) =>
  basicOf(`${encodeURIComponent(id)}:${encodeURIComponent(secret).replaceAll('%20', '+')}`)
export const basicOf = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`

/** A refusal. A member that it does not name must not be in the answer. */
export interface Verdict {
  status: number
  error?: schemas.OAuthErrorCode
  sentence?: string | RegExp
  challenge?: string
  allow?: string
}

/** All that `invalid_request` may say: our parameter names and the words of the validator. */
export const SENTENCE =
  /^((The body|(client_id|client_secret|scope|grant_type|device_code|refresh_token|code|code_verifier|code_challenge|code_challenge_method|redirect_uri|token|token_type_hint|resource(\.\d+)?)) (is missing|is there more than once|must (be (string|object|array)|NOT have (more|fewer) than \d+ characters))|The body is not UTF-8|The body holds half a character|The request cannot be read|There are more than 50 parameters|The client authenticates in two ways|There is more than one Authorization header)\.$/
export const MEDIA_TYPE = 'The body must be application/x-www-form-urlencoded or application/json, in UTF-8.'

export const REALM = 'realm="grantd"'
export const IR: Verdict = { status: 400, error: 'invalid_request', sentence: SENTENCE }
export const IC: Verdict = { status: 401, error: 'invalid_client', sentence: 'Client authentication failed.' }
export const IC_BASIC: Verdict = { ...IC, challenge: `Basic ${REALM}` }
export const IS: Verdict = {
  status: 400,
  error: 'invalid_scope',
  sentence: 'The scope is not allowed, or not written as one.'
}
export const BAD_RESOURCE: Verdict = {
  status: 400,
  error: 'invalid_target',
  sentence: 'The resource is unknown, or not allowed.'
}
export const UC: Verdict = { status: 400, error: 'unauthorized_client', sentence: 'The client may not use this grant.' }
export const UG: Verdict = { status: 400, error: 'unsupported_grant_type' }
export const BAD_DEVICE_CODE: Verdict = { status: 400, error: 'invalid_grant' }
export const BAD_REFRESH_TOKEN: Verdict = { ...BAD_DEVICE_CODE, sentence: 'The refresh token is not valid.' }
export const BAD_CODE: Verdict = { ...BAD_DEVICE_CODE, sentence: 'The code is not valid.' }
export const TOO_LARGE: Verdict = { status: 413, error: 'invalid_request', sentence: 'The body is too large.' }
export const WRONG_TYPE: Verdict = { status: 415, error: 'invalid_request', sentence: MEDIA_TYPE }
/** RFC 6750 §3: a malformed request with an access token is also refused in the header. */
export const MALFORMED_BEARER = `Bearer ${REALM}, error="invalid_request"`
/** RFC 6750 §3.1: a request without a token is told of no error. */
export const NO_TOKEN: Verdict = { status: 401, challenge: `Bearer ${REALM}` }
export const BAD_TOKEN: Verdict = {
  status: 401,
  error: 'invalid_token',
  sentence: 'The access token is not valid.',
  challenge: `Bearer ${REALM}, error="invalid_token"`
}
export const SMALL_SCOPE: Verdict = {
  status: 403,
  error: 'insufficient_scope',
  sentence: 'The access token does not have the scope openid.',
  challenge: `Bearer ${REALM}, error="insufficient_scope", scope="openid"`
}

/** The challenge that an endpoint adds to a refusal: in every 401 of introspection, and where an access token is sent wrongly. */
export function challengeAt(url: string, { status, challenge }: Verdict): { challenge?: string } {
  if (status === 400 && url.startsWith(PATHS.userinfo)) return { challenge: MALFORMED_BEARER }
  const isUnsaid = status === 401 && challenge === undefined && url.startsWith(PATHS.introspectToken)
  return isUnsaid ? { challenge: `Basic ${REALM}, Bearer ${REALM}` } : {}
}

export const CODES: readonly string[] = (schemas.OAuthErrorCode as unknown as { enum: string[] }).enum

export interface Raw {
  statusCode: number
  body: string
  headers: Record<string, unknown>
}

/** Checks every part of an answer that belongs to a refusal (RFC 6749 §5.2, RFC 6750 §3). */
export function refused(t: Test, { statusCode, body, headers }: Raw, verdict: Verdict, about: string): void {
  const { error, error_description: sentence, ...more } = JSON.parse(body)
  const { sentence: expected } = verdict
  t.strictSame(
    {
      status: statusCode,
      error,
      isDocumented: error === undefined || CODES.includes(error),
      sentence: expected instanceof RegExp && expected.test(sentence) ? expected : sentence,
      isInTheCharactersOfRfc6749: /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(sentence ?? ''),
      more,
      isEcho: body.toLowerCase().includes(CANARY.toLowerCase()),
      isShort: body.length < 200,
      challenge: headers['www-authenticate'],
      allow: headers.allow,
      type: headers['content-type'],
      kept: headers['cache-control'],
      sniffed: headers['x-content-type-options'],
      length: headers['content-length']
    },
    {
      status: verdict.status,
      error: verdict.error,
      isDocumented: true,
      sentence: expected,
      isInTheCharactersOfRfc6749: true,
      more: {},
      isEcho: false,
      isShort: true,
      challenge: verdict.challenge,
      allow: verdict.allow,
      type: 'application/json',
      kept: 'no-store',
      sniffed: 'nosniff',
      length: `${Buffer.byteLength(body)}`
    },
    `${verdict.status} ${about}`
  )
}

export const form = (url: string, parameters: Parameters | string, headers: Parameters = {}): InjectOptions => ({
  method: 'POST',
  url,
  headers: { 'content-type': FORM, ...headers },
  payload: typeof parameters === 'string' ? parameters : new URLSearchParams(parameters).toString()
})
export const json = (url: string, value: unknown, headers: Parameters = {}): InjectOptions => ({
  method: 'POST',
  url,
  headers: { 'content-type': 'application/json', ...headers },
  payload: typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)
})
export const without = <T extends Json>(object: T, name: string) =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name)) as T

/** The tokens of an authorization; a token that its scope does not bring is empty. */
export interface TokenSet {
  id: string
  access_token: string
  refresh_token: string
  id_token: string
}

export const saysTooMuch = (line: string) =>
  [CANARY, BOX.client_secret, LAMP.client_secret, API.client_secret].some((text) => line.includes(text))

/** The session lasts for ten hours, because tests turn the clock. */
export const lastingSession = (user: string) => sessionOf(user, { expires: '10h' })

/** Starts a service on Redis. Returns ways to get codes and tokens, and ways to ask that check the whole answer. */
export async function setUp(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { REDIS_URL: redis.url, LIMITS: 'off', SIGNING_ALG: 'ES256', PUBLIC_URL: ISSUER }
  const directory = t.testdir({ 'clients.json': JSON.stringify({ clients: CLIENTS }) })
  const lines: string[] = []
  const logger = { ...(loggerOptions('trace') as object), stream: { write: (line: string) => lines.push(line) } }
  const OAUTH_CLIENTS_FILE = join(directory, 'clients.json')
  const service = await startApp(t, { ...variables, OAUTH_CLIENTS_FILE }, { logger })
  const { app, call } = service

  async function post(path: string, parameters: Parameters, headers?: Parameters) {
    const answer = await app.inject(form(path, parameters, headers))
    return { status: answer.statusCode, body: answer.body === '' ? '' : answer.json(), headers: answer.headers }
  }
  async function decide(user_code: string, user: string, action = 'approve') {
    const body = { user_code, action }
    const { status } = await call('POST', '/auth/grant/approve', { token: await lastingSession(user), body })
    if (status !== 200) throw new Error(`the decision was not taken: ${status}`)
  }
  async function startGrant(client: Parameters, scope = ''): Promise<{ device_code: string; user_code: string }> {
    return (await post(PATHS.authorizeDevice, { ...client, scope })).body
  }
  const redeem = (client: Parameters, device_code: string) =>
    post(PATHS.requestToken, { ...client, grant_type: DEVICE_CODE_GRANT, device_code })
  const refresh = (client: Parameters, refresh_token: string, more: Parameters = {}) =>
    post(PATHS.requestToken, { ...client, grant_type: 'refresh_token', refresh_token, ...more })
  /** Starts a grant, lets the user approve it, and returns the client's tokens. */
  async function authorize(client: Parameters, user: string, scope: string): Promise<TokenSet> {
    const { device_code, user_code } = await startGrant(client, scope)
    await decide(user_code, user)
    const { body } = await redeem(client, device_code)
    return { refresh_token: '', id_token: '', ...body, id: String(decodeJwt(body.access_token).cid) }
  }
  /** Uses a token once. Otherwise the first request with it would change its record (last use), which is compared. */
  const use = (token: string) => call('GET', '/auth/clients', { token })

  let asked = 0
  /** Sends a request, and checks that no key has changed and that no log line has anything of the request. */
  async function askInVain(t: Test, request: InjectOptions, about: string) {
    asked += 1
    lines.length = 0
    const before = await snapshot(redis)
    const answer = await app.inject(request)
    t.strictSame(await snapshot(redis), before, `${about}: nothing changed`)
    t.notOk(lines.some(saysTooMuch), `${about}: ${lines.length} lines`)
    return answer
  }
  /** Sends a request, and checks that it is refused, changes nothing and echoes nothing. */
  async function refuses(t: Test, request: InjectOptions, verdict: Verdict, about: string) {
    const answer = await askInVain(t, request, about)
    refused(t, answer, { ...verdict, ...challengeAt(String(request.url), verdict) }, about)
    return answer.body
  }
  /**
   * Sends a request that is answered with 200 and an empty object (revocation) or `active: false` (introspection), and changes
   * nothing.
   */
  async function ignores(t: Test, request: InjectOptions, about: string) {
    const answer = await askInVain(t, request, about)
    const nothing = request.url === PATHS.introspectToken ? '{"active":false}' : '{}'
    t.strictSame([answer.statusCode, answer.body], [200, nothing], `200 ${about}`)
    t.equal(answer.headers['content-length'], `${nothing.length}`, `${about}: Content-Length`)
    t.equal(answer.headers['cache-control'], 'no-store', `${about}: not kept`)
  }
  return {
    ...service,
    redis,
    variables,
    decide,
    post,
    startGrant,
    redeem,
    refresh,
    authorize,
    use,
    askInVain,
    refuses,
    ignores,
    asked: () => asked
  }
}
