/**
 * npm run bench:storm [-- --together] [-- --held] [-- --hang] [-- --constant 2] [-- --save]: thousands of clients wait for a login while
 * Redis is away for twenty seconds. Says when each of them was served after its return, how long polls took then, and all they were told.
 * Ends with status 1 if it was anything else than pending and 503, or if a grant was lost. It takes two minutes.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { RedisServer } from '../test/support/redis-server.js'
import { createTransport, type Transport } from './faults/transport.js'
import { figuresOf } from './storm/figures.js'
import { HELD_SECONDS, startFleet } from './storm/fleet.js'
import { pageOf, type Storm, save } from './storm/report.js'
import { approverAtGrantd } from './support/approvers.js'
import { createCaller, manyTimes } from './support/callers.js'
import { cpuSeconds } from './support/cpu-time.js'
import { createLifetime } from './support/lifetime.js'
import { describeMachine } from './support/machine.js'
import { startBenchRedis, startGrantd } from './support/processes.js'

const BEFORE_MS = 12_000
const AWAY_MS = 20_000
const WATCHED_MS = 30_000
const GIVE_UP_MS = 60_000
/** Together with the clients' polls, so that the approvals are no storm of their own. */
const APPROVALS_AT_ONCE = 8

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '5000' },
    constant: { type: 'string' },
    hang: { type: 'boolean', default: false },
    held: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    together: { type: 'boolean', default: false }
  }
})
const clients = Number(values.clients)
if (!(clients >= 1 && clients <= 9_000)) throw new Error('--clients: expected a number up to 9000')
const constantSeconds = values.constant === undefined ? undefined : Number(values.constant)

const name = [
  `${clients.toLocaleString('en')} clients`,
  values.held ? 'polls are held' : values.together ? 'all poll at the same moment' : 'they came one by one',
  values.hang ? 'Redis hangs' : 'Redis is killed',
  ...(constantSeconds === undefined ? [] : [`every \`Retry-After\` is taken for ${constantSeconds} s`])
].join('; ')

/** Takes Redis away. Resolves when it answers again, to the moments when it was gone and when it was back. */
async function takeAway(redis: RedisServer): Promise<{ awayAt: number; backAt: number }> {
  if (values.hang) process.kill(redis.pid(), 'SIGSTOP')
  else await redis.kill()
  const awayAt = performance.now()
  await sleep(AWAY_MS)
  if (values.hang) process.kill(redis.pid(), 'SIGCONT')
  else await redis.start()
  return { awayAt, backAt: performance.now() }
}

const lifetime = createLifetime(300)
try {
  const machine = describeMachine()
  const redis = await startBenchRedis(lifetime, 'yes')
  const variables = { POLL_INTERVAL_SECONDS: '5', HELD_POLLS: '10000', LOG_LEVEL: 'warn' }
  const services = [await startGrantd(lifetime, redis, variables), await startGrantd(lifetime, redis, variables)]
  const transports = services.map(({ url }) => createTransport(url, Number.POSITIVE_INFINITY, GIVE_UP_MS))
  lifetime.ends(() => {
    for (const transport of transports) transport.close()
  })
  let turn = 0
  const send: Transport['send'] = (what) => (transports[turn++ % transports.length] as Transport).send(what)
  const approve = await approverAtGrantd(services[0] as (typeof services)[number], createCaller(lifetime))
  const isTogether = values.together
  /** A poll that is held is served at the end of its half minute. */
  const servedWithinMs = WATCHED_MS + (values.held ? HELD_SECONDS * 1_000 : 0)
  const fleet = await startFleet({ send, count: clients, isTogether, isHeld: values.held, constantSeconds })

  console.error(`${name} …`)
  const ended = fleet.run()
  await sleep(BEFORE_MS + (values.held ? HELD_SECONDS * 1_000 : 0))
  const { awayAt, backAt } = await takeAway(redis)
  const late = monitorEventLoopDelay({ resolution: 10 })
  late.enable()
  const used = () => ({
    services: services.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
    redis: cpuSeconds(redis.pid()),
    clients: cpuSeconds(process.pid)
  })
  const before = used()
  await sleep(WATCHED_MS)
  late.disable()
  const after = used()
  const share = (part: keyof typeof after) => (after[part] - before[part]) / (WATCHED_MS / 1_000)

  console.error('they are approved …')
  const left = [...fleet.userCodes]
  await manyTimes(clients, APPROVALS_AT_ONCE, () => approve(left.pop() as string))
  await Promise.race([ended, sleep(GIVE_UP_MS)])
  fleet.stop()
  const storm: Storm = {
    ...{ name, at: new Date().toISOString(), clients },
    ...figuresOf(fleet.polls, clients, { awayAt, backAt, watchedMs: WATCHED_MS }),
    collected: new Set(fleet.polls.filter(({ said }) => said === 'approved').map(({ client }) => client)).size,
    cores: { services: share('services'), redis: share('redis'), clients: share('clients') },
    lateMs: late.percentile(99) / 1e6 - 10,
    machine
  }
  console.log(pageOf([storm]))
  console.log(JSON.stringify({ cores: storm.cores, lateMs: storm.lateMs }))
  if (values.save) save(storm)
  const others = fleet.polls.filter(({ said }) => !['authorization_pending', 'approved', '503'].includes(said))
  if (others.length > 0 || storm.collected < clients || storm.servedMs.last > servedWithinMs) process.exitCode = 1
} catch (error) {
  if (!lifetime.isOver()) throw error
} finally {
  await lifetime.end()
}
