/** Keeps this instance's signing keys up to date: reads them once a minute, and every second until they were loaded. */
import { isFault } from '../fault.js'
import type { SigningKeys } from './signing-keys.js'

const REFRESH_EVERY_MS = 60_000
const RETRY_EVERY_MS = 1_000

export interface SigningKeysRefresh {
  /** Loads the keys and starts the timer. Rejects when a key cannot be opened, but not when the storage is unreachable. */
  start(): Promise<void>
  stop(): void
}

/** `failed` is called when a later read fails for another reason than an unreachable storage, so that it can be logged. */
export function createSigningKeysRefresh(keys: SigningKeys, failed: (error: unknown) => void): SigningKeysRefresh {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  /** A request may have read the keys before, which makes no successor for another algorithm. */
  let isLoaded = false

  function schedule(): void {
    if (!isStopped) timer = setTimeout(look, isLoaded ? REFRESH_EVERY_MS : RETRY_EVERY_MS).unref()
  }

  async function load(): Promise<void> {
    await keys.load()
    isLoaded = true
  }

  async function look(): Promise<void> {
    try {
      await (isLoaded ? keys.refresh() : load())
    } catch (error) {
      // While the storage is unreachable, the keys in memory stay in use.
      if (!isFault(error)) failed(error)
    }
    schedule()
  }

  return {
    async start() {
      try {
        await load()
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
