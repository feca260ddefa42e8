/**
 * npm run bench [-- --quick] [--only poll,memory] [--save], --against COMMIT, or --publish: measures the service on this
 * machine against its targets. This file has the order of the sections and the report. The files beside this one and README.md say what
 * is measured and why.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchAgainst } from './against.js'
import { benchCollect } from './collect.js'
import { benchInstances } from './instances.js'
import { benchIssue } from './issue.js'
import { benchLists } from './lists.js'
import { benchMemory } from './memory.js'
import { MODEL_DOCUMENT, publishModel } from './model/publish.js'
import { benchPages } from './pages.js'
import { benchPeers } from './peers.js'
import { benchPoll } from './poll.js'
import { benchRedisCost } from './redis-cost.js'
import { benchScale } from './scale.js'
import { benchStart } from './start.js'
import { createLifetime } from './support/lifetime.js'
import { describeMachine } from './support/machine.js'
import { DOCUMENT, publish, RESULT } from './support/publish.js'
import { isMet, printSection, type Section } from './support/report.js'
import type { Result } from './support/result.js'
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
  instances: benchInstances,
  lists: benchLists
}
/** Sections that a whole run leaves out: their targets are times on the clock, which a machine must have nothing else to do for. */
const ON_REQUEST: readonly (keyof typeof BENCHES)[] = ['lists']
/** About twice the time that a complete run takes. */
const LIMIT_SECONDS = 2_400

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    only: { type: 'string' },
    against: { type: 'string' },
    save: { type: 'boolean' },
    publish: { type: 'boolean' }
  }
})
if (values.publish) {
  console.log(`published anew: ${save(JSON.parse(readFileSync(inRoot(RESULT), 'utf8')))}`)
  process.exit(0)
}
if (values.save && (values.only || values.against))
  throw new Error('only a whole run is saved: figures of several runs are not comparable')
const names = Object.keys(BENCHES) as (keyof typeof BENCHES)[]
const whole = values.against ? [] : names.filter((name) => !ON_REQUEST.includes(name))
const asked = values.only?.split(',') ?? whole
const unknown = asked.filter((name) => !names.some((known) => known === name))
if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}, but ${names.join(', ')}`)
const sizes = values.quick ? QUICK : FULL

const lifetime = createLifetime(LIMIT_SECONDS)
try {
  const startedAt = performance.now()
  const at = new Date().toISOString()
  const machine = describeMachine()
  console.log(`grantd bench${values.quick ? ', quick' : ''}\n`)
  for (const [name, value] of Object.entries(machine)) console.log(`  ${name.padEnd(15)} ${value}`)

  const sections: (Section & { id: string })[] = []
  async function add(id: string, run: () => Promise<Section>): Promise<void> {
    const section = await run()
    await lifetime.endSection()
    sections.push({ id, ...section })
    printSection(section)
  }
  for (const id of names.filter((name) => asked.includes(name))) {
    await add(id, () => BENCHES[id](lifetime, sizes))
  }
  const { against } = values
  if (against) await add('against', () => benchAgainst(lifetime, sizes, against))

  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const missed = sections.flatMap(({ figures }) => figures).filter((figure) => isMet(figure) === false)
  const result: Result = { at, machine, sizes, seconds, sections }
  const file = values.save
    ? save(result)
    : write(join(tmpdir(), `grantd-bench-${at.replace(/[:.]/g, '-')}.json`), toJson(result))
  console.log(
    `\n${missed.length === 0 ? 'All targets met' : `${missed.length} targets missed`}, in ${seconds} s: ${file}`
  )
} catch (error) {
  // Stopping the run (by a signal or its time limit) makes it fail too; that error says nothing new and is dropped.
  if (!lifetime.isOver()) throw error
} finally {
  await lifetime.end()
}

/**
 * Writes the result into the repository, together with everything that is generated from it. Returns the path of the
 * result.
 */
function save(result: Result): string {
  for (const [path, content] of publish(result, readFileSync(inRoot(DOCUMENT), 'utf8'))) write(inRoot(path), content)
  write(inRoot(MODEL_DOCUMENT), publishModel(result, readFileSync(inRoot(MODEL_DOCUMENT), 'utf8')))
  return write(inRoot(RESULT), toJson(result))
}

function inRoot(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url))
}

function write(path: string, content: string): string {
  writeFileSync(path, content)
  return path
}

function toJson(result: Result): string {
  return `${JSON.stringify(result, null, 2)}\n`
}
