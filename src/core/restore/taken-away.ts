/** What was taken away since a backup, as an audit log tells it. */
export interface TakenAway {
  /** Authorizations by their id. */
  authorizations: Map<string, { userId: string; atMs: number }>
  /** Whether each user was blocked or let be again, whichever came last. */
  users: Map<string, 'blocked' | 'unblocked'>
  /** API keys by their id. */
  apiKeys: Map<string, { owner: string }>
  /** Connected accounts by their id. */
  connections: Map<string, { userId: string }>
  /** When the service's own signing key was replaced last; undefined if it was not. */
  keyRotatedAtMs: number | undefined
  /** The last epoch that an operator has begun. */
  epoch: { beforeMs: number; apiKeys: boolean } | undefined
  /** The time of the first line, whatever it says; undefined without a line. */
  firstAtMs: number | undefined
}
