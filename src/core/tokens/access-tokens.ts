/**
 * The client JWT: an access token in the profile of RFC 9068, minted from an authorization's record and never stored. This file
 * verifies signature and claims; whether the authorization is still valid is checked in tokens.ts.
 */
import { randomUUID } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import type { Authorization } from '../authorizations/authorization.js'
import { CLIENT_TYPES } from '../clients/client.js'
import { writeScope } from '../clients/scope.js'
import { fault } from '../fault.js'
import { isCompactJws } from '../trust/compact-jws.js'
import { isUserId } from '../users/user.js'
import type { IdTokensParts } from './id-tokens.js'
import type { SigningKey } from './signing-key.js'
import { statusClaim } from './status-list-token.js'

export interface AccessTokenClaims {
  iss: string
  sub: string
  /** The issuer, or a resource (RFC 8707). */
  aud: string
  iat: number
  exp: number
  /** Of this token alone. In tokens of older versions it is that of the authorization, as `cid`. */
  jti: string
  /** The id of the authorization. */
  cid: string
  client_id: string
  client_type: string
  scope: string
  /** Where its status list is, if there was one at its approval. */
  status?: ReturnType<typeof statusClaim>
}

/**
 * The result of verifying a bearer token. `foreign`: a JWT that names no key of ours. `bad`: not a JWT, or one that names a key
 * of ours but is malformed, expired or forged. `good`: genuine and unexpired.
 */
export type OpenedToken = { kind: 'foreign' } | { kind: 'bad' } | { kind: 'good'; claims: AccessTokenClaims }

/** The lifetime, the scopes and the audience of one token, all within those of its authorization. */
export interface TokenTerms {
  issuedAtMs: number
  expiresAtMs: number
  scopes: readonly string[]
  /** The resource it is for; undefined for the issuer itself. */
  resource?: string | undefined
}

export interface AccessTokens {
  /** Signs a token. Throws `unavailable` while there is no signing key. */
  mint(authorization: Authorization, terms: TokenTerms): string
  /** Verifies a bearer token. Rejects with `unavailable` when the storage had to be asked for its key and did not answer. */
  open(token: string): Promise<OpenedToken>
}

const TYP = 'at+jwt'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const CLAIMS = ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_id', 'client_type', 'scope'] as const
/** The length cap of a bearer token, of ours or of the dashboard, applied before its header is decoded. */
const LONGEST_TOKEN = 16_384

/** The issuer is `aud` as well of those that are for no resource. */
export interface AccessTokensParts extends IdTokensParts {
  /** `iss` required of presented tokens; undefined to accept any, on the signature alone. */
  expectedIssuer: string | undefined
  /** The identifiers of all resources: `aud` of a presented token is one of them, or as its `iss`. */
  resources: ReadonlySet<string>
  /** Whether tokens say where their status list is. */
  namesStatusList?: boolean
}

/** Whether a token is for this service itself, and not for a resource. */
export const isForIssuer = ({ iss, aud }: AccessTokenClaims) => aud === iss

export function createAccessTokens(parts: AccessTokensParts): AccessTokens {
  const { keys, jwt, issuer, expectedIssuer, resources, namesStatusList = false } = parts

  function verify(token: string, key: SigningKey): OpenedToken {
    try {
      const claims = jwt.verify<AccessTokenClaims>(token, key, { issuer: expectedIssuer, typ: TYP, claims: CLAIMS })
      return isWellFormed(claims) ? { kind: 'good', claims } : { kind: 'bad' }
    } catch {
      // Callers do not distinguish why a token is invalid.
      return { kind: 'bad' }
    }
  }

  const isWellFormed = (claims: AccessTokenClaims) =>
    isUserId(claims.sub) &&
    // Tokens of a resource that the operator has removed from OAUTH_CLIENTS_FILE are no longer valid.
    (isForIssuer(claims) || resources.has(claims.aud)) &&
    Number.isInteger(claims.iat) &&
    typeof claims.cid === 'string' &&
    UUID.test(String(claims.jti)) &&
    typeof claims.client_id === 'string' &&
    typeof claims.scope === 'string' &&
    CLIENT_TYPES.some((type) => type === claims.client_type)

  return {
    mint(authorization, { issuedAtMs, expiresAtMs, scopes, resource = issuer }) {
      const key = keys.current()
      if (!key) throw fault('unavailable', { detail: 'no signing key yet' })
      const { statusIndex } = authorization
      const claims = {
        iss: issuer,
        sub: authorization.userId,
        aud: resource,
        iat: Math.floor(issuedAtMs / 1000),
        exp: Math.floor(expiresAtMs / 1000),
        jti: randomUUID(),
        cid: authorization.id,
        client_id: authorization.clientId,
        client_type: authorization.clientType,
        scope: writeScope(scopes),
        ...(namesStatusList && statusIndex !== undefined && { status: statusClaim(issuer, statusIndex) })
      } satisfies AccessTokenClaims
      return jwt.sign(claims, key, { typ: TYP })
    },

    async open(token) {
      const header = token.length <= LONGEST_TOKEN ? headerOf(token) : undefined
      if (!header) return { kind: 'bad' }
      // The unverified header only selects the verifier, which checks the signature and all claims itself.
      const { typ, kid } = header
      const isOurs = typeof kid === 'string' && typeof typ === 'string' && typ.toLowerCase() === TYP
      const key = isOurs ? await keys.find(kid) : undefined
      if (!key) return { kind: 'foreign' }
      return isCompactJws(token) ? verify(token, key) : { kind: 'bad' }
    }
  }
}

function headerOf(token: string) {
  try {
    return decodeProtectedHeader(token)
  } catch {
    // Not a JWT at all.
    return undefined
  }
}
