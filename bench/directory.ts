/**
 * npm run bench:directory [-- USERS]: what operators wait for, and what it costs in Redis, with 100,000 users who have granted ten
 * authorizations each and a full audit trail. Redis is filled through the product's own stores; questions are asked at /admin/v0 of a
 * service as it is built. It takes six minutes; a smaller number of users is for a look.
 */
import { cpus, loadavg } from 'node:os'
import { createApiKeys } from '../src/core/api-keys/api-keys.js'
import { EVENTS_KEPT } from '../src/core/audit/event-store.js'
import { createEpoch } from '../src/core/epoch/epoch.js'
import type { Storage } from '../src/core/storage.js'
import { createRedisStorage } from '../src/storage/redis/index.js'
import { BY, keptNowhere } from '../test/support/audit.js'
import { at, PATIENT_MS, redisConfig } from '../test/support/redis-config.js'
import type { RedisServer } from '../test/support/redis-server.js'
import { kindsIn } from './directory/bytes.js'
import { timeCommand } from './directory/commands.js'
import { createFill } from './directory/fill.js'
import { type Body, FRUITLESS, type Question, questionsOf, show } from './directory/questions.js'
import { EVENTS_OF_A_GRANT, fillTrail } from './directory/trail.js'
import { createCaller, manyTimes } from './support/callers.js'
import { keys } from './support/grants.js'
import { createLifetime } from './support/lifetime.js'
import { usedMemory } from './support/memory.js'
import { startBenchRedis, startGrantd } from './support/processes.js'
import { type Figure, percentile, printSection } from './support/report.js'

const USERS = Number(process.argv[2] ?? 100_000)
const AUTHORIZATIONS_EACH = 10
/** As many as a user may have. */
const MOST_OF_ONE = 500
const REQUESTS = 600
const WARMING = 100
const AT_ONCE = 4
const TARGET = { atMost: 50 }

const lifetime = createLifetime(900)
const [loadBefore = Number.NaN] = loadavg()

async function openStorage({ url }: RedisServer): Promise<Storage> {
  const log = { info() {}, warn: console.error }
  const redis = redisConfig(at(url), { timeoutMs: PATIENT_MS })
  const storage = createRedisStorage({ redis, clock: Date.now, log, observe() {} })
  await storage.open()
  lifetime.ends(() => storage.close())
  return storage
}

async function makeKey(storage: Storage): Promise<string> {
  const epoch = createEpoch({ records: storage.epochs, clock: Date.now, audit: keptNowhere })
  const apiKeys = createApiKeys({ records: storage.apiKeys, epoch, clock: Date.now, audit: keptNowhere })
  return (await apiKeys.create('bench', { rights: ['admin:read'] }, BY)).text
}

/** Asks so often, some at a time, and looks at every answer. Resolves to how long each answer took. */
async function delaysOf(ask: (path: string) => Promise<string>, { name, next }: Question, times: number) {
  return manyTimes(times, AT_ONCE, async () => {
    const { paths, isRight } = next()
    const answers: string[] = []
    const startedAt = performance.now()
    for (const path of paths) answers.push(await ask(path))
    const ms = performance.now() - startedAt
    if (!isRight(answers.map((answer) => JSON.parse(answer)))) throw new Error(`${name}: ${answers} to ${paths}`)
    return ms
  })
}

/** Follows the cursors to the end. Resolves to how many pages there are, and how long all of them took. */
async function walk(ask: (path: string) => Promise<string>): Promise<{ pages: number; ms: number }> {
  const startedAt = performance.now()
  let path = FRUITLESS
  for (let pages = 1; ; pages++) {
    const { next_cursor } = JSON.parse(await ask(path)) as Body
    if (next_cursor === undefined) return { pages, ms: performance.now() - startedAt }
    path = `${FRUITLESS.replace('order=newest&', '')}&cursor=${encodeURIComponent(next_cursor)}`
  }
}

try {
  const redis = await startBenchRedis(lifetime, 'no')
  const storage = await openStorage(redis)
  const fill = createFill(storage)
  // The first of everything loads scripts and makes room once.
  const [first] = await fill.users(1)
  if (!first) throw new Error('there is no user')
  await fill.connections([first])
  const [firstOfAll] = await fill.authorizations([first], 1)
  if (firstOfAll) await fill.refreshTokens([firstOfAll])
  const key = await makeKey(storage)

  const bytes: Figure[] = []
  async function weigh<T>(name: string, count: number, work: () => Promise<T>): Promise<T> {
    const before = await usedMemory(redis)
    const startedAt = performance.now()
    const result = await work()
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    bytes.push({ name, value: ((await usedMemory(redis)) - before) / count, unit: 'bytes' })
    console.error(`${count.toLocaleString('en')} times ${name}: ${seconds} s`)
    return result
  }

  const people = await weigh('a user', USERS, () => fill.users(USERS))
  await weigh('the account that they signed in with', USERS, () => fill.connections(people))
  const granted = USERS * AUTHORIZATIONS_EACH
  const authorizations = await weigh('an authorization', granted, () =>
    fill.authorizations(people, AUTHORIZATIONS_EACH)
  )
  await weigh('its refresh tokens', USERS, () => fill.refreshTokens(authorizations))
  // A tenth more than are kept, so that the oldest make room as they do in service.
  const grants = Math.ceil((EVENTS_KEPT * 1.1) / EVENTS_OF_A_GRANT)
  const fromMs = Date.now()
  await weigh('an event of the trail', EVENTS_KEPT, () => fillTrail(storage.events, authorizations, grants))
  const toMs = Date.now()
  const many = await fill.users(1)
  await fill.authorizations(many, MOST_OF_ONE)

  const version = /redis_version:(\S+)/.exec(await redis.client.info('server'))?.[1]
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, load before ${loadBefore.toFixed(2)}`
  console.log(`Node.js ${process.version}, Redis ${version}, ${machine}`)
  printSection({
    title: `Bytes of Redis: ${USERS.toLocaleString('en')} users, ${granted.toLocaleString('en')} authorizations`,
    how: 'Growth of used_memory by so many, divided by their number. Tables, lists and indexes are in it.',
    figures: bytes
  })

  const service = await startGrantd(lifetime, redis)
  const call = createCaller(lifetime)
  const headers = { authorization: `Bearer ${key}` }
  const ask = (path: string) => call(`${service.url}/admin/v0${path}`, { method: 'GET', headers })
  const told = authorizations.slice(0, grants).map(({ userId }) => userId)
  const questions = questionsOf({ people, each: AUTHORIZATIONS_EACH, told, fromMs, toMs })
  const asked: Figure[] = []
  for (const question of [...questions, show(`a user with ${MOST_OF_ONE}`, () => many[0]?.userId ?? '', MOST_OF_ONE)]) {
    await delaysOf(ask, question, WARMING)
    const delays = await delaysOf(ask, question, REQUESTS)
    asked.push({ name: `${question.name}, p50`, value: percentile(delays, 0.5), unit: 'ms' })
    const p99 = { name: `${question.name}, p99`, value: percentile(delays, 0.99), unit: 'ms' }
    // A user with so many is no part of what is promised.
    asked.push(questions.includes(question) ? { ...p99, target: TARGET } : p99)
  }
  const { pages, ms } = await walk(ask)
  asked.push({ name: 'the whole trail for a user who is not in it', value: ms, unit: 'ms' })
  asked.push({ name: 'pages of that', value: pages, unit: '' })

  printSection({
    title: `Answers of /admin/v0: ${REQUESTS} times each, ${AT_ONCE} at a time`,
    how:
      `One instance; the trail holds ${EVENTS_KEPT.toLocaleString('en')} events, and is read from a random place in its newer half. Limits are ` +
      'off: they add one call. Verified: each answer is about whom or what was asked for.',
    figures: asked
  })

  const anybody = () => people[Math.floor(Math.random() * people.length)]
  const commands = [
    ...(await timeCommand(redis.url, 'grantd --version', () => ['--version'])),
    ...(await timeCommand(redis.url, 'grantd users find', () => ['users', 'find', '--email', `${anybody()?.email}`])),
    ...(await timeCommand(redis.url, 'grantd users show', () => ['users', 'show', `${anybody()?.userId}`])),
    ...(await timeCommand(redis.url, 'grantd events', () => ['events'])),
    ...(await timeCommand(redis.url, 'grantd events --user, not in it', () => ['events', '--user', 'nobody']))
  ]

  printSection({ title: 'Commands as a whole, one after the other', how: 'From start to end.', figures: commands })
  const kinds = await kindsIn(redis.client, keys)

  printSection({
    title:
      'Bytes of Redis by kind of key: how many keys, and the bytes of each without its place in the tables of Redis',
    how: 'MEMORY USAGE of one key in a hundred.',
    figures: kinds.flatMap(({ name, keys: count, bytesEach }) => [
      { name: `${name}, ${count.toLocaleString('en')} keys`, value: bytesEach, unit: 'bytes each' }
    ])
  })
} finally {
  await lifetime.end()
}
