/** Operator commands, run beside the service and with its environment: `npm run grantd -- keys rotate`. */
import { parseArgs } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.js'
import { type ApiKeyOptions, runApiKeysCommand } from './cli/api-keys.js'
import { newClientSecret } from './cli/clients.js'
import { rotateProviderKey } from './cli/issuers.js'
import { runKeysCommand } from './cli/keys.js'
import { loadConfig } from './config/config.js'

const USAGE = `usage: grantd keys list            the signing keys, and from when each of them signs
       grantd keys rotate [--now]  makes a new signing key: it is published at once and signs some minutes later,
                                   when everybody has had time to fetch it; with --now it signs at once
       grantd clients secret       makes a secret for an OAuth client, and the digest of it for OAUTH_CLIENTS_FILE
       grantd api-keys create ACCOUNT [--label TEXT] [--expires-in-days N]
                                   makes an API key for a back end and shows it, this once
       grantd api-keys list ACCOUNT
       grantd api-keys revoke ACCOUNT ID
       grantd providers rotate-key PROVIDER_ID [--now]
                                   the same as keys rotate, for a provider of the tokens API`

/** How many words each command takes after its own two. */
const COMMANDS: Readonly<Record<string, number>> = {
  'keys list': 0,
  'keys rotate': 0,
  'clients secret': 0,
  'api-keys create': 1,
  'api-keys list': 1,
  'api-keys revoke': 2,
  'providers rotate-key': 1
}

type Values = ApiKeyOptions & { now?: boolean | undefined }

async function main(): Promise<string[]> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { now: { type: 'boolean' }, label: { type: 'string' }, 'expires-in-days': { type: 'string' } }
  })
  const [noun = '', verb = '', ...rest] = positionals
  if (COMMANDS[`${noun} ${verb}`] !== rest.length) throw new Error(USAGE)
  return noun === 'clients' ? newClientSecret() : withApp((app) => run(app, noun, verb, rest, values))
}

function run(app: FastifyInstance, noun: string, verb: string, rest: string[], values: Values): Promise<string[]> {
  if (noun === 'keys') return runKeysCommand(app.signingKeys, verb, values.now === true)
  if (noun === 'providers') return rotateProviderKey(app.tokensApi, rest[0] ?? '', values.now === true)
  return runApiKeysCommand(app.apiKeys, verb, rest, values)
}

/** Runs a command over what the service stores. */
async function withApp(command: (app: FastifyInstance) => Promise<string[]>): Promise<string[]> {
  const config = loadConfig(process.env)
  if (!config.redis) throw new Error('all keys live in Redis: set REDIS_URL and GRANTD_SECRET as the service has them')
  const app = buildApp(config, { logger: false })
  try {
    await app.ready()
    await app.readiness.check()
    return await command(app)
  } finally {
    await app.close()
  }
}

try {
  for (const line of await main()) console.log(line)
  process.exit(0)
} catch (error) {
  console.error(`grantd: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
