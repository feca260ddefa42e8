/** `grantd epoch begin`: ends what was issued before a moment. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BY_OPERATOR } from '../core/audit/event.js'
import { KNOWN_AFTER_MS } from '../core/epoch/epoch.js'
import type { Core } from '../core/index.js'
import { type RestoreOptions, readTime } from './restore-options.js'

/** Begins an epoch and announces what it has ended. Resolves to the lines to print. */
export async function runEpochCommand({ epoch, restore }: Core, options: RestoreOptions): Promise<string[]> {
  const nowMs = Date.now()
  const beforeMs = options.before === undefined ? nowMs : readTime('--before', options.before)
  if (beforeMs > nowMs) throw new Error('--before: this is yet to come')
  const ends = await epoch.begin(beforeMs, { apiKeys: options['api-keys'] === true }, BY_OPERATOR)
  // By then every instance has read it.
  await sleep(KNOWN_AFTER_MS)
  const moment = new Date(ends.beforeMs).toISOString()
  const ended = `ended on every instance: what was issued before ${moment}${options['api-keys'] ? ', API keys as well' : ''}`
  const counts = await restore
    ?.checkRights()
    .then(() => restore.announceEnded(ends))
    .catch((error: Error) => {
      const but = `But it could not be announced to APIs that verify tokens by themselves: ${error.message}`
      throw new Error(`${ended}. ${but}`, { cause: error })
    })
  const { announced = 0, failed = 0 } = counts ?? {}
  if (failed > 0) throw new Error(`${ended}. ${announced} are announced, and ${failed} could not be: run it again`)
  if (options.json) return [JSON.stringify({ before: moment, api_keys: options['api-keys'] === true, announced })]
  return [ended, `${announced} authorized clients are announced as revoked to APIs that verify tokens by themselves`]
}
