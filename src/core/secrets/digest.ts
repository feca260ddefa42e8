/** Digests of long random secrets. A guessable value (a user code) needs a keyed tag instead: see keyring.ts. */
import { hash, timingSafeEqual } from 'node:crypto'

/** The SHA-256 of a secret with at least 128 bits of entropy, as 43 base64url characters. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

const DIGEST = /^[A-Za-z0-9_-]{43}$/

export function isDigest(text: string): boolean {
  return DIGEST.test(text)
}

/** Whether two digests or tags are equal, compared in constant time. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
