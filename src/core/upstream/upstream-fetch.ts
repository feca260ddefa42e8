/**
 * The fetch function for an upstream: it follows no redirects, caps the size of answers and has them read by upstream-answer.ts.
 * Each kind of request has a circuit breaker of its own, which only an upstream that is ill opens.
 */
import type { CustomFetch } from 'openid-client'
import type { Clock } from '../clock.js'
import { type Breaker, createBreaker } from './breaker.js'
import type { RawAnswer } from './token-answer.js'
import { type Asked, type Reading, readUpstreamAnswer, type Verdict } from './upstream-answer.js'

const LARGEST_ANSWER = 1024 * 1024

/** Thrown for everything but an answer. openid-client wraps it; `failureOf` finds it again. */
export interface UpstreamFailure extends Error, Omit<Reading, 'body'> {
  readonly name: 'UpstreamFailure'
}

export interface UpstreamFetchParts {
  /** Whether the upstream is an issuer, whose exchanges bring an ID token. */
  isIssuer: boolean
  clock: Clock
  /** Told of every answer, and of every request without one. */
  answered(verdict: Verdict): void
}

export function createUpstreamFetch({ isIssuer, clock, answered }: UpstreamFetchParts): CustomFetch {
  const breakers: Record<Asked, Breaker> = {
    exchange: createBreaker(clock),
    refresh: createBreaker(clock),
    user_info: createBreaker(clock),
    revocation: createBreaker(clock),
    metadata: createBreaker(clock)
  }

  return async (url, options) => {
    const asked = whatIsAsked(options)
    const breaker = breakers[asked]
    const pauseSeconds = breaker.pauseSeconds()
    if (pauseSeconds > 0) {
      throw upstreamFailure({ asked, verdict: 'ill', detail: 'is left alone', retryAfterSeconds: pauseSeconds })
    }
    const raw = await send(url, options as RequestInit, asked)
    const reading = 'status' in raw ? readUpstreamAnswer(asked, raw, isIssuer, clock()) : raw
    answered(reading.verdict)
    if (reading.verdict === 'ill') {
      breaker.failed(reading.retryAfterSeconds, 'status' in raw ? refreshTokenIn(options.body) : undefined)
      throw upstreamFailure({ ...reading, retryAfterSeconds: breaker.pauseSeconds() || undefined })
    }
    // An answer that cannot be read may be about this request alone, so it counts neither way.
    if (reading.verdict !== 'unreadable') breaker.succeeded()
    if (reading.verdict !== 'answered') throw upstreamFailure(reading)
    const headers = { 'content-type': 'application/json' }
    return new Response(reading.body, { status: 200, headers })
  }
}

/** Sends a request. Resolves to the answer, or to a reading if there is none or too much of it. */
async function send(url: string, options: RequestInit, asked: Asked): Promise<RawAnswer | Reading> {
  try {
    const answer = await fetch(url, { ...options, redirect: 'manual' })
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body ?? []) {
      size += chunk.byteLength
      if (size > LARGEST_ANSWER) {
        return { asked, verdict: 'unreadable', detail: `${asked} was answered with more than ${LARGEST_ANSWER} bytes` }
      }
      chunks.push(chunk)
    }
    return { status: answer.status, headers: answer.headers, bytes: Buffer.concat(chunks) }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return { asked, verdict: 'ill', detail: `${asked} was not answered: ${said}` }
  }
}

/** Tells requests apart by what openid-client puts into them. */
function whatIsAsked({ body, headers }: { body?: unknown; headers?: Record<string, string> }): Asked {
  if (body instanceof URLSearchParams) {
    const grantType = body.get('grant_type')
    return grantType === 'authorization_code' ? 'exchange' : grantType === 'refresh_token' ? 'refresh' : 'revocation'
  }
  return headers?.authorization?.startsWith('Bearer ') ? 'user_info' : 'metadata'
}

function refreshTokenIn(body: unknown): string | undefined {
  return body instanceof URLSearchParams ? (body.get('refresh_token') ?? undefined) : undefined
}

export function upstreamFailure(reading: Omit<Reading, 'body'>): UpstreamFailure {
  return Object.assign(new Error(reading.detail), { ...reading, name: 'UpstreamFailure' } as const)
}

/** The failure at the bottom of an error of openid-client, which wraps the errors of its fetch function. */
export function failureOf(error: unknown): UpstreamFailure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === 'UpstreamFailure') return cause as UpstreamFailure
  }
  return undefined
}
