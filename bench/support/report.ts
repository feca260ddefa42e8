/** Figures with their targets, as a table for people and as JSON for comparison. */

export interface Figure {
  name: string
  value: number
  unit: string
  /** The bound that the value must meet. A figure without one is only informative. */
  target?: { atLeast: number } | { atMost: number }
}

export interface Section {
  title: string
  /** Describes in a sentence or two how the section was measured, and what was verified. */
  how: string
  figures: Figure[]
}

export function isMet({ value, target }: Figure): boolean | undefined {
  if (!target) return undefined
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
}

export function printSection({ title, how, figures }: Section): void {
  console.log(`\n${title}\n${how}\n`)
  const width = Math.max(...figures.map(({ name }) => name.length))
  for (const figure of figures) {
    const text = formatNumber(figure.value).padStart(10)
    console.log(`  ${figure.name.padEnd(width)} ${text} ${figure.unit}${judgement(figure)}`.trimEnd())
  }
}

function judgement(figure: Figure): string {
  const { target } = figure
  if (!target) return ''
  const bound = 'atLeast' in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`
  return `   (target ${bound}: ${isMet(figure) ? 'met' : 'MISSED'})`
}

export function formatNumber(value: number): string {
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Returns the smallest value that a share of `share` of the values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** Returns the median of the ratios of what was measured side by side, round by round: the speed of a shared machine changes within seconds. */
export function medianRatio(these: readonly number[], those: readonly number[]): number {
  return median(these.map((value, i) => value / (those[i] as number)))
}

/** Returns the middle value, which a single round on a busy machine does not change. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]]
  return (low + high) / 2
}
