/**
 * npm run bench [-- --quick] [--only poll,memory]: measures the service on this machine and says how it compares.
 * The order of things and the report; what is measured, and why so, is in the files beside this one and in README.md.
 */
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchCollect } from './collect.js'
import { benchInstances } from './instances.js'
import { benchIssue } from './issue.js'
import { benchMemory } from './memory.js'
import { benchPages } from './pages.js'
import { benchPeers } from './peers.js'
import { benchPoll } from './poll.js'
import { benchRedisCost } from './redis-cost.js'
import { benchScale } from './scale.js'
import { benchStart } from './start.js'
import { createLifetime } from './support/lifetime.js'
import { describeMachine } from './support/machine.js'
import { isMet, printSection, type Section } from './support/report.js'
import { FULL, QUICK } from './support/sizes.js'
import { benchToken } from './token.js'
import { benchWait } from './wait.js'

const BENCHES = {
  poll: benchPoll,
  'redis-cost': benchRedisCost,
  memory: benchMemory,
  scale: benchScale,
  token: benchToken,
  wait: benchWait,
  pages: benchPages,
  issue: benchIssue,
  peers: benchPeers,
  start: benchStart,
  collect: benchCollect,
  instances: benchInstances
}
const LIMIT_SECONDS = 600

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } })
const names = Object.keys(BENCHES) as (keyof typeof BENCHES)[]
const chosen = names.filter((name) => !values.only || values.only.split(',').includes(name))
const sizes = values.quick ? QUICK : FULL

const lifetime = createLifetime(LIMIT_SECONDS)
try {
  const startedAt = performance.now()
  const machine = describeMachine()
  console.log(`grantd bench${values.quick ? ', quick' : ''}\n`)
  for (const [name, value] of Object.entries(machine)) console.log(`  ${name.padEnd(12)} ${value}`)

  const sections: Section[] = []
  for (const name of chosen) {
    const section = await BENCHES[name](lifetime, sizes)
    await lifetime.endSection()
    sections.push(section)
    printSection(section)
  }

  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const missed = sections.flatMap(({ figures }) => figures).filter((figure) => isMet(figure) === false)
  const file = join(tmpdir(), `grantd-bench-${new Date().toISOString().replace(/[:.]/g, '-')}.json`)
  writeFileSync(file, `${JSON.stringify({ at: new Date(), machine, sizes, seconds, sections }, null, 2)}\n`)
  console.log(
    `\n${missed.length === 0 ? 'All targets met' : `${missed.length} targets missed`}, in ${seconds} s: ${file}`
  )
} catch (error) {
  // Whoever is stopped in the middle fails; that is no news.
  if (!lifetime.isOver()) throw error
} finally {
  await lifetime.end()
}
