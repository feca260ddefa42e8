/**
 * The two codes of a grant. The grant code (device code of RFC 8628 §3.2) is the long secret that only the asking client
 * holds. The user code (§6.1) is eight letters without vowels, so that no words appear and nothing is mistaken for another:
 * 20^8 codes are about 34.6 bits, which is enough only because misses are limited (src/core/limits/guesses.ts).
 */
import { randomBytes, randomInt } from 'node:crypto'

/** 256 bits from the system's generator, as 43 base64url characters. */
export function newGrantCode(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a text can be a grant code at all; what cannot is not worth a look into the store. */
export function isGrantCode(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}

export const USER_CODE_ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8
/** Without the u flag, so that no letter but these is taken for another case of one of them. */
const USER_CODE = new RegExp(`^[${USER_CODE_ALPHABET}]{${LENGTH}}$`, 'i')

/** A fresh code. `randomInt` rejects what would favour some letters over others. */
export function newUserCode(): string {
  return Array.from({ length: LENGTH }, () => USER_CODE_ALPHABET[randomInt(USER_CODE_ALPHABET.length)]).join('')
}

/** As people see it: XXXX-XXXX. */
export function formatUserCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

/** What somebody typed, read without regard to case, spaces and hyphens of any kind; undefined if it cannot be a code. */
export function readUserCode(typed: string): string | undefined {
  const letters = typed.replace(/[\s\p{Pd}]/gu, '')
  return USER_CODE.test(letters) ? letters.toUpperCase() : undefined
}
