/**
 * A primary is killed under load, and another takes over: by Sentinels, and in a Cluster. What clients were told before, during
 * and after is held against what is there in the end. The long version, with every fault there is, is npm run faults.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { FAULTS } from '../../bench/faults/faults.js'
import { type Measure, runFault } from '../../bench/faults/run-fault.js'

const MEASURE: Measure = {
  pace: { actorsPerSecond: 8, pauseMs: 50 },
  warmUpMs: 1_000,
  // And then until another has taken over, which takes Sentinels and a Cluster two to three seconds.
  lastsMs: 500,
  settleMs: 1_000,
  // How long a request may wait is held elsewhere. Here a machine that is busy with other things would be taken for a Redis that
  // is away, and refused requests for instances that have not come back.
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

/** Since Redis is whole, as seen by a look at it that shares nothing with the instances. A connection may be just on its way. */
const MOST_REFUSALS = 1
const LEAST_REQUESTS = 200

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
