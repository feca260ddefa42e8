/**
 * Answers that pages of any origin may read (the CORS protocol of the Fetch standard): documents that are public, userinfo, where an
 * access token proves who asks, and the token endpoint, where a code and its verifier do. Cookies count for nothing there, so
 * credentials are never allowed. The dashboard API has a list of origins instead.
 */
import type { FastifyInstance } from 'fastify'

/** How long a browser may remember that it may ask. */
const PREFLIGHT_MAX_AGE_SECONDS = 600

export interface AnyOriginOptions {
  methods: readonly string[]
  /** The request headers a page may set; `*` is all but Authorization. */
  requestHeaders?: readonly string[]
  /** The headers of an answer a page may read, refusals included. */
  answerHeaders?: readonly string[]
  /** Whether the headers are left out for who names no origin: for what no cache keeps, and what programs ask often. */
  isForPagesAlone?: boolean
}

/** Lets pages of any origin call the routes that are added to this instance from here on, and answers their preflights. */
export function allowAnyOrigin(app: FastifyInstance, options: AnyOriginOptions): void {
  const { methods, requestHeaders = ['*'], answerHeaders = ['retry-after', 'x-request-id'] } = options
  const { isForPagesAlone = false } = options
  const ofAnswer = {
    'access-control-allow-origin': '*',
    'access-control-expose-headers': answerHeaders.join(', ')
  }
  const ofPreflight = {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': requestHeaders.join(', '),
    'access-control-max-age': `${PREFLIGHT_MAX_AGE_SECONDS}`
  }

  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request.raw
    if (isForPagesAlone && headers.origin === undefined) {
      done()
      return
    }
    reply.headers(ofAnswer)
    const isPreflight = method === 'OPTIONS' && headers.origin !== undefined
    if (isPreflight && headers['access-control-request-method'] !== undefined) {
      reply.code(204).headers(ofPreflight).send()
      return
    }
    done()
  })
}
