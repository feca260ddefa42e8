/**
 * Talks to one identity provider through openid-client: OpenID Connect with discovery (OpenID Connect Core 1.0 §3.1), or plain
 * OAuth 2.0 with a user info URL (RFC 6749 §4.1), both with PKCE (RFC 7636).
 * Every call has a deadline. What the provider refuses is an outcome; that it could not be asked is the fault `unavailable`.
 */
import * as client from 'openid-client'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBreaker } from './breaker.js'
import type { IdentityProvider, ProviderIdentity, ProviderTokens } from './identity-provider.js'
import { describeRefusal, explain, isRefusal, type Refusal, retryAfterOf } from './provider-errors.js'
import { createProviderFetch } from './provider-fetch.js'

/** Much less than a refresh lock lasts. */
const ANSWER_WITHIN_SECONDS = 4
/** Endpoints and keys of an issuer are looked up anew after this. */
const DISCOVERED_FOR_MS = 3_600_000

/** The secrets of one attempt to sign in; they wait in the browser, sealed, for the provider's answer. */
export interface Attempt {
  state: string
  nonce: string
  codeVerifier: string
  /** Whether the user had to prove again who they are. */
  reauthenticates: boolean
}

export type ExchangeOutcome =
  | { kind: 'signed_in'; identity: ProviderIdentity; tokens: ProviderTokens }
  | { kind: 'refused'; reason: Refusal }

export type ProviderRefreshOutcome = { kind: 'refreshed'; tokens: ProviderTokens } | { kind: 'refused'; reason: string }

export interface ProviderClient {
  readonly provider: IdentityProvider
  /** Where to send the browser. */
  authorizationUrl(attempt: Attempt): Promise<URL>
  /** Redeems what the provider sent the browser back with; `query` is that of the callback. */
  exchange(query: string, attempt: Attempt): Promise<ExchangeOutcome>
  refresh(refreshToken: string): Promise<ProviderRefreshOutcome>
  /** Ends a token at the provider (RFC 7009). False where it has no way to. */
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

export interface ProviderClientParts {
  provider: IdentityProvider
  /** Exactly as it is registered with the provider. */
  redirectUri: string
  clock: Clock
}

export function createProviderClient({ provider, redirectUri, clock }: ProviderClientParts): ProviderClient {
  const { endpoints } = provider
  const isIssuer = 'issuer' in endpoints
  const breaker = createBreaker(clock)
  let discovered: { configuration: Promise<client.Configuration>; atMs: number } | undefined

  /** The provider's configuration, looked up once for all who wait; a failure is forgotten at once. */
  function configure(): Promise<client.Configuration> {
    if (discovered && clock() - discovered.atMs < DISCOVERED_FOR_MS) return discovered.configuration
    const configuration = isIssuer ? discover(provider, endpoints.issuer) : Promise.resolve(configurePlain(provider))
    const mine = { configuration, atMs: clock() }
    configuration.catch(() => {
      if (discovered === mine) discovered = undefined
    })
    discovered = mine
    return configuration
  }

  /** Runs one exchange; whatever is not the provider's own word on the matter means that it could not be asked. */
  async function ask<T, R>(work: (configuration: client.Configuration) => Promise<T>, refused: (error: unknown) => R) {
    const pauseSeconds = breaker.pauseSeconds()
    if (pauseSeconds > 0) {
      throw fault('unavailable', { detail: `provider ${provider.id} is left alone`, retryAfterSeconds: pauseSeconds })
    }
    try {
      const answer = await work(await configure())
      breaker.succeeded()
      return answer
    } catch (error) {
      if (isRefusal(error)) {
        breaker.succeeded()
        return refused(error)
      }
      breaker.failed(retryAfterOf(error))
      const retryAfterSeconds = breaker.pauseSeconds()
      throw fault('unavailable', {
        detail: `provider ${provider.id}: ${explain(error)}`,
        cause: error,
        ...(retryAfterSeconds > 0 && { retryAfterSeconds })
      })
    }
  }

  function readTokens(answer: client.TokenEndpointResponse): ProviderTokens {
    const seconds = answer.expires_in
    return {
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      // GitHub and its like separate them with commas.
      scopes: answer.scope?.split(isIssuer ? ' ' : /[ ,]/).filter((word) => word !== ''),
      expiresAtMs: seconds === undefined ? undefined : clock() + seconds * 1000
    }
  }

  async function identify(
    configuration: client.Configuration,
    answer: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers
  ): Promise<ProviderIdentity> {
    if (isIssuer) {
      const claims = answer.claims()
      if (!claims) throw new Error('no ID token')
      const { sub, preferred_username: preferred, email, name } = claims
      return readIdentity(sub, preferred ?? email, name ?? preferred ?? email)
    }
    const info = await client.fetchProtectedResource(
      configuration,
      answer.access_token,
      new URL(endpoints.userinfo),
      'GET',
      undefined,
      // Some services refuse requests without a name.
      new Headers({ accept: 'application/json', 'user-agent': 'grantd' })
    )
    if (!info.ok) throw new Error(`user info answered ${info.status}`)
    const members = (await info.json()) as Record<string, unknown>
    const { subjectMember, usernameMember, nameMember } = endpoints
    return readIdentity(members[subjectMember], members[usernameMember], members[nameMember] ?? members[usernameMember])
  }

  return {
    provider,

    authorizationUrl: (attempt) =>
      ask(
        async (configuration) =>
          client.buildAuthorizationUrl(configuration, {
            ...provider.authorizationParameters,
            ...(attempt.reauthenticates && provider.reauthenticationParameters),
            ...(provider.scope !== '' && { scope: provider.scope }),
            redirect_uri: redirectUri,
            response_type: 'code',
            state: attempt.state,
            code_challenge: await client.calculatePKCECodeChallenge(attempt.codeVerifier),
            code_challenge_method: 'S256',
            ...(isIssuer && { nonce: attempt.nonce })
          }),
        (error) => {
          throw error
        }
      ),

    exchange: (query, attempt) =>
      ask<ExchangeOutcome, ExchangeOutcome>(
        async (configuration) => {
          const url = new URL(`${redirectUri}?${query}`)
          if (!isOneAnswer(url.searchParams)) return { kind: 'refused', reason: 'invalid' }
          // Each provider has a redirect URI of its own, so its name in the answer adds nothing where no issuer is configured.
          if (!isIssuer) url.searchParams.delete('iss')
          const answer = await client.authorizationCodeGrant(configuration, url, {
            pkceCodeVerifier: attempt.codeVerifier,
            expectedState: attempt.state,
            ...(isIssuer && { expectedNonce: attempt.nonce, idTokenExpected: true })
          })
          const authTime = answer.claims()?.auth_time
          // Providers need not tell; one that tells must not tell of an old sign-in.
          if (attempt.reauthenticates && authTime !== undefined && clock() / 1000 - authTime > FRESH_SECONDS) {
            return { kind: 'refused', reason: 'not_fresh' }
          }
          return { kind: 'signed_in', identity: await identify(configuration, answer), tokens: readTokens(answer) }
        },
        (error) => ({ kind: 'refused', reason: describeRefusal(error) })
      ),

    refresh: (refreshToken) =>
      ask<ProviderRefreshOutcome, ProviderRefreshOutcome>(
        async (configuration) => ({
          kind: 'refreshed',
          tokens: readTokens(await client.refreshTokenGrant(configuration, refreshToken))
        }),
        (error) => ({ kind: 'refused', reason: describeRefusal(error) })
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

/** A code or an error, and nothing twice (RFC 6749 §3.1, §4.1.2). */
function isOneAnswer(parameters: URLSearchParams): boolean {
  const names = [...parameters.keys()]
  return (
    new Set(names).size === names.length &&
    parameters.has('state') &&
    parameters.has('code') !== parameters.has('error')
  )
}

/** A sign-in is fresh that was no longer ago than a person needs to type a password. */
const FRESH_SECONDS = 300
/** Longer ones could not be shown or kept. */
const LONGEST_SUBJECT = 255
const LONGEST_NAME = 255

function readIdentity(sub: unknown, username: unknown, name: unknown): ProviderIdentity {
  const subject = typeof sub === 'number' && Number.isSafeInteger(sub) ? String(sub) : sub
  const isSubject = typeof subject === 'string' && subject !== '' && subject.length <= LONGEST_SUBJECT
  if (!isSubject || /\p{Surrogate}/u.test(subject)) throw new Error('no usable subject')
  const text = (value: unknown, fallback: string) =>
    typeof value === 'string' && value.trim() !== ''
      ? value.slice(0, LONGEST_NAME).replace(/\p{Surrogate}/gu, '\uFFFD')
      : fallback
  const known = text(username, subject)
  return { subject, username: known, name: text(name, known) }
}

function authenticationOf({ clientSecret, authMethod }: IdentityProvider): client.ClientAuth {
  if (clientSecret === undefined) return client.None()
  return authMethod === 'client_secret_post'
    ? client.ClientSecretPost(clientSecret)
    : client.ClientSecretBasic(clientSecret)
}

async function discover(provider: IdentityProvider, issuer: string): Promise<client.Configuration> {
  const options = {
    timeout: ANSWER_WITHIN_SECONDS,
    [client.customFetch]: createProviderFetch(),
    execute: issuer.startsWith('http:') ? [client.allowInsecureRequests] : []
  }
  return client.discovery(new URL(issuer), provider.clientId, undefined, authenticationOf(provider), options)
}

function configurePlain(provider: IdentityProvider): client.Configuration {
  if ('issuer' in provider.endpoints) throw new Error('an issuer is discovered')
  const { authorization, token, userinfo, revocation } = provider.endpoints
  const configuration = new client.Configuration(
    {
      issuer: new URL(authorization).origin,
      authorization_endpoint: authorization,
      token_endpoint: token,
      userinfo_endpoint: userinfo,
      ...(revocation !== undefined && { revocation_endpoint: revocation })
    },
    provider.clientId,
    undefined,
    authenticationOf(provider)
  )
  configuration.timeout = ANSWER_WITHIN_SECONDS
  configuration[client.customFetch] = createProviderFetch()
  if ([authorization, token, userinfo].some((url) => url.startsWith('http:')))
    client.allowInsecureRequests(configuration)
  return configuration
}
