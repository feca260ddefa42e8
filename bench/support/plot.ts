/**
 * Draws plots as SVG: a point with the span of its rounds per contender, or a bar. They are readable on light and dark.
 */
import { formatNumber } from './report.js'

export interface Row {
  name: string
  value: number
  /** The rounds whose median is the value; empty if they are not known. */
  rounds: readonly number[]
  /** True for the service itself, which is highlighted. */
  isOurs: boolean
}

export interface Plot {
  title: string
  /** The label of the axis: what it counts, with the unit. */
  axis: string
  /** A logarithmic axis has no zero from which a bar could start, so it shows points. */
  scale: 'linear' | 'logarithmic'
  rows: readonly Row[]
}

const WIDTH = 820
const LEFT = 320
const RIGHT = 90
const TOP = 56
const ROW = 34
const STYLE = `
  svg { color-scheme: light dark }
  .paper { fill: #ffffff } .text { fill: #1f2328 } .value { stroke: #ffffff } .soft { fill: #59636e } .grid { stroke: #d1d9e0 }
  .mark { fill: #818b98 } .span { stroke: #818b98 } .ours.mark { fill: #0969da } .ours.span { stroke: #0969da }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .text { fill: #f0f6fc } .value { stroke: #0d1117 } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
    .mark { fill: #9198a1 } .span { stroke: #9198a1 } .ours.mark { fill: #4493f8 } .ours.span { stroke: #4493f8 }
  }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif }
  .title { font-size: 15px; font-weight: 600 } .value { paint-order: stroke; stroke-width: 4px }`

export function drawPlot({ title, axis, scale, rows }: Plot): string {
  const ticks = ticksOf(scale, rows)
  const bottom = TOP + rows.length * ROW
  const x = positions(scale, ticks)
  const said = rows.map(({ name, value }) => `${name}: ${formatNumber(value)}`).join('; ')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 54}" role="img" aria-labelledby="title said">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="said">${escaped(`${axis}. ${said}`)}</desc>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="paper" width="${WIDTH}" height="${bottom + 54}" rx="6"/>`,
    `<text class="text title" x="16" y="28">${escaped(title)}</text>`,
    ...ticks.flatMap((tick) => [
      `<line class="grid" x1="${x(tick)}" y1="${TOP - 8}" x2="${x(tick)}" y2="${bottom}"/>`,
      `<text class="soft" x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${tick.toLocaleString('en')}</text>`
    ]),
    `<text class="soft" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 40}" text-anchor="middle">${escaped(axis)}</text>`,
    ...rows.flatMap((row, i) => drawRow(row, TOP + i * ROW + ROW / 2, x, scale)),
    '</svg>\n'
  ].join('\n')
}

function drawRow({ name, value, rounds, isOurs }: Row, y: number, x: (value: number) => number, scale: Plot['scale']) {
  const ours = isOurs ? ' ours' : ''
  const [from, to] = [x(Math.min(value, ...rounds)), x(Math.max(value, ...rounds))]
  const span = `<line class="span${ours}" x1="${from}" y1="${y}" x2="${to}" y2="${y}" stroke-width="3" stroke-linecap="round"/>`
  const bar = `<rect class="mark${ours}" x="${LEFT}" y="${y - 9}" width="${round(x(value) - LEFT)}" height="18" rx="3"/>`
  const point = `<circle class="mark${ours}" cx="${x(value)}" cy="${y}" r="6"/>`
  const end = scale === 'linear' ? x(value) : Math.max(to, x(value) + 6)
  return [
    `<text class="text" x="${LEFT - 14}" y="${y + 4}" text-anchor="end">${escaped(name)}</text>`,
    ...(scale === 'linear' ? [bar] : [span, point]),
    `<text class="text value" x="${round(end + 8)}" y="${y + 4}">${formatNumber(value)}</text>`
  ]
}

/** Returns the ticks: powers of ten around all values, or about five round steps from zero. */
function ticksOf(scale: Plot['scale'], rows: readonly Row[]): number[] {
  const all = rows.flatMap(({ value, rounds }) => [value, ...rounds])
  const most = Math.max(...all)
  if (scale === 'logarithmic') {
    const [low, high] = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(most))]
    return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
  }
  const rough = most / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5].find((times) => times * power >= rough) ?? 10) * power
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step)
}

function positions(scale: Plot['scale'], ticks: readonly number[]): (value: number) => number {
  const place = scale === 'logarithmic' ? Math.log10 : (value: number) => value
  const [low, high] = [place(ticks.at(0) as number), place(ticks.at(-1) as number)]
  return (value) => round(LEFT + ((place(value) - low) / (high - low)) * (WIDTH - RIGHT - LEFT))
}

const round = (value: number) => Math.round(value * 10) / 10
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
