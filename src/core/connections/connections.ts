/**
 * The connections of users: stored at sign-in and when an account is connected, listed, asked for access tokens, disconnected.
 * upstream/upstream-client.ts speaks to upstreams, refresher.ts refreshes tokens, users/identities.ts maps identities to users.
 */
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { UpstreamIdentity, UpstreamTokens } from '../upstream/upstream.js'
import type { UpstreamClient } from '../upstream/upstream-client.js'
import { type Connection, fromFields, lifeOf, openTokens, sealTokens, toFields } from './connection.js'
import type { Refresher } from './refresher.js'

/** An access token that expires sooner than this is refreshed before it is handed out. */
const REFRESH_AHEAD_MS = 60_000
/** How long a caller waits for a refresh. */
const ANSWER_WITHIN_MS = 12_000
/** How often `keep` retries its compare-and-set when the connection changes concurrently. */
const CONNECT_TRIES = 5
/** How long a new token is fresh, whatever a back end says of it, and how long a fresh one is asked for at most once in vain. */
const REFUSED_AT_MOST_EVERY_MS = 60_000

const OWNER = 'owner'

/** Who asks for an access token: a back end with an API key may have that of any connection, a user that of their own. */
export type TokenReader = { kind: 'api_key' } | { kind: 'user'; userId: string }

export type VendOutcome =
  | { kind: 'token'; accessToken: string; scopes: readonly string[] }
  | { kind: 'unknown' | 'not_yours' | 'needs_reconnect' }

export interface NewConnection {
  upstreamId: string
  identity: UpstreamIdentity
  tokens: UpstreamTokens
}

export interface Connections {
  /** Creates a connection, or replaces the tokens of an existing one. Rejects with `unavailable`. */
  keep(userId: string, connectionId: string, connection: NewConnection): Promise<Connection>
  /** A user's connections, the newest first. */
  list(userId: string): Promise<Connection[]>
  /**
   * An access token with at least a minute left, or as long as can be had. Rejects with `unavailable` when the token has
   * expired and the upstream could not be asked for another in 12 seconds.
   *
   * With `isRefused` the caller says that the upstream refuses the token it has: it gets a fresh one, whatever the expiry. A token
   * of the last minute is fresh. Rejects with `too_many_requests` if a minute ago somebody said so already, in vain.
   */
  vend(connectionId: string, reader: TokenReader, options?: { isRefused: boolean }): Promise<VendOutcome>
  /**
   * Disconnects an account: deletes its tokens here, then tries to revoke them at the upstream. Undefined if the user has no
   * such connection.
   */
  disconnect(
    userId: string,
    connectionId: string
  ): Promise<{ connection: Connection; revokedAtProvider: boolean } | undefined>
}

export interface ConnectionsParts {
  records: RecordStore
  owners: RecordStore
  /** Forgets the identity of a connection: `release` of users/identities.ts, passed in so that no import circle arises. */
  releaseIdentity(upstreamId: string, subject: string, connectionId: string): Promise<void>
  refresher: Refresher
  keyring: Keyring
  clientOf(upstreamId: string): UpstreamClient | undefined
  clock: Clock
}

export function createConnections(parts: ConnectionsParts): Connections {
  const { records, owners, releaseIdentity, refresher, keyring, clientOf, clock } = parts

  async function find(userId: string, id: string): Promise<Connection | undefined> {
    const fields = await records.get(userId, id)
    return fields && fromFields(userId, id, fields)
  }

  /** An upstream may send no refresh token when an account is connected again; the stored one then stays in use. */
  function sealed(place: { id: string; userId: string }, tokens: UpstreamTokens, before: Connection | undefined) {
    const refreshToken = tokens.refreshToken ?? (before && openTokens(keyring, before)?.refreshToken)
    return sealTokens(keyring, place, {
      accessToken: tokens.accessToken,
      ...(refreshToken !== undefined && { refreshToken })
    })
  }

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

  /** Takes the tokens out of a connection, so that no refresh that is under way puts others there. Undefined if it is gone. */
  async function takeTokens(userId: string, id: string): Promise<Connection | undefined> {
    for (let attempt = 0; attempt < CONNECT_TRIES; attempt++) {
      const connection = await find(userId, id)
      if (!connection) return undefined
      const version = String(connection.version + 1)
      const emptied = await records.change(userId, id, {
        onlyIf: { field: 'version', is: String(connection.version) },
        set: { status: 'needs_reconnect', version },
        clear: ['sealedTokens', 'expiresAtMs']
      })
      if (!emptied || (emptied.version === version && emptied.sealedTokens === undefined)) return connection
    }
    throw fault('unavailable', { detail: `an account changed ${CONNECT_TRIES} times while it was being disconnected` })
  }

  return {
    async keep(userId, id, { upstreamId, identity, tokens }) {
      const nowMs = clock()
      // Written first, so that no connection exists without the record by which `vend` finds its user.
      await owners.create(id, OWNER, { userId }, nowMs + FOR_EVER_MS)
      for (let attempt = 0; attempt < CONNECT_TRIES; attempt++) {
        const before = await find(userId, id)
        const { expiresAtMs, lifeSeconds } = lifeOf(tokens, before?.lifeSeconds, clientOf(upstreamId)?.upstream, nowMs)
        const connection: Connection = {
          id,
          userId,
          upstreamId,
          subject: identity.subject,
          username: identity.username,
          scopes: tokens.scopes ?? [],
          connectedAtMs: before?.connectedAtMs ?? nowMs,
          expiresAtMs,
          lifeSeconds,
          issuedAtMs: nowMs,
          refusedAtMs: undefined,
          status: 'connected',
          version: (before?.version ?? 0) + 1,
          sealedTokens: sealed({ id, userId }, tokens, before)
        }
        const fields = toFields(connection)
        const kept = before
          ? await records.change(userId, id, {
              onlyIf: { field: 'version', is: String(before.version) },
              set: fields,
              clear: ['refusedAtMs', ...(fields.expiresAtMs === undefined ? ['expiresAtMs'] : [])]
            })
          : await records.create(userId, id, fields, nowMs + FOR_EVER_MS)
        if (kept?.sealedTokens === connection.sealedTokens) return connection
      }
      throw fault('unavailable', { detail: `an account changed ${CONNECT_TRIES} times while it was being connected` })
    },

    async list(userId) {
      const connections = [...(await records.list(userId))].map(([id, fields]) => fromFields(userId, id, fields))
      return connections.sort((a, b) => b.connectedAtMs - a.connectedAtMs || (a.id < b.id ? 1 : -1))
    },

    async vend(connectionId, reader, { isRefused } = { isRefused: false }) {
      const userId = (await owners.get(connectionId, OWNER))?.userId
      if (userId === undefined) return { kind: 'unknown' }
      if (reader.kind === 'user' && reader.userId !== userId) return { kind: 'not_yours' }
      const connection = await find(userId, connectionId)
      if (!connection) return { kind: 'unknown' }
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
    },

    async disconnect(userId, connectionId) {
      // The tokens are deleted first and the record last, so that an interrupted call can be repeated.
      const connection = await takeTokens(userId, connectionId)
      if (!connection) return undefined
      const tokens = openTokens(keyring, connection)
      await releaseIdentity(connection.upstreamId, connection.subject, connectionId)
      await owners.delete(connectionId, OWNER)
      await records.delete(userId, connectionId)
      const client = clientOf(connection.upstreamId)
      const token = tokens?.refreshToken ?? tokens?.accessToken
      if (!client || token === undefined) return { connection, revokedAtProvider: false }
      // The connection is deleted here either way; the answer tells whether the upstream revoked the token too.
      const revokedAtProvider = await client.revoke(token).catch(() => false)
      return { connection, revokedAtProvider }
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
