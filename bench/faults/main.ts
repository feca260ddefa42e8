/**
 * npm run faults [-- --only sentinel-kill,oom] [-- --save]: breaks a stack under load with each fault of faults.ts.
 * Reports what clients saw of the fault, and whether the service broke a promise it had acknowledged.
 */
import { parseArgs } from 'node:util'
import { createLifetime } from '../support/lifetime.js'
import { describeMachine } from '../support/machine.js'
import { FAULTS } from './faults.js'
import { printTable, type Row, save } from './report.js'
import { type Measure, runFault } from './run-fault.js'

const LIMIT_SECONDS = 900
const MEASURE: Measure = {
  pace: { actorsPerSecond: 10, pauseMs: 400 },
  warmUpMs: 8_000,
  settleMs: 6_000,
  leastFacts: {
    'approval kept': 80,
    'denial kept': 20,
    'revocation kept': 40,
    'rename kept': 60,
    'one authorization': 80,
    'revoked is refused': 80,
    'decision is seen': 100,
    'no false refusal': 1_000,
    'known answer': 1_500,
    'told in the trail': 300,
    'no secret in the trail': 80
  }
}

const { values } = parseArgs({ options: { only: { type: 'string' }, save: { type: 'boolean' } } })
const chosen = FAULTS.filter(({ name }) => !values.only || values.only.split(',').includes(name))
if (chosen.length === 0) throw new Error(`no such fault; there are ${FAULTS.map(({ name }) => name).join(', ')}`)

const lifetime = createLifetime(LIMIT_SECONDS)
try {
  const startedAt = performance.now()
  const machine = describeMachine()
  const rows: Row[] = []
  for (const fault of chosen) {
    console.error(`${fault.name} …`)
    const result = await runFault({ teardown: lifetime.ends }, fault, lifetime.directory, MEASURE)
    rows.push({ name: fault.name, title: fault.title, ...result })
    for (const violation of result.verdict.violations) console.error(`  ${violation}`)
    for (const slow of result.figures.tooLong) console.error(`  too long: ${JSON.stringify(slow)}`)
    await lifetime.endSection()
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  const report = { at: new Date(), machine, pace: MEASURE.pace, seconds, faults: rows }
  printTable(report)
  if (values.save) save(report)
  if (rows.some(({ verdict }) => verdict.violations.length > 0)) process.exitCode = 1
} catch (error) {
  // Stopping the run (by a signal or its time limit) makes it fail too; that error says nothing new and is dropped.
  if (!lifetime.isOver()) throw error
} finally {
  await lifetime.end()
}
