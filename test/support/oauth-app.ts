/**
 * The application as OAuth clients see it: form requests, JSON answers, and an operator's clients beside the built-in
 * ones.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { AppOptions } from '../../src/app.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { type Answer, startApp, type TestApp } from './app.js'
import { sessionOf } from './tokens.js'
import { until } from './until.js'

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/** The credentials that a client sends in a body. */
export type Credentials = { client_id: string; client_secret?: string }
type Parameters = Record<string, string | readonly string[] | undefined>

export const CLI: Credentials = { client_id: 'cli' }
/** A confidential client with its own scopes and short access tokens. */
export const BOX: Credentials = { client_id: 'box', client_secret: 's%c:r e+t/é&=' }
/** A public client whose authorizations last two hours. */
export const TV: Credentials = { client_id: 'tv' }
/** A resource server: it introspects tokens and gets none itself. */
export const API: Credentials = { client_id: 'api', client_secret: 'the secret of the api' }

const digestsOf = ({ client_secret }: Credentials) => ({ client_secret_digests: [digestOf(client_secret ?? '')] })
const CLIENTS = [
  {
    ...{ client_id: 'box', client_name: 'Box 2000', ...digestsOf(BOX), access_token_ttl_seconds: 300 },
    scope: 'openid offline_access reports.read reports.write'
  },
  { client_id: 'tv', scope: 'openid offline_access', authorization_ttl_seconds: 7_200 },
  { client_id: 'api', ...digestsOf(API), grant_types: [] }
]

export interface TokenSet {
  access_token: string
  token_type: string
  expires_in: number
  /** The scope decides which of the tokens below the answer has. */
  refresh_token: string
  id_token: string
  scope: string
}

export interface OAuthApp extends TestApp {
  /** Sends a form as a client does; undefined parameters are left out, and those with several values repeated. */
  post(path: string, parameters: Parameters, headers?: Record<string, string>): Promise<Answer>
  /** Starts a device authorization. */
  authorize(client?: Credentials, scope?: string): Promise<{ device_code: string; user_code: string }>
  redeem(deviceCode: string, client?: Credentials): Promise<Answer>
  refresh(token: string, client?: Credentials, scope?: string): Promise<Answer>
  revoke(token: string, client?: Credentials): Promise<Answer>
  /** Introspects a token, by default as the resource server. */
  introspect(token: string, client?: Credentials): Promise<Answer>
  userinfo(token: string): Promise<Answer>
  /** Returns a session of a user that outlives every turn of the clock. */
  session(user: string): Promise<string>
  approve(userCode: string, user?: string, action?: 'approve' | 'deny'): Promise<Answer>
  /** Starts a device authorization, lets the user (by default ann) approve it, and collects the tokens. */
  tokens(
    client?: Credentials,
    scope?: string,
    user?: string
  ): Promise<TokenSet & { device_code: string; user_code: string }>
}

/** Writes a file for OAUTH_CLIENTS_FILE, which the test removes. */
export function clientsFile(
  t: Pick<Test, 'teardown'>,
  clients: readonly object[] = CLIENTS,
  resources: readonly object[] = []
): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-clients-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'clients.json')
  writeFileSync(file, JSON.stringify({ clients, resources }))
  return file
}

export async function startOAuthApp(
  t: Test,
  variables: Record<string, string> = {},
  options: AppOptions = {}
): Promise<OAuthApp> {
  const defaults = { LIMITS: 'off', SIGNING_ALG: 'EdDSA', OAUTH_CLIENTS_FILE: clientsFile(t) }
  const service = await startApp(t, { ...defaults, ...variables }, options)
  const { app, call } = service
  const sessions = new Map<string, Promise<string>>()

  const post: OAuthApp['post'] = async (path, parameters, headers = {}) => {
    const given = Object.entries(parameters).flatMap(([name, value = []]) => [value].flat().map((one) => [name, one]))
    const answer = await app.inject({
      method: 'POST',
      url: path,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: new URLSearchParams(given).toString()
    })
    const isJson = answer.headers['content-type'] === 'application/json'
    return { status: answer.statusCode, body: isJson ? answer.json() : answer.body, headers: answer.headers }
  }
  const session: OAuthApp['session'] = (user) => {
    const made = sessions.get(user) ?? sessionOf(user, { expires: '3650d' })
    sessions.set(user, made)
    return made
  }
  const authorize: OAuthApp['authorize'] = async (client = CLI, scope) => {
    const { status, body } = await post('/oauth/device_authorization', { ...client, scope })
    if (status !== 200) throw new Error(`no device authorization: ${status} ${JSON.stringify(body)}`)
    return body
  }
  const redeem: OAuthApp['redeem'] = (device_code, client = CLI) =>
    post('/oauth/token', { ...client, grant_type: DEVICE_CODE, device_code })
  const approve: OAuthApp['approve'] = async (user_code, user = 'ann', action = 'approve') =>
    call('POST', '/auth/grant/approve', { token: await session(user), body: { user_code, action } })

  return {
    ...service,
    post,
    session,
    authorize,
    redeem,
    approve,
    refresh: (refresh_token, client = CLI, scope = undefined) =>
      post('/oauth/token', { ...client, grant_type: 'refresh_token', refresh_token, scope }),
    revoke: (token, client = CLI) => post('/oauth/revoke', { ...client, token }),
    introspect: (token, client = API) => post('/oauth/introspect', { ...client, token }),
    userinfo: (token) => call('GET', '/oauth/userinfo', { token }),
    async tokens(client = CLI, scope = 'openid offline_access', user = 'ann') {
      const { device_code, user_code } = await authorize(client, scope)
      await approve(user_code, user)
      const { status, body } = await redeem(device_code, client)
      if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
      return { ...body, device_code, user_code }
    }
  }
}

/**
 * The same, once it is connected. A start waits three seconds for Redis, which are not enough on a machine that is very busy; 503 is then
 * the right answer.
 */
export async function startConnectedApp(
  t: Test,
  variables: Record<string, string>,
  options: AppOptions = {}
): Promise<OAuthApp> {
  const service = await startOAuthApp(t, variables, options)
  await until(async () => (await service.call('GET', '/readyz')).status === 200)
  return service
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they become user and password. */
export function basicAuth({ client_id, client_secret = '' }: Credentials): { authorization: string } {
  const encode = (text: string) => new URLSearchParams({ x: text }).toString().slice(2)
  const user = `${encode(client_id)}:${encode(client_secret)}`
  return { authorization: `Basic ${Buffer.from(user).toString('base64')}` }
}
