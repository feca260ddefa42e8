/** The commands that need the core: run over the service's Redis, without Fastify. */
import { loadConfig } from '../config/load-config.js'
import { type Core, type CoreEvents, createCore } from '../core/index.js'
import { createStorage } from '../storage/index.js'
import { type ApiKeyOptions, runApiKeysCommand } from './api-keys.js'
import type { OptionValues } from './arguments.js'
import { runClientsCommand } from './clients.js'
import { runEventsCommand } from './events.js'
import { runGrantsCommand } from './grants.js'
import { rotateIssuerKey, runKeysCommand } from './keys.js'
import { runUsersCommand } from './users.js'

/** createCore needs a signer, but no command signs or verifies a token. */
const refuse = () => {
  throw new Error('operator commands have nothing to do with tokens')
}
const NO_SIGNER = { sign: refuse, verify: refuse }
/** Commands report by their output, so events go nowhere. */
const ignore = () => {}
const NOBODY: CoreEvents = {
  started: ignore,
  polled: ignore,
  decided: ignore,
  collected: ignore,
  redeemed: ignore,
  refreshed: ignore,
  revoked: ignore,
  connectionRefreshed: ignore,
  signingKeysFailed: ignore,
  revocationSweepFailed: ignore,
  domainChecked: ignore,
  domainCheckFailed: ignore,
  upstreamAnswered: ignore,
  upstreamRefused: ignore
}

/**
 * Runs a command of commands.ts's list with its arguments, and yields the lines to print. Rejects with an Error whose message is
 * meant for the operator.
 */
export function runOperatorCommand(
  name: string,
  rest: readonly string[],
  options: OptionValues
): AsyncGenerator<string> {
  const [noun, verb = ''] = name.split(' ')
  return withCore((core) => {
    if (noun === 'keys') return runKeysCommand(core.signingKeys, verb, options.now === true)
    if (noun === 'providers') return rotateIssuerKey(core, rest[0] ?? '', options.now === true)
    if (noun === 'users') return runUsersCommand(core, verb, rest, options)
    if (noun === 'clients') return runClientsCommand(core, verb, rest, options)
    if (noun === 'grants') return runGrantsCommand(core, options)
    if (noun === 'events') return runEventsCommand(core, options)
    return runApiKeysCommand(core.apiKeys, verb, rest, options as ApiKeyOptions)
  })
}

type Lines = Promise<string[]> | AsyncIterable<string>

/** Runs a command with a core over the service's Redis, and closes both afterwards. Throws if Redis cannot be used. */
async function* withCore(command: (core: Core) => Lines): AsyncGenerator<string> {
  const config = loadConfig(process.env)
  if (!config.redis) throw new Error('all keys live in Redis: set REDIS_URL and GRANTD_SECRET as the service has them')
  const clock = Date.now
  const { redis, eventsKept } = config
  const storage = createStorage({ redis, clock, log: { info() {}, warn() {} }, observe() {}, eventsKept })
  const core = createCore({ storage, config, clock, signer: NO_SIGNER, events: NOBODY, limitTime: (work) => work })
  try {
    await storage.open()
    await core.open()
    await core.check()
    const lines = command(core)
    yield* lines instanceof Promise ? await lines : lines
  } finally {
    await core.close()
    await storage.close()
  }
}
