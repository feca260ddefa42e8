/**
 * The two codes of a grant. The grant code (the device code of RFC 8628 §3.2) is the long secret that only the client holds.
 * The user code (§6.1) is eight consonants, so that it spells no words and has no digits to confuse with letters: 20^8 codes
 * are about 34.6 bits, which is enough only because misses are limited (src/core/limits/guesses.ts).
 */
import { randomBytes, randomInt } from 'node:crypto'
import { grantIdOf } from '../audit/event.js'
import { digestOf } from '../secrets/digest.js'

/** 256 random bits, as 43 base64url characters. */
export function newGrantCode(): string {
  return randomBytes(32).toString('base64url')
}

/** What the grant of a code is called in the audit trail. */
export const grantIdOfCode = (grantCode: string): string => grantIdOf(digestOf(grantCode))

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

/** Full-width letters, as keyboards for Chinese, Japanese and Korean type them: the ASCII letters, moved (Unicode block FF00). */
const FULL_WIDTH = /[\uFF21-\uFF3A\uFF41-\uFF5A]/g
const FULL_WIDTH_OFFSET = 0xfee0
/** Modifier letters are none of an alphabet: among them is the long vowel mark, which Japanese keyboards have on their hyphen. */
const LETTER_OR_DIGIT = /[\p{Lu}\p{Ll}\p{Lt}\p{Lo}\p{N}]/u
const NO_LETTER_OR_DIGIT = /[^\p{Lu}\p{Ll}\p{Lt}\p{Lo}\p{N}]/gu

/** Whether nothing was entered: no letter and no digit, which is no guess. */
export function isBlankUserCode(typed: string): boolean {
  return !LETTER_OR_DIGIT.test(typed)
}

/**
 * Normalizes a typed user code: ignores case, the width of letters, and whatever is no letter and no digit, such as hyphens, dots
 * and what is invisible. Undefined if the text cannot be a user code. Other letters that resemble those of a code are not folded.
 */
export function readUserCode(typed: string): string | undefined {
  const letters = typed
    .replace(FULL_WIDTH, (letter) => String.fromCharCode(letter.charCodeAt(0) - FULL_WIDTH_OFFSET))
    .replace(NO_LETTER_OR_DIGIT, '')
  return USER_CODE.test(letters) ? letters.toUpperCase() : undefined
}
