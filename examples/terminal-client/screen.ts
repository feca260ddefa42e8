/**
 * What the demo writes with: lines, headings, pairs and a table, in colours where the terminal has them and
 * NO_COLOR does not forbid it. Values from elsewhere pass through `printable`: whoever starts a grant chooses its
 * metadata, and must not thereby write on the terminal of whoever looks at it.
 */
import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

export interface Screen {
  /** Whether lines can be drawn again: a terminal, not a file or a pipe. */
  isLively: boolean
  columns: number
  style(style: Style, text: string): string
  /** Writes as it stands, for who draws. */
  write(text: string): void
  line(text?: string): void
  heading(text: string): void
  /** Names and values; what has no value has no line. */
  pairs(pairs: Record<string, string | undefined>): void
  table(header: readonly string[], rows: readonly (readonly string[])[]): void
}

export const INDENT = '  '
const WIDEST_CELL = 20

export function createScreen(output: NodeJS.WriteStream): Screen {
  const isLively = Boolean(output.isTTY) && process.env.TERM !== 'dumb'
  // hasColors knows NO_COLOR. styleText's own look at the stream is passed over in Node 20 when it gets several styles.
  const isColoured = Boolean(output.isTTY) && output.hasColors()
  const style: Screen['style'] = (format, text) => (isColoured ? styleText(format, text) : text)
  const write = (text: string) => {
    output.write(text)
  }
  const line = (text = '') => write(text === '' ? '\n' : `${INDENT}${text}\n`)

  return {
    isLively,
    columns: output.columns ?? 80,
    style,
    write,
    line,

    heading(text) {
      line()
      line(style('bold', text))
    },

    pairs(pairs) {
      const width = Math.max(...Object.keys(pairs).map((name) => name.length))
      for (const [name, value] of Object.entries(pairs)) {
        if (value !== undefined) line(`${style('dim', name.padEnd(width))}  ${printable(value)}`)
      }
    },

    table(header, rows) {
      const cells = rows.map((row) => row.map(cell))
      const widths = header.map((name, column) =>
        Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0))
      )
      const join = (row: readonly string[]) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ')
      line(style('dim', join(header).trimEnd()))
      for (const row of cells) line(join(row).trimEnd())
    }
  }
}

function cell(text: string): string {
  const shown = printable(text)
  return shown.length > WIDEST_CELL ? `${shown.slice(0, WIDEST_CELL - 1)}…` : shown
}

/** The text without anything that moves a cursor, changes a colour or turns the direction of writing. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
}

/** The time of day and the date as the person's own clock shows them; Swedish, because it writes them like ISO 8601. */
export const localTime = (date: Date): string => date.toLocaleString('sv-SE')
