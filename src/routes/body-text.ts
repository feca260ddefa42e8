/**
 * The text of a body, as it was sent: well-formed UTF-8, uncompressed. The framework's own readers would replace broken
 * bytes, and so accept a text nobody sent.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
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
