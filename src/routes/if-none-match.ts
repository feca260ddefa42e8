/** Conditional requests (RFC 9110 §13.1.2): whoever holds what would be sent is told so by 304. */
import type { FastifyRequest } from 'fastify'

/** An entity tag in a list of them (RFC 9110 §8.8.3), and what remains of it in a weak comparison. */
const TAG = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g

const opaqueOf = (etag: string) => etag.replace(/^W\//, '')

/** Whether the caller holds the representation with this entity tag, by the weak comparison of RFC 9110 §8.8.3.2. */
export function isHeldBy({ headers }: Pick<FastifyRequest, 'headers'>, etag: string): boolean {
  const condition = headers['if-none-match'] ?? ''
  if (condition.trim() === '*') return true
  return [...condition.matchAll(TAG)].some(([, opaque]) => opaque === opaqueOf(etag))
}
