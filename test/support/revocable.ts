/**
 * Two instances of the built service over one Redis: `here`, where tokens are collected and revoked, and another behind a proxy that
 * spoils its connections, at the issuer's own address, where verifiers listen. Two APIs are registered as resources.
 */
import { digestOf } from '../../src/core/secrets/digest.js'
import { GRANTD_SECRET, PATIENT } from './app.js'
import { apiClient, claimsOf } from './client.js'
import { type FaultProxy, startFaultProxy } from './fault-proxy.js'
import { API, BOX, clientsFile, DEVICE_CODE } from './oauth-app.js'
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis-server.js'
import { type Service, startConnectedService } from './service.js'
import { DASHBOARD_SECRET } from './tokens.js'

export const LOSE_ALL = 2
export const LOSE_CALLED = 0.5

/** The API whose tokens are verified. */
export const REPORTS = 'https://reports.example'
/** Another one. It knows a scope of the first, so that nothing but the audience tells their tokens apart. */
export const INVOICES = 'https://invoices.example/v1'

const RESOURCES = [
  { identifier: REPORTS, name: 'Acme Reports', scope: 'reports.read reports.write' },
  { identifier: INVOICES, name: 'Acme Invoices', scope: 'invoices.read reports.read' }
]
const secretOf = ({ client_secret = '' }: typeof BOX) => ({ client_secret_digests: [digestOf(client_secret)] })
const CLIENTS = [
  {
    ...{ client_id: 'box', client_name: 'Box 2000', ...secretOf(BOX), access_token_ttl_seconds: 300 },
    ...{ scope: 'openid offline_access', resources: [REPORTS, INVOICES] }
  },
  { client_id: 'api', ...secretOf(API), grant_types: [] }
]

export interface Tokens {
  access_token: string
  /** Only with the scopes for it. */
  id_token: string
  refresh_token: string
}

/** What the token endpoint is asked for: the same as before, where nothing is said. */
type Asked = { resource?: string | string[]; scope?: string }

export interface Revocable {
  issuer: string
  /** Of the resource server, for a verifier. */
  credentials: { clientId: string; clientSecret: string }
  /** `lose(LOSE_ALL)` loses every answer, `lose(LOSE_CALLED)` those that `loseNext` calls for. */
  proxy: FaultProxy
  /** What the instances are started with, for the operator's commands. */
  env: Record<string, string>
  redis: RedisServer
  here: Service
  /** The instance behind the proxy. */
  there(): Service
  /** Starts it again after it has ended, at its address. */
  restart(): Promise<void>
  /** Has the proxy end a connection in place of the next answer. */
  loseNext(): void
  /** Collects the tokens of a new authorization of the user ann: for these resources, or for the service itself. */
  tokens(scope: string, resource?: string | string[]): Promise<Tokens>
  /** The access token alone, with the scope `reports.read`, for REPORTS. */
  token(): Promise<string>
  /** Asks for other tokens of an authorization. */
  refresh(refreshToken: string, asked?: Asked): Promise<{ status: number; body: Tokens & { error?: string } }>
  /** Has ann revoke the authorization of a token, in the list of the instance `here`. */
  revoke(token: string): Promise<void>
}

/** Over a Redis of its own; or over another, of which `variables` say where it is, and `given` is one server. */
export async function startRevocable(
  t: { teardown(handler: () => unknown): void },
  variables: Record<string, string> = {},
  given?: RedisServer
): Promise<Revocable> {
  const redis = given ?? (await startRedis())
  if (!given) t.teardown(() => redis.stop())
  const PORT = `${await freePort()}`
  let toLose = 0
  const proxy = await startFaultProxy(Number(PORT), () => {
    if (toLose === 0) return 1
    toLose -= 1
    return 0
  })
  proxy.lose(LOSE_CALLED)
  t.teardown(() => proxy.close())
  const issuer = `http://127.0.0.1:${proxy.port}`
  const env: Record<string, string> = {
    ...{
      DASHBOARD_JWT_SECRET: DASHBOARD_SECRET,
      GRANTD_SECRET,
      ...(!given && { REDIS_URL: redis.url }),
      PUBLIC_URL: issuer,
      OAUTH_CLIENTS_FILE: clientsFile(t, CLIENTS, RESOURCES)
    },
    ...{ LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...PATIENT, ...variables }
  }
  const [here, started] = await Promise.all([startConnectedService(t, env), startConnectedService(t, { ...env, PORT })])
  let there = started
  const api = apiClient(here.url)

  async function ask(path: string, parameters: Record<string, string | string[] | undefined>) {
    const all = { ...BOX, ...parameters }
    const pairs = Object.entries(all).flatMap(([name, value = []]) => [value].flat().map((one) => [name, one]))
    const answer = await fetch(here.url + path, { method: 'POST', body: new URLSearchParams(pairs) })
    return { status: answer.status, body: await answer.json() }
  }

  async function post(path: string, parameters: Parameters<typeof ask>[1]) {
    const { status, body } = await ask(path, parameters)
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  async function tokens(scope: string, resource?: string | string[]): Promise<Tokens> {
    const { device_code, user_code } = await post('/oauth/device_authorization', { scope, resource })
    await api.decide(user_code, 'ann')
    return post('/oauth/token', { grant_type: DEVICE_CODE, device_code })
  }

  return {
    ...{ issuer, proxy, env, redis, here },
    credentials: { clientId: API.client_id, clientSecret: API.client_secret ?? '' },
    there: () => there,
    async restart() {
      there = await startConnectedService(t, { ...env, PORT })
    },
    loseNext() {
      toLose += 1
    },
    tokens,
    token: async () => (await tokens('reports.read', REPORTS)).access_token,
    refresh: (refresh_token, asked = {}) =>
      ask('/oauth/token', { grant_type: 'refresh_token', refresh_token, ...asked }),
    async revoke(token) {
      const { status } = await api.call('DELETE', `/auth/clients/${claimsOf(token).cid}`, { user: 'ann' })
      if (status !== 200) throw new Error(`not revoked: ${status}`)
    }
  }
}
