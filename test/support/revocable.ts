/**
 * Two instances of the built service over one Redis: `here`, where tokens are collected and revoked, and another behind a proxy that
 * spoils its connections, at the issuer's own address, where verifiers listen.
 */
import { GRANTD_SECRET, PATIENT } from './app.js'
import { apiClient, claimsOf } from './client.js'
import { type FaultProxy, startFaultProxy } from './fault-proxy.js'
import { API, BOX, clientsFile, DEVICE_CODE } from './oauth-app.js'
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis-server.js'
import { type Service, startService } from './service.js'
import { DASHBOARD_SECRET } from './tokens.js'

export const LOSE_ALL = 2
export const LOSE_CALLED = 0.5

export interface Tokens {
  access_token: string
  /** Only with the scopes for it. */
  id_token: string
  refresh_token: string
}

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
  /** Collects the tokens of a new authorization of the user ann. */
  tokens(scope: string): Promise<Tokens>
  /** The access token alone, with the scope `reports.read`. */
  token(): Promise<string>
  /** Has ann revoke the authorization of a token, in the list of the instance `here`. */
  revoke(token: string): Promise<void>
}

export async function startRevocable(
  t: { teardown(handler: () => unknown): void },
  variables: Record<string, string> = {}
): Promise<Revocable> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
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
      REDIS_URL: redis.url,
      PUBLIC_URL: issuer,
      OAUTH_CLIENTS_FILE: clientsFile(t)
    },
    ...{ LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...PATIENT, ...variables }
  }
  const here = await startService(t, env)
  let there = await startService(t, { ...env, PORT })
  const api = apiClient(here.url)

  async function post(path: string, parameters: Record<string, string>) {
    const answer = await fetch(here.url + path, { method: 'POST', body: new URLSearchParams(parameters) })
    const body = await answer.json()
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`)
    return body
  }

  async function tokens(scope: string): Promise<Tokens> {
    const client = { ...BOX, client_secret: BOX.client_secret ?? '' }
    const { device_code, user_code } = await post('/oauth/device_authorization', { ...client, scope })
    await api.decide(user_code, 'ann')
    return post('/oauth/token', { ...client, grant_type: DEVICE_CODE, device_code })
  }

  return {
    ...{ issuer, proxy, env, redis, here },
    credentials: { clientId: API.client_id, clientSecret: API.client_secret ?? '' },
    there: () => there,
    async restart() {
      there = await startService(t, { ...env, PORT })
    },
    loseNext() {
      toLose += 1
    },
    tokens,
    token: async () => (await tokens('reports.read')).access_token,
    async revoke(token) {
      const { status } = await api.call('DELETE', `/auth/clients/${claimsOf(token).cid}`, { user: 'ann' })
      if (status !== 200) throw new Error(`not revoked: ${status}`)
    }
  }
}
