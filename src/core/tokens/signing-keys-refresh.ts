/** Keeps the signing keys of this instance up to date: looked at once a minute, and every second until there is one. */
import { isFault } from '../fault.js'
import type { SigningKeys } from './signing-keys.js'

const REFRESH_EVERY_MS = 60_000
const RETRY_EVERY_MS = 1_000

export interface SigningKeysRefresh {
  /** Loads the keys, and goes on looking. Rejects when a key cannot be opened, but not because the engine is away. */
  start(): Promise<void>
  stop(): void
}

/** `failed` hears of a look that failed for another reason than an engine that is away: somebody has to see to it. */
export function createSigningKeysRefresh(keys: SigningKeys, failed: (error: unknown) => void): SigningKeysRefresh {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  function schedule(): void {
    if (!isStopped) timer = setTimeout(look, keys.current() ? REFRESH_EVERY_MS : RETRY_EVERY_MS).unref()
  }

  async function look(): Promise<void> {
    try {
      await (keys.current() ? keys.refresh() : keys.load())
    } catch (error) {
      // While the engine is away the keys at hand stay good.
      if (!isFault(error)) failed(error)
    }
    schedule()
  }

  return {
    async start() {
      try {
        await keys.load()
      } catch (error) {
        if (!isFault(error)) throw error
      }
      schedule()
    },

    stop() {
      isStopped = true
      clearTimeout(timer)
    }
  }
}
