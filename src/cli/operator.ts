/** The commands that need the core: run over the service's Redis, without Fastify. */
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load-config.js'
import { type Core, type CoreEvents, createCore } from '../core/index.js'
import { createStorage } from '../storage/index.js'
import { type ApiKeyOptions, runApiKeysCommand } from './api-keys.js'
import type { OptionValues } from './arguments.js'
import { runClientsCommand } from './clients.js'
import { runEpochCommand } from './epoch.js'
import { runEventsCommand } from './events.js'
import { runGrantsCommand } from './grants.js'
import { rotateIssuerKey, runKeysCommand } from './keys.js'
import { runRestoreCommand } from './restore.js'
import { runUsersCommand } from './users.js'
import { runWebhooksCommand } from './webhooks.js'

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
  ruleRefused: ignore,
  redeemed: ignore,
  refreshed: ignore,
  revoked: ignore,
  connectionRefreshed: ignore,
  signingKeysFailed: ignore,
  revocationSweepFailed: ignore,
  dataLost: ignore,
  beatFailed: ignore,
  domainChecked: ignore,
  domainCheckFailed: ignore,
  upstreamAnswered: ignore,
  upstreamRefused: ignore,
  webhookAttempted: ignore,
  webhookTurned: ignore,
  webhookGivenUp: ignore,
  webhookGap: ignore,
  webhooksFailed: ignore
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
  const inJson = options.json === true
  // What looks at a Redis that was restored must not make the keys that it lacks, nor finish what it finds begun; and what ends
  // everything must not depend on keys that can be opened.
  if (noun === 'restore') return withCore((core) => runRestoreCommand(core, verb, options), { opens: false })
  if (noun === 'epoch') return withCore((core) => runEpochCommand(core, options), { opens: false })
  return withCore((core, { limits }) => {
    if (noun === 'keys') return runKeysCommand(core.signingKeys, verb, options.now === true, inJson)
    if (noun === 'providers') return rotateIssuerKey(core, rest[0] ?? '', options.now === true, inJson)
    if (noun === 'users') return runUsersCommand(core, verb, rest, options)
    if (noun === 'clients') return runClientsCommand(core, verb, rest, options)
    if (noun === 'grants') return runGrantsCommand(core, options, limits !== 'off')
    if (noun === 'events') return runEventsCommand(core, options)
    if (noun === 'webhooks') return runWebhooksCommand(core.webhooks, verb, rest, options)
    return runApiKeysCommand(core.apiKeys, verb, rest, options as ApiKeyOptions)
  })
}

type Lines = Promise<string[]> | AsyncIterable<string>

/** Runs a command with a core over the service's Redis, and closes both afterwards. Throws if Redis cannot be used. */
async function* withCore(
  command: (core: Core, config: Config) => Lines,
  { opens = true } = {}
): AsyncGenerator<string> {
  const config = loadConfig(process.env)
  if (!config.redis) throw new Error('all keys live in Redis: set REDIS_URL and GRANTD_SECRET as the service has them')
  const clock = Date.now
  const { redis, eventsKept } = config
  const storage = createStorage({ redis, clock, log: { info() {}, warn() {} }, observe() {}, eventsKept })
  // The lines of the audit log, beside what the command prints: what it did is not in the log of any instance.
  const told: CoreEvents['told'] = (event) => void process.stderr.write(`${JSON.stringify(event)}\n`)
  const events = config.auditLog === 'off' ? NOBODY : { ...NOBODY, told }
  const core = createCore({ storage, config, clock, signer: NO_SIGNER, events, limitTime: (work) => work })
  try {
    await storage.open()
    if (opens) await core.open()
    await (opens ? core : storage).check()
    const lines = command(core, config)
    yield* lines instanceof Promise ? await lines : lines
  } finally {
    await core.close()
    await storage.close()
  }
}
