/** A Status List Token (draft-ietf-oauth-status-list §5.1), as whoever follows the `status` claim of an access token reads it. */
import { promisify } from 'node:util'
import { constants, deflate } from 'node:zlib'
import { PLACES_PER_LIST, placeOf } from '../authorizations/status-index.js'
import { digestOf } from '../secrets/digest.js'
import type { JwtSigner, SigningKey } from './signing-key.js'

/** How long it may be held before it is asked for again: a revoked token lives so long where lists are used. */
export const STATUS_LIST_TTL_SECONDS = 60
/** It ends at the end of the next window of this length, so that all instances say the same for a while. */
const WINDOW_SECONDS = 300

const compress = promisify(deflate)

export interface StatusListToken {
  jwt: string
  /** Of its content, its end and its key, but not of the time of its signature (RFC 9110 §8.8.3). */
  etag: string
}

/** The `status` claim of a token (draft-ietf-oauth-status-list §6.2). */
export function statusClaim(issuer: string, index: number) {
  const { list, place } = placeOf(index)
  return { status_list: { idx: place, uri: uriOf(issuer, list) } }
}

const uriOf = (issuer: string, list: number) => `${issuer}/oauth/status-lists/${list}`

/** The places of a list, one bit each from the least significant one of the first byte on: 1 for each of these indices. */
export function bitsOf(list: number, indices: Iterable<number>): Buffer {
  const bits = Buffer.alloc(PLACES_PER_LIST / 8)
  for (const index of indices) {
    const { list: ofList, place } = placeOf(index)
    if (ofList === list) bits[place >> 3] = (bits[place >> 3] as number) | (1 << (place & 7))
  }
  return bits
}

/** When a token ends that is signed now, in Unix seconds. */
export function endOfWindow(nowMs: number): number {
  return (Math.floor(nowMs / 1000 / WINDOW_SECONDS) + 2) * WINDOW_SECONDS
}

/**
 * Who has a token of the same ETag has one that says the same and ends at the same time, so that 304 never leaves anybody with one
 * that has ended.
 */
export function etagOf(bits: Buffer, key: SigningKey, expiresAtSeconds: number): string {
  return `W/"${digestOf(`${key.kid} ${expiresAtSeconds} ${bits.toString('latin1')}`)}"`
}

export interface StatusListContent {
  issuer: string
  list: number
  bits: Buffer
  nowMs: number
  expiresAtSeconds: number
}

export async function signStatusList(jwt: JwtSigner, key: SigningKey, content: StatusListContent): Promise<string> {
  const { issuer, list, bits, nowMs, expiresAtSeconds } = content
  const compressed = await compress(bits, { level: constants.Z_BEST_COMPRESSION })
  const claims = {
    iss: issuer,
    sub: uriOf(issuer, list),
    iat: Math.floor(nowMs / 1000),
    exp: expiresAtSeconds,
    ttl: STATUS_LIST_TTL_SECONDS,
    status_list: { bits: 1, lst: compressed.toString('base64url') }
  }
  return jwt.sign(claims, key, { typ: 'statuslist+jwt' })
}
