/**
 * A client of the device grant, made to be copied together with grant-answers.ts; README.md shows it in use. `start` requests a grant; `waitForDecision`
 * polls until a user decides it; `withdraw` ends a grant that is not wanted any more. It asks the service to hold each poll
 * (`Prefer: wait`), so that it learns of the decision at once. It never polls faster than told, keeps the longer interval of a
 * `slow_down`, and backs off while the service is busy or unreachable.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Decision,
  type Grant,
  type PollAnswer,
  readGrant,
  readPollAnswer,
  readWithdrawal
} from './grant-answers.js'

/** How much a `slow_down` without an interval lengthens the interval (RFC 8628 §3.5). */
const SLOW_DOWN_STEP_SECONDS = 5
const LONGEST_BACK_OFF_SECONDS = 60
const REQUEST_TIMEOUT_MS = 10_000
/** A user who stops the program waits for this, so it is short. */
const WITHDRAW_TIMEOUT_MS = 2_000
/** How long the service may hold a poll (`Prefer: wait`, RFC 7240 §4.3). A service without support for it answers at once. */
const WAIT_SECONDS = 30

export interface GrantRequest {
  client_type: 'cli' | 'mcp' | 'demo' | 'ide-plugin' | 'other'
  client_metadata?: { name?: string; version?: string; hostname?: string; os?: string }
}

/** Why the next poll comes later than usual, and in how many seconds; to be shown to the user. */
export type Delay = { kind: 'slow_down' | 'busy' | 'unreachable'; pauseSeconds: number }

export interface GrantClientOptions {
  /** The URL of the dashboard API, such as `https://grants.example.com/api/v0`. */
  apiUrl: string
  /** Replaced by tests. */
  clock?: { nowMs(): number; sleep(ms: number, signal?: AbortSignal): Promise<unknown> }
}

export interface WaitOptions {
  /** Aborts the wait, which then rejects. */
  signal?: AbortSignal
  onDelay?: (delay: Delay) => void
}

export interface GrantClient {
  start(request: GrantRequest, signal?: AbortSignal): Promise<Grant>
  waitForDecision(grant: Grant, options?: WaitOptions): Promise<Decision>
  /**
   * Withdraws the grant, to be called when the program is stopped: nobody can approve it any more, and what an approval led to is
   * revoked. Idempotent. Rejects if the service did not confirm it within two seconds.
   */
  withdraw(grant: Grant): Promise<void>
}

interface PostOptions {
  signal?: AbortSignal | undefined
  /** How long the service may hold the answer, beyond the time for the request itself. */
  waitSeconds?: number
  timeoutMs?: number
}

const realClock = {
  // A monotonic clock, unlike Date.now().
  nowMs: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal ? { signal } : {})
}

export function createGrantClient({ apiUrl, clock = realClock }: GrantClientOptions): GrantClient {
  async function waitForDecision(grant: Grant, { signal, onDelay }: WaitOptions = {}): Promise<Decision> {
    const endsAtMs = clock.nowMs() + grant.expires_in * 1000
    let intervalSeconds = grant.interval
    // The first poll needs no pause before it.
    let pauseSeconds = 0
    let failures = 0

    for (;;) {
      const leftMs = endsAtMs - clock.nowMs()
      if (leftMs <= 0) return { kind: 'expired' }
      if (pauseSeconds > 0) await clock.sleep(Math.min(pauseSeconds * 1000, leftMs), signal)
      signal?.throwIfAborted()

      const askedAtMs = clock.nowMs()
      const answer = await poll(grant.grant_code, signal)
      if (answer.kind === 'approved' || answer.kind === 'denied' || answer.kind === 'expired') return answer

      if (answer.kind === 'busy' || answer.kind === 'unreachable') {
        // Exponential back-off, unless Retry-After says how long. It applies to the next poll only.
        failures++
        const backOffSeconds = Math.min(Math.max(1, intervalSeconds) * 2 ** failures, LONGEST_BACK_OFF_SECONDS)
        pauseSeconds = Math.max(intervalSeconds, answer.retryAfterSeconds ?? backOffSeconds)
      } else {
        // A slow_down is permanent: all later polls keep the longer interval (RFC 8628 §3.5).
        if (answer.kind === 'slow_down') {
          const told = answer.intervalSeconds ?? intervalSeconds + SLOW_DOWN_STEP_SECONDS
          intervalSeconds = Math.max(intervalSeconds, told)
        }
        failures = 0
        // The interval counts from one poll to the next, so the time for which the poll was held is deducted.
        const heldSeconds = answer.kind === 'pending' && answer.wasHeld ? (clock.nowMs() - askedAtMs) / 1000 : 0
        pauseSeconds = Math.max(0, intervalSeconds - heldSeconds)
      }
      if (answer.kind !== 'pending') onDelay?.({ kind: answer.kind, pauseSeconds })
    }
  }

  async function poll(grantCode: string, signal: AbortSignal | undefined): Promise<PollAnswer> {
    try {
      const response = await post('/auth/grant/token', { grant_code: grantCode }, { signal, waitSeconds: WAIT_SECONDS })
      return readPollAnswer(response, await response.text())
    } catch (error) {
      signal?.throwIfAborted()
      // fetch throws a TypeError when the connection failed, and a TimeoutError after our timeout; other errors are final.
      if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError')) {
        return { kind: 'unreachable' }
      }
      throw error
    }
  }

  function post(
    path: string,
    body: unknown,
    { signal, waitSeconds = 0, timeoutMs = REQUEST_TIMEOUT_MS }: PostOptions
  ): Promise<Response> {
    const timeout = AbortSignal.timeout(timeoutMs + waitSeconds * 1000)
    return fetch(apiUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }) },
      body: JSON.stringify(body),
      // The grant code is meant for this address alone, so redirects are not followed.
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout
    })
  }

  return {
    async start(request, signal) {
      const response = await post('/auth/grant/code', request, { signal })
      return readGrant(response, await response.text())
    },
    waitForDecision,
    async withdraw({ grant_code }) {
      const response = await post('/auth/grant/revoke', { grant_code }, { timeoutMs: WITHDRAW_TIMEOUT_MS })
      readWithdrawal(response, await response.text())
    }
  }
}
