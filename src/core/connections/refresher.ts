/**
 * Refreshes the tokens of a connection once, however many requests and instances ask: an upstream that rotates refresh tokens
 * takes a second use for a replay. One instance holds a lock; the others wait for what it writes. New tokens are stored before
 * anybody gets them, by a compare-and-set on the sealed tokens that they replace.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import type { FieldChanges, LockStore, RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { UpstreamTokens } from '../upstream/upstream.js'
import type { UpstreamClient } from '../upstream/upstream-client.js'
import { type Connection, type ConnectionTokens, fromFields, lifeOf, openTokens, sealTokens } from './connection.js'

/** The life of the lock, and so how long a crashed holder blocks others. It covers two requests to an upstream, 4 s each. */
const LOCK_MS = 10_000
/** How often the waiting instances look whether the holder is done. */
const LOOK_EVERY_MS = 100
/** How long to wait for the lock: the whole life of a crashed holder's lock, and some more. */
const WAIT_MS = LOCK_MS + 5_000
/** How long storing new tokens is retried: the old refresh token may be spent, so losing them would disconnect the account. */
const KEEP_TRYING_MS = 30_000
const TRY_AGAIN_MS = 100

export type RefreshEvent = 'refreshed' | 'refused' | 'unavailable'

export interface Refresher {
  /**
   * The connection after a refresh by this instance or another one; its status is `needs_reconnect` if the upstream refused.
   * Rejects with `unavailable` when the upstream or the storage could not be asked, which leaves the stored tokens as they
   * were, and with `not_found` when the connection is gone.
   */
  refresh(connection: Connection): Promise<Connection>
  /** Resolves when no refresh is under way on this instance. */
  settle(): Promise<void>
}

export interface RefresherParts {
  records: RecordStore
  locks: LockStore
  keyring: Keyring
  clientOf(upstreamId: string): UpstreamClient | undefined
  clock: Clock
  refreshed(event: RefreshEvent): void
}

export function createRefresher(parts: RefresherParts): Refresher {
  const { records, locks, keyring, clientOf, clock, refreshed } = parts
  const underWay = new Map<string, Promise<Connection>>()

  async function look({ userId, id }: Connection): Promise<Connection> {
    const fields = await records.get(userId, id)
    if (!fields) throw gone()
    return fromFields(userId, id, fields)
  }

  /** Waits for the lock and refreshes, or waits until its holder has. */
  async function take(connection: Connection): Promise<Connection> {
    const lock = `account-refresh:${connection.id}`
    const holder = randomUUID()
    const untilMs = performance.now() + WAIT_MS
    while (performance.now() < untilMs) {
      if (await locks.acquire(lock, holder, LOCK_MS)) {
        try {
          const current = await look(connection)
          return isDone(current, connection) ? current : await ask(current)
        } finally {
          // A lock that cannot be released expires by itself, so the result stands.
          await locks.release(lock, holder).catch(() => {})
        }
      }
      await sleep(LOOK_EVERY_MS)
      const current = await look(connection)
      if (isDone(current, connection)) return current
    }
    throw fault('unavailable', { detail: 'a refresh that another instance has begun does not end' })
  }

  async function ask(connection: Connection): Promise<Connection> {
    const client = clientOf(connection.upstreamId)
    const tokens = openTokens(keyring, connection)
    // No `needs_reconnect` here: another instance may have the upstream's settings or the secret that this one lacks.
    if (!client || !tokens)
      throw fault('unavailable', { detail: `nothing to refresh ${connection.upstreamId} with here` })
    const { refreshToken } = tokens
    if (refreshToken === undefined) return refuse(connection)
    const outcome = await client.refresh(refreshToken).catch((error) => {
      refreshed('unavailable')
      throw error
    })
    refreshed(outcome.kind === 'unusable' ? 'unavailable' : outcome.kind)
    if (outcome.kind === 'refused') return refuse(connection)
    if (outcome.kind === 'refreshed') return keep(connection, client, refreshToken, outcome.tokens)
    // The successor is stored although nothing else of the answer is of use: the refresh token it follows is spent.
    const { refreshToken: successor } = outcome
    await store(connection, client, { ...tokens, refreshToken: successor }, successor, {})
    throw fault('unavailable', { detail: `upstream ${connection.upstreamId} sent no usable access token` })
  }

  async function refuse(connection: Connection): Promise<Connection> {
    const refused = await change(connection, REFUSED)
    if (!refused) throw gone()
    return refused
  }

  /** Stores new tokens. Without a new refresh token the old one stays (RFC 6749 §6), and without scopes the old ones do. */
  function keep(connection: Connection, client: UpstreamClient, previous: string, tokens: UpstreamTokens) {
    const { accessToken, refreshToken = previous, scopes = connection.scopes } = tokens
    const nowMs = clock()
    const { expiresAtMs, lifeSeconds } = lifeOf(tokens, connection.lifeSeconds, client.upstream, nowMs)
    const changes: FieldChanges = {
      set: {
        scopes: JSON.stringify(scopes),
        issuedAtMs: String(nowMs),
        ...(expiresAtMs !== undefined && { expiresAtMs: String(expiresAtMs) }),
        ...(lifeSeconds !== undefined && { lifeSeconds: String(lifeSeconds) })
      },
      clear: ['refusedAtMs', ...(expiresAtMs === undefined ? ['expiresAtMs'] : [])]
    }
    return store(connection, client, { accessToken, refreshToken }, tokens.refreshToken ?? accessToken, changes)
  }

  /**
   * Replaces the tokens, trying for half a minute. If the account was disconnected meanwhile, `newest` is revoked, which the
   * disconnect could not know of.
   */
  async function store(
    connection: Connection,
    client: UpstreamClient,
    tokens: ConnectionTokens,
    newest: string,
    more: FieldChanges
  ): Promise<Connection> {
    const sealedTokens = sealTokens(keyring, connection, tokens)
    const set = { ...more.set, sealedTokens, status: 'connected', version: String(connection.version + 1) }
    const spent = openTokens(keyring, connection)?.refreshToken
    const untilMs = performance.now() + KEEP_TRYING_MS
    for (;;) {
      try {
        const kept = await change(connection, { ...more, set })
        const current = kept && openTokens(keyring, kept)
        // Whoever signed in meanwhile got no refresh token, and kept the one that is spent by now.
        if (kept && current && current.refreshToken === spent && tokens.refreshToken !== spent) {
          const { refreshToken } = tokens
          return await store(kept, client, { ...current, ...(refreshToken && { refreshToken }) }, newest, {})
        }
        if (kept && (kept.sealedTokens !== undefined || kept.version === connection.version)) return kept
        // The outcome does not matter to whoever waits: the account is gone for them.
        await client.revoke(newest).catch(() => false)
        throw gone()
      } catch (error) {
        const isWorthAnotherTry = isFault(error) && error.code === 'unavailable' && performance.now() < untilMs
        if (!isWorthAnotherTry) throw error
        await sleep(TRY_AGAIN_MS)
      }
    }
  }

  /** Changes a connection whose tokens are still the given ones. Resolves to what it is then; undefined if it is gone. */
  async function change({ userId, id, sealedTokens = '' }: Connection, changes: FieldChanges) {
    const fields = await records.change(userId, id, { ...changes, onlyIf: { field: 'sealedTokens', is: sealedTokens } })
    return fields && fromFields(userId, id, fields)
  }

  return {
    refresh(connection) {
      const begun = underWay.get(connection.id)
      if (begun) return begun
      const mine = take(connection).finally(() => underWay.delete(connection.id))
      underWay.set(connection.id, mine)
      return mine
    },

    async settle() {
      await Promise.allSettled(underWay.values())
    }
  }
}

const REFUSED: FieldChanges = { set: { status: 'needs_reconnect' }, clear: ['sealedTokens', 'expiresAtMs'] }

const gone = () => fault('not_found', { detail: 'the account was disconnected meanwhile' })

/** Whether somebody else's refresh has ended: with other tokens, or with a refusal. One that brought a successor alone has not. */
function isDone(current: Connection, seen: Connection): boolean {
  if (current.status !== seen.status) return true
  const isAnother = current.issuedAtMs !== seen.issuedAtMs || current.expiresAtMs !== seen.expiresAtMs
  return current.version !== seen.version && isAnother
}
