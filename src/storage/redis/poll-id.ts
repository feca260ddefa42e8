/**
 * The id of a poll, by which grant-poll.lua recognizes a command that the driver sent twice. It has the twelve characters that
 * a grant's layout reserves: six random ones for the process and a counter of six. Collisions between distant polls are
 * harmless, because only the last polls of one grant are compared.
 */
import { randomBytes } from 'node:crypto'

const processPart = randomBytes(4).toString('base64url')
const COUNT_LIMIT = 36 ** 6
let count = 0

export function nextPollId(): string {
  count = (count + 1) % COUNT_LIMIT
  return processPart + count.toString(36).padStart(6, '0')
}
