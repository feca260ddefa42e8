/**
 * Names one poll among all instances, in the twelve characters a grant has for it: a resent poll is known by its name.
 * Six random characters for the process, six for the count; only neighbouring polls of one grant are ever compared.
 */
import { randomBytes } from 'node:crypto'

const processPart = randomBytes(4).toString('base64url')
const COUNT_LIMIT = 36 ** 6
let count = 0

export function nextPollId(): string {
  count = (count + 1) % COUNT_LIMIT
  return processPart + count.toString(36).padStart(6, '0')
}
