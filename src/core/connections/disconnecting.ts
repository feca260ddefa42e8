/** Ending a connection: its tokens go first and its record last, so that whoever was interrupted can go on. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import { fault } from '../fault.js'
import type { RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { UpstreamClient } from '../upstream/upstream-client.js'
import { type Connection, openTokens } from './connection.js'
import { namedConnection } from './connection-detail.js'

/** How often the tokens are taken again when the connection changes concurrently. */
const TRIES = 5

/** Deletes an account's tokens here, then tries to revoke them at the upstream. Undefined if the user has no such connection. */
export type Disconnect = (
  userId: string,
  id: string,
  by: Origin
) => Promise<{ connection: Connection; revokedAtUpstream: boolean } | undefined>

export interface DisconnectParts {
  records: RecordStore
  find(userId: string, id: string): Promise<Connection | undefined>
  /** Forgets whose connection it is, and its identity. */
  release(connection: Connection): Promise<void>
  keyring: Keyring
  clientOf(upstreamId: string): UpstreamClient | undefined
  audit: Pick<AuditTrail, 'tell'>
}

export function createDisconnect({ records, find, release, keyring, clientOf, audit }: DisconnectParts): Disconnect {
  /** Takes the tokens out of a connection, so that no refresh that is under way puts others there. Undefined if it is gone. */
  async function takeTokens(userId: string, id: string): Promise<Connection | undefined> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
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
    throw fault('unavailable', { detail: `an account changed ${TRIES} times while it was being disconnected` })
  }

  return async (userId, connectionId, by) => {
    const connection = await takeTokens(userId, connectionId)
    if (!connection) return undefined
    const tokens = openTokens(keyring, connection)
    await release(connection)
    // The record is still there for a repetition, which tells it again if this could not be told.
    await audit.tell({ type: 'connection.deleted', ...by, userId, detail: namedConnection(connection) })
    await records.delete(userId, connectionId)
    const client = clientOf(connection.upstreamId)
    const token = tokens?.refreshToken ?? tokens?.accessToken
    if (!client || token === undefined) return { connection, revokedAtUpstream: false }
    // The connection is deleted here either way; the answer tells whether the upstream revoked the token too.
    const revokedAtUpstream = await client.revoke(token).catch(() => false)
    return { connection, revokedAtUpstream }
  }
}
