/** What was taken away since a backup, as an audit log tells it. */
import type { ApiKeyRight } from '../api-keys/api-key.js'

export interface TakenAway {
  /** Authorizations by their id. */
  authorizations: Map<string, { userId: string; atMs: number }>
  /** Whether each user was blocked or let be again, whichever came last. */
  users: Map<string, 'blocked' | 'unblocked'>
  /** API keys by their id. */
  apiKeys: Map<string, { owner: string }>
  /** The rights that API keys were left with, by their id. */
  apiKeyRights: Map<string, { owner: string; rights: ApiKeyRight[] }>
  /** Connected accounts by their id. */
  connections: Map<string, { userId: string }>
  /** When the service's own signing key was replaced last; undefined if it was not. */
  keyRotatedAtMs: number | undefined
  /** What epochs have ended: the latest moment of each, 0 if none. */
  ends: { beforeMs: number; apiKeysBeforeMs: number }
  /** The time of the first line, whatever it says; undefined without a line. */
  firstAtMs: number | undefined
}
