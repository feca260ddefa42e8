/** Generates docs/benchmarks.md and its plots from a result, so that no figure in them is written by hand. */
import { capacityTable } from './capacity.js'
import { BETTER_AUTH, BETTER_AUTH_IN_MEMORY, GRANTD, OIDC_PROVIDER, OIDC_PROVIDER_PLAIN, YARDSTICK } from './names.js'
import { drawPlot, type Row } from './plot.js'
import { numberOf, type Result, roundsOf } from './result.js'
import { sectionTable, table, targetTable } from './tables.js'

export const DOCUMENT = 'docs/benchmarks.md'
export const RESULT = 'docs/benchmarks/results.json'
const POLLS_PLOT = 'docs/benchmarks/polls-per-cpu-second.svg'
const REDIS_PLOT = 'docs/benchmarks/redis-cpu-per-poll.svg'

/** Returns the generated files by path: the plots, and the document with its generated parts replaced. */
export function publish(result: Result, document: string): Map<string, string> {
  return new Map([
    [POLLS_PLOT, pollsPlot(result)],
    [REDIS_PLOT, redisPlot(result)],
    [DOCUMENT, fill(document, blocks(result))]
  ])
}

function blocks(result: Result): Map<string, string> {
  return new Map([
    ['run', runTable(result)],
    ['targets', targetTable(result)],
    ['capacity', capacityTable(result)],
    ...result.sections.map(({ id }): [string, string] => [id, sectionTable(result, id)])
  ])
}

/**
 * Replaces the text between `<!-- generated: NAME -->` and the next `<!-- end -->`. Throws if the document has no place
 * for a content, or no content for a place.
 */
export function fill(document: string, contents: Map<string, string>): string {
  const left = new Set(contents.keys())
  const filled = document.replaceAll(/(<!-- generated: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, name, end) => {
    const content = contents.get(name)
    if (content === undefined || !left.delete(name)) throw new Error(`nothing, or no more, to put at "${name}"`)
    return `${begin}\n${content}\n\n${end}`
  })
  if (left.size > 0) throw new Error(`the document has no place for ${[...left].join(', ')}`)
  return filled
}

function runTable({ at, machine, sizes, seconds }: Result): string {
  const size = sizes.name === 'full' ? 'full' : 'quick: smaller sizes, for a look and not for a verdict'
  const rows = Object.entries({ at, sizes: size, seconds: `${seconds}`, ...machine })
  return table(['', ''], rows)
}

const ALL = [YARDSTICK, GRANTD, OIDC_PROVIDER, OIDC_PROVIDER_PLAIN, BETTER_AUTH, BETTER_AUTH_IN_MEMORY]

function pollsPlot(result: Result): string {
  const rows = ALL.map((name): Row => {
    const rounds = roundsOf(result, 'peers', name)
    return { name, value: numberOf(result, 'peers', name), rounds, isOurs: name === GRANTD }
  })
  return drawPlot({
    title: 'Polls of pending grants per CPU-second of the process that answers',
    axis: 'polls per CPU-second, logarithmic; the line is from the lowest to the highest round',
    scale: 'logarithmic',
    rows
  })
}

/** The plot shows the contenders with a Redis; better-auth has none. */
function redisPlot(result: Result): string {
  const get = 'GET, through a server, AOF'
  const rows = ALL.slice(0, 4).map(
    (name): Row => ({ name, value: numberOf(result, 'peers', `Redis, ${name}`), rounds: [], isOurs: name === GRANTD })
  )
  return drawPlot({
    title: 'CPU of Redis for a poll of a pending grant',
    axis: 'µs of CPU of Redis; better-auth uses none, its database is in its own process',
    scale: 'linear',
    rows: [...rows, { name: 'a plain GET', value: numberOf(result, 'redis-cost', get), rounds: [], isOurs: false }]
  })
}
