/** Reads a command line. What is no command, or has an option too many, is told with the usage that is nearest to it. */
import { parseArgs } from 'node:util'
import { COMMANDS } from './commands.js'
import { USAGE, usageFor } from './usage.js'

export type OptionValues = Readonly<Record<string, string | boolean | undefined>>

export type CommandLine =
  | { kind: 'serve' }
  | { kind: 'help'; usage: string }
  | { kind: 'version' }
  | { kind: 'command'; name: string; rest: readonly string[]; options: OptionValues }

/** Something is wrong with the command line, not with what it asks for. */
export interface UsageError extends Error {
  readonly name: 'UsageError'
}

export const isUsageError = (error: unknown): error is UsageError =>
  error instanceof Error && error.name === 'UsageError'

function usageError(message: string, usage: string): UsageError {
  return Object.assign(new Error(message === '' ? usage : `${message}\n\n${usage}`), { name: 'UsageError' } as const)
}

/** Throws a UsageError. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const words = args.filter((word) => !word.startsWith('-'))
  const asks = (option: string) => args.includes(option)
  const isServe = words[0] === 'serve'
  const name = nameIn(words)
  if (asks('--help') || asks('-h')) return { kind: 'help', usage: usageFor(name ?? words[0] ?? '') }
  if (asks('--version')) return { kind: 'version' }
  if (isServe) {
    if (args.length === 1) return { kind: 'serve' }
    const sentence = 'serve takes no arguments: its settings are environment variables, such as PORT'
    throw usageError(sentence, USAGE.split('\n', 1)[0] as string)
  }
  if (name === undefined) {
    const [noun = ''] = words
    const known = nearest(noun)
    throw usageError(noun === '' ? '' : `there is no command ${words.slice(0, 2).join(' ')}`, usageFor(known))
  }
  return { kind: 'command', name, ...readArguments(name, args) }
}

/** The command that the first words are. */
function nameIn([noun = '', verb = '']: readonly string[]): string | undefined {
  return [`${noun} ${verb}`, noun].find((name) => Object.hasOwn(COMMANDS, name))
}

function readArguments(name: string, args: readonly string[]) {
  const { takes, options } = COMMANDS[name] as (typeof COMMANDS)[string]
  const known = Object.entries(options).map(([option, value]) => [
    option,
    { type: value === '' ? 'boolean' : 'string' }
  ])
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: Object.fromEntries(known) as Record<string, { type: 'boolean' | 'string' }>
    })
    const rest = positionals.slice(name.split(' ').length)
    if (rest.length !== takes.length) throw new Error(`${name} takes ${takes.join(' and ') || 'no argument'}`)
    return { rest, options: values as OptionValues }
  } catch (error) {
    throw usageError((error as Error).message, usageFor(name))
  }
}

/** The first word of a command that this one is nearly. */
function nearest(word: string): string {
  const nouns = [...new Set(Object.keys(COMMANDS).map((name) => name.split(' ')[0] as string))]
  return nouns.find((noun) => distance(noun, word) <= 2) ?? word
}

/** How many letters are to be added, taken away or changed (the Levenshtein distance). */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const row = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const changed = (above[j] as number) + (b[j] === letter ? 0 : 1)
      row.push(Math.min(changed, (above[j + 1] as number) + 1, (row[j] as number) + 1))
    }
    above = row
  }
  return above[b.length] as number
}
