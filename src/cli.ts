/**
 * The operator commands, run with the environment of the service: `npm run grantd -- keys rotate`. They use the core without
 * Fastify.
 */
import { parseArgs } from 'node:util'
import { type ApiKeyOptions, runApiKeysCommand } from './cli/api-keys.js'
import { newClientSecret } from './cli/clients.js'
import { rotateIssuerKey } from './cli/issuers.js'
import { runKeysCommand } from './cli/keys.js'
import { loadConfig } from './config/load-config.js'
import { type Core, type CoreEvents, createCore } from './core/index.js'
import type { JwtSigner } from './core/tokens/jwt-signer.js'
import { createStorage } from './storage/index.js'

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

/** How many arguments each command takes after its two words. */
const COMMANDS: Readonly<Record<string, number>> = {
  'keys list': 0,
  'keys rotate': 0,
  'clients secret': 0,
  'api-keys create': 1,
  'api-keys list': 1,
  'api-keys revoke': 2,
  'providers rotate-key': 1
}

/** createCore needs a signer, but no command signs or verifies a token. */
const refuse = () => {
  throw new Error('operator commands have nothing to do with tokens')
}
const NO_SIGNER: JwtSigner = { sign: refuse, verify: refuse }
/** Commands report by their output, so events go nowhere. */
const ignore = () => {}
const NOBODY: CoreEvents = {
  started: ignore,
  polled: ignore,
  decided: ignore,
  collected: ignore,
  refreshed: ignore,
  revoked: ignore,
  connectionRefreshed: ignore,
  signingKeysFailed: ignore
}

type Values = ApiKeyOptions & { now?: boolean | undefined }

async function main(): Promise<string[]> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { now: { type: 'boolean' }, label: { type: 'string' }, 'expires-in-days': { type: 'string' } }
  })
  const [noun = '', verb = '', ...rest] = positionals
  if (COMMANDS[`${noun} ${verb}`] !== rest.length) throw new Error(USAGE)
  return noun === 'clients' ? newClientSecret() : withCore((core) => run(core, noun, verb, rest, values))
}

function run(core: Core, noun: string, verb: string, rest: string[], values: Values): Promise<string[]> {
  if (noun === 'keys') return runKeysCommand(core.signingKeys, verb, values.now === true)
  if (noun === 'providers') return rotateIssuerKey(core, rest[0] ?? '', values.now === true)
  return runApiKeysCommand(core.apiKeys, verb, rest, values)
}

/** Runs a command with a core over the service's Redis, and closes both afterwards. Throws if Redis cannot be used. */
async function withCore(command: (core: Core) => Promise<string[]>): Promise<string[]> {
  const config = loadConfig(process.env)
  if (!config.redis) throw new Error('all keys live in Redis: set REDIS_URL and GRANTD_SECRET as the service has them')
  const clock = Date.now
  const storage = createStorage({ redis: config.redis, clock, log: { info() {}, warn() {} }, observe() {} })
  const core = createCore({ storage, config, clock, signer: NO_SIGNER, events: NOBODY, limitTime: (work) => work })
  try {
    await storage.open()
    await core.open()
    await core.check()
    return await command(core)
  } finally {
    await core.close()
    await storage.close()
  }
}

try {
  for (const line of await main()) console.log(line)
  process.exit(0)
} catch (error) {
  console.error(`grantd: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
