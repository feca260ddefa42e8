import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { RouteOptions } from 'fastify'
import t, { type Test } from 'tap'
import { type Operation, readDocuments } from '../../openapi/documents.js'
import { routeUrl } from '../../openapi/operations.js'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { inRoot } from '../support/root.js'

const kebab = (id: string) => id.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** The folder of each document's operations. */
const FOLDERS: Readonly<Record<string, string>> = {
  dashboard: 'dashboard',
  oauth: 'oauth',
  ops: 'ops',
  tokens: 'tokens-api',
  admin: 'admin',
  issuers: 'issuers'
}

/** The files with several operations. Every other operation has a file named after it. */
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  'dashboard/start-grant.ts': ['startGrant', 'withdrawGrant'],
  'dashboard/decide-grant.ts': ['peekGrant', 'decideGrant'],
  'dashboard/authorized-clients.ts': ['listAuthorizedClients', 'updateAuthorizedClient', 'revokeAuthorizedClient'],
  'dashboard/oauth-accounts.ts': ['listOauthAccounts', 'unlinkOauthAccount'],
  'tokens-api/issuers.ts': ['listProviders', 'createProvider', 'getProvider', 'deleteProvider'],
  'tokens-api/workloads.ts': ['listClients', 'createClient', 'getClient', 'deleteClient', 'createAccessToken'],
  'tokens-api/domains.ts': ['listDomains', 'addDomain', 'getDomain', 'deleteDomain', 'verifyDomain'],
  'tokens-api/tenants.ts': ['listTenants', 'createTenant', 'getTenant', 'deleteTenant'],
  'tokens-api/trusted-issuers.ts': [
    'listTenantProviders',
    'createTenantProvider',
    'getTenantProvider',
    'deleteTenantProvider'
  ],
  'tokens-api/policies.ts': [
    'listTenantProviderPolicies',
    'createTenantProviderPolicy',
    'getTenantProviderPolicy',
    'deleteTenantProviderPolicy',
    'validateToken'
  ],
  'dashboard/access-token.ts': [
    'getUserOauthAccessToken',
    'getEndUserOauthAccessToken',
    'getEndUserOauthAccessTokenOptions'
  ],
  'admin/users.ts': ['findUsers', 'getUser', 'listUserClients', 'revokeUserClients', 'blockUser', 'unblockUser'],
  'admin/authorizations.ts': ['searchClients', 'getAuthorizedClient', 'revokeClient'],
  'admin/accounts.ts': ['listUserAccounts', 'findOauthAccounts'],
  'admin/pending-grants.ts': ['listPendingGrants'],
  'admin/events.ts': ['listEvents'],
  'admin/global-token-revocation.ts': ['revokeGlobally'],
  'oauth/authorize.ts': ['authorize', 'authorizeByPost'],
  'oauth/discovery.ts': ['getOpenidConfiguration', 'getAuthorizationServerMetadata', 'getJwks'],
  'oauth/userinfo.ts': ['getUserinfo', 'postUserinfo'],
  'ops/index.ts': ['getHealth', 'getReadiness', 'getMetrics'],
  'issuers/documents.ts': ['getProviderOpenidConfiguration', 'getProviderJwks', 'getProviderJwksJson']
}

function sourcesOf(folder: string): string[] {
  return readdirSync(inRoot(folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `${folder}/${name}`)
}

/** The pages under /docs present the contract and are no part of it. */
const isDocs = (url: string) => url === '/docs' || url.startsWith('/docs/') || /^\/open-?api\.json$/.test(url)

async function operations() {
  return (await readDocuments(inRoot('openapi'))).flatMap(({ name, api }) =>
    Object.entries(api.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        surface: name,
        route: `${method.toUpperCase()} ${(api.servers?.[0]?.url ?? '') + routeUrl(path)}`,
        id: String(operation.operationId),
        operation: operation as Operation
      }))
    )
  )
}

/** Collects every route as it is registered. The hook is set before any plugin is loaded. */
async function registeredRoutes(t: Test): Promise<RouteOptions[]> {
  const app = buildApp(loadConfig({ SIGNING_ALG: 'EdDSA' }), { logger: false })
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    routes.push(route)
  })
  t.teardown(() => app.close())
  await app.ready()
  return routes
}

t.test('operations and routes', async (t) => {
  const documented = await operations()
  const routes = await registeredRoutes(t)
  /** The documents describe the public routes of an issuer by path only, not those under its host. */
  const isElsewhere = ({ config }: RouteOptions) => config?.refusesMethod || config?.byHost
  const own = routes.filter((route) => route.method !== 'HEAD' && !isElsewhere(route) && !isDocs(route.url))
  const served = own.filter(({ config }) => !config?.page)

  t.test('every operation has a route, and every route an operation', async (t) => {
    t.ok(documented.length >= 55, `${documented.length} operations`)
    t.strictSame(
      served.map(({ method, url }) => `${method} ${url}`).sort(),
      documented.map(({ route }) => route).sort()
    )
  })

  t.test('what people look at is apart from what programs call', async (t) => {
    const pages = own.filter(({ config }) => config?.page)
    t.ok(pages.length >= 25, `${pages.length} routes of pages`)
    const forPrograms = /^\/(api|oauth|\.well-known|healthz|readyz|metrics)\b/
    t.strictSame(
      pages
        .filter(({ url, schema }) => forPrograms.test(url) || (schema && 'operationId' in schema))
        .map(({ url }) => url),
      []
    )
  })

  t.test('every route validates by the schema of its own operation', async (t) => {
    for (const { method, url, schema } of served) {
      const own = documented.find(({ route }) => route === `${method} ${url}`)
      t.equal((schema as { operationId?: string } | undefined)?.operationId, own?.id, `${method} ${url}`)
      const statuses = Object.keys((schema?.response ?? {}) as object)
      t.strictSame(statuses, Object.keys(own?.operation.responses ?? {}), `${method} ${url}: statuses`)
      for (const [status, answer] of Object.entries((schema?.response ?? {}) as Record<string, { type?: string }>)) {
        t.ok(answer.type, `${method} ${url} ${status} has a schema`)
      }
      if (own?.operation.requestBody) t.ok(schema?.body, `${method} ${url} checks its body`)
    }
  })

  t.test('every operation has one place: a file of its own, named after it, or the file of its family', async (t) => {
    const familyOf = new Map(Object.entries(FAMILIES).flatMap(([file, ids]) => ids.map((id) => [id, file] as const)))
    t.equal(familyOf.size, Object.values(FAMILIES).flat().length, 'no operation is of two families')
    t.strictSame(
      [...familyOf.keys()].filter((id) => !documented.some((one) => one.id === id)),
      [],
      'a family is made of operations'
    )
    let looked = 0
    for (const { surface, id } of documented) {
      const folder = `src/routes/${FOLDERS[surface]}`
      const own = `${folder}/${kebab(id)}.ts`
      const wanted = familyOf.has(id) ? `src/routes/${familyOf.get(id)}` : own
      const files = sourcesOf(folder)
      looked += files.length
      const taken = new RegExp(`\\b${surface}Operations\\.${id}\\b(?!\\.url\\b)`)
      t.strictSame(
        files.filter((file) => taken.test(readFileSync(inRoot(file), 'utf8'))),
        [wanted],
        `${id}: the file that takes its schema`
      )
      if (wanted !== own) t.notOk(existsSync(inRoot(own)), `${id} has no file of its own beside that of its family`)
    }
    t.ok(looked >= 400, `${looked} files, each as often as its folder has operations`)
  })

  t.test('every answer of an operation is described and has content', async (t) => {
    let looked = 0
    for (const { operation, route } of documented) {
      t.ok(operation.summary, `${route} has a summary`)
      for (const [status, answer] of Object.entries(operation.responses)) {
        looked += 1
        t.ok(answer.$ref !== undefined || answer.description, `${route} ${status}`)
        const isEmpty = status === '204' || String(answer.description).includes('no content')
        t.ok(answer.$ref !== undefined || isEmpty !== Boolean(answer.content), `${route} ${status}`)
      }
    }
    t.ok(looked >= 480, `${looked} answers`)
  })

  t.test('every operation says who may call it', async (t) => {
    const open = documented.filter(({ operation }) => (operation.security as unknown[] | undefined)?.length === 0)
    t.ok(documented.every(({ operation }) => Array.isArray(operation.security)))
    t.strictSame(open.map(({ id }) => id).sort(), [
      'authorize',
      'authorizeByPost',
      'getAuthorizationServerMetadata',
      'getEndUserOauthAccessTokenOptions',
      'getHealth',
      'getJwks',
      'getMetrics',
      'getOpenidConfiguration',
      'getProviderJwks',
      'getProviderJwksJson',
      'getProviderOpenidConfiguration',
      'getReadiness',
      'getStatusList',
      'pollGrantToken',
      'startGrant',
      'withdrawGrant'
    ])
  })

  const schemesOf = ({ operation }: { operation: Operation }) =>
    (operation.security as Record<string, unknown>[]).flatMap((scheme) => Object.keys(scheme))
  const byClient = documented.filter((one) => schemesOf(one).includes('clientSecretBasic'))
  const byToken = documented.filter(
    (one) => !byClient.includes(one) && schemesOf(one).some((name) => /bearer|token|apiKey/i.test(name))
  )

  t.test('every operation that needs a token refuses without one', async (t) => {
    const app = buildApp(loadConfig({ SIGNING_ALG: 'EdDSA' }), { logger: false })
    t.teardown(() => app.close())
    let looked = 0
    for (const { operation, route } of documented) {
      const [method, url] = route.split(' ') as ['GET', string]
      const { statusCode } = await app.inject({ method, url: url.replaceAll(/:\w+/g, 'x') })
      // What has no body is asked for by whoever proves who they are in a header.
      const isProved = byClient.some((one) => one.operation === operation) && method === 'GET'
      if (isProved || byToken.some((one) => one.operation === operation)) t.equal(statusCode, 401, route)
      else t.not(statusCode, 401, route)
      looked += 1
    }
    t.equal(looked, documented.length)
    t.ok(byToken.length >= 38, `${byToken.length} of them`)
  })

  t.test('every operation of OAuth clients refuses one that it does not know', async (t) => {
    const app = buildApp(loadConfig({ SIGNING_ALG: 'EdDSA' }), { logger: false })
    t.teardown(() => app.close())
    for (const { route } of byClient) {
      const [method, url] = route.split(' ') as ['POST' | 'GET', string]
      const payload = { grant_type: 'refresh_token', refresh_token: 'x', token: 'x', client_id: 'nobody' }
      const headers = { authorization: `Basic ${Buffer.from('nobody:secret').toString('base64')}` }
      const answer = await app.inject({ method, url, ...(method === 'GET' ? { headers } : { payload }) })
      t.equal(answer.statusCode, 401, route)
      t.equal(answer.json().error, 'invalid_client', route)
    }
    t.equal(byClient.length, 5)
  })

  t.test('what is served under the host of a provider is what is served by path', async (t) => {
    const byHost = routes.filter(({ config, method }) => config?.byHost && method === 'GET')
    const ofHosts = byHost.map(({ url }) => url)
    const byPath = documented.filter(({ surface }) => surface === 'issuers').map(({ route }) => route.split(' ')[1])
    t.equal(byPath.length, 3)
    for (const path of byPath) t.ok(ofHosts.includes(`${path}`.replace('/:providerId', '')), `${path}`)
    for (const { url, constraints } of byHost) t.strictSame(constraints, { issuerHost: true }, url)
  })

  t.test(
    'every operation for users and clients can say that there were too many requests, but those that are not counted',
    async (t) => {
      const documents = ['dashboard', 'oauth']
      const ofThem = documented.filter(({ surface }) => documents.includes(surface))
      t.equal(ofThem.length, 27)
      const silent = ofThem.filter(({ operation }) => !('429' in operation.responses))
      t.strictSame(silent.map(({ id }) => id).sort(), [
        'checkToken',
        'getAuthorizationServerMetadata',
        'getEndUserOauthAccessTokenOptions',
        'getJwks',
        'getOpenidConfiguration',
        'getStatusList',
        // Those who poll are told to slow down instead.
        'pollGrantToken',
        'requestToken'
      ])
    }
  )

  t.test('every operation of the admin API wants an API key, and can say whatever may go wrong', async (t) => {
    const ofOperators = documented.filter(({ surface }) => surface === 'admin')
    t.equal(ofOperators.length, 14)
    for (const { operation, route, id } of ofOperators) {
      t.strictSame(operation.security, [{ apiKey: [] }], route)
      const [method = ''] = route.split(' ')
      const isOfOne = route.includes(':') || id === 'revokeGlobally'
      const wanted = [400, 401, 403, 405, 408, 429, 500, 503, ...(isOfOne ? [404] : [])]
      if (method !== 'GET') wanted.push(413, 415)
      const told = Object.keys(operation.responses).map(Number)
      t.strictSame(told.filter((status) => status >= 400).sort(), wanted.sort(), route)
      t.strictSame(
        told.filter((status) => status < 400),
        [id === 'revokeGlobally' ? 204 : 200],
        route
      )
      t.match(operation.description, /`(admin:read|admin:write|connected-accounts)`/, `${route}: the right it needs`)
    }
  })

  t.test('every operation of the tokens API wants an API key, and can say whatever may go wrong', async (t) => {
    const ofAccounts = documented.filter(({ surface }) => surface === 'tokens')
    t.equal(ofAccounts.length, 27)
    for (const { operation, route } of ofAccounts) {
      t.strictSame(operation.security, [{ apiKey: [] }], route)
      const [method = ''] = route.split(' ')
      const statuses = Object.keys(operation.responses).map(Number)
      const always = [400, 401, 403, 405, 408, 429, 500, 503]
      const wanted = [...always, ...(route.includes(':') ? [404] : []), ...(method === 'GET' ? [] : [413, 415])]
      const told = statuses.filter((status) => status >= 400 && status !== 409)
      t.strictSame(told.sort(), wanted.sort(), route)
      const done = statuses.filter((status) => status < 300)
      t.equal(done.length, 1, `${route}: one way to succeed`)
      if (method === 'DELETE') t.strictSame(done, [204], route)
      if (method === 'GET') t.strictSame(done, [200], route)
    }
  })
})
