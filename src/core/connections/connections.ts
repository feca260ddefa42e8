/**
 * The connected accounts of users: kept when somebody signs in or connects, listed, handed out token by token, disconnected.
 * What a provider is asked for is provider-client.ts, refreshing is refresher.ts, whose an identity is users/identities.ts.
 */
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { UpstreamIdentity, UpstreamTokens } from '../upstream/upstream.js'
import type { UpstreamClient } from '../upstream/upstream-client.js'
import { type Connection, fromFields, toFields } from './connection.js'
import { openTokens, sealTokens } from './connection-tokens.js'
import type { Refresher } from './refresher.js'

/** A token that ends sooner is refreshed before it is handed out. */
const REFRESH_AHEAD_MS = 60_000
/** How long a caller waits for that. */
const ANSWER_WITHIN_MS = 12_000
/** How often connecting is tried when somebody else changes the account at the same time. */
const CONNECT_TRIES = 5

const OWNER = 'owner'

/** Who asks for a token: the operator's back end may have any, a user their own. */
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
  /** Keeps the tokens of an account under its id, in place of those that were there. */
  keep(userId: string, connectionId: string, connection: NewConnection): Promise<Connection>
  /** A user's accounts, the latest connected first. */
  list(userId: string): Promise<Connection[]>
  /**
   * An access token that can be used for a while. Rejects with `unavailable` when it would have to be refreshed and the
   * provider could not be asked.
   */
  vend(connectionId: string, reader: TokenReader): Promise<VendOutcome>
  /**
   * Disconnects an account: its tokens are gone here at once, and then ended at the provider if that can be done. Undefined if
   * the user has no such connection.
   */
  disconnect(
    userId: string,
    connectionId: string
  ): Promise<{ connection: Connection; revokedAtProvider: boolean } | undefined>
}

export interface ConnectionsParts {
  records: RecordStore
  owners: RecordStore
  /** Gives up the identity that a connection was made with: whose it is is the users' matter. */
  releaseIdentity(upstreamId: string, subject: string): Promise<void>
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

  /** Providers hand out a refresh token when they like; the one that was there goes on until then. */
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

  return {
    async keep(userId, id, { upstreamId, identity, tokens }) {
      const nowMs = clock()
      // First of all, so that there is never an account that its own user cannot be told from others'.
      await owners.create(id, OWNER, { userId }, nowMs + FOR_EVER_MS)
      for (let attempt = 0; attempt < CONNECT_TRIES; attempt++) {
        const before = await find(userId, id)
        const connection: Connection = {
          id,
          userId,
          upstreamId,
          subject: identity.subject,
          username: identity.username,
          scopes: tokens.scopes ?? [],
          connectedAtMs: before?.connectedAtMs ?? nowMs,
          expiresAtMs: tokens.expiresAtMs,
          status: 'connected',
          version: (before?.version ?? 0) + 1,
          sealedTokens: sealed({ id, userId }, tokens, before)
        }
        const fields = toFields(connection)
        const kept = before
          ? await records.change(userId, id, {
              onlyIf: { field: 'version', is: String(before.version) },
              set: fields,
              ...(fields.expiresAtMs === undefined && { clear: ['expiresAtMs'] })
            })
          : await records.create(userId, id, fields, nowMs + FOR_EVER_MS)
        if (kept?.sealedTokens === connection.sealedTokens) return connection
      }
      throw fault('unavailable', { detail: `an account changed ${CONNECT_TRIES} times while it was being connected` })
    },

    async list(userId) {
      const accounts = [...(await records.list(userId))].map(([id, fields]) => fromFields(userId, id, fields))
      return accounts.sort((a, b) => b.connectedAtMs - a.connectedAtMs || (a.id < b.id ? 1 : -1))
    },

    async vend(connectionId, reader) {
      const userId = (await owners.get(connectionId, OWNER))?.userId
      if (userId === undefined) return { kind: 'unknown' }
      if (reader.kind === 'user' && reader.userId !== userId) return { kind: 'not_yours' }
      const connection = await find(userId, connectionId)
      if (!connection) return { kind: 'unknown' }
      const tokens = connection.status === 'connected' ? openTokens(keyring, connection) : undefined
      // Also where an instance with other secrets could open them: nothing is changed here.
      if (!tokens) return { kind: 'needs_reconnect' }
      const leftMs = (connection.expiresAtMs ?? Number.POSITIVE_INFINITY) - clock()
      const mayRefresh = tokens.refreshToken !== undefined
      if (leftMs > REFRESH_AHEAD_MS || (leftMs > 0 && !mayRefresh)) return vendable(connection)
      try {
        return vendable(await within(ANSWER_WITHIN_MS, refresher.refresh(connection)))
      } catch (error) {
        if (isFault(error) && error.code === 'not_found') return { kind: 'unknown' }
        // It is good for a little longer, and nothing better is to be had.
        if (leftMs > 0 && isFault(error) && error.code === 'unavailable') return vendable(connection)
        throw error
      }
    },

    async disconnect(userId, connectionId) {
      const connection = await find(userId, connectionId)
      if (!connection) return undefined
      const tokens = openTokens(keyring, connection)
      // The tokens first, the record last: if this is cut off in between, it can be asked for again.
      await records.change(userId, connectionId, {
        set: { status: 'needs_reconnect' },
        clear: ['sealedTokens', 'expiresAtMs']
      })
      await releaseIdentity(connection.upstreamId, connection.subject)
      await owners.delete(connectionId, OWNER)
      await records.delete(userId, connectionId)
      const client = clientOf(connection.upstreamId)
      const token = tokens?.refreshToken ?? tokens?.accessToken
      if (!client || token === undefined) return { connection, revokedAtProvider: false }
      // The connection is gone here whatever the provider says; the user is told what it said.
      const revokedAtProvider = await client.revoke(token).catch(() => false)
      return { connection, revokedAtProvider }
    }
  }
}

/** What has not come by then is not waited for; it goes on by itself. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(fault('unavailable', { detail: `no new token in ${ms} ms` })), ms)
  })
  work.catch(() => {})
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
