/**
 * Sends the requests of a load over kept-alive connections. Every wait is bounded, and every failure becomes an answer.
 */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface Sent {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  bearer?: string
  json?: unknown
  form?: Record<string, string>
  headers?: Record<string, string>
}

export interface Answered {
  /** The HTTP status; 0 if the connection ended or nothing came in time, with the reason as `error` in the body. */
  status: number
  headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: answers are of every shape
  body: any
}

export interface Transport {
  send(what: Sent): Promise<Answered>
  close(): void
}

/**
 * Far longer than the service may take and than nginx waits for an instance, so a request that ends here was left
 * hanging.
 */
const GIVE_UP_MS = 20_000
/**
 * The agent of Node.js heeds how long a server says that it keeps an idle connection only if that is shorter than a time of its
 * own, and has none by default. It then sends on connections that the server is just closing, and such a request has no answer.
 */
const LONGEST_IDLE_MS = 2 * 3_600_000

/** `connections` is the most that are open at a time. */
export function createTransport(url: string, connections = 512, giveUpMs = GIVE_UP_MS): Transport {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: LONGEST_IDLE_MS })

  return {
    send({ method, path, bearer, json, form, headers = {} }) {
      const body = json ? JSON.stringify(json) : form && `${new URLSearchParams(form)}`
      const type = json ? 'application/json' : 'application/x-www-form-urlencoded'
      const all = {
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
        ...headers
      }
      return new Promise((resolve) => {
        const lost = (error: NodeJS.ErrnoException) =>
          resolve({ status: 0, headers: {}, body: { error: error.code ?? error.message } })
        const sent = request({ hostname, port, agent, method, path, headers: all, timeout: giveUpMs }, (answer) => {
          let text = ''
          answer.setEncoding('utf8')
          answer.on('data', (piece) => {
            text += piece
          })
          answer.on('error', lost)
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: read(text) }))
        })
        sent.on('timeout', () => sent.destroy(new Error('nothing came in time')))
        sent.on('error', lost)
        sent.end(body)
      })
    },
    close: () => agent.destroy()
  }
}

function read(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
