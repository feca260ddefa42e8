/**
 * `npm run demo`: a command line client of grantd, from requesting a grant to its revocation. Exit codes: 0 success, 1 denied,
 * expired or failed, 2 wrong usage, 128 plus the number of the signal that ended it.
 */
import { constants } from 'node:os'
import { written } from './address.js'
import { createApi } from './api.js'
import { createSession, decide } from './approve.js'
import { type Command, readCommand, USAGE } from './arguments.js'
import { createScreen, INDENT, printable } from './screen.js'
import { findService } from './service.js'
import { tellStory } from './story.js'

type Play = Extract<Command, { kind: 'play' }>
type Decide = Extract<Command, { kind: 'decide' }>

const screen = createScreen(process.stdout)
const stopping = new AbortController()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // `once`, so that a second Ctrl-C kills the process.
  process.once(signal, () => {
    process.exitCode = 128 + constants.signals[signal]
    stopping.abort(new Error('stopped.'))
  })
}

// The output was closed, by the terminal or by `| head`: the demo ends, and still stops the service that it started.
process.stdout.on('error', () => stopping.abort(new Error('the output was closed.')))

async function play({ address, approveItself, withQr }: Play): Promise<boolean> {
  const service = await findService(address, stopping.signal, (error) => stopping.abort(error))
  try {
    screen.heading(
      `A demo of grantd, on ${service.isOwn ? 'a service of its own' : 'the service'} at ${written(address)}`
    )
    return await tellStory({
      address,
      screen,
      signal: stopping.signal,
      isOwnService: service.isOwn,
      approveItself,
      withQr: withQr || screen.isLively
    })
  } finally {
    await service.stop()
  }
}

async function decideElsewhere({ address, action, code }: Decide): Promise<boolean> {
  const session = await createSession(address, process.env)
  await decide(screen, createApi(new URL('api/v0', address).href, stopping.signal), session, code, action)
  return true
}

function readCommandOrExit(): Command {
  try {
    return readCommand(process.argv.slice(2), process.env)
  } catch (error) {
    console.error(`grantd demo: ${messageOf(error)}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** The message of an error, or of its cause: fetch puts the reason for a failed connection there. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message
}

/** Indents a text and strips control characters, for it may quote the service or its log. */
const indented = (text: string) =>
  text
    .split('\n')
    .map((line) => INDENT + printable(line))
    .join('\n')

const command = readCommandOrExit()
try {
  if (command.kind === 'help') console.log(USAGE)
  else if (!(await (command.kind === 'play' ? play(command) : decideElsewhere(command)))) process.exitCode ??= 1
} catch (thrown) {
  const error = stopping.signal.aborted ? stopping.signal.reason : thrown
  process.exitCode ??= 1
  const text = messageOf(error)
  console.error(`\n${indented(`${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`)}`)
}
