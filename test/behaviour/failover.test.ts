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
  pace: { actorsPerSecond: 8, pauseMs: 100 },
  warmUpMs: 1_500,
  // Sentinels and a Cluster take two to three seconds.
  lastsMs: 4_000,
  settleMs: 0,
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
    const { figures, verdict } = await runFault(t, fault, directory, MEASURE)
    t.comment(JSON.stringify({ ...figures, facts: verdict.facts }))
    t.same(verdict.violations, [])
    t.ok((figures.errors[503] ?? 0) > 0, 'it was seen')
    t.ok(figures.longestOperation.seconds < 12, 'nobody was held up for long')
    t.strictSame(
      Object.keys(figures.errors).filter((status) => status !== '503'),
      [],
      'and all that could not be done was answered with 503'
    )
  })
}
