/**
 * How bodies are read: JSON and nothing else, in well-formed UTF-8, uncompressed.
 * The framework's own reader would replace broken bytes, and so accept a text nobody sent.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { fault } from '../fault.js'

export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      done(fault('unsupported_media_type', { detail: 'content-encoding' }))
    } else if (!isUtf8(body)) {
      done(fault('invalid_request', { hint: 'the body is not UTF-8' }))
    } else {
      parse(request, body.toString('utf8'), done)
    }
  })
}
