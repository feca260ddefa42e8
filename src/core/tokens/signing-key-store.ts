/** The storage interface of signing keys. Every method rejects with `unavailable` when the storage cannot answer. */
import type { StoredSigningKey } from './signing-key.js'

export interface SigningKeyStore {
  /** All stored keys, in no particular order. */
  list(): Promise<StoredSigningKey[]>

  /**
   * A compare-and-set: if `predecessorKid` is the newest key (undefined: if there is no key), adds `next` and deletes the keys
   * named in `obsolete`. Of concurrent calls, one wins; a repeated call changes nothing. Resolves to all keys stored
   * afterwards.
   */
  succeed(predecessorKid: string | undefined, next: StoredSigningKey, obsolete: string[]): Promise<StoredSigningKey[]>

  /** Deletes all keys. */
  clear(): Promise<void>
}
