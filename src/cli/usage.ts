/** What the program says of its commands: of all, or of those that are nearest to what was meant. */
import { COMMANDS, type CommandSpec } from './commands.js'

/** Where what a command does begins, under the command itself. */
const INDENT = ' '.repeat(14)

function usageOf(name: string): string[] {
  const { takes, options, says } = COMMANDS[name] as CommandSpec
  const words = Object.entries(options).map(([option, value]) => `[--${option}${value === '' ? '' : ` ${value}`}]`)
  const lines: string[] = []
  let line = `       grantd ${[name, ...takes].join(' ')}`
  for (const word of words) {
    if (line.length + word.length >= 100) {
      lines.push(line)
      line = INDENT
    }
    line += ` ${word}`
  }
  return [...lines, line, ...says.map((sentence) => `${INDENT} ${sentence}`)]
}

const SERVE = 'usage: grantd serve   runs the service, with the settings of its environment: PORT, REDIS_URL and others'
const REST = [
  '       grantd --help | --version | COMMAND --help',
  '',
  'A command ends with 0 when it is done, with 1 when it could not be, and with 2 when it is not one of these.'
]

/** The usage of all commands. */
export const USAGE = [SERVE, '', ...Object.keys(COMMANDS).flatMap((name) => [...usageOf(name), '']), ...REST].join('\n')

/** The usage of the commands of this name, or of this first word; of all where there is none. */
export function usageFor(words: string): string {
  const [noun = ''] = words.split(' ')
  const named = Object.keys(COMMANDS).filter((name) => name === words)
  const found = named.length > 0 ? named : Object.keys(COMMANDS).filter((name) => name.split(' ')[0] === noun)
  if (found.length === 0) return USAGE
  return found.flatMap(usageOf).join('\n').replace(/^ {6}/, 'usage:')
}
