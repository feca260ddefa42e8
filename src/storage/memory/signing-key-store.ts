/** Signing keys in memory, oldest first; they are lost with the process. */
import type { SigningKeyStore, StoredSigningKey } from '../../core/tokens/signing-key.js'

export function createMemorySigningKeyStore(): SigningKeyStore {
  const keys: StoredSigningKey[] = []

  return {
    list: async () => [...keys],

    async succeed(predecessorKid, next, obsolete) {
      if (keys.at(-1)?.kid === predecessorKid) {
        keys.push(next)
        keys.splice(0, keys.length, ...keys.filter(({ kid }) => !obsolete.includes(kid)))
      }
      return [...keys]
    },

    async clear() {
      keys.length = 0
    }
  }
}
