/**
 * Asks the issuer about each token (RFC 7662). Nothing is kept: an answer that is a second old is a revoked token that is accepted for a
 * second, and whoever may live with that has the feed, which costs no request.
 */
import type { IssuerMetadata } from './discovery.js'
import { ANSWER_WITHIN_MS, authorizationOf, type Credentials, expectJson, isObject } from './requests.js'

/** What the issuer says of a token that is active. Members that are no part of the answer are undefined. */
export interface ActiveToken {
  audience: readonly string[] | undefined
  expiresAtSeconds: number | undefined
  scope: string | undefined
}

/** Resolves to undefined for a token that is not active. Rejects when the issuer gives no answer. */
export type Introspect = (token: string) => Promise<ActiveToken | undefined>

export function createIntrospection(discover: () => Promise<IssuerMetadata>, credentials: Credentials): Introspect {
  const authorization = authorizationOf(credentials)
  return async (token) => {
    const { introspectionEndpoint } = await discover()
    if (!introspectionEndpoint) throw new Error('the issuer has no introspection endpoint')
    const response = await fetch(introspectionEndpoint, {
      method: 'POST',
      headers: { authorization, accept: 'application/json' },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      redirect: 'error'
    })
    const answer = await expectJson(response)
    if (!isObject(answer) || typeof answer.active !== 'boolean') throw new Error('this is no introspection answer')
    if (!answer.active) return undefined
    const { aud, exp, scope } = answer
    const audience = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud.map(String) : undefined
    return {
      audience,
      expiresAtSeconds: typeof exp === 'number' ? exp : undefined,
      scope: typeof scope === 'string' ? scope : undefined
    }
  }
}
