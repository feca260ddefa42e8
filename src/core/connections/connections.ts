/**
 * The connections of users: stored at sign-in and when an account is connected, and listed. disconnecting.ts ends them, vend.ts hands
 * out access tokens, refresher.ts refreshes them, upstream/upstream-client.ts speaks to upstreams, users/identities.ts maps identities to
 * users.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import { fault } from '../fault.js'
import { type List, type ListOptions, readPage } from '../records/batches.js'
import { fieldsLike, Text } from '../records/readable.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { UpstreamClient } from '../upstream/upstream-client.js'
import { type Connection, fromFields, lifeOf, type NewConnection, sealNewTokens, toFields } from './connection.js'
import { namedConnection } from './connection-detail.js'
import { createDisconnect, type Disconnect } from './disconnecting.js'
import { type AccessTokenVendor, type AccessTokenVendorParts, createAccessTokenVendor } from './vend.js'

/** How often `keep` retries its compare-and-set when the connection changes concurrently. */
const CONNECT_TRIES = 5

/** The id of the one record below a connection's id; Redis has kept this word. */
const ONLY = 'owner'
export const isConnectionUser = fieldsLike({ userId: Text })

export interface Connections extends AccessTokenVendor {
  /** Creates a connection, or replaces the tokens of an existing one. Rejects with `unavailable`. */
  keep(userId: string, connectionId: string, connection: NewConnection, by: Origin): Promise<Connection>
  /** A user's connections, the newest first. */
  list(userId: string): Promise<Connection[]>
  /** A part of a user's connections, those that were made first. */
  page(userId: string, options: ListOptions): Promise<List<Connection>>
  readonly disconnect: Disconnect
}

export interface ConnectionsParts extends Omit<AccessTokenVendorParts, 'userOf' | 'find'> {
  connectionUsers: RecordStore
  audit: Pick<AuditTrail, 'tell'>
  /** Forgets the identity of a connection: `release` of users/identities.ts, passed in so that no import circle arises. */
  releaseIdentity(upstreamId: string, subject: string, connectionId: string): Promise<void>
  clientOf(upstreamId: string): UpstreamClient | undefined
}

export function createConnections(parts: ConnectionsParts): Connections {
  const { records, connectionUsers, releaseIdentity, keyring, clientOf, audit, clock } = parts

  async function find(userId: string, id: string): Promise<Connection | undefined> {
    const fields = await records.get(userId, id)
    return fields && fromFields(userId, id, fields)
  }

  async function release({ id, upstreamId, subject }: Connection): Promise<void> {
    await releaseIdentity(upstreamId, subject, id)
    await connectionUsers.delete(id, ONLY)
  }

  const userOf = async (connectionId: string) => (await connectionUsers.get(connectionId, ONLY))?.userId

  return {
    ...createAccessTokenVendor({ ...parts, userOf, find }),
    disconnect: createDisconnect({ ...parts, find, release }),

    async keep(userId, id, { upstreamId, identity, tokens }, by) {
      const nowMs = clock()
      // Written first, so that no connection exists without the record by which `vend` finds its user.
      await connectionUsers.create(id, ONLY, { userId }, nowMs + FOR_EVER_MS)
      for (let attempt = 0; attempt < CONNECT_TRIES; attempt++) {
        const before = await find(userId, id)
        // Told first: whoever repeats this finds a connection, and could not know whether it was told.
        const detail = namedConnection({ upstreamId, id })
        if (!before) await audit.tell({ type: 'connection.created', ...by, userId, detail })
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
          sealedTokens: sealNewTokens(keyring, { id, userId }, tokens, before)
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

    async page(userId, { after, most }) {
      const { records: found, next } = await readPage(records.page, userId, { order: 'first-to-end', after, most })
      return { items: [...found].map(([id, fields]) => fromFields(userId, id, fields)), next }
    }
  }
}
