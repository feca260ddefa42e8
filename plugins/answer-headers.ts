/**
 * The headers of every answer: the id of its request, no sniffing, no storing unless a route sets another, HTTPS alone where
 * PUBLIC_URL says so, and while the instance drains `connection: close`. A request with two Host headers, or one that can be no
 * host, is refused (RFC 9112 §3.2): what stands in front may have read it in another way.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

/** A year. Hosts below this one are the business of their operators, and so is the preload list of browsers. */
const HTTPS_ALONE = 'max-age=31536000'

export const answerHeaders = fp(
  async (app) => {
    const setAnswerHeaders = answerHeadersOf(app.config.publicUrl)
    app.addHook('onRequest', (request, reply, done) => {
      setAnswerHeaders(request, reply)
      if (app.readiness.isDraining()) reply.header('connection', 'close')
      const hint = wrongHost(request)
      done(hint === undefined ? undefined : fault('invalid_request', { hint }))
    })
  },
  { name: 'answer-headers', dependencies: ['config', 'readiness'] }
)

/** uri-host [ ":" port ] of RFC 9110 §7.2, where the host is a name, an IPv4 address, an IPv6 address in brackets, or empty. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.]+\])(?::\d*)?$/i

/** Node.js keeps the first of several and drops the others, but for the list of all headers as they came. */
function wrongHost({ raw: { headers, rawHeaders } }: FastifyRequest): string | undefined {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  if (count > 1) return 'There is more than one Host header'
  return HOST.test(headers.host ?? '') ? undefined : 'The Host header is no host'
}

/** Makes the function that sets the headers, also for answers to requests that no hook sees. */
export function answerHeadersOf(publicUrl: string) {
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
