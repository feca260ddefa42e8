/**
 * Checks the signature of an issuer's ID tokens by the keys that it publishes (OpenID Connect Core 1.0 §3.1.3.7). Their claims are
 * checked by openid-client, whose own choice of a key refuses a whole set over one strange member, and a `kid` that is a hint.
 */
import { errors } from 'jose'
import type { CustomFetch } from 'openid-client'
import type { Clock } from '../clock.js'
import { createKeptKeySets, verifyWithKept } from '../trust/kept-key-sets.js'
import { readKeySet } from '../trust/key-set.js'

/** Asymmetric ones. The client secret is no key here. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** As much as openid-client has. */
const LEEWAY_SECONDS = 30
const ANSWER_WITHIN_MS = 4_000

/** Rejects with an error of jose if none of the keys verifies the ID token, and like the fetch function. */
export type CheckIdToken = (metadata: { issuer: string; jwks_uri?: string }, idToken: string) => Promise<void>

export function createIdTokenCheck(fetch: CustomFetch, clock: Clock): CheckIdToken {
  async function look(url: string) {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const headers = { accept: 'application/jwk-set+json, application/json' }
    const answer = await fetch(url, { method: 'GET', headers, body: undefined, redirect: 'manual', signal })
    return { keys: readKeySet(await answer.json()) }
  }
  const of = createKeptKeySets({ look, clock, failedForMs: 0 })

  return async ({ issuer, jwks_uri: url = '' }, idToken) => {
    // Anybody on the network could replace keys that are fetched without TLS.
    const isAllowed = url.startsWith('https:') || (url.startsWith('http:') && issuer.startsWith('http:'))
    if (!isAllowed) throw new errors.JWKSInvalid('the issuer names no URL of its keys that may be used')
    const options = { algorithms: ALGORITHMS, clockTolerance: LEEWAY_SECONDS }
    const verified = await verifyWithKept((again) => of(url, again), idToken, options)
    if (!verified) throw new errors.JWKSNoMatchingKey()
  }
}
