/**
 * Follows the revocation feed: reads everything in force once, then holds a request that the service answers when something is
 * revoked. Knows how old its knowledge is. Never stops trying until it is closed, with one timer at a time.
 */
import type { Instant, Time } from './clock.js'
import type { ReadFeed } from './feed-request.js'
import { ANSWER_WITHIN_MS, isAnswerError } from './requests.js'
import { createRevocations } from './revocations.js'

/**
 * `reading`: a request is under way that will bring knowledge up to date. `live`: it is up to date, and a held request tells of what
 * comes. `lost`: the last request failed, and the next one has its time. `closed`.
 */
export type FeedState = 'reading' | 'live' | 'lost' | 'closed'

export interface FeedStatus {
  state: FeedState
  /** How many revoked authorizations are held. */
  revocations: number
  /** Everything that was revoked until then is known; undefined before the first reading is complete. Milliseconds since 1970. */
  confirmedAtMs: number | undefined
  /** Why the last request failed; undefined if it did not. */
  error: unknown
}

export interface Feed {
  isRevoked(cid: string): boolean
  /** Whether a token may be judged by what is known. */
  isFresh(): boolean
  /** Resolves when what is known is fresh, or when it cannot soon be. Undefined if there is nothing to wait for. */
  settle(): Promise<void> | undefined
  /** The seconds until the next try. */
  retryAfterSeconds(): number
  status(): FeedStatus
  close(): Promise<void>
}

export interface FeedParts {
  read: ReadFeed
  staleAfterMs: number
  /** How long a token is accepted after it has ended. */
  clockToleranceSeconds: number
  time: Time
  /** Told of every change of state. */
  changed(status: FeedStatus): void
}

/** How long `settle` waits, unless a request that began before takes longer. */
const PATIENCE_MS = 5_000
/** A held request that lasted this long was no failure from the start: the next cut is the first. */
const GOOD_HOLD_MS = 1_000
/** The time between readings of a service that does not hold them. */
const UNHELD_PAUSE_MS = 1_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 4_000
/** A Retry-After beyond this is not believed. */
const LONGEST_RETRY_AFTER_MS = 300_000

/** Half of the time is chance, so that verifiers that lost the same service do not come back together. */
const jittered = (ms: number) => ms / 2 + (Math.random() * ms) / 2

export function createFeed({ read, staleAfterMs, clockToleranceSeconds, time, changed }: FeedParts): Feed {
  const revocations = createRevocations()
  /**
   * A held request confirms what was known when it was sent, so that its answer may be delayed on the way. Just before the second of
   * two such answers, knowledge is two waits old: two waits and their delivery fit into staleAfterMs.
   */
  const waitSeconds = Math.min(30, Math.max(1, Math.floor((staleAfterMs * 0.4) / 1_000)))
  const deliveryMs = Math.min(ANSWER_WITHIN_MS, (staleAfterMs - 2_000 * waitSeconds) / 2)

  let state: FeedState = 'reading'
  let cursor: string | undefined
  let confirmedAt: Instant | undefined
  /** Since the last answer. */
  let failures = 0
  /** Since the last request that was held: who answers, but cuts each held request at once, is not asked again and again. */
  let restlessness = 0
  let failure: unknown
  let retryAtMs = 0
  let request = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let stopWaiting = () => {}
  let turned = () => {}
  let turn = nextTurn()

  function nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      turned = resolve
    })
  }

  /** Ends the waits of those who asked `settle`: they look again. */
  function endTurn(): void {
    turned()
    turn = nextTurn()
  }

  const status = (): FeedStatus => ({
    ...{ state, revocations: revocations.size, confirmedAtMs: confirmedAt?.wallMs },
    error: failure
  })

  function become(next: FeedState): void {
    const isChange = state !== next
    if (state === 'closed') return
    state = next
    // What the callback throws is its own affair.
    if (isChange) queueMicrotask(() => changed(status()))
  }

  function arm(ms: number, ring: () => void): void {
    clearTimeout(timer)
    timer = setTimeout(ring, ms).unref()
  }

  async function pause(ms: number): Promise<void> {
    if (state === 'closed') return
    await new Promise<void>((resolve) => {
      stopWaiting = resolve
      arm(ms, resolve)
    })
  }

  async function readOnce(): Promise<void> {
    const isHolding = state === 'live'
    const sentAt = time.instant()
    request = new AbortController()
    const { signal } = request
    const wait = isHolding ? waitSeconds : undefined
    arm((isHolding ? waitSeconds * 1_000 : 0) + deliveryMs, () => request.abort(new Error('no answer in time')))
    const answer = await read({ after: cursor, waitSeconds: wait, signal }).finally(() => clearTimeout(timer))
    if (answer === 'gone') {
      // What is held stays revoked, whatever the service has lost.
      cursor = undefined
      failures = 0
      become('reading')
      return
    }
    const isNews = answer.revocations.length > 0
    for (const { cid, untilSeconds } of answer.revocations) revocations.add(cid, untilSeconds)
    revocations.drop(time.now() / 1_000 - clockToleranceSeconds)
    cursor = answer.cursor
    failure = undefined
    failures = 0
    if (isHolding) restlessness = 0
    if (answer.isMore) {
      become('reading')
      return
    }
    confirmedAt = sentAt
    become('live')
    endTurn()
    if (isHolding && !isNews && !answer.isHeld) await pause(jittered(UNHELD_PAUSE_MS))
  }

  function fail(error: unknown, heldMs: number): number {
    failures += 1
    restlessness = heldMs >= GOOD_HOLD_MS ? 1 : restlessness + 1
    failure = error
    const asked = isAnswerError(error) ? Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0
    // The first cut of a request that was held is no reason to wait.
    const isCut = restlessness === 1 && confirmedAt !== undefined && asked === 0
    const pauseMs = isCut ? 0 : jittered(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(restlessness, 10)))
    return Math.max(pauseMs, asked)
  }

  async function follow(): Promise<void> {
    while (state !== 'closed') {
      const before = { state, at: performance.now() }
      try {
        await readOnce()
      } catch (error) {
        const pauseMs = fail(error, before.state === 'live' ? performance.now() - before.at : 0)
        if (pauseMs > 0) {
          retryAtMs = time.now() + pauseMs
          become('lost')
          endTurn()
          await pause(pauseMs)
        }
        become('reading')
      }
    }
  }

  const isFresh = () => confirmedAt !== undefined && time.since(confirmedAt) <= staleAfterMs

  /** Whether to wait for the request under way: it is the first, what is known is old, or the one before it has just been cut. */
  const isWorthAWait = () => state === 'reading' && (failures <= 1 || !isFresh())

  async function waitForTurns(): Promise<void> {
    const startedAt = performance.now()
    while (isWorthAWait() && performance.now() - startedAt < PATIENCE_MS) await turn
  }

  const following = follow()

  return {
    isRevoked: revocations.has,
    isFresh,
    status,

    settle() {
      if (state === 'live' && !isFresh()) {
        // The machine was asleep, or the connection is dead without having ended: a new request finds out.
        become('reading')
        request.abort(new Error('what is known is too old'))
        stopWaiting()
      }
      return isWorthAWait() ? waitForTurns() : undefined
    },

    retryAfterSeconds: () => (state === 'lost' ? Math.max(1, Math.ceil((retryAtMs - time.now()) / 1_000)) : 1),

    async close() {
      become('closed')
      request.abort(new Error('the verifier is closed'))
      clearTimeout(timer)
      stopWaiting()
      endTurn()
      await following
    }
  }
}
