/** A server behind a proxy that tells what it was sent, and answers as its path says. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { freePort } from './ports.js'

export interface ToldUpstream {
  port: number
  /** The headers of the latest request for /. */
  lastHeaders(): IncomingHttpHeaders
  /** How often a path was asked for. */
  timesAsked(path: string): number
}

/** What it answers at /answers/STATUS besides the status, and the body. */
export const ANSWER_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'retry-after': '7',
  'x-request-id': 'told-1',
  vary: 'Origin',
  'www-authenticate': 'Bearer realm="grantd"'
}
export const ANSWER_BODY = '{"error":"It says so itself."}'

/**
 * Starts it on a port of its own. What asks with "Prefer" is answered after this time, and what begins with /dies is cut where its
 * answer would begin. The test stops it.
 */
export async function startToldUpstream(
  t: { teardown(handler: () => unknown): void },
  slowMs: number
): Promise<ToldUpstream> {
  let last: IncomingHttpHeaders = {}
  const asked: string[] = []
  const timers = new Set<NodeJS.Timeout>()
  const server = createServer((request, response) => {
    const { url: path = '', headers } = request
    asked.push(path)
    if (path === '/') last = headers
    request.resume().on('end', () => {
      const status = /^\/answers\/(\d+)$/.exec(path)?.[1]
      if (path.startsWith('/dies')) request.socket.destroy()
      else if (headers.prefer !== undefined) timers.add(setTimeout(() => response.end('slow'), slowMs))
      else if (status) response.writeHead(Number(status), ANSWER_HEADERS).end(ANSWER_BODY)
      else response.end('told')
    })
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const timer of timers) clearTimeout(timer)
    server.closeAllConnections()
    server.close()
  })
  return {
    port,
    lastHeaders: () => last,
    timesAsked: (path) => asked.filter((one) => one === path).length
  }
}
