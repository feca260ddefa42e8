/** Requests as they are written: fetch would mend the path, join headers, and choose address and connection itself. */
import { type Agent, type IncomingHttpHeaders, request } from 'node:http'
import { request as secureRequest } from 'node:https'

export interface RawAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

export interface RawRequest {
  method?: string
  path: string
  /** The local address that the request comes from. */
  from?: string
  headers?: Record<string, string>
  body?: string
  /** Keeps connections; without one the request has a connection of its own. */
  agent?: Agent
  signal?: AbortSignal
  /** The authority that has issued the server's certificate. */
  ca?: string
}

/** Sends a request with path and headers as they are, from a chosen local address. */
export function raw(
  url: string,
  { method = 'GET', path, from, headers = {}, body, ...how }: RawRequest
): Promise<RawAnswer> {
  const { port, protocol } = new URL(url)
  return new Promise((resolve, reject) => {
    const options = {
      host: from?.includes(':') ? '::1' : '127.0.0.1',
      port,
      method,
      path,
      headers,
      ...(from && { localAddress: from }),
      ...(how.signal && { signal: how.signal }),
      // Otherwise the certificate would have to be for the host that the header names.
      ...(how.ca && { ca: how.ca, servername: 'localhost' }),
      agent: how.agent ?? (false as const)
    }
    const sent = (protocol === 'https:' ? secureRequest : request)(options, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }))
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Sends the same as JSON. */
export const rawJson = (url: string, { headers, body, ...rest }: Omit<RawRequest, 'body'> & { body: unknown }) =>
  raw(url, {
    method: 'POST',
    ...rest,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body)
  })
