/** Prints the table of a soak on the terminal, and writes it between its markers in docs/faults.md. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeBetweenMarkers } from '../support/documents.js'
import type { Finding } from './growth.js'
import type { Ended } from './verdict.js'

export interface SoakReport extends Omit<Ended, 'surprises' | 'said' | 'beganAtMs' | 'heldUpMs'> {
  at: Date
  machine: Record<string, string>
  minutes: number
  isCluster: boolean
  /** The highest rate that was measured, in requests per second. */
  highest: number
  rate: number
  findings: Finding[]
}

const DATA = fileURLToPath(new URL('../../docs/soak.json', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/faults.md', import.meta.url))

export function save(report: SoakReport): void {
  writeFileSync(DATA, `${JSON.stringify(report)}\n`)
  writeBetweenMarkers(PAGE, 'soak', pageOf(report))
}

export function pageOf({ at, machine, minutes, isCluster, rate, requests, findings }: SoakReport): string {
  const rows = findings.map(({ name, value, isGood }) => [
    name,
    value,
    isGood === undefined ? '' : isGood ? 'good' : 'NOT GOOD'
  ])
  const where = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  const [day, perSecond, all] = [at.toISOString().slice(0, 10), Math.round(rate), requests.toLocaleString('en')]
  return [
    ...[['looked at', 'found', 'verdict'], ['---', '---', '---'], ...rows].map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Measured on ${day}: for ${minutes} min over ${isCluster ? 'a Cluster' : 'one Redis'} at ${perSecond} requests a second, half of the highest rate; ${all} in all. ${where.join(', ')}.`
  ].join('\n')
}
