/** The epoch of one process, which is lost with all that it has ended. */
import { type Ends, type EpochStore, NO_EPOCH } from '../../core/epoch/epoch.js'

export function createMemoryEpochStore(): EpochStore {
  let ends: Ends = NO_EPOCH
  return {
    read: async () => ends,

    async begin({ beforeMs, apiKeysBeforeMs, beganAtMs }) {
      const isLater = beforeMs > ends.beforeMs || apiKeysBeforeMs > ends.apiKeysBeforeMs
      ends = {
        beforeMs: Math.max(beforeMs, ends.beforeMs),
        apiKeysBeforeMs: Math.max(apiKeysBeforeMs, ends.apiKeysBeforeMs),
        beganAtMs: isLater ? beganAtMs : ends.beganAtMs
      }
      return ends
    }
  }
}
