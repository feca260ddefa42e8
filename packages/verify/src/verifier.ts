/**
 * Verifies access tokens in the profile of RFC 9068: signature and claims with jose, then whether the authorization is revoked, then
 * scopes. How revocations become known is in feed.ts and introspection.ts; what is refused, and how, in errors.ts.
 */
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { createTime } from './clock.js'
import { createDiscovery } from './discovery.js'
import { createRefusals, type Reason } from './errors.js'
import { createFeed, type Feed, type FeedStatus } from './feed.js'
import { createFeedRequest } from './feed-request.js'
import { createIntrospection } from './introspection.js'
import { createKeys, isOfTheToken } from './keys.js'
import { checkOptions, createScopeReader, type VerifierOptions } from './options.js'
import { authorizationOf, type Credentials, isAnswerError } from './requests.js'
import { type ResourceMetadata, resourceMetadata, resourceMetadataUrl } from './resource-metadata.js'

/** What a token says that was accepted. */
export interface AccessTokenClaims extends JWTPayload {
  iss: string
  sub: string
  aud: string | string[]
  exp: number
  iat: number
  jti: string
  client_id: string
  /** Separated by spaces. */
  scope?: string
  /** The authorization in the list of its user, in tokens of grantd. */
  cid?: string
}

export interface Requirements {
  /** All of these scopes are needed; separated by spaces, or a list. */
  scope?: string | readonly string[]
}

export interface Verifier {
  /**
   * Resolves to the claims of a token that counts. Rejects with a VerifyError, and with a TypeError if what is asked for is no scope.
   */
  verify(token: string | undefined, requirements?: Requirements): Promise<AccessTokenClaims>
  /** The same for the value of the header `Authorization`. */
  authenticate(authorization: string | undefined, requirements?: Requirements): Promise<AccessTokenClaims>
  /**
   * Resolves once keys and revocations are at hand, so that the first token need not wait. Rejects with a VerifyError of 503 if they
   * cannot be had now; the verifier goes on trying by itself.
   */
  ready(options?: { signal?: AbortSignal }): Promise<void>
  /** The state of the feed, for a health check; undefined without one. */
  feed(): FeedStatus | undefined
  /** The document of RFC 9728 and its address; undefined without the option `metadata`. */
  readonly metadata: { url: string; path: string; document: ResourceMetadata } | undefined
  /** Ends the feed. Every token is refused with 503 from then on. */
  close(): Promise<void>
}

const DEFAULT_STALE_AFTER_SECONDS = 60
const DEFAULT_CLOCK_TOLERANCE_SECONDS = 5
const NONE: readonly string[] = []
/** The length cap of a token, applied before anything of it is decoded. */
const LONGEST_TOKEN = 16_384
/** Throws a TypeError if an option is missing or wrong. */
export function createVerifier(options: VerifierOptions): Verifier {
  checkOptions(options)
  const { issuer, audience, revocations, onStale = 'refuse', algorithms, signal } = options
  const { staleAfterSeconds = DEFAULT_STALE_AFTER_SECONDS } = options
  const { clockToleranceSeconds = DEFAULT_CLOCK_TOLERANCE_SECONDS } = options
  const credentials = options.credentials as Credentials
  const time = createTime(options.clock)
  const scopesOf = createScopeReader()
  const metadata = metadataOf(options)
  const { refuse, unavailable } = createRefusals(metadata?.url)
  const discover = createDiscovery(issuer, time)
  const keys = createKeys(discover, time)
  const introspect = revocations === 'introspection' ? createIntrospection(discover, credentials) : undefined
  const feed = revocations === 'feed' ? startFeed() : undefined
  const audiences = [audience].flat()
  const expected: JWTVerifyOptions = {
    ...{ issuer, audience: audiences, typ: 'at+jwt', clockTolerance: clockToleranceSeconds },
    ...(algorithms && { algorithms: [...algorithms] })
  }
  let isClosed = false

  function startFeed(): Feed {
    const address = `${issuer.replace(/\/$/, '')}/oauth/revocations`
    return createFeed({
      read: createFeedRequest(address, authorizationOf(credentials)),
      ...{ staleAfterMs: staleAfterSeconds * 1_000, clockToleranceSeconds, time },
      changed: (status) => options.onFeed?.(status)
    })
  }

  /** A token without `kid` of an issuer with several keys is tried with each. Any other error is a refusal. */
  async function openOtherwise(error: unknown, token: string, terms: JWTVerifyOptions): Promise<JWTPayload> {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw refusalOf(error)
    let last: unknown = new errors.JWSSignatureVerificationFailed()
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, terms)).payload
      } catch (cause) {
        last = cause
        if (!(cause instanceof errors.JWSSignatureVerificationFailed)) break
      }
    }
    throw refusalOf(last)
  }

  const refusalOf = (cause: unknown) =>
    isOfTheToken(cause) ? refuse(reasonOf(cause), { cause }) : unavailable('keys', { cause })

  function checkFeed(feed: Feed, cid: string): void {
    if (feed.isRevoked(cid)) throw refuse('revoked')
    if (onStale === 'accept' || feed.isFresh()) return
    const { confirmedAtMs, error: cause } = feed.status()
    const retryAfterSeconds = feed.retryAfterSeconds()
    throw unavailable(confirmedAtMs === undefined ? 'unread' : 'stale', { retryAfterSeconds, cause })
  }

  /** Returns the scope that the issuer names, if it names one. */
  async function askIssuer(token: string): Promise<string | undefined> {
    const answer = await introspect?.(token).catch((cause) => {
      const retryAfterMs = isAnswerError(cause) ? cause.retryAfterMs : undefined
      const retryAfterSeconds = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000)
      throw unavailable('introspection', { cause, retryAfterSeconds })
    })
    if (!answer) throw refuse('revoked')
    const { audience, expiresAtSeconds = Number.POSITIVE_INFINITY, scope } = answer
    if (audience && !audience.some((one) => audiences.includes(one))) throw refuse('audience')
    if (expiresAtSeconds <= Math.floor(time.now() / 1_000) - clockToleranceSeconds) throw refuse('expired')
    return scope
  }

  async function verify(token: string | undefined, { scope }: Requirements = {}): Promise<AccessTokenClaims> {
    const needed = scope === undefined ? NONE : scopesOf(scope)
    if (isClosed) throw unavailable('closed')
    if (token === undefined || token === '') throw refuse('missing')
    if (typeof token !== 'string' || token.length > LONGEST_TOKEN) throw refuse('malformed')
    const currentDate = time.date()
    const terms = currentDate ? { ...expected, currentDate } : expected
    let claims: JWTPayload
    try {
      claims = (await jwtVerify(token, keys.get, terms)).payload
    } catch (error) {
      claims = await openOtherwise(error, token, terms)
    }
    if (!isWellFormed(claims)) throw refuse('claims')
    let granted = claims.scope
    if (feed) {
      if (typeof claims.cid !== 'string') throw refuse('claims')
      // Nothing is awaited where nothing must be, and nothing at all between the last look and the answer.
      const settling = feed.settle()
      if (settling) await settling
      checkFeed(feed, claims.cid)
    } else if (introspect) {
      granted = (await askIssuer(token)) ?? granted
    }
    if (needed.length > 0) {
      const has = (granted ?? '').split(' ')
      if (!needed.every((one) => has.includes(one))) throw refuse('scope', { scope: needed.join(' ') })
    }
    return claims
  }

  async function loadKeys(): Promise<void> {
    await keys.load().catch((cause) => {
      throw unavailable('keys', { cause })
    })
  }

  async function settleFeed(): Promise<void> {
    await feed?.settle()
    if (!feed || feed.isFresh()) return
    throw unavailable('unread', { cause: feed.status().error, retryAfterSeconds: feed.retryAfterSeconds() })
  }

  async function close(): Promise<void> {
    isClosed = true
    signal?.removeEventListener('abort', close)
    await feed?.close()
  }

  if (signal?.aborted) close()
  else signal?.addEventListener('abort', close, { once: true })

  return {
    verify,

    authenticate: async (authorization, requirements) => verify(tokenOf(authorization), requirements),

    async ready({ signal } = {}) {
      signal?.throwIfAborted()
      if (isClosed) throw unavailable('closed')
      const work = Promise.all([loadKeys(), settleFeed()])
      await (signal ? Promise.race([work, aborted(signal)]) : work)
    },

    feed: () => feed?.status(),
    metadata,
    close
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function metadataOf({ issuer, audience, metadata }: VerifierOptions): Verifier['metadata'] {
  if (!metadata) return undefined
  const resource = metadata.resource ?? [audience].flat()[0] ?? ''
  const url = resourceMetadataUrl(resource)
  const { pathname, search } = new URL(url)
  return { url, path: pathname + search, document: resourceMetadata(issuer, { ...metadata, resource }) }
}

/** RFC 6750 §2.1. Credentials of another scheme are none; what is no token is one that is malformed. */
function tokenOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1]
}

/** RFC 9068 §2.2; jose has seen to `iss`, `aud`, and the types of the times. */
function isWellFormed(claims: JWTPayload): claims is AccessTokenClaims {
  const { sub, client_id, jti, iat, exp, scope, cnf } = claims
  const isText = (claim: unknown) => typeof claim === 'string' && claim !== ''
  const areTexts = isText(sub) && isText(client_id) && isText(jti)
  // A token that is bound to a key (RFC 7800) is worth nothing without it, and nobody here asks for it.
  if (cnf !== undefined) return false
  return areTexts && iat !== undefined && exp !== undefined && (scope === undefined || typeof scope === 'string')
}

function reasonOf(error: errors.JOSEError): Reason {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason !== 'check_failed') return 'claims'
    const reasons: Record<string, Reason> = { typ: 'type', iss: 'issuer', aud: 'audience', nbf: 'not-yet' }
    return reasons[error.claim] ?? 'claims'
  }
  return /^ERR_(JWS_INVALID|JWT_INVALID)$/.test(error.code) ? 'malformed' : 'signature'
}
