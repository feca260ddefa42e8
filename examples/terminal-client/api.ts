/**
 * Requests of somebody who holds a bearer token: of the client with its new JWT, and of the user who decides.
 * The grant itself, which needs no token, is asked for in grant-client.ts.
 */
const REQUEST_TIMEOUT_MS = 10_000

export interface ApiAnswer {
  status: number
  body: Record<string, unknown>
}

export interface Api {
  call(method: 'GET' | 'POST' | 'DELETE', path: string, options: ApiCall): Promise<ApiAnswer>
}

export interface ApiCall {
  token: string
  body?: unknown
}

export function createApi(apiUrl: string, signal: AbortSignal): Api {
  return {
    async call(method, path, { token, body }) {
      const response = await fetch(apiUrl + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' })
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // A redirect would carry the token to somewhere else.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
      })
      return { status: response.status, body: parse(await response.text()) }
    }
  }
}

/** The sentence the service gave, for an answer that is not what was hoped for. */
export function refused(what: string, { status, body }: ApiAnswer): Error {
  return new Error(`${what}: ${status}${typeof body.error === 'string' ? ` ${body.error}` : ''}`)
}

function parse(text: string): ApiAnswer['body'] {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
