/**
 * The one reader of what an upstream answers, whatever it was asked. It tells apart an answer, a refusal of this one request, a
 * fault of the operator's settings, an answer nobody can read, and an upstream that is ill; token-answer.ts makes token answers
 * uniform. Error words are those of RFC 6749 §5.2, and of upstreams that have their own.
 */
import { type Members, parseMembers, type RawAnswer, readTokens, textOf } from './token-answer.js'

/** What an upstream was asked for. */
export type Asked = 'exchange' | 'refresh' | 'user_info' | 'revocation' | 'metadata'

/**
 * `refused`: this code or token is no good, and no other is concerned. `misconfigured`: the upstream does not accept this
 * service as its client. `unreadable`: nothing follows from the answer. `ill`: 5xx, 429 or no answer, so that others would fare
 * no better.
 */
export type Verdict = 'answered' | 'refused' | 'misconfigured' | 'unreadable' | 'ill'

export interface Reading {
  asked: Asked
  verdict: Verdict
  /** For the log: the status, and the upstream's word for the error if it has the form of one. */
  detail: string
  /** The JSON of an answer; null if it has none. */
  body?: string | null
  /** The upstream's Retry-After, from 1 to 300. */
  retryAfterSeconds?: number | undefined
  /** The next refresh token, if an answer to a refresh holds one and is of no use otherwise. */
  successor?: string | undefined
}

/** Words for a passing trouble of the upstream, with whatever status they come (RFC 6749 §4.1.2.1; Slack, 2024). */
const isTroubleWord = wordsLike([
  ...['server_error', 'temporarily_unavailable', 'slow_down', 'internal_error', 'internal_server_error', 'fatal_error'],
  ...['service_unavailable', 'request_timeout', 'timeout', 'ratelimited', 'rate_limited', 'rate_limit_exceeded'],
  // Google APIs (2024).
  ...['too_many_requests', 'user_rate_limit_exceeded', 'resource_exhausted', 'unavailable', 'backend_error']
])

/** Words for a client that is set up wrongly: RFC 6749 §5.2, GitHub (2024), Slack (2024), Salesforce (2024). */
const isOperatorsWord = wordsLike([
  ...['invalid_client', 'invalid_client_id', 'invalid_client_secret', 'invalid_client_credentials'],
  ...['incorrect_client_credentials', 'bad_client_id', 'bad_client_secret', 'application_suspended'],
  ...['redirect_uri_mismatch', 'bad_redirect_uri', 'unsupported_grant_type']
])
const isUnauthorizedClient = wordsLike(['unauthorized_client'])

/** Whether a word is one of these, in whatever case and with whatever between its parts: INVALID_CLIENT, invalidClient. */
function wordsLike(words: string[]): (word: string | undefined) => boolean {
  const plain = (word: string) => word.toLowerCase().replace(/[_ -]/g, '')
  const all = new Set(words.map(plain))
  return (word = '') => all.has(plain(word))
}

export function readUpstreamAnswer(asked: Asked, answer: RawAnswer, isIssuer: boolean, nowMs: number): Reading {
  const { status, headers } = answer
  const members = parseMembers(answer)
  const word = refusalIn(asked, members) ?? challengeIn(headers)
  const shown = word !== undefined && /^(?:[a-z_]{1,64}|\d{1,6})$/i.test(word) ? ` (${word})` : ''
  const detail = `${asked} was answered ${status}${shown}`
  const is = (verdict: Verdict, more: Partial<Reading> = {}): Reading => ({ asked, verdict, detail, ...more })

  const isIll = status >= 500 || status === 429 || status === 408 || status === 425
  // GitHub (2024) and Google APIs have 403 for too many requests.
  const isTooMuch = status === 403 && /rate.?limit/i.test(descriptionOf(members))
  if (isIll || isTooMuch || isTroubleWord(word)) return is('ill', { retryAfterSeconds: retryAfterOf(headers, nowMs) })
  const isSuccess = status >= 200 && status < 300
  // No visitor decides over metadata: without it nobody can be served.
  if (asked === 'metadata') return isSuccess && members ? is('answered', { body: JSON.stringify(members) }) : is('ill')
  if (status >= 400) {
    if (asked !== 'user_info' && isOperators(status, word, members)) return is('misconfigured')
    // A page of a firewall says nothing about a refresh token, which only the upstream's own words condemn.
    if (asked === 'refresh' && !isInOwnWords(status, word, members)) return is('unreadable')
    return is('refused')
  }
  if (!isSuccess) return is('unreadable')
  if (asked === 'revocation') return word === undefined ? is('answered', { body: null }) : refusal()
  if (asked === 'user_info') {
    if (word !== undefined) return is('refused')
    if (isJwt(answer)) return is('refused', { detail: `${detail}, signed` })
    return members ? is('answered', { body: JSON.stringify(members) }) : is('unreadable')
  }
  const tokens = readTokens(members ?? {}, asked === 'exchange' && isIssuer)
  if (tokens.kind === 'tokens') return is('answered', { body: JSON.stringify(tokens.members) })
  if (word !== undefined) return refusal()
  return is('unreadable', { detail: `${detail}, ${tokens.reason}`, successor: textOf(members?.refresh_token) })

  function refusal(): Reading {
    return is(isOperators(status, word, members) ? 'misconfigured' : 'refused')
  }
}

/** The members in which upstreams name an error. Facebook has an object there, Fitbit a list, WeChat a number. */
const ERROR_MEMBERS = ['error', 'errors', 'error_code', 'errcode']

/** The upstream's word for its refusal, empty if it has none; undefined if the answer is no refusal. */
function refusalIn(asked: Asked, members: Members | undefined): string | undefined {
  if (!members) return undefined
  const isDenied = members.ok === false || members.success === false
  // Tokens that were issued count, and user info may well have a member called error.
  if (!isDenied && (textOf(members.access_token) !== undefined || asked === 'user_info')) return undefined
  for (const name of ERROR_MEMBERS) {
    const word = wordIn(members[name])
    if (word !== undefined) return word
  }
  const isCoded = typeof members.code === 'number' || typeof members.code === 'string'
  if (isCoded && (textOf(members.message) ?? textOf(members.msg)) !== undefined) return wordIn(members.code)
  return isDenied ? '' : undefined
}

function wordIn(value: unknown): string | undefined {
  if (!value) return undefined
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.length > 0 ? (wordIn(value[0]) ?? '') : undefined
  const { code, error, type, errorType, errorCode, status } = value as Record<string, unknown>
  const words = [code, error, type, errorType, errorCode, status]
  return (words.find((one) => textOf(one) !== undefined && !/^\d+$/.test(one as string)) as string | undefined) ?? ''
}

/** The error of a challenge (RFC 6750 §3), by which some upstreams refuse without a body. */
function challengeIn(headers: Headers): string | undefined {
  return /\berror="([^"]{1,64})"/.exec(headers.get('www-authenticate') ?? '')?.[1]
}

function isOperators(status: number, word: string | undefined, members: Members | undefined): boolean {
  if (isOperatorsWord(word)) return true
  const isAboutTheToken = /refresh[ _-]?token|authorization[ _-]?code/i.test(descriptionOf(members))
  // Atlassian (2024) has 403 unauthorized_client for a dead refresh token; elsewhere it is about the client (RFC 6749 §5.2).
  if (isUnauthorizedClient(word)) return status !== 403 && !isAboutTheToken
  // A 401 without a word is about the credentials of the client (RFC 6749 §5.2), as at Reddit (2024).
  return status === 401 && /^\d*$/.test(word ?? '') && !isAboutTheToken
}

function descriptionOf(members: Members | undefined): string {
  const { error, error_description, message, msg } = members ?? {}
  const inner = (error as { message?: unknown } | undefined)?.message
  return [error_description, message, msg, inner].filter((one) => typeof one === 'string').join(' ')
}

function isInOwnWords(status: number, word: string | undefined, members: Members | undefined): boolean {
  return word !== undefined || (members !== undefined && [400, 401, 403].includes(status))
}

function isJwt({ headers, bytes }: RawAnswer): boolean {
  return (
    /^application\/(?:\w+\+)?jwt\b/i.test(headers.get('content-type') ?? '') ||
    /^eyJ[\w-]+\.[\w-]+\./.test(startOf(bytes))
  )
}

const startOf = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 1024)).toString('latin1')

const LONGEST_RETRY_AFTER_SECONDS = 300
const HTTP_DATE = /^(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? [\w :-]{17,30}$/

/** Retry-After in seconds, from 1 to 300 (RFC 9110 §10.2.3): a number or a date. Undefined if it is neither. */
function retryAfterOf(headers: Headers, nowMs: number): number | undefined {
  const header = headers.get('retry-after') ?? ''
  const seconds = /^\d{1,9}$/.test(header)
    ? Number(header)
    : HTTP_DATE.test(header)
      ? Math.ceil((Date.parse(header) - nowMs) / 1000)
      : Number.NaN
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(1, seconds), LONGEST_RETRY_AFTER_SECONDS)
}
