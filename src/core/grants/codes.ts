/**
 * The two codes of a grant. The grant code (the device code of RFC 8628 §3.2) is the long secret that only the client holds.
 * The user code (§6.1) is eight consonants, so that it spells no words and has no digits to confuse with letters: 20^8 codes
 * are about 34.6 bits, which is enough only because misses are limited (src/core/limits/guesses.ts).
 */
import { randomBytes, randomInt } from 'node:crypto'

/** 256 random bits, as 43 base64url characters. */
export function newGrantCode(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a text has the form of a grant code. Any other text is rejected without a storage call. */
export function isGrantCode(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}

export const USER_CODE_ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8
/** Without the `u` flag: its case folding would also match non-ASCII letters, such as the Kelvin sign for K. */
const USER_CODE = new RegExp(`^[${USER_CODE_ALPHABET}]{${LENGTH}}$`, 'i')

/** A new user code, without a hyphen. `randomInt` has no modulo bias, so every letter is equally likely. */
export function newUserCode(): string {
  return Array.from({ length: LENGTH }, () => USER_CODE_ALPHABET[randomInt(USER_CODE_ALPHABET.length)]).join('')
}

/** The user code as people see it: XXXX-XXXX. */
export function formatUserCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

/** Normalizes a typed user code: ignores case, white space and dashes. Undefined if the text cannot be a user code. */
export function readUserCode(typed: string): string | undefined {
  const letters = typed.replace(/[\s\p{Pd}]/gu, '')
  return USER_CODE.test(letters) ? letters.toUpperCase() : undefined
}
