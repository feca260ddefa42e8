/**
 * Validates a token of a trusted issuer by a policy. Every condition is checked at each call, and a token that cannot be
 * checked is never reported as valid. Policies with their conditions are in policies.ts, the issuer's keys in trusted-issuer-keys.ts.
 */
import { decodeProtectedHeader, errors } from 'jose'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import { isCompactJws } from './compact-jws.js'
import { holds } from './conditions.js'
import { readFingerprint } from './guarded-fetch.js'
import { verifyWithKept } from './kept-key-sets.js'
import type { Policies } from './policies.js'
import type { Policy, TrustedIssuer } from './tenant.js'
import type { TrustedIssuerKeys } from './trusted-issuer-keys.js'

/** Only asymmetric algorithms are allowed, because with HMAC whoever can verify a token can also make one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** How far the clock of the issuer may be off. */
const LEEWAY_SECONDS = 60
const HOUR_SECONDS = 3_600
const NO_SIGNATURE = 'Its signature is not valid'

/** `reason` is a sentence for the caller that quotes nothing of the token. */
export type Validation = { kind: 'valid'; expSeconds: number } | { kind: 'invalid'; reason: string }

export interface Validator {
  /**
   * Undefined if the owner has no such tenant or policy. Rejects with `unavailable` when the issuer could not be asked
   * for its keys.
   */
  validate(owner: string, tenantId: string, policyId: string, token: string): Promise<Validation | undefined>
}

export interface ValidatorParts {
  policies: Policies
  keys: TrustedIssuerKeys
  clock: Clock
}

export function createValidator({ policies, keys: issuerKeys, clock }: ValidatorParts): Validator {
  function verify(owner: string, token: string, { url, audience }: TrustedIssuer) {
    return verifyWithKept((again) => issuerKeys.of(url, again, owner), token, {
      algorithms: ALGORITHMS,
      // The URL is stored without a trailing slash, but the `iss` of a token may have one.
      issuer: [url, `${url}/`],
      audience,
      requiredClaims: ['exp'],
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(clock())
    })
  }

  async function judge(owner: string, token: string, issuer: TrustedIssuer, policy: Policy): Promise<Validation> {
    if (!isToken(token)) return invalid('It is no signed JWT')
    let verified: Awaited<ReturnType<typeof verify>>
    try {
      verified = await verify(owner, token, issuer)
    } catch (error) {
      // If the issuer could not be asked for its keys, or for newer ones, nothing is known about the token.
      if (isFault(error)) throw error
      return invalid(explain(error))
    }
    if (!verified) return invalid('The issuer cannot be asked for its keys')
    if (!isCompactJws(token)) return invalid(NO_SIGNATURE)
    const { payload: claims, set } = verified
    if (set.isTls && !issuer.fingerprints.some((text) => set.fingerprints.includes(readFingerprint(text)))) {
      return invalid('None of the fingerprints belongs to the certificates of the issuer')
    }
    const nowSeconds = Math.floor(clock() / 1000)
    const { iat, exp = 0, aud } = claims
    // JSON.parse returns Infinity for a number too large for a double, such as 1e999.
    if (![exp, iat ?? 0].every(Number.isFinite)) return invalid('Its times are no times')
    if (iat !== undefined && iat > nowSeconds + LEEWAY_SECONDS) return invalid('It was issued in the future')
    const oldestSeconds = issuer.earliestIssuanceTimeAllowed * HOUR_SECONDS
    if (oldestSeconds > 0) {
      if (iat === undefined) return invalid('It has no iat, and the issuer is trusted for tokens of a limited age only')
      if (nowSeconds - iat > oldestSeconds) return invalid('It was issued too long ago')
    }
    if (![aud].flat().includes(policy.audience)) return invalid('It is not for the audience of the policy')
    if (!policy.conditions.every((condition) => holds(condition, claims))) {
      return invalid('It does not meet the conditions of the policy')
    }
    return { kind: 'valid', expSeconds: exp }
  }

  return {
    async validate(owner, tenantId, policyId, token) {
      const found = await policies.findWithIssuer(owner, tenantId, policyId)
      return found && judge(owner, token, found.issuer, found.policy)
    }
  }
}

const invalid = (reason: string): Validation => ({ kind: 'invalid', reason })

/** Matches three parts of base64url. The decoder alone would accept spaces and line ends. */
const COMPACT_JWS = /^[\w-]+\.[\w-]*\.[\w-]*$/

function isToken(token: string): boolean {
  try {
    return COMPACT_JWS.test(token) && decodeProtectedHeader(token).alg !== undefined
  } catch {
    return false
  }
}

function explain(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'It has expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' ? 'It is not valid yet' : `Its ${error.claim} is not the one that is expected`
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'Its algorithm is not accepted'
  if (error instanceof errors.JWKSNoMatchingKey) return 'It is signed by a key that the issuer does not publish'
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'More keys of the issuer fit it than are tried'
  return NO_SIGNATURE
}
