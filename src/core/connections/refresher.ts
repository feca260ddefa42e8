/**
 * Gets new tokens for an account, once over all instances however many ask: providers that rotate refresh tokens take a second
 * use for a theft. One instance holds the lock; the others wait for what it writes. New tokens are kept before anybody gets
 * them, on the condition that the account still has the version they were asked for with.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fault, isFault } from '../fault.js'
import type { LockStore } from '../records/lock-store.js'
import type { FieldChanges, RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { ProviderTokens } from '../upstream/upstream.js'
import type { ProviderClient } from '../upstream/upstream-client.js'
import { type ConnectedAccount, fromFields } from './connection.js'
import { openTokens, sealTokens } from './connection-tokens.js'

/** What a crashed holder costs the others. A provider is given less than half of it to answer. */
const LOCK_MS = 10_000
/** How often those who wait look whether the holder is done. */
const LOOK_EVERY_MS = 100
/** A crashed holder, and then a refresh of one's own. */
const WAIT_MS = LOCK_MS + 5_000
/** New tokens are too good to be lost to an engine that is away for a moment. */
const KEEP_TRYING_MS = 30_000
const TRY_AGAIN_MS = 100

export type RefreshEvent = 'refreshed' | 'refused' | 'unavailable'

export interface Refresher {
  /**
   * The account after a refresh, by whomever. Rejects with `unavailable` when the provider could not be asked; the tokens that
   * were there stay.
   */
  refresh(account: ConnectedAccount): Promise<ConnectedAccount>
  /** Resolves when nothing is under way any more. */
  settle(): Promise<void>
}

export interface RefresherParts {
  records: RecordStore
  locks: LockStore
  keyring: Keyring
  clientOf(providerId: string): ProviderClient | undefined
  refreshed(event: RefreshEvent): void
}

export function createRefresher({ records, locks, keyring, clientOf, refreshed }: RefresherParts): Refresher {
  const underWay = new Map<string, Promise<ConnectedAccount>>()

  async function look({ userId, id }: ConnectedAccount): Promise<ConnectedAccount> {
    const fields = await records.get(userId, id)
    if (!fields) throw fault('not_found', { detail: 'the account was disconnected meanwhile' })
    return fromFields(userId, id, fields)
  }

  /** Waits for the lock, or for whoever has it to be done. */
  async function take(account: ConnectedAccount): Promise<ConnectedAccount> {
    const lock = `account-refresh:${account.id}`
    const holder = randomUUID()
    const untilMs = performance.now() + WAIT_MS
    while (performance.now() < untilMs) {
      if (await locks.acquire(lock, holder, LOCK_MS)) {
        try {
          const current = await look(account)
          return isDone(current, account) ? current : await ask(current)
        } finally {
          // It ends by itself; failing to give it back says nothing about the tokens.
          await locks.release(lock, holder).catch(() => {})
        }
      }
      await sleep(LOOK_EVERY_MS)
      const current = await look(account)
      if (isDone(current, account)) return current
    }
    throw fault('unavailable', { detail: 'a refresh that another instance has begun does not end' })
  }

  async function ask(account: ConnectedAccount): Promise<ConnectedAccount> {
    const client = clientOf(account.providerId)
    const tokens = openTokens(keyring, account)
    // What this instance cannot do, another one with other settings may.
    if (!client || !tokens) throw fault('unavailable', { detail: `nothing to refresh ${account.providerId} with here` })
    const { refreshToken } = tokens
    if (refreshToken === undefined) return change(account, REFUSED)
    const outcome = await client.refresh(refreshToken).catch((error) => {
      refreshed('unavailable')
      throw error
    })
    refreshed(outcome.kind)
    if (outcome.kind === 'refused') return change(account, REFUSED)
    return keep(account, refreshToken, outcome.tokens)
  }

  /** Without a new refresh token the old one goes on (RFC 6749 §6), and without scopes those of before. */
  async function keep(account: ConnectedAccount, previous: string, tokens: ProviderTokens): Promise<ConnectedAccount> {
    const { accessToken, refreshToken = previous, scopes = account.scopes, expiresAtMs } = tokens
    const changes: FieldChanges = {
      set: {
        sealedTokens: sealTokens(keyring, account, { accessToken, refreshToken }),
        scopes: JSON.stringify(scopes),
        status: 'connected',
        version: String(account.version + 1),
        ...(expiresAtMs !== undefined && { expiresAtMs: String(expiresAtMs) })
      },
      ...(expiresAtMs === undefined && { clear: ['expiresAtMs'] })
    }
    const untilMs = performance.now() + KEEP_TRYING_MS
    for (;;) {
      try {
        return await change(account, changes)
      } catch (error) {
        const isWorthAnotherTry = isFault(error) && error.code === 'unavailable' && performance.now() < untilMs
        if (!isWorthAnotherTry) throw error
        await sleep(TRY_AGAIN_MS)
      }
    }
  }

  async function change({ userId, id, version }: ConnectedAccount, changes: FieldChanges): Promise<ConnectedAccount> {
    const fields = await records.change(userId, id, { ...changes, onlyIf: { field: 'version', is: String(version) } })
    if (!fields) throw fault('not_found', { detail: 'the account was disconnected meanwhile' })
    return fromFields(userId, id, fields)
  }

  return {
    refresh(account) {
      const begun = underWay.get(account.id)
      if (begun) return begun
      const mine = take(account).finally(() => underWay.delete(account.id))
      underWay.set(account.id, mine)
      return mine
    },

    async settle() {
      await Promise.allSettled(underWay.values())
    }
  }
}

const REFUSED: FieldChanges = { set: { status: 'needs_reconnect' }, clear: ['sealedTokens', 'expiresAtMs'] }

function isDone(current: ConnectedAccount, seen: ConnectedAccount): boolean {
  return current.version !== seen.version || current.status !== seen.status
}
