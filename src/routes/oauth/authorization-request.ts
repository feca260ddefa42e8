/**
 * What a request of the authorization endpoint asks for (RFC 6749 §4.1.1, OpenID Connect Core 1.0 §3.1.2.1), or what is wrong with it.
 * Where its answer goes is read first and by itself: what is wrong with that is for the user alone.
 */
import { type Client, CODE_GRANT } from '../../core/clients/client.js'
import { isAmong } from '../../core/clients/redirect-uri.js'
import { isFault } from '../../core/fault.js'
import { readAsked } from '../grant-start.js'
import type { AuthorizationErrorCode, Refusal, ReturnAddress } from './authorization-answer.js'

export const PROMPTS = ['none', 'login', 'consent'] as const
type Prompt = (typeof PROMPTS)[number]

/** The parameters of a query or a form. One without a value counts as left out (RFC 6749 §3.1). */
export type SentParameters = Readonly<Record<string, string | readonly string[] | undefined>>

export interface Asked extends ReturnAddress {
  scopes: readonly string[]
  resources?: readonly string[]
  codeChallenge: string
  nonce: string | undefined
  prompts: readonly Prompt[]
  maxAgeSeconds: number | undefined
  /** Tags of languages, the preferred one first. */
  uiLocales: readonly string[]
  /** What the program says about itself, which nobody has checked. */
  deviceName: string | undefined
  clientVersion: string | undefined
}

/** The parameters that may be there once at most (RFC 6749 §3.1); what is not known is not looked at. */
const ONCE = [
  ...['response_type', 'client_id', 'redirect_uri', 'state', 'scope', 'code_challenge', 'code_challenge_method'],
  ...[
    'response_mode',
    'nonce',
    'prompt',
    'max_age',
    'login_hint',
    'ui_locales',
    'request',
    'request_uri',
    'registration',
    'device_name',
    'client_version'
  ]
]
/** Whether a parameter means something here. */
export const isKnown = (name: string) => name === 'resource' || ONCE.includes(name)

/** As at the device authorization. */
const MOST_CHARACTERS = { device_name: 255, client_version: 64 } as const
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/
const SECONDS = /^\d{1,9}$/

/** Whether a text can be the challenge of the method S256 (RFC 7636 §4.2). */
export const isChallenge = (text: string | undefined): text is string => text !== undefined && CHALLENGE.test(text)

/** The value of a parameter that is there once. */
export function one(sent: SentParameters, name: string): string | undefined {
  const value = sent[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Where the answer to this client may go; undefined if the request does not name a redirect URI of the client's. */
export function readReturnAddress(client: Client, sent: SentParameters): ReturnAddress | undefined {
  const redirectUri = one(sent, 'redirect_uri')
  if (redirectUri === undefined || !isAmong(client.redirectUris, redirectUri)) return undefined
  return { redirectUri, state: one(sent, 'state') }
}

const refusal = (description: string, error: AuthorizationErrorCode = 'invalid_request'): Refusal => ({
  error,
  description
})

export function readAuthorizationRequest(client: Client, to: ReturnAddress, sent: SentParameters): Asked | Refusal {
  return whatIsWrong(client, sent) ?? readRest(client, to, sent)
}

function whatIsWrong({ grantTypes }: Client, sent: SentParameters): Refusal | undefined {
  for (const name of ['request', 'request_uri', 'registration'] as const) {
    if (sent[name]) return refusal(`${name} is not supported`, `${name}_not_supported`)
  }
  const repeated = ONCE.find((name) => Array.isArray(sent[name]))
  if (repeated) return refusal(`${repeated} is there more than once`)
  const responseType = one(sent, 'response_type')
  if (responseType === undefined) return refusal('response_type is missing')
  if (responseType !== 'code') return refusal('response_type must be code', 'unsupported_response_type')
  if (!grantTypes.includes(CODE_GRANT)) return refusal('The client may not use this grant', 'unauthorized_client')
  if ((one(sent, 'response_mode') ?? 'query') !== 'query') return refusal('response_mode must be query')
  if (one(sent, 'code_challenge') === undefined) return refusal('code_challenge is missing: PKCE is for every client')
  if (one(sent, 'code_challenge_method') !== 'S256') return refusal('code_challenge_method must be S256')
  return undefined
}

function readRest(client: Client, to: ReturnAddress, sent: SentParameters): Asked | Refusal {
  const codeChallenge = one(sent, 'code_challenge')
  if (!isChallenge(codeChallenge)) return refusal('code_challenge must be the base64url of a SHA-256')
  const words = (name: string) => (one(sent, name) ?? '').split(' ').filter((word) => word !== '')
  const prompts = PROMPTS.filter((prompt) => words('prompt').includes(prompt))
  if (words('prompt').some((word) => !PROMPTS.some((prompt) => prompt === word))) {
    return refusal(`prompt must be of ${PROMPTS.join(', ')}`)
  }
  if (prompts.includes('none') && prompts.length > 1) return refusal('prompt must not be none and something else')
  const maxAge = one(sent, 'max_age')
  if (maxAge !== undefined && !SECONDS.test(maxAge)) return refusal('max_age must be a number of seconds')
  for (const [name, most] of Object.entries(MOST_CHARACTERS)) {
    if ([...(one(sent, name) ?? '')].length > most) return refusal(`${name} must have ${most} characters at most`)
  }
  try {
    const scope = one(sent, 'scope')
    return {
      ...to,
      ...readAsked(client, { ...(scope !== undefined && { scope }), resource: sent.resource }),
      ...{ codeChallenge, nonce: one(sent, 'nonce'), prompts, uiLocales: words('ui_locales') },
      maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
      ...{ deviceName: one(sent, 'device_name'), clientVersion: one(sent, 'client_version') }
    }
  } catch (error) {
    if (!isFault(error)) throw error
    if (error.code === 'invalid_target') return refusal('The resource is unknown, or not allowed', error.code)
    if (error.code === 'invalid_scope') return refusal('The scope is not allowed, or not written as one', error.code)
    throw error
  }
}
