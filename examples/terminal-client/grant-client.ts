/**
 * A client of the device grant, made to be copied together with grant-answers.ts: `start` asks for a grant,
 * `waitForDecision` polls until a person has decided. It asks the service to hold each answer until there is something to say,
 * so that it hears of the decision at once. It never polls faster than it is told, keeps the longer pace that a `slow_down`
 * asks for, and outlives a service that is busy, restarting or out of reach for a while.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Decision, type Grant, type PollAnswer, readGrant, readPollAnswer } from './grant-answers.js'

/** RFC 8628 §3.5: what a slow_down means when it brings no number. */
const SLOW_DOWN_STEP_SECONDS = 5
const LONGEST_BACK_OFF_SECONDS = 60
const REQUEST_TIMEOUT_MS = 10_000
/** RFC 7240: how long the service may hold an answer. One that does not know of it answers at once. */
const WAIT_SECONDS = 30

export interface GrantRequest {
  client_type: 'cli' | 'mcp' | 'demo' | 'ide-plugin' | 'other'
  client_metadata?: { name?: string; version?: string; hostname?: string; os?: string }
}

/** Why the next poll comes later than the last one did, for whoever wants to show it. */
export type Delay = { kind: 'slow_down' | 'busy' | 'unreachable'; pauseSeconds: number }

export interface GrantClientOptions {
  /** Such as `https://grants.example.com/api/v0`. */
  apiUrl: string
  /** Tests hand in their own. */
  clock?: { nowMs(): number; sleep(ms: number, signal?: AbortSignal): Promise<unknown> }
}

export interface WaitOptions {
  /** Ends the wait early; it then rejects with the signal's reason. */
  signal?: AbortSignal
  onDelay?: (delay: Delay) => void
}

export interface GrantClient {
  start(request: GrantRequest, signal?: AbortSignal): Promise<Grant>
  waitForDecision(grant: Grant, options?: WaitOptions): Promise<Decision>
}

const realClock = {
  // Unlike the time of day, this one never jumps.
  nowMs: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal ? { signal } : {})
}

export function createGrantClient({ apiUrl, clock = realClock }: GrantClientOptions): GrantClient {
  async function waitForDecision(grant: Grant, { signal, onDelay }: WaitOptions = {}): Promise<Decision> {
    const endsAtMs = clock.nowMs() + grant.expires_in * 1000
    let intervalSeconds = grant.interval
    // The first poll may come at once.
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
        // A pause for this once. Unless told how long, double it each time: who is down is not helped by being asked.
        failures++
        const backOffSeconds = Math.min(Math.max(1, intervalSeconds) * 2 ** failures, LONGEST_BACK_OFF_SECONDS)
        pauseSeconds = Math.max(intervalSeconds, answer.retryAfterSeconds ?? backOffSeconds)
      } else {
        // A slow_down is for good: all polls from here on keep the longer interval.
        if (answer.kind === 'slow_down') {
          const told = answer.intervalSeconds ?? intervalSeconds + SLOW_DOWN_STEP_SECONDS
          intervalSeconds = Math.max(intervalSeconds, told)
        }
        failures = 0
        // The pace is from one poll to the next: what an answer was held for need not be waited again.
        const heldSeconds = answer.kind === 'pending' && answer.wasHeld ? (clock.nowMs() - askedAtMs) / 1000 : 0
        pauseSeconds = Math.max(0, intervalSeconds - heldSeconds)
      }
      if (answer.kind !== 'pending') onDelay?.({ kind: answer.kind, pauseSeconds })
    }
  }

  async function poll(grantCode: string, signal: AbortSignal | undefined): Promise<PollAnswer> {
    try {
      const response = await post('/auth/grant/token', { grant_code: grantCode }, signal, WAIT_SECONDS)
      return readPollAnswer(response, await response.text())
    } catch (error) {
      signal?.throwIfAborted()
      // fetch says TypeError when the connection failed and TimeoutError when our patience ended; the rest is final.
      if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError')) {
        return { kind: 'unreachable' }
      }
      throw error
    }
  }

  function post(path: string, body: unknown, signal: AbortSignal | undefined, waitSeconds = 0): Promise<Response> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS + waitSeconds * 1000)
    return fetch(apiUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }) },
      body: JSON.stringify(body),
      // A redirect would carry the grant code to somewhere else.
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout
    })
  }

  return {
    async start(request, signal) {
      const response = await post('/auth/grant/code', request, signal)
      return readGrant(response, await response.text())
    },
    waitForDecision
  }
}
