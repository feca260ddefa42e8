/** A client of the tokens API that follows the contract alone: its 27 operations by name. */
import { request } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { AppOptions } from '../../src/app.js'
import { type Answer, startApp, type TestApp, whenReady } from './app.js'
import { BY } from './audit.js'

export const OPERATIONS = {
  listProviders: 'GET /v1/providers',
  createProvider: 'POST /v1/providers',
  getProvider: 'GET /v1/providers/{providerId}',
  deleteProvider: 'DELETE /v1/providers/{providerId}',
  listClients: 'GET /v1/providers/{providerId}/clients',
  createClient: 'POST /v1/providers/{providerId}/clients',
  getClient: 'GET /v1/providers/{providerId}/clients/{clientId}',
  deleteClient: 'DELETE /v1/providers/{providerId}/clients/{clientId}',
  createAccessToken: 'POST /v1/providers/{providerId}/clients/{clientId}/tokens',
  listDomains: 'GET /v1/providers/{providerId}/domains',
  addDomain: 'POST /v1/providers/{providerId}/domains',
  getDomain: 'GET /v1/providers/{providerId}/domains/{domainId}',
  deleteDomain: 'DELETE /v1/providers/{providerId}/domains/{domainId}',
  verifyDomain: 'POST /v1/providers/{providerId}/domains/{domainId}/verify',
  listTenants: 'GET /v1/tenants',
  createTenant: 'POST /v1/tenants',
  getTenant: 'GET /v1/tenants/{tenantId}',
  deleteTenant: 'DELETE /v1/tenants/{tenantId}',
  listTenantProviders: 'GET /v1/tenants/{tenantId}/providers',
  createTenantProvider: 'POST /v1/tenants/{tenantId}/providers',
  getTenantProvider: 'GET /v1/tenants/{tenantId}/providers/{tenantProviderId}',
  deleteTenantProvider: 'DELETE /v1/tenants/{tenantId}/providers/{tenantProviderId}',
  listTenantProviderPolicies: 'GET /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies',
  createTenantProviderPolicy: 'POST /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies',
  getTenantProviderPolicy: 'GET /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies/{policyId}',
  deleteTenantProviderPolicy: 'DELETE /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies/{policyId}',
  validateToken: 'POST /v1/tenants/{tenantId}/validate'
} as const

export type OperationId = keyof typeof OPERATIONS

/** The ids for the path, by the names of the path parameters. Others are ignored. */
export type Ids = Readonly<Record<string, string>>

/** A request as it is sent. */
export interface RawRequest {
  method: string
  url: string
  headers: Record<string, string>
  payload?: string
}

export type Send = (request: RawRequest) => Promise<Answer>

type Call = (ids?: Ids, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

/** An operation takes the ids of its path and its body. */
export type TokensClient = Readonly<Record<OperationId, Call>>

export function overInject(app: FastifyInstance): Send {
  return async ({ method, ...request }) => {
    const answer = await app.inject({ ...request, method: method as 'GET' })
    return read(answer.statusCode, answer.body, answer.headers)
  }
}

export function overHttp(origin: string): Send {
  return async ({ method, url, headers, payload }) => {
    const answer = await fetch(origin + url, { method, headers, ...(payload !== undefined && { body: payload }) })
    return read(answer.status, await answer.text(), Object.fromEntries(answer.headers))
  }
}

function read(status: number, text: string, headers: Record<string, unknown>): Answer {
  const isJson = String(headers['content-type']).startsWith('application/json')
  return { status, body: isJson && text !== '' ? JSON.parse(text) : text, headers }
}

/** Makes a client. Without a key it sends no Authorization header. */
export function tokensClient(send: Send, key?: string): TokensClient {
  const callOf =
    (id: OperationId): Call =>
    (ids = {}, body, headers = {}) =>
      send(requestOf(id, ids, { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers }, body))
  return Object.fromEntries(Object.keys(OPERATIONS).map((id) => [id, callOf(id as OperationId)])) as TokensClient
}

/** Builds the request of an operation. A body is sent as JSON; without one there is no Content-Type. */
export function requestOf(id: OperationId, ids: Ids, headers: Record<string, string>, body?: unknown): RawRequest {
  const [method = '', path = ''] = OPERATIONS[id].split(' ')
  const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? ''))
  if (body === undefined) return { method, url, headers }
  return { method, url, headers: { 'content-type': 'application/json', ...headers }, payload: JSON.stringify(body) }
}

export interface TokensApp extends TestApp {
  /** The client with the key of the owner `acme`. */
  api: TokensClient
  key: string
  /** Makes a further key of `acme`, or of the owner with this name. */
  newKey(account?: string): Promise<string>
  /** Makes a client with this key. */
  by(key?: string): TokensClient
  send: Send
}

/**
 * Starts an application with an API key. Keys of issuers are EdDSA, which are made fastest, unless `variables` say
 * otherwise.
 */
export async function startTokensApp(
  t: Test,
  variables: Record<string, string> = {},
  options: AppOptions = {}
): Promise<TokensApp> {
  const defaults = { SIGNING_ALG: 'EdDSA', PROVIDER_SIGNING_ALG: 'EdDSA' }
  const started = await whenReady(await startApp(t, { ...defaults, ...variables }, options))
  const { app } = started
  const send = overInject(app)
  const newKey = async (account = 'acme') => (await app.core.apiKeys.create(account, {}, BY)).text
  const key = await newKey()
  const by = (text?: string) => tokensClient(send, text)
  return { ...started, send, newKey, key, by, api: by(key) }
}

/** Valid bodies of the creating operations. */
export const BODIES = {
  createProvider: { name: 'Pipelines', description: 'Issues tokens to pipelines' },
  createClient: { name: 'deploy', audience: 'https://cloud.example' },
  createAccessToken: {},
  addDomain: { domain: 'tokens.example.com' },
  createTenant: { name: 'Production', description: 'Tokens that production takes' },
  createTenantProvider: {
    url: 'https://issuer.example.com',
    fingerprints: ['ab'.repeat(20)],
    audience: 'https://api.example.com',
    earliestIssuanceTimeAllowed: 1
  },
  createTenantProviderPolicy: {
    name: 'main only',
    description: 'Tokens of the main branch',
    audience: 'https://api.example.com',
    conditions: [{ key: 'ref', operator: 'stringEquals', value: 'refs/heads/main' }]
  }
} as const

let made = 0

/** Creates one resource of each kind and returns their ids. Every call uses a new domain name. */
export async function makeOneOfEach(api: TokensClient): Promise<Record<string, string>> {
  const ids: Record<string, string> = {}
  const make = async (id: keyof typeof BODIES, name: string, body: object = BODIES[id]) => {
    const answer = await api[id](ids, body)
    if (answer.status !== 201) throw new Error(`${id}: ${answer.status} ${JSON.stringify(answer.body)}`)
    ids[name] = answer.body.id
  }
  await make('createProvider', 'providerId')
  await make('createClient', 'clientId')
  await make('addDomain', 'domainId', { domain: `${made++}.${BODIES.addDomain.domain}`.replace(/^\d/, 'd$&') })
  await make('createTenant', 'tenantId')
  await make('createTenantProvider', 'tenantProviderId')
  await make('createTenantProviderPolicy', 'policyId')
  return ids
}

/** Returns a body with which an operation succeeds on these resources; undefined if it takes none. */
export function bodyFor(id: OperationId, ids: Ids): unknown {
  if (id === 'validateToken') return { tenantProviderPolicyId: ids.policyId, token: 'x.y.z' }
  if (id === 'addDomain') return { domain: `n${made++}.${BODIES.addDomain.domain}` }
  return (BODIES as Partial<Record<OperationId, object>>)[id]
}

/**
 * Makes a fetch that connects to one loopback port for any URL and sends its host in the Host header, as the proxy does
 * that ends TLS in front of the service. It is for the `customFetch` of a library.
 */
export function fetchAt(port: number) {
  return (target: string | URL, init: { method?: string; headers?: unknown } = {}): Promise<Response> => {
    const { host, pathname, search } = new URL(target)
    const headers = { ...Object.fromEntries(new Headers(init.headers as HeadersInit)), host }
    const options = { host: '127.0.0.1', port, path: pathname + search, method: init.method ?? 'GET', headers }
    return new Promise((resolve, reject) => {
      const asked = request(options, async (answer) => {
        const chunks: Buffer[] = []
        for await (const chunk of answer) chunks.push(chunk)
        const headers = Object.entries(answer.headersDistinct).map(([name, values]) => [name, String(values)] as const)
        resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 0, headers: [...headers] as never }))
      })
      asked.on('error', reject)
      asked.end()
    })
  }
}
