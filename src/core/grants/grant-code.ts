/** The grant code (device code of RFC 8628 §3.2): the long secret that only the asking client holds. */
import { randomBytes } from 'node:crypto'

/** 256 bits from the system's generator, as 43 base64url characters. */
export function newGrantCode(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a text can be a grant code at all; what cannot is not worth a look into the store. */
export function isGrantCode(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}
