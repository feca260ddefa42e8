/** The log on a terminal: the lines of logger.ts, made readable. Everywhere else it stays JSON. */
import type { Config } from '../config/config.js'
import { type LogOptions, loggerOptions } from '../logger.js'
import { styleFor } from './banner.js'

/** pino's levels, by the numbers it writes. */
const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal'
}
const LOUD_FROM = 50
/** What each line has and nobody at a terminal asks for. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'err'])

interface Line extends Record<string, unknown> {
  level: number
  time: number
  msg?: string
  err?: { message?: string; stack?: string }
}

/** Options of the logger whose lines go to `output` in words: the same lines, after redaction. */
export function terminalLogger(level: Config['logLevel'], output: NodeJS.WriteStream): LogOptions {
  const hasColors = output.hasColors()
  return {
    ...(loggerOptions(level) as object),
    stream: { write: (line: string) => void output.write(`${readable(line, hasColors)}\n`) }
  }
}

/** One JSON line of pino as a line for people, with the stack of its error below it. */
export function readable(text: string, hasColors: boolean): string {
  const style = styleFor(hasColors)
  const { level, time, msg = '', err, ...rest } = JSON.parse(text) as Line
  const name = (LEVELS[level] ?? String(level)).padEnd(5)
  const facts = Object.entries(rest).filter(([key]) => !LEFT_OUT.has(key))
  const line = [
    style('dim', new Date(time).toTimeString().slice(0, 8)),
    level >= LOUD_FROM ? style('red', name) : level > 30 ? style('yellow', name) : name,
    printable(msg),
    ...facts.map(([key, value]) =>
      style('dim', `${key}=${printable(typeof value === 'string' ? value : JSON.stringify(value))}`)
    )
  ].join(' ')
  const below = (err?.stack || err?.message || '').split('\n').filter((part) => part !== '')
  return [line, ...below.map((part) => `    ${printable(part)}`)].join('\n')
}

/** Control characters could move the cursor or change the terminal, and messages of errors may quote what somebody sent. */
const printable = (text: string) =>
  text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
