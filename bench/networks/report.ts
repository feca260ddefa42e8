/** Renders a row, and puts it into the table of docs/tested-with.md in place of the one that was there. */
import { replaceRow } from '../../scripts/tested-with.js'
import type { Row } from './rows.js'
import type { Result, Span } from './run-row.js'

export function cellsOf(row: Row, result: Result, versions: string): string[] {
  const { errors, refused, notReady, p99Ms, losses, facts, violations, remarks, times } = result
  const lost = Object.values(losses.lost).reduce((sum, number) => sum + number, 0)
  const span = ({ from, to }: Span) =>
    from === undefined ? 'never' : `${since(from, times)} to ${to === undefined ? 'the end' : since(to, times)}`
  const refusals = Object.entries(errors).map(([status, number]) => `${number} × ${status}`)
  const what = Object.entries(losses.lost).map(([kind, number]) => `${number} ${kind}`)
  return [
    row.title,
    row.setting,
    count(losses.acknowledged),
    lost === 0 ? '0' : `**${lost}**: ${what.join(', ')}`,
    refusals.length === 0 ? 'none' : `${refusals.join(', ')}; ${span(refused)}`,
    span(notReady),
    `${ms(p99Ms.before)} → ${ms(p99Ms.during)}`,
    remarks.join('; ') || '–',
    count(facts),
    `${violations.length}`,
    versions
  ]
}

const count = (value: number) => value.toLocaleString('en')
const ms = (value: number) => `${count(Math.round(value))} ms`

function since(at: number, { struckAt, healedAt }: Result['times']): string {
  const [from, word] = at < healedAt ? [struckAt, 'cut'] : [healedAt, 'repair']
  return `${word} + ${((at - from) / 1_000).toFixed(1)} s`
}

export function writeRow(row: Row, cells: readonly string[], order: readonly string[]): void {
  replaceRow('networks', [`\`${row.name}\``, ...cells], (name) => order.indexOf(name.replaceAll('`', '')))
}
