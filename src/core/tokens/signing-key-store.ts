/** What the signing keys need from storage. */
import type { StoredSigningKey } from './signing-key.js'

export interface SigningKeyStore {
  /** All kept keys, in no order. */
  list(): Promise<StoredSigningKey[]>

  /**
   * Adds `next` if `predecessorKid` is (still) the newest key, and drops the keys named in `obsolete`; undefined stands for
   * "there is none yet". Atomic and safe to repeat: of several that race, one wins. Answers with all keys kept afterwards.
   */
  succeed(predecessorKid: string | undefined, next: StoredSigningKey, obsolete: string[]): Promise<StoredSigningKey[]>

  /** Destroys all keys. */
  clear(): Promise<void>
}
