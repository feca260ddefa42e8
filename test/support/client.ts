/** The dashboard API over HTTP, as a client, a page and a user call it on a running service. */
import { sessionOf } from './tokens.js'

export interface HttpAnswer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
  headers: Headers
  ms: number
}

export interface HttpOptions {
  user?: string
  token?: string
  body?: unknown
}

export interface ApiClient {
  call(method: string, path: string, options?: HttpOptions): Promise<HttpAnswer>
  start(): Promise<{ grant_code: string; user_code: string }>
  poll(grantCode: string): Promise<HttpAnswer>
  decide(userCode: string, user: string, action?: 'approve' | 'deny'): Promise<HttpAnswer>
}

export function apiClient(url: string): ApiClient {
  const call: ApiClient['call'] = async (method, path, { user, token, body } = {}) => {
    const bearer = token ?? (user === undefined ? undefined : await sessionOf(user))
    const startedAt = performance.now()
    const answer = await fetch(`${url}${path.startsWith('/auth') ? '/api/v0' : ''}${path}`, {
      method,
      headers: {
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-type': 'application/json' })
      },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json')
    const ms = performance.now() - startedAt
    return { status: answer.status, body: isJson ? JSON.parse(text) : text, headers: answer.headers, ms }
  }
  return {
    call,
    start: async () => (await call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })).body,
    poll: (grant_code) => call('POST', '/auth/grant/token', { body: { grant_code } }),
    decide: (user_code, user, action = 'approve') =>
      call('POST', '/auth/grant/approve', { user, body: { user_code, action } })
  }
}

/** Returns the claims of a JWT without verifying it. */
export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
}
