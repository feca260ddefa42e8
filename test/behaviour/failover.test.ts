/**
 * Kills a primary under load, with Sentinels and in a Cluster, and checks that everything clients were told before,
 * during and after the failover is true at its end. `npm run faults` is the long version with every fault.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { FAULTS } from '../../bench/faults/faults.js'
import { type Measure, runFault } from '../../bench/faults/run-fault.js'

/**
 * The most refusals of one operation after Redis is whole, as a watch without the code of the service sees it. One is
 * allowed, because an instance may still be connecting.
 */
const MOST_REFUSALS = 1
const LEAST_REQUESTS = 200

const MEASURE: Measure = {
  pace: { actorsPerSecond: 8, pauseMs: 50 },
  warmUpMs: 1_000,
  // After this pause the test waits for the new primary, which takes Sentinels and a Cluster two to three seconds.
  lastsMs: 500,
  settleMs: 1_000,
  leastSinceWhole: LEAST_REQUESTS + 1,
  // Four of five are approved, some of which nobody collects: all of leastFacts follow from so many.
  leastActors: 32,
  // Other tests check how long a request may wait. With a short timeout here, a busy machine would look like a lost
  // Redis, and its refused requests like instances that do not recover.
  redisTimeoutMs: 5_000,
  leastFacts: {
    'approval kept': 20,
    'denial kept': 5,
    'revocation kept': 10,
    'rename kept': 15,
    'one authorization': 20,
    'revoked is refused': 10,
    'decision is seen': 20,
    'no false refusal': 200,
    'known answer': 300
  }
}

for (const name of ['sentinel-kill', 'cluster-kill']) {
  t.test(name, async (t) => {
    const fault = FAULTS.find((fault) => fault.name === name)
    if (!fault) throw new Error(`there is no ${name} any more`)
    const directory = await mkdtemp(join(tmpdir(), 'grantd-failover-'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    const { figures, brokenMs, verdict } = await runFault(t, fault, directory, MEASURE)
    t.comment(JSON.stringify({ brokenMs, ...figures, facts: verdict.facts }))
    t.same(verdict.violations, [])
    t.ok((figures.errors[503] ?? 0) > 0, 'it was seen')
    const { requests, mostRefusals } = figures.sinceWhole
    t.ok(requests > LEAST_REQUESTS, `${requests} requests since all was whole`)
    t.ok(
      mostRefusals.times <= MOST_REFUSALS,
      `then no more refusals: ${mostRefusals.times} of one ${mostRefusals.kind}`
    )
    t.strictSame(
      Object.keys(figures.errors).filter((status) => status !== '503'),
      [],
      'and all that could not be done was answered with 503'
    )
  })
}
