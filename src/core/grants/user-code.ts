/**
 * The user code (RFC 8628 §6.1): eight letters without vowels, so that no words appear and nothing is mistaken for another.
 * 20^8 codes are about 34.6 bits: enough only because misses are limited (src/core/limits/guesses.ts).
 */
import { randomInt } from 'node:crypto'

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
