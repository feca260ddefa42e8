/**
 * The connected accounts of users: kept when somebody signs in or connects, listed, handed out token by token, disconnected.
 * What a provider is asked for is provider-client.ts, refreshing is refresher.ts, whose an identity is users/identities.ts.
 */
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { ProviderIdentity, ProviderTokens } from '../upstream/upstream.js'
import type { ProviderClient } from '../upstream/upstream-client.js'
import type { Identities } from '../users/identities.js'
import { type ConnectedAccount, fromFields, toFields } from './connection.js'
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

export interface Connection {
  providerId: string
  identity: ProviderIdentity
  tokens: ProviderTokens
}

export interface Accounts {
  /** Keeps the tokens of an account under its id, in place of those that were there. */
  keep(userId: string, accountId: string, connection: Connection): Promise<ConnectedAccount>
  /** A user's accounts, the latest connected first. */
  list(userId: string): Promise<ConnectedAccount[]>
  /**
   * An access token that can be used for a while. Rejects with `unavailable` when it would have to be refreshed and the
   * provider could not be asked.
   */
  vend(accountId: string, reader: TokenReader): Promise<VendOutcome>
  /**
   * Disconnects an account: its tokens are gone here at once, and then ended at the provider if that can be done. Undefined if
   * the user has no such account.
   */
  disconnect(
    userId: string,
    accountId: string
  ): Promise<{ account: ConnectedAccount; revokedAtProvider: boolean } | undefined>
}

export interface AccountsParts {
  records: RecordStore
  owners: RecordStore
  identities: Identities
  refresher: Refresher
  keyring: Keyring
  clientOf(providerId: string): ProviderClient | undefined
  clock: Clock
}

export function createAccounts(parts: AccountsParts): Accounts {
  const { records, owners, identities, refresher, keyring, clientOf, clock } = parts

  async function find(userId: string, id: string): Promise<ConnectedAccount | undefined> {
    const fields = await records.get(userId, id)
    return fields && fromFields(userId, id, fields)
  }

  /** Providers hand out a refresh token when they like; the one that was there goes on until then. */
  function sealed(place: { id: string; userId: string }, tokens: ProviderTokens, before: ConnectedAccount | undefined) {
    const refreshToken = tokens.refreshToken ?? (before && openTokens(keyring, before)?.refreshToken)
    return sealTokens(keyring, place, {
      accessToken: tokens.accessToken,
      ...(refreshToken !== undefined && { refreshToken })
    })
  }

  function vendable(account: ConnectedAccount): VendOutcome {
    const tokens = account.status === 'connected' ? openTokens(keyring, account) : undefined
    if (!tokens) return { kind: 'needs_reconnect' }
    return { kind: 'token', accessToken: tokens.accessToken, scopes: account.scopes }
  }

  return {
    async keep(userId, id, { providerId, identity, tokens }) {
      const nowMs = clock()
      // First of all, so that there is never an account that its own user cannot be told from others'.
      await owners.create(id, OWNER, { userId }, nowMs + FOR_EVER_MS)
      for (let attempt = 0; attempt < CONNECT_TRIES; attempt++) {
        const before = await find(userId, id)
        const account: ConnectedAccount = {
          id,
          userId,
          providerId,
          subject: identity.subject,
          username: identity.username,
          scopes: tokens.scopes ?? [],
          connectedAtMs: before?.connectedAtMs ?? nowMs,
          expiresAtMs: tokens.expiresAtMs,
          status: 'connected',
          version: (before?.version ?? 0) + 1,
          sealedTokens: sealed({ id, userId }, tokens, before)
        }
        const fields = toFields(account)
        const kept = before
          ? await records.change(userId, id, {
              onlyIf: { field: 'version', is: String(before.version) },
              set: fields,
              ...(fields.expiresAtMs === undefined && { clear: ['expiresAtMs'] })
            })
          : await records.create(userId, id, fields, nowMs + FOR_EVER_MS)
        if (kept?.sealedTokens === account.sealedTokens) return account
      }
      throw fault('unavailable', { detail: `an account changed ${CONNECT_TRIES} times while it was being connected` })
    },

    async list(userId) {
      const accounts = [...(await records.list(userId))].map(([id, fields]) => fromFields(userId, id, fields))
      return accounts.sort((a, b) => b.connectedAtMs - a.connectedAtMs || (a.id < b.id ? 1 : -1))
    },

    async vend(accountId, reader) {
      const userId = (await owners.get(accountId, OWNER))?.userId
      if (userId === undefined) return { kind: 'unknown' }
      if (reader.kind === 'user' && reader.userId !== userId) return { kind: 'not_yours' }
      const account = await find(userId, accountId)
      if (!account) return { kind: 'unknown' }
      const tokens = account.status === 'connected' ? openTokens(keyring, account) : undefined
      // Also where an instance with other secrets could open them: nothing is changed here.
      if (!tokens) return { kind: 'needs_reconnect' }
      const leftMs = (account.expiresAtMs ?? Number.POSITIVE_INFINITY) - clock()
      const mayRefresh = tokens.refreshToken !== undefined
      if (leftMs > REFRESH_AHEAD_MS || (leftMs > 0 && !mayRefresh)) return vendable(account)
      try {
        return vendable(await within(ANSWER_WITHIN_MS, refresher.refresh(account)))
      } catch (error) {
        if (isFault(error) && error.code === 'not_found') return { kind: 'unknown' }
        // It is good for a little longer, and nothing better is to be had.
        if (leftMs > 0 && isFault(error) && error.code === 'unavailable') return vendable(account)
        throw error
      }
    },

    async disconnect(userId, accountId) {
      const account = await find(userId, accountId)
      if (!account) return undefined
      const tokens = openTokens(keyring, account)
      // The tokens first, the record last: if this is cut off in between, it can be asked for again.
      await records.change(userId, accountId, {
        set: { status: 'needs_reconnect' },
        clear: ['sealedTokens', 'expiresAtMs']
      })
      await identities.release(account.providerId, account.subject)
      await owners.delete(accountId, OWNER)
      await records.delete(userId, accountId)
      const client = clientOf(account.providerId)
      const token = tokens?.refreshToken ?? tokens?.accessToken
      if (!client || token === undefined) return { account, revokedAtProvider: false }
      // The account is gone here whatever the provider says; the user is told what it said.
      const revokedAtProvider = await client.revoke(token).catch(() => false)
      return { account, revokedAtProvider }
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
