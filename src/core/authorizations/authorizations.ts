/**
 * The authorized clients of a user: made from an approved grant, listed, renamed, revoked.
 * A client JWT is good only while its record here says so: what is lost means "sign in again", never "valid again".
 */

import type { OAuthClient } from '../clients/client.js'
import type { Clock } from '../clock.js'
import type { Decision, GrantRequest } from '../grants/grant.js'
import { isWorthNoting } from '../records/last-use.js'
import type { RecordStore } from '../records/record-store.js'
import { type AuthorizedClient, fromFields, toFields } from './authorization.js'

const DAY_MS = 86_400_000
/** How long a client stays listed after it expired or was revoked. */
const KEEP_LISTED_MS = 90 * DAY_MS

export interface AuthorizedClients {
  /** The one client of an approved grant: created by the first call, the same one for every later call. */
  authorize(oauthClient: OAuthClient, request: GrantRequest, decision: Decision): Promise<AuthorizedClient>
  /** The client if it may act now. */
  find(userId: string, id: string): Promise<AuthorizedClient | undefined>
  /** Notes that it did. */
  noteUse(client: AuthorizedClient): Promise<void>
  /** Active, revoked and expired, newest first. */
  list(userId: string): Promise<AuthorizedClient[]>
  /** Changes or (undefined) clears the label; undefined if there is no such client of this user. */
  rename(userId: string, id: string, label: string | undefined): Promise<AuthorizedClient | undefined>
  /** Revokes for good. Repeating it changes nothing; undefined if there is no such client of this user. */
  revoke(userId: string, id: string): Promise<AuthorizedClient | undefined>
  /** Revokes all that may act now, and answers with how many those were. */
  revokeAll(userId: string): Promise<number>
}

export interface AuthorizedClientsParts {
  records: RecordStore
  clock: Clock
}

export function createAuthorizedClients({ records, clock }: AuthorizedClientsParts): AuthorizedClients {
  const listedUntilMs = (client: AuthorizedClient) =>
    Math.min(client.expiresAtMs, client.revokedAtMs ?? client.expiresAtMs) + KEEP_LISTED_MS

  async function find(userId: string, id: string): Promise<AuthorizedClient | undefined> {
    const fields = await records.get(userId, id)
    const client = fields && fromFields(userId, id, fields)
    return client && mayAct(client) ? client : undefined
  }

  function mayAct({ revokedAtMs, expiresAtMs }: AuthorizedClient): boolean {
    return revokedAtMs === undefined && expiresAtMs > clock()
  }

  async function list(userId: string): Promise<AuthorizedClient[]> {
    const clients = [...(await records.list(userId))].map(([id, fields]) => fromFields(userId, id, fields))
    const nowMs = clock()
    return clients
      .filter((client) => listedUntilMs(client) > nowMs)
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  async function revoke(userId: string, id: string): Promise<AuthorizedClient | undefined> {
    const nowMs = clock()
    const fields = await records.change(userId, id, { setOnce: { revokedAtMs: String(nowMs) } })
    if (!fields) return undefined
    const client = fromFields(userId, id, fields)
    // Only the call that revoked shortens the life; it is a matter of tidiness, the revocation stands already.
    if (client.revokedAtMs === nowMs) await records.change(userId, id, { keepUntilMs: listedUntilMs(client) })
    return client
  }

  return {
    async authorize(oauthClient, request, { userId, authorizedClientId, ip }) {
      const createdAtMs = clock()
      const client: AuthorizedClient = {
        id: authorizedClientId,
        userId,
        clientId: oauthClient.id,
        clientType: request.clientType,
        scopes: request.scopes,
        name: oauthClient.name ?? request.metadata.name,
        version: request.metadata.version,
        label: request.metadata.hostname,
        ipAtGrant: ip,
        createdAtMs,
        // A whole second, so that the record and the JWT (NumericDate) end at the same instant.
        expiresAtMs: (Math.floor(createdAtMs / 1000) + oauthClient.authorizationTtlSeconds) * 1000,
        lastUsedAtMs: undefined,
        revokedAtMs: undefined
      }
      const kept = await records.create(userId, client.id, toFields(client), listedUntilMs(client))
      return fromFields(userId, client.id, kept)
    },

    find,

    async noteUse({ userId, id, lastUsedAtMs }) {
      const nowMs = clock()
      if (!isWorthNoting(lastUsedAtMs, nowMs)) return
      await records.note(userId, id, { set: { lastUsedAtMs: String(nowMs) } })
    },

    list,

    async rename(userId, id, label) {
      const fields = await records.change(userId, id, label === undefined ? { clear: ['label'] } : { set: { label } })
      return fields && fromFields(userId, id, fields)
    },

    revoke,

    async revokeAll(userId) {
      const active = (await list(userId)).filter((client) => mayAct(client))
      await Promise.all(active.map(({ id }) => revoke(userId, id)))
      return active.length
    }
  }
}
