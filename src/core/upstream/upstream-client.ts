/**
 * The protocol client of one upstream, over openid-client: OpenID Connect with discovery (OpenID Connect Core 1.0 §3.1), or
 * plain OAuth 2.0 with a user info URL (RFC 6749 §4.1), both with PKCE (RFC 7636). Every HTTP request has a timeout. A refusal
 * is an outcome; an upstream that cannot be asked, or does not accept this service, is the fault `unavailable`.
 */
import * as client from 'openid-client'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createIdTokenCheck } from './id-token-keys.js'
import type { Upstream, UpstreamEvents, UpstreamIdentity, UpstreamRefreshOutcome, UpstreamTokens } from './upstream.js'
import { configurePlain, discover } from './upstream-configuration.js'
import { describeRefusal, explain, isRefusal, isUnacceptable, type Refusal } from './upstream-errors.js'
import { createUpstreamFetch, failureOf } from './upstream-fetch.js'
import { identify } from './upstream-identity.js'

/** How long the discovered metadata and keys of an upstream are cached. */
const DISCOVERED_FOR_MS = 3_600_000

/** A hundred years: a longer `expires_in` counts as no expiry, for the sum could exceed what a Date holds. */
const LONGEST_LIFE_SECONDS = 3_155_760_000

/** The secrets of one sign-in attempt. The pages keep them in a sealed cookie until the upstream's callback. */
export interface Attempt {
  state: string
  nonce: string
  codeVerifier: string
  /** Whether the user had to prove again who they are. */
  reauthenticates: boolean
}

export type ExchangeOutcome =
  | { kind: 'signed_in'; identity: UpstreamIdentity; tokens: UpstreamTokens }
  | { kind: 'refused'; reason: Refusal }

export interface UpstreamClient {
  readonly upstream: Upstream
  /**
   * The URL of the authorization request to send the browser to (RFC 6749 §4.1.1). Rejects with `unavailable`, and with
   * `invalid_request` if the upstream's metadata are those of another issuer.
   */
  authorizationUrl(attempt: Attempt): Promise<URL>
  /** Redeems the code of a callback (RFC 6749 §4.1.3), whose query string is `query`. Rejects with `unavailable`. */
  exchange(query: string, attempt: Attempt): Promise<ExchangeOutcome>
  /** Refreshes an access token (RFC 6749 §6). Rejects with `unavailable`. */
  refresh(refreshToken: string): Promise<UpstreamRefreshOutcome>
  /** Revokes a token (RFC 7009). False if the upstream has no revocation endpoint, or refused. Rejects with `unavailable`. */
  revoke(token: string): Promise<boolean>
}

export function newAttempt(reauthenticates: boolean): Attempt {
  return {
    state: client.randomState(),
    nonce: client.randomNonce(),
    codeVerifier: client.randomPKCECodeVerifier(),
    reauthenticates
  }
}

export interface UpstreamClientParts {
  upstream: Upstream
  /** Must equal the redirect URI that is registered at the upstream. */
  redirectUri: string
  clock: Clock
  events: UpstreamEvents
}

export function createUpstreamClient({ upstream, redirectUri, clock, events }: UpstreamClientParts): UpstreamClient {
  const { endpoints } = upstream
  const isIssuer = 'issuer' in endpoints
  const fetch = createUpstreamFetch({
    isIssuer,
    clock,
    answered: (verdict) => events.upstreamAnswered(upstream.id, verdict)
  })
  const checkIdToken = createIdTokenCheck(fetch, clock)
  let discovered: { configuration: Promise<client.Configuration>; atMs: number } | undefined

  /** The upstream's metadata. Concurrent callers share one lookup; a failed lookup is not cached. */
  function configure(): Promise<client.Configuration> {
    if (discovered && clock() - discovered.atMs < DISCOVERED_FOR_MS) return discovered.configuration
    const configuration =
      'issuer' in endpoints ? discover(upstream, endpoints, fetch) : configurePlain(upstream, endpoints, fetch)
    const mine = { configuration, atMs: clock() }
    configuration.catch(() => {
      if (discovered === mine) discovered = undefined
    })
    discovered = mine
    return configuration
  }

  /** Runs one exchange with the upstream. Any error that is no refusal becomes `unavailable`. */
  async function ask<T, R>(work: (configuration: client.Configuration) => Promise<T>, refused: (error: unknown) => R) {
    try {
      return await work(await configure())
    } catch (error) {
      const verdict = isUnacceptable(error) ? 'unacceptable' : (failureOf(error)?.verdict ?? 'refused')
      const detail = explain(error)
      if (verdict !== 'ill') events.upstreamRefused(upstream.id, verdict, detail)
      if (isRefusal(error)) return refused(error)
      throw unavailable(error)
    }
  }

  /** Whether the user has just signed in at the upstream. One that tells no `auth_time` proves nothing of the kind by itself. */
  function isFresh(authTime: number | undefined): boolean {
    if (authTime === undefined) return upstream.alwaysReauthenticates
    // A time far ahead, such as one in milliseconds, would be fresh for years.
    return Math.abs(clock() / 1000 - authTime) <= FRESH_SECONDS
  }

  function unavailable(error: unknown) {
    const retryAfterSeconds = failureOf(error)?.retryAfterSeconds
    return fault('unavailable', {
      detail: `provider ${upstream.id}: ${explain(error)}`,
      cause: error,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds })
    })
  }

  function toTokens(answer: client.TokenEndpointResponse): UpstreamTokens {
    const { expires_in: seconds } = answer
    const isEndless = seconds === undefined || seconds > LONGEST_LIFE_SECONDS
    return {
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      // Some plain OAuth 2.0 services, such as GitHub, separate scopes with commas.
      scopes: answer.scope?.split(isIssuer ? ' ' : /[ ,]/).filter((word) => word !== ''),
      expiresAtMs: isEndless ? undefined : clock() + seconds * 1000,
      lifeSeconds: isEndless && seconds !== undefined ? Number.POSITIVE_INFINITY : seconds
    }
  }

  return {
    upstream,

    authorizationUrl: (attempt) =>
      ask(
        async (configuration) =>
          client.buildAuthorizationUrl(configuration, {
            ...upstream.authorizationParameters,
            ...(attempt.reauthenticates && upstream.reauthenticationParameters),
            ...(upstream.scope !== '' && { scope: upstream.scope }),
            redirect_uri: redirectUri,
            response_type: 'code',
            state: attempt.state,
            ...(!upstream.withoutPkce && {
              code_challenge: await client.calculatePKCECodeChallenge(attempt.codeVerifier),
              code_challenge_method: 'S256'
            }),
            ...(isIssuer && { nonce: attempt.nonce })
          }),
        (error) => {
          throw fault('invalid_request', { detail: `provider ${upstream.id}: ${explain(error)}`, cause: error })
        }
      ),

    exchange: (query, attempt) =>
      ask<ExchangeOutcome, ExchangeOutcome>(
        async (configuration) => {
          const parameters = readCallback(query)
          if (!parameters) return { kind: 'refused', reason: 'invalid' }
          // No issuer is configured to compare `iss` (RFC 9207) with; the redirect URI per upstream prevents mix-up attacks.
          if (!isIssuer) parameters.delete('iss')
          const url = new URL(`${redirectUri}?${parameters}`)
          const answer = await client.authorizationCodeGrant(configuration, url, {
            ...(!upstream.withoutPkce && { pkceCodeVerifier: attempt.codeVerifier }),
            expectedState: attempt.state,
            ...(isIssuer && { expectedNonce: attempt.nonce, idTokenExpected: true })
          })
          // TLS vouches for the host that answered, the signature for the issuer, whatever stands between the two.
          if (isIssuer) await checkIdToken(configuration.serverMetadata(), answer.id_token ?? '')
          if (attempt.reauthenticates && !isFresh(answer.claims()?.auth_time)) {
            return { kind: 'refused', reason: 'not_fresh' }
          }
          const identity = await identify(configuration, upstream, answer)
          return { kind: 'signed_in', identity, tokens: toTokens(answer) }
        },
        (error) => ({ kind: 'refused', reason: describeRefusal(error) })
      ),

    refresh: (refreshToken) =>
      ask<UpstreamRefreshOutcome, UpstreamRefreshOutcome>(
        async (configuration) => {
          try {
            return {
              kind: 'refreshed',
              tokens: toTokens(await client.refreshTokenGrant(configuration, refreshToken))
            }
          } catch (error) {
            const successor = failureOf(error)?.successor
            if (successor === undefined) throw error
            events.upstreamRefused(upstream.id, 'unreadable', explain(error))
            return { kind: 'unusable', refreshToken: successor }
          }
        },
        () => ({ kind: 'refused' })
      ),

    revoke: (token) =>
      ask(
        async (configuration) => {
          if (!configuration.serverMetadata().revocation_endpoint) return false
          await client.tokenRevocation(configuration, token)
          return true
        },
        () => false
      )
  }
}

const ANSWER_PARAMETERS = ['state', 'code', 'error', 'iss']
/** Parameters of flows that are not used here (JARM, hybrid, implicit), which the library would otherwise process. */
const FOREIGN_PARAMETERS = ['response', 'id_token', 'token', 'access_token']

/** The known parameters of a callback: a state, and a code or an error, each once (RFC 6749 §3.1, §4.1.2); else undefined. */
function readCallback(query: string): URLSearchParams | undefined {
  const all = new URLSearchParams(query)
  if (FOREIGN_PARAMETERS.some((name) => all.has(name))) return undefined
  const known = [...all].filter(([name]) => ANSWER_PARAMETERS.includes(name))
  const answer = new URLSearchParams(known)
  const isOnce = answer.size === new Set(answer.keys()).size && [...answer.values()].every((value) => value !== '')
  return isOnce && answer.has('state') && answer.has('code') !== answer.has('error') ? answer : undefined
}

/** How old `auth_time` may be after a reauthentication: long enough to type a password and a second factor. */
const FRESH_SECONDS = 300
