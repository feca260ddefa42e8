#!/usr/bin/env node
/**
 * The program `grantd`: `grantd serve` runs the service (server.ts), the others are operator commands, run with the environment of
 * the service. What a command needs is loaded when it is called for, so that none but `serve` loads Fastify.
 */
import { parseArgs } from 'node:util'
import { version } from './process/package.js'

const USAGE = `usage: grantd serve            runs the service, with the settings of its environment: PORT, REDIS_URL and others

       grantd keys list            the signing keys, and from when each of them signs
       grantd keys rotate [--now]  makes a new signing key: it is published at once and signs some minutes later,
                                   when everybody has had time to fetch it; with --now it signs at once
       grantd clients secret       makes a secret for an OAuth client, and the digest of it for OAUTH_CLIENTS_FILE
       grantd api-keys create ACCOUNT [--rights RIGHT,RIGHT] [--label TEXT] [--expires-in-days N]
                                   makes an API key for a back end and shows it, this once; without --rights it is
                                   for the tokens API alone
       grantd api-keys list ACCOUNT
       grantd api-keys rights ACCOUNT ID --rights RIGHT,RIGHT
                                   what a key may do from now on: tokens, introspect, connected-accounts, admin:read,
                                   admin:write
       grantd api-keys revoke ACCOUNT ID
       grantd providers rotate-key PROVIDER_ID [--now]
                                   the same as keys rotate, for a provider of the tokens API
       grantd webhooks list        how far each webhook of WEBHOOKS_FILE has come, what waits, what it missed
       grantd webhooks failed      the events that were given up after three days
       grantd webhooks resend ID|--all
                                   sends one of them again, or all
       grantd webhooks resume WEBHOOK
                                   lets a webhook go on that was stopped because its receiver answered 410
                                   each of these with --json

       grantd --help | --version`

/** How many arguments each operator command takes after its two words. */
const COMMANDS: Readonly<Record<string, number>> = {
  'keys list': 0,
  'keys rotate': 0,
  'clients secret': 0,
  'api-keys create': 1,
  'api-keys list': 1,
  'api-keys rights': 2,
  'api-keys revoke': 2,
  'providers rotate-key': 1,
  'webhooks list': 0,
  'webhooks failed': 0,
  'webhooks resend': 1,
  'webhooks resume': 1
}

function readCommand() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
      now: { type: 'boolean' },
      label: { type: 'string' },
      rights: { type: 'string' },
      'expires-in-days': { type: 'string' },
      json: { type: 'boolean' },
      all: { type: 'boolean' }
    }
  })
  const [noun = '', verb = '', ...rest] = positionals
  const isServe = noun === 'serve'
  if (isServe && positionals.length + Object.keys(values).length > 1 && !values.help) {
    throw new Error('serve takes no arguments: its settings are environment variables, such as PORT')
  }
  // --all stands for an id.
  const given = rest.length + (values.all && verb === 'resend' ? 1 : 0)
  const isKnown = values.help || values.version || isServe || COMMANDS[`${noun} ${verb}`] === given
  if (!isKnown) throw new Error(USAGE)
  return { noun, verb, rest, values }
}

type Command = ReturnType<typeof readCommand>

/** The lines that a command prints. */
async function linesOf({ noun, verb, rest, values }: Command): Promise<string[]> {
  if (values.help) return [USAGE]
  if (values.version) return [version]
  if (noun === 'clients') return (await import('./cli/keys.js')).newClientSecret()
  return (await import('./cli/operator.js')).runOperatorCommand(noun, verb, rest, values)
}

function fail(error: unknown): never {
  console.error(`grantd: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}

// As --enable-source-maps does, for what is loaded from here on.
process.setSourceMapsEnabled(true)
let command: Command
try {
  command = readCommand()
} catch (error) {
  fail(error)
}
if (command.noun === 'serve' && !command.values.help) {
  // It ends the process itself, and what it throws beyond that is a fault of ours, shown with its stack.
  await import('./server.js')
} else {
  try {
    for (const line of await linesOf(command)) console.log(line)
    process.exit(0)
  } catch (error) {
    fail(error)
  }
}
