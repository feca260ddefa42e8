/**
 * How bodies are read: JSON and nothing else, in well-formed UTF-8, uncompressed.
 * The framework's own reader would replace broken bytes, and so accept a text nobody sent.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { fault } from '../fault.js'

/** Only a text that escapes surrogates can hold half of a pair, which no store could keep as it is. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/

export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      done(fault('unsupported_media_type', { detail: 'content-encoding' }))
    } else if (!isUtf8(body)) {
      done(fault('invalid_request', { hint: 'The body is not UTF-8' }))
    } else {
      const text = body.toString('utf8')
      parse(request, text, (error, value) => {
        const isBroken = !error && ESCAPED_SURROGATE.test(text) && !isWellFormed(value)
        done(isBroken ? fault('invalid_request', { hint: 'The body holds half a character' }) : error, value)
      })
    }
  })
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return !/\p{Surrogate}/u.test(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, inner]) => isWellFormed(name) && isWellFormed(inner))
}
