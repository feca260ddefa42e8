/** Prints the table of storms on the terminal, and writes it between its markers in docs/faults.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeBetweenMarkers } from '../support/documents.js'
import type { Figures } from './figures.js'

export interface Storm extends Figures {
  /** What the clients did, and how Redis went. */
  name: string
  at: string
  clients: number
  collected: number
  /** Shares of a core in the time after the return: both instances, Redis, and the clients. */
  cores: { services: number; redis: number; clients: number }
  /** The 99th percentile by which the clients' own process was late, which is in their figures. */
  lateMs: number
  machine: Record<string, string>
}

const DATA = fileURLToPath(new URL('../../docs/storm.json', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/faults.md', import.meta.url))
const HEAD = [
  'storm',
  'answers while away',
  'answers in the 30 s after',
  'half of them served after, all',
  'polls then, p50, p99, longest',
  'p99 before',
  'busiest tenth of a second, if even',
  'collected in the end'
]

/** Puts the storm in the place of the last one of its name. */
export function save(storm: Storm): void {
  const known: Storm[] = existsSync(DATA) ? JSON.parse(readFileSync(DATA, 'utf8')) : []
  const i = known.findIndex(({ name }) => name === storm.name)
  const storms = i === -1 ? [...known, storm] : known.with(i, storm)
  writeFileSync(DATA, `${JSON.stringify(storms, null, 2)}\n`)
  writeBetweenMarkers(PAGE, 'storm', pageOf(storms))
}

export function pageOf(storms: readonly Storm[]): string {
  const rows = [HEAD, HEAD.map(() => '---'), ...storms.map(cellsOf)]
  const last = storms.at(-1) as Storm
  const where = Object.entries(last.machine).map(([name, value]) => `${name} ${value}`)
  return [
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Measured on ${last.at.slice(0, 10)}. ${where.join(', ')}.`
  ].join('\n')
}

function cellsOf({ name, away, after, servedMs, p99BeforeMs, afterMs, busiest, even, ...storm }: Storm): string[] {
  const never = servedMs.never > 0 ? `, ${count(servedMs.never)} NEVER` : ''
  return [
    name,
    answers(away),
    answers(after),
    `${seconds(servedMs.half)}, ${seconds(servedMs.last)}${never}`,
    [afterMs.p50, afterMs.p99, afterMs.longest].map(ms).join(', '),
    ms(p99BeforeMs),
    `${count(busiest)}, ${count(even)}`,
    `${count(storm.collected)} of ${count(storm.clients)}`
  ]
}

const count = (value: number) => Math.round(value).toLocaleString('en')
const seconds = (value: number) => `${(value / 1_000).toFixed(1)} s`
const ms = (value: number) => `${count(value)} ms`
const answers = (counts: Record<string, number>) =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([said, times]) => `${count(times)} × ${said === 'authorization_pending' ? 'pending' : said}`)
    .join(', ')
