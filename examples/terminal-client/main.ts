/**
 * `npm run demo`: a command line client of grantd, from requesting a grant to its revocation. Exit codes: 0 success, 1 denied,
 * expired or failed, 2 wrong usage, 128 plus the number of the signal that ended it.
 */
import { constants } from 'node:os'
import { written } from './address.js'
import { createApi } from './api.js'
import { createDecider } from './approve.js'
import { findSignIn } from './approve-on-pages.js'
import { type Command, readCommand, USAGE } from './arguments.js'
import { createBrowser } from './browser.js'
import { createScreen, INDENT, printable } from './screen.js'
import { findService, locate, nobodyAt } from './service.js'
import { tellStory } from './story.js'

type Play = Extract<Command, { kind: 'play' }>
type Decide = Extract<Command, { kind: 'decide' }>

const screen = createScreen(process.stdout)
const stopping = new AbortController()

/**
 * npm passes on a signal that the terminal has also sent to this process. A repetition within this time is the same
 * signal.
 */
const SAME_SIGNAL_MS = 1_000
let stoppedAtMs: number | undefined

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    process.exitCode = 128 + constants.signals[signal]
    // A second Ctrl-C ends the process at once.
    if (stoppedAtMs !== undefined && performance.now() - stoppedAtMs > SAME_SIGNAL_MS) process.exit()
    stoppedAtMs ??= performance.now()
    stopping.abort(new Error('stopped.'))
  })
}

// The output was closed, by the terminal or by `| head`: the demo ends, and still stops the service that it started.
process.stdout.on('error', () => stopping.abort(new Error('the output was closed.')))

async function play({ addresses, approveItself, withQr, opensBrowser }: Play): Promise<boolean> {
  const service = await findService(addresses, stopping.signal, (error) => stopping.abort(error))
  const { address } = service
  try {
    screen.heading(
      `A demo of grantd, on ${service.isOwn ? 'a service of its own' : 'the service'} at ${written(address)}`
    )
    return await tellStory({
      address,
      screen,
      signal: stopping.signal,
      approveItself,
      opensBrowser,
      withQr: withQr || screen.isLively
    })
  } finally {
    await service.stop()
  }
}

async function decideElsewhere({ addresses, action, code }: Decide): Promise<boolean> {
  const { signal } = stopping
  const address = await locate(addresses, signal)
  if (!address) throw nobodyAt(addresses[0])
  const browser = createBrowser(address, signal)
  const api = createApi(new URL('api/v0', address).href, signal)
  const signIn = await findSignIn(browser)
  const decide = await createDecider({ address, screen, browser, api, signIn, env: process.env })
  await decide(code, action)
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
