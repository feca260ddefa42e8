/**
 * One attempt to sign in at an upstream: the secrets that tie its callback to it, what the authorization request says (RFC 6749
 * §4.1.1), and what is read of the callback.
 */
import * as client from 'openid-client'
import type { Upstream } from './upstream.js'

/** How old `auth_time` may be after a reauthentication: long enough to type a password and a second factor. */
const FRESH_SECONDS = 300

/** The secrets of one sign-in attempt. The pages keep them in a sealed cookie until the upstream's callback. */
export interface Attempt {
  state: string
  nonce: string
  codeVerifier: string
  /** Whether the user had to prove again who they are. */
  reauthenticates: boolean
}

export function newAttempt(reauthenticates: boolean): Attempt {
  return {
    state: client.randomState(),
    nonce: client.randomNonce(),
    codeVerifier: client.randomPKCECodeVerifier(),
    reauthenticates
  }
}

/** The parameters of the authorization request, with PKCE (RFC 7636) and, at an issuer, a nonce. */
export async function attemptParameters(
  upstream: Upstream,
  attempt: Attempt,
  redirectUri: string
): Promise<Record<string, string>> {
  return {
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
    ...('issuer' in upstream.endpoints && { nonce: attempt.nonce })
  }
}

const ANSWER_PARAMETERS = ['state', 'code', 'error', 'iss']
/** Parameters of flows that are not used here (JARM, hybrid, implicit), which the library would otherwise process. */
const FOREIGN_PARAMETERS = ['response', 'id_token', 'token', 'access_token']

/** The known parameters of a callback: a state, and a code or an error, each once (RFC 6749 §3.1, §4.1.2); else undefined. */
export function readCallback(query: string): URLSearchParams | undefined {
  const all = new URLSearchParams(query)
  if (FOREIGN_PARAMETERS.some((name) => all.has(name))) return undefined
  const known = [...all].filter(([name]) => ANSWER_PARAMETERS.includes(name))
  const answer = new URLSearchParams(known)
  const isOnce = answer.size === new Set(answer.keys()).size && [...answer.values()].every((value) => value !== '')
  return isOnce && answer.has('state') && answer.has('code') !== answer.has('error') ? answer : undefined
}

/** Whether the user has just signed in at the upstream. One that tells no `auth_time` proves nothing of the kind by itself. */
export function isFresh({ alwaysReauthenticates }: Upstream, authTime: number | undefined, nowMs: number): boolean {
  if (authTime === undefined) return alwaysReauthenticates
  // A time far ahead, such as one in milliseconds, would be fresh for years.
  return Math.abs(nowMs / 1000 - authTime) <= FRESH_SECONDS
}
