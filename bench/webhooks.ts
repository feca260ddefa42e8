/**
 * npm run bench:webhooks: what a webhook with a slow receiver costs those who ask the service. Two services, each over a
 * Redis of its own, one of them with a WEBHOOKS_FILE whose receiver takes 30 seconds for an answer; rounds of whole grants at the one and the
 * other alternate, and the median of the ratios of rounds beside each other counts: of the time on the clock, and of the CPU time of the
 * service, which is steadier on a busy machine. It takes two minutes.
 */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../test/support/ports.js'
import { type Approver, approverAtGrantd } from './support/approvers.js'
import { type Caller, createCaller, manyTimes } from './support/callers.js'
import { cpuSeconds } from './support/cpu-time.js'
import { createLifetime } from './support/lifetime.js'
import { JSON_TYPE, POLL_PATH } from './support/load.js'
import { startBenchRedis, startGrantd, type Target } from './support/processes.js'
import { median } from './support/report.js'

const RECEIVER_MS = 30_000
const GRANTS_OF_A_ROUND = 150
const AT_ONCE = 4
/** The first ones warm up, and fill what may wait for the receiver. */
const WARMING = 5
const ROUNDS = 25
const TARGET = 1.05
const SECRET = `whsec_${Buffer.from('what a receiver and the service know').toString('base64')}`

interface Side {
  target: Target
  approve: Approver
}

const lifetime = createLifetime(240)

/** Listens on the loopback and answers late. Resolves to its URL and the number of attempts so far. */
async function startSlowReceiver(): Promise<{ url: string; attempts: () => number }> {
  let attempts = 0
  const server = createServer((request, response) => {
    attempts += 1
    request.resume()
    setTimeout(() => response.end(), RECEIVER_MS)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  lifetime.ends(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}/`, attempts: () => attempts }
}

async function startSide(call: Caller, variables: Record<string, string>): Promise<Side> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const target = await startGrantd(lifetime, redis, variables)
  return { target, approve: await approverAtGrantd(target, call) }
}

/** Starts a grant, approves it and collects it. */
async function wholeGrant({ target, approve }: Side, call: Caller): Promise<void> {
  const post = async (path: string, body: object) =>
    JSON.parse(
      await call(`${target.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': JSON_TYPE },
        body: JSON.stringify(body)
      })
    )
  const { grant_code, user_code } = await post('/api/v0/auth/grant/code', { client_type: 'cli' })
  await post(POLL_PATH, { grant_code })
  await approve(user_code)
  const { status } = await post(POLL_PATH, { grant_code })
  if (status !== 'approved') throw new Error(`a grant was ${status}`)
}

/** Milliseconds on the clock and of the service's processor. */
interface Cost {
  clock: number
  cpu: number
}

async function round(side: Side, call: Caller): Promise<Cost> {
  const [startedAt, cpuBefore] = [performance.now(), cpuSeconds(side.target.pid)]
  await manyTimes(GRANTS_OF_A_ROUND, AT_ONCE, () => wholeGrant(side, call))
  return { clock: performance.now() - startedAt, cpu: (cpuSeconds(side.target.pid) - cpuBefore) * 1000 }
}

try {
  const call = createCaller(lifetime)
  const receiver = await startSlowReceiver()
  const WEBHOOKS_FILE = join(lifetime.directory, 'webhooks.json')
  const entry = { id: 'slow', url: receiver.url, secret: SECRET, types: ['*'], internal: true }
  writeFileSync(WEBHOOKS_FILE, JSON.stringify([entry]))
  const variables = { GRANT_TTL_SECONDS: '900', POLL_INTERVAL_SECONDS: '1' }
  const without = await startSide(call, variables)
  const withSlow = await startSide(call, { ...variables, WEBHOOKS_FILE })
  const pairs: { mine: Cost; bare: Cost }[] = []
  for (let i = -WARMING; i < ROUNDS; i++) {
    const isFirst = i % 2 === 0
    const one = await round(isFirst ? withSlow : without, call)
    const other = await round(isFirst ? without : withSlow, call)
    const [mine, bare] = isFirst ? [one, other] : [other, one]
    if (i >= 0) pairs.push({ mine, bare })
  }
  console.log(`${cpus().length} processors, load ${loadavg()[0]?.toFixed(2)}, Node.js ${process.version}`)
  console.log(`${ROUNDS} rounds of ${GRANTS_OF_A_ROUND} grants each, ${receiver.attempts()} attempts at the receiver`)
  const perGrant = (values: readonly number[]) => (median(values) / GRANTS_OF_A_ROUND).toFixed(2)
  for (const [what, of] of [
    ['on the clock', ({ clock }: Cost) => clock],
    ['of CPU time', ({ cpu }: Cost) => cpu]
  ] as const) {
    const [without, slow] = [pairs.map(({ bare }) => of(bare)), pairs.map(({ mine }) => of(mine))]
    const ratio = median(pairs.map(({ mine, bare }) => of(mine) / of(bare)))
    const verdict = `at most ${TARGET}: ${ratio <= TARGET ? 'met' : 'missed'}`
    console.log(
      `a grant takes ${perGrant(without)} ms ${what} without webhooks, ${perGrant(slow)} ms with a slow receiver`
    )
    console.log(`ratio, median of rounds: ${ratio.toFixed(3)} (${verdict})`)
  }
} finally {
  await lifetime.end()
}
