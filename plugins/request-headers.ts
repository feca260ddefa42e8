/**
 * The headers of every answer: the id of its request, no sniffing, no storing unless a route sets another, HTTPS alone where
 * PUBLIC_URL says so, and while the instance drains `connection: close`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** A year. Hosts below this one are the business of their operators, and so is the preload list of browsers. */
const HTTPS_ALONE = 'max-age=31536000'

export const requestHeaders = fp(
  async (app) => {
    const setRequestHeaders = requestHeadersOf(app.config.publicUrl)
    app.addHook('onRequest', (request, reply, done) => {
      setRequestHeaders(request, reply)
      if (app.readiness.isDraining()) reply.header('connection', 'close')
      done()
    })
  },
  { name: 'request-headers', dependencies: ['config', 'readiness'] }
)

/** Makes the function that sets the headers, also for answers to requests that no hook sees. */
export function requestHeadersOf(publicUrl: string) {
  const always = alwaysSent(publicUrl)
  return (request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-request-id', request.id)
    for (const [name, value] of always) reply.header(name, value)
  }
}

/** The headers that every answer has, whatever was asked, as names and values. */
export function alwaysSent(publicUrl: string): [name: string, value: string][] {
  const isHttps = publicUrl.startsWith('https:')
  return [
    ['x-content-type-options', 'nosniff'],
    ['cache-control', 'no-store'],
    // RFC 6797
    ...(isHttps ? [['strict-transport-security', HTTPS_ALONE] as [string, string]] : [])
  ]
}
