/** Formats figures as Markdown tables. */
import { type Figure, formatNumber, isMet } from './report.js'
import { type Result, sectionOf } from './result.js'

export type Cell = string | number

/** Formats a table; columns of numbers are aligned right, others left. */
export function table(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)))
  const isNumber = heads.map((_, i) => rows.every((row) => typeof row[i] === 'number'))
  const widths = heads.map((head, i) => Math.max(3, head.length, ...texts.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, i) => (isNumber[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [line(heads), line(rule), ...texts.map(line)].join('\n')
}

/** Formats the figures of a section with their targets. The single rounds are left out. */
export function sectionTable(result: Result, id: string): string {
  const { how, figures } = sectionOf(result, id)
  const shown = figures.filter(({ name }) => !/, round \d+$/.test(name))
  return `${table(
    ['', 'value', 'unit', 'target'],
    shown.map((figure) => [figure.name, figure.value, figure.unit, verdictOf(figure)])
  )}\n\n${how}`
}

/** Formats every figure that has a target, of all sections. */
export function targetTable({ sections }: Result): string {
  const rows = sections.flatMap(({ id, figures }) =>
    figures
      .filter(({ target }) => target)
      .map((figure): Cell[] => [`\`${id}\``, figure.name, figure.value, figure.unit, verdictOf(figure)])
  )
  return table(['section', 'figure', 'value', 'unit', 'target'], rows)
}

function verdictOf(figure: Figure): string {
  const { target } = figure
  if (!target) return ''
  const bound = 'atLeast' in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`
  return `${bound}: ${isMet(figure) ? 'met' : '**missed**'}`
}
