/** Handing out the access token of a connection, which is refreshed before if it is about to expire or was refused. */
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import type { RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import { type Connection, openTokens } from './connection.js'
import type { Refresher } from './refresher.js'

/** An access token that expires sooner than this is refreshed before it is handed out. */
const REFRESH_AHEAD_MS = 60_000
/** How long a caller waits for a refresh. */
const ANSWER_WITHIN_MS = 12_000
/**
 * For so long after it was issued a token is fresh, and whoever says that it is refused gets no other. If a refresh for such a caller
 * was in vain, the next one is tried so much later at the soonest.
 */
const REFUSED_AT_MOST_EVERY_MS = 60_000

/** Who asks for an access token: a back end with an API key may have that of any connection, a user that of their own. */
export type TokenReader = { kind: 'api_key' } | { kind: 'user'; userId: string }

export type VendOutcome =
  | { kind: 'token'; accessToken: string; scopes: readonly string[] }
  | { kind: 'unknown' | 'not_yours' | 'blocked' | 'needs_reconnect' }

export interface AccessTokenVendor {
  /**
   * An access token with at least a minute left, or as long as can be had. Rejects with `unavailable` when the token has
   * expired and the upstream could not be asked for another in 12 seconds.
   *
   * With `isRefused` the caller says that the upstream refuses the token it has: it gets a fresh one, whatever the expiry. A token
   * of the last minute is fresh. Rejects with `too_many_requests` if a minute ago somebody said so already, in vain.
   */
  vend(connectionId: string, reader: TokenReader, options?: { isRefused: boolean }): Promise<VendOutcome>
}

export interface AccessTokenVendorParts {
  records: RecordStore
  /** Resolves to the user of a connection. */
  userOf(connectionId: string): Promise<string | undefined>
  find(userId: string, connectionId: string): Promise<Connection | undefined>
  /** `isBlocked` of users/user.ts: nobody gets a token of somebody who is blocked. */
  isBlocked(userId: string): Promise<boolean>
  refresher: Refresher
  keyring: Keyring
  clock: Clock
}

export function createAccessTokenVendor(parts: AccessTokenVendorParts): AccessTokenVendor {
  const { records, userOf, find, isBlocked, refresher, keyring, clock } = parts

  function vendable(connection: Connection): VendOutcome {
    const tokens = connection.status === 'connected' ? openTokens(keyring, connection) : undefined
    if (!tokens) return { kind: 'needs_reconnect' }
    return { kind: 'token', accessToken: tokens.accessToken, scopes: connection.scopes }
  }

  /** Bounds in rate what callers who say that a token is refused cost the upstream when it has no other. */
  function checkPace({ refusedAtMs = 0 }: Connection, nowMs: number): void {
    const waitMs = refusedAtMs + REFUSED_AT_MOST_EVERY_MS - nowMs
    if (waitMs <= 0) return
    const detail = 'a fresh token was asked for a moment ago, in vain'
    throw fault('too_many_requests', { detail, retryAfterSeconds: Math.ceil(waitMs / 1000) })
  }

  return {
    async vend(connectionId, reader, { isRefused } = { isRefused: false }) {
      const userId = await userOf(connectionId)
      if (userId === undefined) return { kind: 'unknown' }
      if (reader.kind === 'user' && reader.userId !== userId) return { kind: 'not_yours' }
      // Both are asked for in one turn, so that the check costs no further round trip.
      const [connection, blocked] = await Promise.all([find(userId, connectionId), isBlocked(userId)])
      if (!connection) return { kind: 'unknown' }
      if (blocked) return { kind: 'blocked' }
      const tokens = connection.status === 'connected' ? openTokens(keyring, connection) : undefined
      // The stored status stays as it is: another instance may have the secret that opens these tokens.
      if (!tokens) return { kind: 'needs_reconnect' }
      const nowMs = clock()
      const leftMs = (connection.expiresAtMs ?? Number.POSITIVE_INFINITY) - nowMs
      const mayRefresh = tokens.refreshToken !== undefined
      const isDoubted = isRefused && nowMs - (connection.issuedAtMs ?? 0) >= REFUSED_AT_MOST_EVERY_MS
      const isGood = leftMs > REFRESH_AHEAD_MS || (leftMs > 0 && !mayRefresh)
      if (isGood && !isDoubted) return vendable(connection)
      if (isDoubted) checkPace(connection, nowMs)
      try {
        return vendable(await within(ANSWER_WITHIN_MS, refresher.refresh(connection)))
      } catch (error) {
        if (isFault(error) && error.code === 'not_found') return { kind: 'unknown' }
        if (isDoubted) await records.note(userId, connectionId, { set: { refusedAtMs: String(clock()) } })
        // The upstream cannot be asked now, but the old token is valid for a few seconds more.
        if (leftMs > 0 && !isDoubted && isFault(error) && error.code === 'unavailable') return vendable(connection)
        throw error
      }
    }
  }
}

/** Stops waiting for `work` after `ms` with `unavailable`; the work itself goes on. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(fault('unavailable', { detail: `no new token in ${ms} ms` })), ms)
  })
  work.catch(() => {})
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
