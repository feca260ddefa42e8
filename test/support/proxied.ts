/** The built service with two APIs registered as resources, and the tokens that somebody may show to a proxy in front of one of them. */
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { digestOf } from '../../src/core/secrets/digest.js'
import { GRANTD_SECRET, PATIENT } from './app.js'
import { apiClient, claimsOf } from './client.js'
import { API, BOX, clientsFile, DEVICE_CODE } from './oauth-app.js'
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis-server.js'
import { type Service, startConnectedService } from './service.js'
import { DASHBOARD_SECRET, sessionOf } from './tokens.js'

/** The resource that the example configurations name. */
const ACME = 'https://api.acme.example'
const OTHER = 'https://other.example'

type Torn = { teardown(handler: () => unknown): void }

export interface Proxied {
  service: Service
  redis: RedisServer
  /** What the API behind the proxies was sent last. */
  lastAtApi(): { method: string; headers: IncomingHttpHeaders; body: string } | undefined
  apiPort: number
  /** The access token of a new authorization for the API, of the user `ann`. */
  token(scope?: string, user?: string): Promise<string>
  /** Has ann revoke the authorization of a token. */
  revoke(token: string): Promise<void>
  /** What is a token, but none for this API: by what it is. */
  notForHere(): Promise<Record<string, string>>
}

export async function startProxied(t: Torn, variables: Record<string, string> = {}): Promise<Proxied> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const clients = [
    {
      ...{ client_id: 'box', client_secret_digests: [digestOf(BOX.client_secret ?? '')], resources: [ACME, OTHER] },
      scope: 'openid offline_access'
    },
    { client_id: 'api', client_secret_digests: [digestOf(API.client_secret ?? '')], grant_types: [] }
  ]
  const resources = [
    { identifier: ACME, name: 'Acme API', scope: 'films.read films.write' },
    { identifier: OTHER, name: 'Another API', scope: 'films.read' }
  ]
  const service = await startConnectedService(t, {
    ...{ DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, GRANTD_SECRET, REDIS_URL: redis.url, LIMITS: 'off' },
    ...{ OAUTH_CLIENTS_FILE: clientsFile(t, clients, resources), ...PATIENT, ...variables }
  })
  const api = apiClient(service.url)
  const box = { ...BOX, client_secret: BOX.client_secret ?? '' }

  async function post(path: string, parameters: Record<string, string>) {
    const answer = await fetch(service.url + path, { method: 'POST', body: new URLSearchParams(parameters) })
    const body = await answer.json()
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`)
    return body
  }
  async function collect(scope: string, resource: string | undefined, user = 'ann') {
    const asked = { ...box, scope, ...(resource !== undefined && { resource }) }
    const { device_code, user_code } = await post('/oauth/device_authorization', asked)
    await api.decide(user_code, user)
    return post('/oauth/token', { ...box, grant_type: DEVICE_CODE, device_code })
  }

  async function revoke(token: string): Promise<void> {
    const { status } = await api.call('DELETE', `/auth/clients/${claimsOf(token).cid}`, { user: 'ann' })
    if (status !== 200) throw new Error(`not revoked: ${status}`)
  }

  let last: ReturnType<Proxied['lastAtApi']>
  const apiPort = await freePort()
  const upstream = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    last = { method: request.method ?? '', headers: request.headers, body }
    if (request.url?.includes('status=500')) response.statusCode = 500
    response.end('films')
  })
  await new Promise<void>((resolve) => upstream.listen(apiPort, '127.0.0.1', resolve))
  t.teardown(() => {
    upstream.closeAllConnections()
    upstream.close()
  })

  return {
    ...{ service, redis, apiPort },
    lastAtApi: () => last,
    token: async (scope = 'films.read films.write', user = 'ann') => (await collect(scope, ACME, user)).access_token,
    revoke,
    async notForHere() {
      const full = await collect('openid offline_access films.read films.write', ACME)
      const revoked = (await collect('films.read films.write', ACME)).access_token
      await revoke(revoked)
      return {
        garbage: 'garbage',
        'another signature': `${full.access_token.slice(0, -8)}AAAAAAAA`,
        revoked,
        'of another resource': (await collect('films.read', OTHER)).access_token,
        'of the service itself': (await collect('openid', undefined)).access_token,
        'an ID token': full.id_token,
        'a refresh token': full.refresh_token,
        'a session': await sessionOf('ann')
      }
    }
  }
}

export interface ProxyAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** One request with these headers, each as often as it is listed; fetch would join or refuse some. */
export function ask(
  port: number,
  path: string,
  headers: readonly (readonly [string, string])[],
  { method = 'GET', body = '' } = {}
): Promise<ProxyAnswer> {
  return new Promise((resolve, reject) => {
    const isChunked = headers.some(([name]) => name === 'transfer-encoding')
    const length = body && !isChunked ? [['content-length', `${Buffer.byteLength(body)}`] as const] : []
    const all = [['host', 'acme.example'] as const, ...headers, ...length].flat()
    const sent = request({ port, host: '127.0.0.1', path, method, headers: all, agent: false }, async (answer) => {
      let text = ''
      for await (const piece of answer) text += piece
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
