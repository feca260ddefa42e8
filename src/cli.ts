#!/usr/bin/env node
/**
 * The program `grantd`: `grantd serve` runs the service (server.ts), the others are operator commands, run with the environment of
 * the service. What a command needs is loaded when it is called for, so that none but `serve` loads Fastify.
 */
import { type CommandLine, isUsageError, readCommandLine } from './cli/arguments.js'
import { isFault } from './core/fault.js'
import { version } from './process/package.js'

/** The lines that a command prints. */
async function linesOf(
  line: Exclude<CommandLine, { kind: 'serve' }>
): Promise<Iterable<string> | AsyncIterable<string>> {
  if (line.kind === 'help') return [line.usage]
  if (line.kind === 'version') return [version]
  const { name, rest, options } = line
  if (name === 'clients secret') return (await import('./cli/keys.js')).newClientSecret(options.json === true)
  return (await import('./cli/operator.js')).runOperatorCommand(name, rest, options)
}

/** Of a fault the sentence that it has for the caller: its message may be the code alone. */
function sentenceOf(error: unknown): string {
  if (isFault(error) && error.hint !== undefined) return `${error.hint}.`
  return error instanceof Error ? error.message : String(error)
}

function fail(error: unknown): never {
  console.error(`grantd: ${sentenceOf(error)}`)
  process.exit(isUsageError(error) ? 2 : 1)
}

// As --enable-source-maps does, for what is loaded from here on.
process.setSourceMapsEnabled(true)
let line: CommandLine
try {
  line = readCommandLine(process.argv.slice(2))
} catch (error) {
  fail(error)
}
if (line.kind === 'serve') {
  // It ends the process itself, and what it throws beyond that is a fault of ours, shown with its stack.
  await import('./server.js')
} else {
  // Whoever reads may have read enough, as `head` has.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1))
  try {
    for await (const text of await linesOf(line)) console.log(text)
    // A command that has found what it looked for says so by its code.
    process.exit()
  } catch (error) {
    fail(error)
  }
}
