/**
 * The client JWT: an access token of the profile RFC 9068, minted from the record of an authorization and never stored.
 * Verifying here means the signature and the claims; whether the client may still act is that record's to say.
 */
import { decodeProtectedHeader } from 'jose'
import type { Authorization } from '../authorizations/authorization.js'
import { CLIENT_TYPES } from '../clients/client.js'
import { writeScope } from '../clients/scope.js'
import { fault } from '../fault.js'
import { isUserId } from '../users/user-id.js'
import type { JwtSigner } from './jwt-signer.js'
import type { SigningKey } from './signing-key.js'
import type { SigningKeys } from './signing-keys.js'

export interface AccessTokenClaims {
  iss: string
  sub: string
  aud: string
  iat: number
  exp: number
  jti: string
  cid: string
  client_id: string
  client_type: string
  scope: string
}

/** What a bearer token is: not one of ours, one that is not good, or a genuine and unexpired one. */
export type OpenedToken = { kind: 'foreign' } | { kind: 'bad' } | { kind: 'good'; claims: AccessTokenClaims }

/** The life of one token and what it is for; both within what its authorization has. */
export interface TokenTerms {
  issuedAtMs: number
  expiresAtMs: number
  scopes: readonly string[]
}

export interface AccessTokens {
  /** Throws `unavailable` while there is no signing key. */
  mint(authorization: Authorization, terms: TokenTerms): string
  open(token: string): Promise<OpenedToken>
}

const TYP = 'at+jwt'
const CLAIMS = ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_id', 'client_type', 'scope'] as const
/** What is longer was not made by anybody we know. */
const LONGEST_TOKEN = 8_192

export interface AccessTokensParts {
  keys: SigningKeys
  jwt: JwtSigner
  /** `iss` and `aud` of the tokens made here. */
  issuer: string
  /** What they must be in a token that is shown here; undefined lets the signature decide alone. */
  expectedIssuer: string | undefined
}

export function createAccessTokens({ keys, jwt, issuer, expectedIssuer }: AccessTokensParts): AccessTokens {
  /** The key of ours that a token names; undefined if it names none, and so is somebody else's. Proves nothing. */
  async function keyOf({ typ, kid }: { typ?: unknown; kid?: unknown }): Promise<SigningKey | undefined> {
    return typeof kid === 'string' && typeof typ === 'string' && typ.toLowerCase() === TYP ? keys.find(kid) : undefined
  }

  function verify(token: string, key: SigningKey): OpenedToken {
    let claims: AccessTokenClaims
    try {
      claims = jwt.verify<AccessTokenClaims>(token, key, { issuer: expectedIssuer, typ: TYP, claims: CLAIMS })
    } catch {
      // The library says why in many ways; to the caller a token is good or it is not.
      return { kind: 'bad' }
    }
    const wellFormed =
      isUserId(claims.sub) &&
      Number.isInteger(claims.iat) &&
      typeof claims.cid === 'string' &&
      claims.cid === claims.jti &&
      typeof claims.client_id === 'string' &&
      typeof claims.scope === 'string' &&
      CLIENT_TYPES.some((type) => type === claims.client_type)
    return wellFormed ? { kind: 'good', claims } : { kind: 'bad' }
  }

  return {
    mint(authorization, { issuedAtMs, expiresAtMs, scopes }) {
      const key = keys.current()
      if (!key) throw fault('unavailable', { detail: 'no signing key yet' })
      const claims: AccessTokenClaims = {
        iss: issuer,
        sub: authorization.userId,
        aud: issuer,
        iat: Math.floor(issuedAtMs / 1000),
        exp: Math.floor(expiresAtMs / 1000),
        jti: authorization.id,
        cid: authorization.id,
        client_id: authorization.clientId,
        client_type: authorization.clientType,
        scope: writeScope(scopes)
      }
      return jwt.sign(claims, key, { typ: TYP })
    },

    async open(token) {
      const header = token.length <= LONGEST_TOKEN ? headerOf(token) : undefined
      if (!header) return { kind: 'bad' }
      // Only a choice of whom to ask: whoever is asked trusts nothing that was read here.
      const key = await keyOf(header)
      return key ? verify(token, key) : { kind: 'foreign' }
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
