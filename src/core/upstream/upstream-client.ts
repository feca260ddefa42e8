/**
 * The protocol client of one upstream, over openid-client: OpenID Connect with discovery (OpenID Connect Core 1.0 §3.1), or
 * plain OAuth 2.0 with a user info URL (RFC 6749 §4.1), both with PKCE (RFC 7636). Every HTTP request has a timeout. A refusal
 * is an outcome; an upstream that cannot be asked, or does not accept this service, is the fault `unavailable`.
 */
import * as client from 'openid-client'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createIdTokenCheck } from './id-token-keys.js'
import { type Attempt, attemptParameters, isFresh, readCallback } from './sign-in-attempt.js'
import type { Upstream, UpstreamEvents, UpstreamIdentity, UpstreamRefreshOutcome, UpstreamTokens } from './upstream.js'
import type { Verdict } from './upstream-answer.js'
import { createConfiguration } from './upstream-configuration.js'
import { describeRefusal, explain, isRefusal, isUnacceptable, type Refusal, toUnavailable } from './upstream-errors.js'
import { createUpstreamFetch, failureOf } from './upstream-fetch.js'
import { identify, toTokens } from './upstream-identity.js'

export type ExchangeOutcome =
  | {
      kind: 'signed_in'
      identity: UpstreamIdentity
      tokens: UpstreamTokens
      /** When the user signed in there; undefined if the upstream does not tell. */
      authenticatedAtMs: number | undefined
    }
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

export interface UpstreamClientParts {
  upstream: Upstream
  /** Must equal the redirect URI that is registered at the upstream. */
  redirectUri: string
  clock: Clock
  events: UpstreamEvents
}

export function createUpstreamClient({ upstream, redirectUri, clock, events }: UpstreamClientParts): UpstreamClient {
  const isIssuer = 'issuer' in upstream.endpoints
  const answered = (verdict: Verdict) => events.upstreamAnswered(upstream.id, verdict)
  const fetch = createUpstreamFetch({ isIssuer, clock, answered })
  const configure = createConfiguration(upstream, fetch, clock)
  const checkIdToken = createIdTokenCheck(fetch, clock)

  /** Runs one exchange with the upstream. Any error that is no refusal becomes `unavailable`. */
  async function ask<T, R>(work: (configuration: client.Configuration) => Promise<T>, refused: (error: unknown) => R) {
    try {
      return await work(await configure())
    } catch (error) {
      const verdict = isUnacceptable(error) ? 'unacceptable' : (failureOf(error)?.verdict ?? 'refused')
      const detail = explain(error)
      if (verdict !== 'ill') events.upstreamRefused(upstream.id, verdict, detail)
      if (isRefusal(error)) return refused(error)
      throw toUnavailable(upstream.id, error)
    }
  }

  return {
    upstream,

    authorizationUrl: (attempt) =>
      ask(
        async (configuration) =>
          client.buildAuthorizationUrl(configuration, await attemptParameters(upstream, attempt, redirectUri)),
        (error) => {
          throw fault('invalid_request', { detail: `upstream ${upstream.id}: ${explain(error)}`, cause: error })
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
          const authTime = answer.claims()?.auth_time
          if (attempt.reauthenticates && !isFresh(upstream, authTime, clock())) {
            return { kind: 'refused', reason: 'not_fresh' }
          }
          const identity = await identify(configuration, upstream, answer)
          const authenticatedAtMs = authTime === undefined ? undefined : Math.floor(authTime * 1000)
          return { kind: 'signed_in', identity, tokens: toTokens(answer, isIssuer, clock()), authenticatedAtMs }
        },
        (error) => ({ kind: 'refused', reason: describeRefusal(error) })
      ),

    refresh: (refreshToken) =>
      ask<UpstreamRefreshOutcome, UpstreamRefreshOutcome>(
        async (configuration) => {
          try {
            return {
              kind: 'refreshed',
              tokens: toTokens(await client.refreshTokenGrant(configuration, refreshToken), isIssuer, clock())
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
