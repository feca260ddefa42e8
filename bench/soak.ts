/**
 * npm run soak [-- --minutes 20] [-- --save]: puts two instances over one Redis under half of their highest load for a
 * long time, then reports what has grown. One minute shows that the soak works; a verdict on memory takes twenty.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startService } from '../test/support/service.js'
import { createTransport, type Transport } from './faults/transport.js'
import { countKeys } from './soak/key-count.js'
import { createLedger, GRANT_TTL_SECONDS, POLL_INTERVAL_SECONDS } from './soak/ledger.js'
import { liveSteadily, measureHighestRate } from './soak/rate.js'
import { pageOf, save } from './soak/report.js'
import { type Sample, takeSample } from './soak/samples.js'
import { judgeSoak } from './soak/verdict.js'
import { createLifetime } from './support/lifetime.js'
import { describeMachine } from './support/machine.js'
import { startBenchRedis } from './support/processes.js'

const MEASURE_MS = 8_000
const SAMPLE_EVERY_MS = 5_000
const REQUESTS_PER_LIFE = 9
/** After this time the load's idle connections are closed and garbage has been collected. */
const SETTLE_MS = 3_000
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '20' }, save: { type: 'boolean' } }
})
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 120)) throw new Error('--minutes: expected a number up to 120')

const lifetime = createLifetime(minutes * 60 + 180)
try {
  const machine = describeMachine()
  const redis = await startBenchRedis(lifetime, 'yes')
  const variables = {
    REDIS_URL: redis.url,
    GRANT_TTL_SECONDS: `${GRANT_TTL_SECONDS}`,
    POLL_INTERVAL_SECONDS: `${POLL_INTERVAL_SECONDS}`,
    LIMITS: 'off',
    LOG_LEVEL: 'warn'
  }
  const start = () => startService({ teardown: lifetime.ends }, variables)
  const services = await Promise.all([start(), start()])
  const transports = services.map(({ url }) => createTransport(url))
  lifetime.ends(() => {
    for (const transport of transports) transport.close()
  })

  const ledger = createLedger()
  let turn = 0
  const send: Transport['send'] = (what) => {
    ledger.asks()
    return (transports[turn++ % transports.length] as Transport).send(what)
  }
  const highest = await measureHighestRate({ send, ledger, isHurried: true }, MEASURE_MS)
  const rate = highest / 2
  console.error(`at most ${Math.round(highest)} requests a second; ${Math.round(rate)} for ${minutes} minutes …`)

  const samples: Sample[] = []
  const startedAt = performance.now()
  const sample = async () =>
    void samples.push(await takeSample(Math.round((performance.now() - startedAt) / 1_000), services, redis))
  const timer = setInterval(sample, SAMPLE_EVERY_MS)
  await liveSteadily({ send, ledger, isHurried: false }, rate / REQUESTS_PER_LIFE, minutes * 60_000)
  clearInterval(timer)
  const seconds = (performance.now() - startedAt) / 1_000

  await sleep(SETTLE_MS)
  const last = await takeSample(Math.round(seconds), services, redis)
  const countedFrom = Date.now()
  const keys = await countKeys(redis)
  const explained = ledger.explained(countedFrom, Date.now())
  const requests = ledger.requests()
  const findings = judgeSoak({ samples, last, keys, explained, surprises: ledger.surprises(), requests })
  const report = { at: new Date(), machine, minutes, highest, rate, requests, findings, keys, explained, samples, last }
  console.log(pageOf(report))
  if (values.save) save(report)
  if (findings.some(({ isGood }) => isGood === false)) process.exitCode = 1
} catch (error) {
  // Stopping the run (by a signal or its time limit) makes it fail too; that error says nothing new and is dropped.
  if (!lifetime.isOver()) throw error
} finally {
  await lifetime.end()
}
