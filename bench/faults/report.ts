/** Prints the table of a run on the terminal, and writes it between its markers in docs/faults.md. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeBetweenMarkers } from '../support/documents.js'
import type { Pace } from './load.js'
import type { Result } from './run-fault.js'

export interface Row extends Result {
  name: string
  title: string
}

export interface Report {
  at: Date
  machine: Record<string, string>
  pace: Pace
  seconds: number
  faults: Row[]
}

const DATA = fileURLToPath(new URL('../../docs/faults.json', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/faults.md', import.meta.url))

const HEAD = [
  'fault',
  'requests',
  'nothing of a kind for (before)',
  'one client held up for',
  'answers that were none',
  'p99 before → during',
  'longest request',
  'facts checked',
  'violations'
]

export function printTable(report: Report): void {
  console.log(tableOf(report))
}

export function save(report: Report): void {
  writeFileSync(DATA, `${JSON.stringify(report, null, 2)}\n`)
  writeBetweenMarkers(PAGE, 'faults', tableOf(report))
}

function tableOf({ at, machine, pace, seconds, faults }: Report): string {
  const lines = [HEAD, HEAD.map(() => '---'), ...faults.map(cellsOf)].map((cells) => `| ${cells.join(' | ')} |`)
  const where = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  return [
    ...lines,
    '',
    `Measured on ${at.toISOString().slice(0, 10)} in ${seconds} s, with ${pace.actorsPerSecond} new grants a second. ${where.join(', ')}.`
  ].join('\n')
}

function cellsOf({ title, figures, verdict }: Row): string[] {
  const { requests, interruption, healthyInterruption, longestOperation, errors, p99Ms, longestRequest } = figures
  const facts = Object.values(verdict.facts).reduce((sum, count) => sum + count, 0)
  const seconds = (value: number) => `${value.toFixed(1)} s`
  const ms = (value: number) => `${Math.round(value).toLocaleString('en')} ms`
  return [
    title,
    requests.toLocaleString('en'),
    `${seconds(interruption.seconds)}, ${interruption.kind} (${seconds(healthyInterruption.seconds)})`,
    `${seconds(longestOperation.seconds)}, ${longestOperation.kind}`,
    Object.entries(errors)
      .map(([status, count]) => `${count} × ${status === '0' ? 'connection lost' : status}`)
      .join(', ') || 'none',
    `${ms(p99Ms.before)} → ${ms(p99Ms.during)}`,
    `${ms(longestRequest.ms)}, ${longestRequest.kind}`,
    facts.toLocaleString('en'),
    `${verdict.violations.length}`
  ]
}
