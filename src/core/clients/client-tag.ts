/**
 * The types of program, each of which is the id of a built-in client, and the tags of clients: the short form of an id that a stored
 * grant holds, to keep grants small.
 */
import { digestOf } from '../secrets/digest.js'

export const CLIENT_TYPES = ['cli', 'mcp', 'demo', 'ide-plugin', 'other'] as const
export type ClientType = (typeof CLIENT_TYPES)[number]

/** The first character of the tags of all built-in clients, and of no other tag: the dashboard API polls for any of them. */
export const BUILT_IN_TAG = '*'
/**
 * The first character of the tags of all clients known by a URL, and of no other tag. Their ids are not the operator's, and whoever
 * tries long enough finds two with the same tag: so that it can only be two of these, which keep no secret from each other.
 */
export const URL_TAG = '@'
/**
 * The first character of the tags of code grants, and of no client's tag: no poll finds such a grant, by whichever version of an
 * instance, so that a code is not redeemed as if it were a device code.
 */
const CODE_TAG = '.'
/** Fixed, because the Redis scripts read a grant by columns. */
const TAG_LENGTH = 6

export function isBuiltIn(clientId: string): boolean {
  return CLIENT_TYPES.some((type) => type === clientId)
}

/** Whether an id is a URL, as those of other clients never are: theirs have no colon. */
export function isKnownByUrl(clientId: string): boolean {
  return clientId.startsWith('https://')
}

/**
 * The tag of a client: six characters, 36 bits of the id's digest for a client of OAUTH_CLIENTS_FILE. That is enough because
 * only the operator chooses ids, and clients whose tags collide are rejected at start. Who collects for a client known by a URL is
 * compared by its whole id besides (grants/polls.ts).
 */
export function tagOf(clientId: string): string {
  const first = isBuiltIn(clientId) ? BUILT_IN_TAG : isKnownByUrl(clientId) ? URL_TAG : ''
  return (first + digestOf(clientId)).slice(0, TAG_LENGTH)
}

/** What a code grant of this client has in place of its tag. */
export function codeTagOf(clientId: string): string {
  return (CODE_TAG + digestOf(clientId)).slice(0, TAG_LENGTH)
}
