/**
 * Makes the token answers of upstreams uniform (RFC 6749 §5.1), the same for an exchange and a refresh. openid-client is strict
 * about what does not matter here, and a rejected answer to a refresh would lose a refresh token that was spent for it.
 */
export interface RawAnswer {
  status: number
  headers: Headers
  bytes: Uint8Array
}

/** The members of an answer, without those that are null. */
export type Members = Readonly<Record<string, unknown>>

export type TokenReading = { kind: 'tokens'; members: Members } | { kind: 'none'; reason: string }

/** Types whose tokens need a proof of possession with every use. All others are sent as Bearer, Slack's "bot" too. */
const NOT_BEARER = new Set(['mac', 'dpop', 'pop'])

/** The token members of an answer. `wantsIdToken` is false where nobody asked for an ID token, which is left out then. */
export function readTokens(members: Members, wantsIdToken: boolean): TokenReading {
  const { access_token, refresh_token, token_type, expires_in, scope, id_token, ...others } = members
  const accessToken = textOf(access_token)
  if (accessToken === undefined || members.ok === false) return { kind: 'none', reason: 'without an access token' }
  const type = textOf(token_type)?.toLowerCase() ?? 'bearer'
  if (NOT_BEARER.has(type)) return { kind: 'none', reason: 'with an access token of another type' }
  const life = lifeOf(expires_in)
  const scopes = Array.isArray(scope) ? scope.filter((word) => typeof word === 'string').join(' ') : scope
  return {
    kind: 'tokens',
    members: {
      ...others,
      access_token: accessToken,
      token_type: 'bearer',
      ...(life !== undefined && { expires_in: life }),
      ...(textOf(scopes) !== undefined && { scope: scopes as string }),
      ...(textOf(refresh_token) !== undefined && { refresh_token }),
      ...(wantsIdToken && textOf(id_token) !== undefined && { id_token })
    }
  }
}

/** A life in seconds, which may be a text or a fraction. Undefined if it is neither, or negative: then none was named. */
function lifeOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof seconds === 'number' && seconds >= 0 ? Math.min(seconds, Number.MAX_SAFE_INTEGER) : undefined
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

/** Reads JSON or a form, whatever the content type says. A list of errors becomes their member; undefined if it is neither. */
export function parseMembers({ status, bytes }: Pick<RawAnswer, 'status' | 'bytes'>): Members | undefined {
  // A TextDecoder drops a byte order mark.
  const text = new TextDecoder(encodingOf(bytes)).decode(bytes)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = formIn(text)
  }
  if (Array.isArray(parsed)) return status >= 400 ? { errors: parsed } : undefined
  if (typeof parsed !== 'object' || parsed === null) return undefined
  return Object.fromEntries(Object.entries(parsed).filter(([, value]) => value !== null))
}

/** JSON and forms begin with ASCII, so that a zero or a mark among the first two bytes tells (RFC 4627 §3). */
function encodingOf([first, second]: Uint8Array): string {
  if (second === 0 || (first === 0xff && second === 0xfe)) return 'utf-16le'
  return first === 0 || (first === 0xfe && second === 0xff) ? 'utf-16be' : 'utf-8'
}

/** The members of a form that holds a token or an error. Facebook (2015) and GitHub (2024) answer with such forms. */
function formIn(text: string): object | undefined {
  if (!/^[\w.-]+=[^<>{}\r\n\t]*$/.test(text.trim())) return undefined
  const form = new URLSearchParams(text.trim())
  return form.has('access_token') || form.has('error') ? Object.fromEntries(form) : undefined
}
