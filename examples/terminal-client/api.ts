/**
 * Requests with a bearer token: those of the client with its JWT, and those of the user who decides. The requests of a grant,
 * which need no token, are in grant-client.ts.
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
        // The token is meant for this address alone, so redirects are not followed.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
      })
      return { status: response.status, body: parse(await response.text()) }
    }
  }
}

/** An error for an unexpected answer: the status, and the service's own message. */
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
