/**
 * The demo's output: lines, headings, pairs and tables, with colours where the terminal has them and NO_COLOR is not set.
 * Untrusted values pass through `printable`, because a client chooses its metadata and could otherwise send escape sequences to
 * the approver's terminal.
 */
import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

export interface Screen {
  /** Whether lines can be redrawn: on a terminal, but not in a file or pipe. */
  isLively: boolean
  columns: number
  style(style: Style, text: string): string
  /** Writes a text unchanged, with its control sequences. */
  write(text: string): void
  line(text?: string): void
  heading(text: string): void
  /** Writes one line for each name that has a value. */
  pairs(pairs: Record<string, string | undefined>): void
  table(header: readonly string[], rows: readonly (readonly string[])[]): void
}

export const INDENT = '  '
const WIDEST_CELL = 20

export function createScreen(output: NodeJS.WriteStream): Screen {
  const isLively = Boolean(output.isTTY) && process.env.TERM !== 'dumb'
  // hasColors honours NO_COLOR. In Node.js 20 styleText skips its own check of the stream when it gets several styles.
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

/** The text without escape sequences, control characters and format characters, such as those for text direction. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
}

/** A date and time in the local time zone. The Swedish locale formats them like ISO 8601. */
export const localTime = (date: Date): string => date.toLocaleString('sv-SE')
