/**
 * Measures how long each page takes and how many Redis commands it needs. One visitor requests one page after the
 * other.
 */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { createApprovals } from '../src/core/authorizations/approvals.js'
import { createAuthorizations } from '../src/core/authorizations/authorizations.js'
import { builtInClients } from '../src/core/clients/client.js'
import { createBrowserSessions } from '../src/core/users/browser-sessions.js'
import { createUsers } from '../src/core/users/user.js'
import { createRedisStorage } from '../src/storage/redis/index.js'
import { BY, keptNowhere } from '../test/support/audit.js'
import { apiClient } from '../test/support/client.js'
import { at, redisConfig } from '../test/support/redis-config.js'
import { enterCode } from './support/entered-code.js'
import type { Lifetime } from './support/lifetime.js'
import { startBenchRedis, startGrantd } from './support/processes.js'
import { type Figure, percentile, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

const USER = 'bench'
/** More authorized clients than most users have. */
const CLIENTS = 20
const WARM_UP = 300

interface Page {
  path: string
  status: number
}

const PAGES: readonly Page[] = [
  { path: '/login', status: 303 },
  { path: '/device', status: 200 },
  { path: '/device/confirm', status: 200 },
  { path: '/account/clients', status: 200 },
  { path: '/account/connections', status: 200 }
]

export async function benchPages(lifetime: Lifetime, { views }: Sizes): Promise<Section> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const file = join(lifetime.directory, 'providers.json')
  writeFileSync(file, JSON.stringify({ providers: [PROVIDER] }))
  const service = await startGrantd(lifetime, redis, { PROVIDERS_FILE: file })
  const session = `__Host-grantd-session=${await prepareUser(redis.url)}`
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  lifetime.ends(() => agent.destroy())
  const grant = await apiClient(service.url).start()
  const cookie = `${session}; ${await enterCode(service.url, session, grant.user_code)}`

  const figures: Figure[] = []
  for (const { path, status } of PAGES) {
    const delays: number[] = []
    let callsBefore = 0
    for (let i = -WARM_UP; i < views; i++) {
      if (i === 0) callsBefore = await callsToRedis(service.url)
      const page = await view(agent, service.url + path, cookie)
      if (page.status !== status) throw new Error(`${path} was answered ${page.status}`)
      if (i >= 0) delays.push(page.ms)
    }
    const calls = ((await callsToRedis(service.url)) - callsBefore) / views
    figures.push({ name: `${path}, p50`, value: percentile(delays, 0.5), unit: 'ms' })
    figures.push({ name: `${path}, p99`, value: percentile(delays, 0.99), unit: 'ms' })
    figures.push({ name: `${path}, calls to Redis`, value: calls, unit: '' })
  }
  return {
    title: `7. Pages, ${views.toLocaleString('en')} views of each, one after the other`,
    how:
      `From sending the request to the last byte of the page, on one connection, signed in; ${CLIENTS} authorized clients are ` +
      'listed, /login sends on who is signed in. Calls are those the service counts itself; several that go out together ' +
      'are one round trip. Limits are off: they add two calls to what decides or looks a code up, and two for a code. ' +
      'Verified: every answer had its status.',
    figures
  }
}

const PROVIDER = { id: 'example', name: 'Example', issuer: 'https://login.example.com', client_id: 'grantd' }

/** Signs the user in and authorizes some clients for them. Returns the session cookie. */
async function prepareUser(url: string): Promise<string> {
  const clock = Date.now
  const log = { info() {}, warn: console.error }
  const storage = createRedisStorage({ redis: redisConfig(at(url)), clock, log, observe() {} })
  await storage.open()
  const users = createUsers({ records: storage.users, clock, audit: keptNowhere })
  const authorizations = createAuthorizations({
    records: storage.authorizations,
    users,
    revoking: {
      revoke: async () => undefined,
      revokeSome: async () => ({ revoked: 0, isDone: true })
    },
    clients: { find: () => undefined },
    clock,
    events: { revoked() {} },
    audit: keptNowhere
  })
  const approvals = createApprovals({
    ...{ records: storage.authorizations, parents: storage.authorizationUsers },
    ...{ authorizations, users, clock }
  })
  const [cli] = builtInClients(2_592_000)
  if (!cli) throw new Error('there is no built-in client')
  for (let i = 0; i < CLIENTS; i++) {
    const metadata = { name: 'acme-cli', version: '1.4.0', hostname: `machine-${i}` }
    const request = { clientId: cli.id, clientType: cli.type, scopes: [], metadata, ip: '192.0.2.1' }
    const decision = { action: 'approve', userId: USER, authorizationId: randomUUID(), ip: '192.0.2.2' } as const
    await approvals.prepare(cli, request, { ...decision, lapsesAtMs: clock() + 60_000 })
    await approvals.collect(cli, { request, decision: { ...decision, revokedAllId: '' }, createdAtMs: clock() })
  }
  const sessions = createBrowserSessions({
    records: storage.sessions,
    users,
    clock,
    idleSeconds: 3_600,
    ttlSeconds: 3_600,
    audit: keptNowhere
  })
  const { token } = await sessions.begin({ userId: USER, name: USER }, BY)
  await storage.close()
  return token
}

interface View {
  status: number
  ms: number
}

function view(agent: Agent, url: string, cookie: string): Promise<View> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { agent, headers: { cookie } }, (answer) => {
      answer.resume().on('end', () => {
        resolve({ status: answer.statusCode ?? 0, ms: performance.now() - startedAt })
      })
    })
    request.on('error', reject).end()
  })
}

async function callsToRedis(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const counts = [...text.matchAll(/^grantd_redis_seconds_count\{[^}]*\} (\d+)/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}
