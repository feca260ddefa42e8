/** What a verifier can be told, and the check that it makes sense. */
import type { Clock } from './clock.js'
import type { FeedStatus } from './feed.js'
import type { Credentials } from './requests.js'
import type { ResourceMetadata } from './resource-metadata.js'

export interface VerifierOptions {
  /** The issuer's URL, exactly as it stands in `iss`. https, or http on the loopback. */
  issuer: string
  /** What `aud` must name: the identifier of your API. Of several one is enough. */
  audience: string | readonly string[]
  /**
   * How revoked tokens are found out. `feed` (grantd): this process holds a list that the issuer keeps up to date, with no request per
   * token. `introspection` (RFC 7662): one request per token. `none`: a revoked token is accepted until it ends.
   */
  revocations: 'feed' | 'introspection' | 'none'
  /** Who asks, for `feed` and `introspection`. */
  credentials?: Credentials
  /** What to do when the feed could not be read for so long: refuse with 503 (the default), or accept what is not known to be revoked. */
  onStale?: 'refuse' | 'accept'
  /**
   * How old the last confirmed reading of the feed may be, and so how long a revoked token can be accepted at worst: 60 by default, 3
   * to 3600. While all is well a revocation arrives in milliseconds.
   */
  staleAfterSeconds?: number
  /** By how much this machine's clock may differ from the issuer's, in `exp` and `nbf`: 5 seconds by default, 300 at most. */
  clockToleranceSeconds?: number
  /** The signature algorithms to accept. By default every one that jose knows and that takes a public key. */
  algorithms?: readonly string[]
  /**
   * What clients may know of this API (RFC 9728). Challenges then name its address, and the plugin and the middleware serve it. `resource`
   * is by default the audience.
   */
  metadata?: Partial<ResourceMetadata>
  /** Told whenever the feed is lost or found again, not of each try. */
  onFeed?: (status: FeedStatus) => void
  /** Closes the verifier. */
  signal?: AbortSignal
  /** Milliseconds since 1970, for tests. */
  clock?: Clock
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Throws a TypeError that says which option is wrong. */
export function checkOptions(options: VerifierOptions): void {
  const { issuer, audience, revocations, credentials, onStale, staleAfterSeconds, clockToleranceSeconds } = options
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))
  expect(url && isSafe && !/[?#]/.test(issuer), 'issuer must be an https URL without query and fragment')
  const audiences = [audience].flat()
  expect(audiences.length > 0 && audiences.every((one) => typeof one === 'string' && one !== ''), 'audience is missing')
  expect(
    ['feed', 'introspection', 'none'].includes(revocations),
    'revocations must be "feed", "introspection" or "none"'
  )
  if (revocations !== 'none') {
    const given: Record<string, unknown> = { ...credentials }
    const isGiven = (name: string) => typeof given[name] === 'string' && given[name] !== ''
    expect(
      isGiven('apiKey') || (isGiven('clientId') && isGiven('clientSecret')),
      'credentials must be { apiKey } or { clientId, clientSecret }'
    )
  }
  expect(onStale === undefined || ['refuse', 'accept'].includes(onStale), 'onStale must be "refuse" or "accept"')
  expect(isBetween(staleAfterSeconds, 3, 3_600), 'staleAfterSeconds must be 3 to 3600')
  expect(isBetween(clockToleranceSeconds, 0, 300), 'clockToleranceSeconds must be 0 to 300')
}

const isBetween = (value: number | undefined, least: number, most: number) =>
  value === undefined || (value >= least && value <= most)

function expect(isSo: unknown, message: string): void {
  if (!isSo) throw new TypeError(`createVerifier: ${message}`)
}

/** Throws a TypeError for what is no scope: at once, and not with the first request. */
export function checkScope(scope: string | readonly string[] | undefined): void {
  if (scope !== undefined) createScopeReader()(scope)
}

/** How many different texts of scopes are read once only. */
const MOST_KNOWN = 200

/**
 * Returns the function that reads scopes as the wire has them, separated by spaces, or as a list. It throws a TypeError for what is no
 * scope.
 */
export function createScopeReader(): (scope: string | readonly string[]) => readonly string[] {
  const known = new Map<string, readonly string[]>()

  function read(text: string): readonly string[] {
    const scopes = text.split(' ')
    // RFC 6749 §3.3. Anything else would also break out of the quotes of a challenge.
    const bad = scopes.find((one) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(one))
    if (bad !== undefined) throw new TypeError(`"${bad}" is no scope`)
    if (known.size < MOST_KNOWN) known.set(text, scopes)
    return scopes
  }

  const readOnce = (text: string) => known.get(text) ?? read(text)
  return (scope) => (typeof scope === 'string' ? readOnce(scope) : scope.flatMap(readOnce))
}
