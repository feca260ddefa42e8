/**
 * Follows the revocation feed: reads everything in force once, then holds a request that the service answers when something is
 * revoked. Knows how old its knowledge is. Never stops trying until it is closed, with one timer at a time.
 */
import type { Instant, Time } from './clock.js'
import { createFeedPace } from './feed-pace.js'
import type { ReadFeed } from './feed-request.js'
import { ANSWER_WITHIN_MS } from './requests.js'
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
  /** Told of every change of state, but not of tries while it is lost. */
  changed(status: FeedStatus): void
}

/** How long `settle` waits, unless a request that began before takes longer. */
const PATIENCE_MS = 5_000
/** Ends a held request that another one takes the place of. */
const GIVEN_UP = new Error('what is known is too old')

export function createFeed({ read, staleAfterMs, clockToleranceSeconds, time, changed }: FeedParts): Feed {
  const revocations = createRevocations()
  const pace = createFeedPace()
  /**
   * A held request confirms what was known when it was sent, so that its answer may be delayed on the way. Just before the second of
   * two such answers, knowledge is two waits old: two waits and their delivery fit into staleAfterMs.
   */
  const waitSeconds = Math.min(30, Math.max(1, Math.floor((staleAfterMs * 0.4) / 1_000)))
  const deliveryMs = Math.min(ANSWER_WITHIN_MS, (staleAfterMs - 2_000 * waitSeconds) / 2)

  let state: FeedState = 'reading'
  let told: FeedState = state
  let cursor: string | undefined
  let confirmedAt: Instant | undefined
  /** Whether the last answer said that there is more to read than what is known. */
  let isBehind = false
  /** Since the last answer. */
  let failures = 0
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
    if (state === 'closed') return
    state = next
    // While it is lost, each try is no news.
    if (next === told || (next === 'reading' && told === 'lost')) return
    told = next
    // What the callback throws is its own affair.
    queueMicrotask(() => changed(status()))
  }

  function arm(ms: number, ring: () => void): void {
    clearTimeout(timer)
    timer = setTimeout(ring, ms).unref()
  }

  async function pause(ms: number): Promise<void> {
    if (state === 'closed' || ms === 0) return
    await new Promise<void>((resolve) => {
      stopWaiting = resolve
      arm(ms, resolve)
    })
  }

  const endedBeforeSeconds = () => time.now() / 1_000 - clockToleranceSeconds

  async function readOnce(): Promise<void> {
    if (revocations.lacks(endedBeforeSeconds())) {
      // The clock was ahead, and what was dropped then is in force now. Until all is read again nothing is known.
      cursor = undefined
      confirmedAt = undefined
      revocations.startOver()
      become('reading')
    }
    const isHolding = state === 'live'
    const sentAt = time.instant()
    const startedAtMs = performance.now()
    request = new AbortController()
    const { signal } = request
    const wait = isHolding ? waitSeconds : undefined
    arm((isHolding ? waitSeconds * 1_000 : 0) + deliveryMs, () => request.abort(new Error('no answer in time')))
    const answer = await read({ after: cursor, waitSeconds: wait, signal }).finally(() => clearTimeout(timer))
    if (answer === 'gone') {
      // What is held stays revoked, whatever the service has lost.
      cursor = undefined
      isBehind = true
      if (!pace.mayStartOver()) throw new Error('the service forgets each cursor of its revocation feed')
      failures = 0
      become('reading')
      return
    }
    const isNews = answer.revocations.length > 0
    for (const { cid, untilSeconds } of answer.revocations) revocations.add(cid, untilSeconds)
    revocations.drop(endedBeforeSeconds())
    if ((isNews || answer.isMore) && answer.cursor === cursor) throw new Error('the revocation feed does not go on')
    cursor = answer.cursor
    failure = undefined
    failures = 0
    const pauseMs = isHolding ? pace.afterHold(answer, performance.now() - startedAtMs) : 0
    isBehind = answer.isMore
    if (isBehind) {
      become('reading')
      // There may be many pages, and nobody waits for all of them.
      endTurn()
      return
    }
    confirmedAt = sentAt
    become('live')
    endTurn()
    await pause(pauseMs)
  }

  async function follow(): Promise<void> {
    while (state !== 'closed') {
      const before = { state, at: performance.now() }
      try {
        await readOnce()
      } catch (error) {
        if (error === GIVEN_UP) continue
        failures += 1
        failure = error
        const heldMs = before.state === 'live' ? performance.now() - before.at : 0
        const pauseMs = pace.afterFailure(error, heldMs, confirmedAt !== undefined)
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

  const isFresh = () =>
    confirmedAt !== undefined &&
    !isBehind &&
    time.since(confirmedAt) <= staleAfterMs &&
    !revocations.lacks(endedBeforeSeconds())

  /** Whether to wait for the request under way: it is the first, what is known is old, or the one before it has just been cut. */
  const isWorthAWait = () => state === 'reading' && (failures <= 1 || !isFresh())

  async function waitForTurns(): Promise<void> {
    const startedAtMs = performance.now()
    while (isWorthAWait() && performance.now() - startedAtMs < PATIENCE_MS) await turn
  }

  const following = follow()

  return {
    isRevoked: revocations.has,
    isFresh,
    status,

    settle() {
      if (state === 'live' && !isFresh()) {
        // The machine was asleep, its clock was set back, or the connection is dead without having ended: a new request finds out.
        become('reading')
        request.abort(GIVEN_UP)
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
