/**
 * npm run soak [-- --minutes 20 | --hours 6] [-- --cluster] [-- --calm] [-- --save]: puts two instances under half of their
 * highest load for a long time, with faults in between unless it is to be calm, then reports what has grown. A few minutes show
 * that the soak works; a verdict on memory takes thirteen.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { whatDoesNotComeBack } from './faults/come-back.js'
import { faultsOf } from './soak/faults.js'
import { startFleet } from './soak/fleet.js'
import { countKeys } from './soak/key-count.js'
import { createLedger, GRANT_TTL_SECONDS, POLL_INTERVAL_SECONDS } from './soak/ledger.js'
import { liveSteadily, measureHighestRate } from './soak/rate.js'
import { startSoakRedis } from './soak/redis.js'
import { pageOf, save } from './soak/report.js'
import { saidWithoutFault } from './soak/said.js'
import { type Sample, takeSample } from './soak/samples.js'
import { letHappen } from './soak/schedule.js'
import { createTrouble, insist } from './soak/trouble.js'
import { judgeSoak } from './soak/verdict.js'
import { createLifetime } from './support/lifetime.js'
import { describeMachine } from './support/machine.js'

const MEASURE_MS = 8_000
/** A soak of hours is looked at less often, which keeps what is saved short. */
const [SAMPLE_EVERY_MS, MOST_SAMPLES] = [5_000, 240]
const REQUESTS_PER_LIFE = 9
/** After this time the load's connections, which it was told to end, are ended. */
const SETTLE_MS = 3_000
/** For what surrounds the load: starts, the highest rate, faults that are late, the count of all keys. */
const AROUND_SECONDS = 600
const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    hours: { type: 'string' },
    cluster: { type: 'boolean', default: false },
    calm: { type: 'boolean', default: false },
    save: { type: 'boolean' }
  }
})
const minutes = values.hours === undefined ? Number(values.minutes ?? '20') : Number(values.hours) * 60
if (!(minutes > 0 && minutes <= 48 * 60)) throw new Error('--minutes, --hours: expected a number, two days at most')
const ms = minutes * 60_000

const lifetime = createLifetime(minutes * 60 + AROUND_SECONDS)
try {
  const machine = describeMachine()
  const redis = await startSoakRedis(lifetime, values.cluster)
  const variables = { GRANT_TTL_SECONDS: `${GRANT_TTL_SECONDS}`, POLL_INTERVAL_SECONDS: `${POLL_INTERVAL_SECONDS}` }
  const fleet = await startFleet(lifetime, { ...redis.variables, ...variables })

  const ledger = createLedger()
  const trouble = createTrouble()
  const send = insist((what) => {
    ledger.asks()
    return fleet.send(what)
  }, trouble)
  const loadedFrom = performance.now()
  const highest = await measureHighestRate({ send, ledger, trouble, isHurried: true }, MEASURE_MS)
  const rate = highest / 2
  fleet.hangUp()
  await sleep(SETTLE_MS)
  const first = await takeSample(0, fleet.services, redis.nodes)
  console.error(`at most ${Math.round(highest)} requests a second; ${Math.round(rate)} for ${minutes} minutes …`)

  const samples: Sample[] = []
  const startedAt = performance.now()
  const seconds = () => Math.round((performance.now() - startedAt) / 1_000)
  const sample = async () => {
    const beganAt = performance.now()
    try {
      const taken = await takeSample(seconds(), fleet.services, redis.nodes)
      if (trouble.since(beganAt) === undefined) samples.push(taken)
    } catch (error) {
      // Who is being restarted tells nothing.
      if (trouble.since(beganAt) === undefined) throw error
    }
  }
  const timer = setInterval(sample, Math.max(SAMPLE_EVERY_MS, ms / MOST_SAMPLES))
  const delays = monitorEventLoopDelay({ resolution: 10 })
  delays.enable()
  await Promise.all([
    liveSteadily({ send, ledger, trouble, isHurried: false }, rate / REQUESTS_PER_LIFE, ms),
    letHappen(values.calm ? [] : faultsOf(fleet, redis), ms, trouble)
  ])
  clearInterval(timer)
  delays.disable()

  fleet.hangUp()
  await sleep(SETTLE_MS)
  const last = await takeSample(seconds(), fleet.services, redis.nodes)
  const countedFrom = Date.now()
  const keys = await countKeys(redis.nodes)
  const explained = ledger.explained(countedFrom, Date.now())
  const ended = { first, samples, last, keys, explained, faults: trouble.all(), requests: ledger.requests() }
  const missing = await whatDoesNotComeBack(fleet.services)
  const load = { beganAtMs: startedAt, heldUpMs: delays.max / 1e6 }
  const said = saidWithoutFault(fleet.said(), trouble, loadedFrom)
  const findings = judgeSoak({ ...ended, ...load, missing, surprises: ledger.surprises(), said })
  const report = {
    ...ended,
    at: new Date(),
    machine,
    minutes,
    isCluster: values.cluster,
    highest,
    rate,
    missing,
    findings
  }
  console.log(pageOf(report))
  if (values.save) save(report)
  if (findings.some(({ isGood }) => isGood === false)) process.exitCode = 1
} catch (error) {
  // Stopping the run (by a signal or its time limit) makes it fail too; that error says nothing new and is dropped.
  if (!lifetime.isOver()) {
    console.error(error)
    await lifetime.end()
    // The load goes on otherwise, against nobody.
    process.exit(1)
  }
}
await lifetime.end()
