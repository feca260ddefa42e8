/** The commands that need the core: run over the service's Redis, without Fastify. */
import { loadConfig } from '../config/load-config.js'
import { type Core, type CoreEvents, createCore } from '../core/index.js'
import { createStorage } from '../storage/index.js'
import { type ApiKeyOptions, runApiKeysCommand } from './api-keys.js'
import { rotateIssuerKey, runKeysCommand } from './keys.js'

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

export type OperatorOptions = ApiKeyOptions & { now?: boolean | undefined }

/**
 * Runs a command of src/cli.ts's list with its arguments, and resolves to the lines to print. Rejects with an Error whose message
 * is meant for the operator.
 */
export function runOperatorCommand(
  noun: string,
  verb: string,
  rest: readonly string[],
  options: OperatorOptions
): Promise<string[]> {
  return withCore((core) => {
    if (noun === 'keys') return runKeysCommand(core.signingKeys, verb, options.now === true)
    if (noun === 'providers') return rotateIssuerKey(core, rest[0] ?? '', options.now === true)
    return runApiKeysCommand(core.apiKeys, verb, rest, options)
  })
}

/** Runs a command with a core over the service's Redis, and closes both afterwards. Throws if Redis cannot be used. */
async function withCore(command: (core: Core) => Promise<string[]>): Promise<string[]> {
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
    return await command(core)
  } finally {
    await core.close()
    await storage.close()
  }
}
