/**
 * Whether there is a body, and the text of one as it was sent: well-formed UTF-8, uncompressed. The framework's own readers would
 * replace broken bytes, and so accept a text nobody sent.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fault } from '../core/fault.js'

const OTHER_CHARSET = /;\s*charset\s*=\s*(?!"?utf-?8\b)/i

/** Throws a fault that says what is wrong. */
export function readBodyText({ headers }: FastifyRequest, body: Buffer): string {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw fault('unsupported_media_type', { detail: 'content-encoding' })
  }
  if (OTHER_CHARSET.test(headers['content-type'] ?? '')) throw fault('unsupported_media_type', { detail: 'charset' })
  if (!isUtf8(body)) throw fault('invalid_request', { hint: 'The body is not UTF-8' })
  return body.toString('utf8')
}

/**
 * Has all routes take a request without a body for what it is, whatever type it declares for it, as many HTTP libraries do: there
 * is nothing to read. Where a body is due, an empty one stands in, so that the refusal names what is missing.
 */
export function acceptAbsentBodies(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { headers } = request.raw
    if (headers['content-type'] !== undefined && !hasBody(headers)) delete headers['content-type']
    done()
  })
  app.addHook('onRoute', (route) => {
    // The schema of a body that may be left out is a union with null.
    const { type } = (route.schema?.body ?? {}) as { type?: string }
    if (type !== 'object') return
    const others = [route.preValidation ?? []].flat()
    route.preValidation = [
      (request, _reply, done) => {
        if (request.body === undefined) request.body = {}
        done()
      },
      ...others
    ]
  })
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers
  return coding !== undefined || length !== '0'
}
