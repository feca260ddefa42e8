/**
 * Parses the service's answers to a grant client: the types of the wire, and the states they mean. An answer that is neither a
 * state of the grant nor a reason to retry becomes an Error with a readable message.
 */
const DEFAULT_INTERVAL_SECONDS = 5

export interface Grant {
  /** The secret to poll with. It must be neither shown nor logged. */
  grant_code: string
  user_code: string
  verification_uri: string
  verification_uri_complete: string
  expires_in: number
  interval: number
}

export type Decision = { kind: 'approved'; token: string } | { kind: 'denied' } | { kind: 'expired' }

export type PollAnswer =
  | Decision
  | { kind: 'pending'; wasHeld: boolean }
  | { kind: 'slow_down'; intervalSeconds?: number | undefined }
  | { kind: 'busy' | 'unreachable'; retryAfterSeconds?: number | undefined }

export function readGrant(response: Response, text: string): Grant {
  if (response.status !== 200) throw refusal('no grant could be started', response, text)
  const grant = parseObject(text)
  const texts = [grant.grant_code, grant.user_code, grant.verification_uri, grant.verification_uri_complete]
  if (!texts.every((value) => typeof value === 'string') || typeof grant.expires_in !== 'number') {
    throw new Error('no grant could be started: whoever answers there is not grantd')
  }
  return { interval: DEFAULT_INTERVAL_SECONDS, ...grant } as Grant
}

export function readPollAnswer(response: Response, text: string): PollAnswer {
  const retryAfterSeconds = readRetryAfter(response.headers.get('retry-after'))
  if (response.status === 429 || response.status >= 500) return { kind: 'busy', retryAfterSeconds }
  if (response.status !== 200) throw refusal('the poll was refused', response, text)

  const { status, jwt, interval } = parseObject(text)
  switch (status) {
    case 'authorization_pending':
      return { kind: 'pending', wasHeld: response.headers.has('preference-applied') }
    case 'slow_down':
      return { kind: 'slow_down', intervalSeconds: typeof interval === 'number' ? interval : retryAfterSeconds }
    case 'approved':
      if (typeof jwt === 'string') return { kind: 'approved', token: jwt }
      break
    case 'access_denied':
      return { kind: 'denied' }
    case 'expired_token':
      return { kind: 'expired' }
  }
  throw new Error('the poll got an answer that means nothing to this client')
}

/** Throws unless the service says that the grant is withdrawn. */
export function readWithdrawal(response: Response, text: string): void {
  if (response.status !== 200) throw refusal('the request could not be withdrawn', response, text)
}

/** Retry-After in seconds; the header holds seconds or a date (RFC 9110 §10.2.3). */
function readRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}

function refusal(what: string, response: Response, text: string): Error {
  const { error } = parseObject(text)
  return new Error(`${what}: ${response.status} ${typeof error === 'string' ? error : response.statusText}`)
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text))
  } catch {
    // The body is empty, or a proxy's HTML page.
    return {}
  }
}
