/**
 * Measures long lists: how long a user with many rows waits for a page and for revoking all of them, and what whole lists, pages
 * and revocations of some do to the polls of others.
 */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApiKeys } from '../src/core/api-keys/api-keys.js'
import { type Authorization, toFields } from '../src/core/authorizations/authorization.js'
import { WorkloadContent } from '../src/core/issuers/issuer.js'
import { createJsonRecords } from '../src/core/records/json-records.js'
import type { RecordStore } from '../src/core/records/record-store.js'
import type { Storage } from '../src/core/storage.js'
import { createBrowserSessions } from '../src/core/users/browser-sessions.js'
import { createUsers } from '../src/core/users/user.js'
import { createRedisStorage } from '../src/storage/redis/index.js'
import { BY, keptNowhere } from '../test/support/audit.js'
import { at, redisConfig } from '../test/support/redis-config.js'
import { sessionOf } from '../test/support/tokens.js'
import { createGrants } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { POLL_PATH, sendSame } from './support/load.js'
import { startBenchRedis, startGrantd, type Target } from './support/processes.js'
import { type Figure, median, percentile, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

/** The rows of a user from before there was a maximum. */
const ROWS = 12_000
const PAGE = 50
/** What an owner of an API key lists, so many at the same time. */
const WORKLOADS = 1_000
const LISTS_AT_ONCE = 20
const LISTS = 4 * LISTS_AT_ONCE
/** The time between two polls of others, and for how long they are polled when nothing else happens. */
const POLL_EVERY_MS = 10
const QUIET_MS = 4_000
const FILLED_AT_ONCE = 250
const DAY_MS = 86_400_000
const OWNER = 'bench'

type Poll = () => Promise<number>

export async function benchLists(lifetime: Lifetime, { rounds }: Sizes): Promise<Section> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const providers = join(lifetime.directory, 'list-providers.json')
  writeFileSync(providers, JSON.stringify({ providers: [PROVIDER] }))
  const service = await startGrantd(lifetime, redis, { PROVIDERS_FILE: providers })
  const log = { info() {}, warn: console.error }
  const storage = createRedisStorage({ redis: redisConfig(at(redis.url)), clock: Date.now, log, observe() {} })
  await storage.open()
  lifetime.ends(() => storage.close())
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  lifetime.ends(() => agent.destroy())
  const poll = pollerOf(agent, service, await createGrants(redis.url, 1_000, { intervalMs: 500 }))
  const list = await ownersList(storage, service)
  const lists = (times: number) => sendSame(lifetime, list, times, LISTS_AT_ONCE)

  await pollsWhile(poll, lists(LISTS))
  // The polls of all rounds together: in one round of a revocation there are so few that their p99 would be the slowest of them.
  const quiet: number[] = []
  const during = { lists: [] as number[], pages: [] as number[], revocation: [] as number[] }
  const pages: number[] = []
  const revocations: number[] = []
  for (let round = 0; round < rounds; round++) {
    const user = `user ${round}`
    await fill(storage.authorizations, user)
    await sleep(500)
    quiet.push(...(await pollsWhile(poll, sleep(QUIET_MS))))
    during.lists.push(...(await pollsWhile(poll, lists(LISTS))))
    const token = await sessionOf(user)
    during.pages.push(...(await pollsWhile(poll, readPages(agent, service, token, pages))))
    const press = await openButton(storage, service, user)
    const revocation = press().then((ms) => revocations.push(ms))
    during.revocation.push(...(await pollsWhile(poll, revocation)))
  }

  const p99 = (name: string, values: number[]): Figure => ({ name, value: percentile(values, 0.99), unit: 'ms' })
  const ratio = (name: string, values: number[]): Figure => ({
    name: `polls of others, p99, ${name} / nothing else`,
    value: percentile(values, 0.99) / percentile(quiet, 0.99),
    unit: '',
    target: { atMost: 1.5 }
  })
  return {
    title: `13. Long lists: a user of ${ROWS.toLocaleString('en')} rows, and ${LISTS_AT_ONCE} whole lists at a time`,
    how:
      `${rounds} rounds over Redis with AOF; of delays those of all rounds together count. Others poll pending grants, one every ` +
      `${POLL_EVERY_MS} ms; their delay is what this process sees. Against that stand ${LISTS} lists of ${WORKLOADS} workloads, ` +
      `${LISTS_AT_ONCE} at a time without a pause; all pages of a user's list, ${PAGE} rows each, one after the other; and the ` +
      'revocation of all rows by the button of the page. Verified: every answer had its status, and the pages all rows.',
    figures: [
      { name: 'a page of the list, p50', value: percentile(pages, 0.5), unit: 'ms' },
      { name: 'a page of the list, p99', value: percentile(pages, 0.99), unit: 'ms', target: { atMost: 300 } },
      { name: 'revoke all', value: median(revocations), unit: 'ms', target: { atMost: 3_000 } },
      p99('polls of others, p99, nothing else', quiet),
      p99('polls of others, p99, whole lists', during.lists),
      p99('polls of others, p99, pages', during.pages),
      p99('polls of others, p99, revocation', during.revocation),
      ratio('whole lists', during.lists),
      ratio('pages', during.pages),
      ratio('revocation', during.revocation)
    ]
  }
}

const PROVIDER = { id: 'example', name: 'Example', issuer: 'https://login.example.com', client_id: 'grantd' }

/** Writes rows as earlier versions did, who had no maximum. */
async function fill(records: RecordStore, userId: string): Promise<void> {
  const nowMs = Date.now()
  for (let first = 0; first < ROWS; first += FILLED_AT_ONCE) {
    const some = Array.from({ length: FILLED_AT_ONCE }, (_, i) => {
      const createdAtMs = nowMs - DAY_MS + first + i
      const authorization: Authorization = {
        ...{
          id: randomUUID(),
          userId,
          clientId: 'cli',
          resources: [],
          clientType: 'cli',
          scopes: [],
          name: 'acme-cli',
          version: '1.4.0'
        },
        ...{ label: `machine-${first + i}`, ipAtGrant: '192.0.2.2', createdAtMs },
        ...{
          expiresAtMs: createdAtMs + 30 * DAY_MS,
          lastUsedAtMs: createdAtMs,
          revokedAtMs: undefined,
          tokenLifeMs: undefined
        },
        ...{ awaitsCollection: false, collectedAtMs: createdAtMs }
      }
      return records.create(userId, authorization.id, toFields(authorization), authorization.expiresAtMs + 90 * DAY_MS)
    })
    await Promise.all(some)
  }
}

/** Makes the workloads of an issuer, and the request that lists them all. */
async function ownersList(storage: Storage, service: Target) {
  const { text } = await createApiKeys({ records: storage.apiKeys, clock: Date.now, audit: keptNowhere }).create(
    OWNER,
    {},
    BY
  )
  const headers = { authorization: `Bearer ${text}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ name: 'bench', description: 'Has many workloads' })
  const created = await fetch(`${service.url}/v1/providers`, { method: 'POST', headers, body })
  const { id } = (await created.json()) as { id: string }
  const workloads = createJsonRecords(storage.workloads, Date.now, WorkloadContent)
  for (let i = 0; i < WORKLOADS; i += FILLED_AT_ONCE) {
    const some = Array.from({ length: FILLED_AT_ONCE }, (_, j) => ({ name: `workload ${i + j}`, audience: 'bench' }))
    await Promise.all(some.map((content) => workloads.create(id, content)))
  }
  const url = `${service.url}/v1/providers/${id}/clients`
  const all = (await (await fetch(url, { headers })).json()) as unknown[]
  if (all.length !== WORKLOADS) throw new Error(`${all.length} workloads are listed`)
  return { url, method: 'GET', headers, status: 200 } as const
}

/** Polls the grants in turn. Resolves to how long a poll took. */
function pollerOf(agent: Agent, { url }: Target, codes: readonly string[]): Poll {
  let next = 0
  return async () => {
    const body = JSON.stringify({ grant_code: codes[next++ % codes.length] })
    const answer = await ask(agent, url + POLL_PATH, 'POST', { 'content-type': 'application/json' }, body)
    if (answer.status !== 200) throw new Error(`a poll was answered ${answer.status}`)
    return answer.ms
  }
}

/** Polls at a steady pace until the work is done, whatever becomes of the polls before. Resolves to their delays. */
async function pollsWhile(poll: Poll, work: Promise<unknown>): Promise<number[]> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  const polls: Promise<number>[] = []
  for (let dueMs = performance.now(); !isOver; dueMs = Math.max(dueMs + POLL_EVERY_MS, performance.now())) {
    await sleep(Math.max(0, dueMs - performance.now()))
    polls.push(poll())
  }
  await over
  return Promise.all(polls)
}

async function readPages(agent: Agent, { url }: Target, token: string, delays: number[]): Promise<void> {
  let rows = 0
  let query = `limit=${PAGE}`
  for (;;) {
    const headers = { authorization: `Bearer ${token}` }
    const { status, ms, text } = await ask(agent, `${url}/api/v0/auth/clients?${query}`, 'GET', headers)
    if (status !== 200) throw new Error(`a page was answered ${status}: ${text}`)
    delays.push(ms)
    const { data, next_cursor } = JSON.parse(text) as { data: unknown[]; next_cursor?: string }
    rows += data.length
    if (next_cursor === undefined) break
    query = new URLSearchParams({ limit: `${PAGE}`, cursor: next_cursor }).toString()
  }
  if (rows !== ROWS) throw new Error(`${rows} rows are on the pages`)
}

/** Opens the page with the button that revokes all. Returns what presses it, and resolves to how long that took. */
async function openButton(storage: Storage, { url }: Target, userId: string): Promise<() => Promise<number>> {
  const users = createUsers({ records: storage.users, clock: Date.now, audit: keptNowhere })
  const options = {
    records: storage.sessions,
    users,
    clock: Date.now,
    idleSeconds: 3_600,
    ttlSeconds: 3_600,
    audit: keptNowhere
  }
  const { token } = await createBrowserSessions(options).begin({ userId, name: userId }, BY)
  const cookie = `__Host-grantd-session=${token}`
  const page = await (await fetch(`${url}/account/clients`, { headers: { cookie } })).text()
  const csrf = /name="csrf"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="csrf"/.exec(page)
  return async () => {
    const startedAt = performance.now()
    const answer = await fetch(`${url}/account/clients/revoke-all`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie, origin: 'null', 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ csrf: csrf?.[1] ?? csrf?.[2] ?? '' })
    })
    if (answer.status !== 303) throw new Error(`the revocation was answered ${answer.status}`)
    const ms = performance.now() - startedAt
    const left = await storage.authorizations.ids(userId, {
      ...{ order: 'last-to-end', most: 1, fading: { withinMs: 90 * DAY_MS, most: 0 } }
    })
    if (left.lasting > 0) throw new Error(`${left.lasting} rows are active still`)
    return ms
  }
}

interface Answer {
  status: number
  ms: number
  text: string
}

function ask(
  agent: Agent,
  url: string,
  method: 'GET' | 'POST',
  headers: Record<string, string>,
  body = ''
): Promise<Answer> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { agent, method, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: answer.statusCode ?? 0, ms: performance.now() - startedAt, text })
      })
    })
    request.on('error', reject).end(body)
  })
}
