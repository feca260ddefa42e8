/**
 * The places of authorizations in Token Status Lists (draft-ietf-oauth-status-list): each has one number for all of its tokens,
 * since a revocation ends all of them. It is given before the approval stands, and never changes, so that whoever revokes knows it.
 */

/** A list has so many places: 16 KiB of bits. */
export const PLACES_PER_LIST = 131_072
/**
 * A list is left for the next one when so many of its places are taken. Places are chosen at random, so that they say nothing about
 * the order of approvals, and a free one is found in two attempts on average at worst.
 */
export const TAKEN_PER_LIST = PLACES_PER_LIST / 2

export interface StatusIndexStore {
  /** Takes a random free place of the current list: `list * PLACES_PER_LIST + place`. Rejects with `unavailable`. */
  take(): Promise<number>
  /** The number of the current list, which is the last one; 0 as well while no place was taken. Rejects with `unavailable`. */
  currentList(): Promise<number>
}

/** The list of an index, and its place in that list. */
export function placeOf(index: number): { list: number; place: number } {
  return { list: Math.floor(index / PLACES_PER_LIST), place: index % PLACES_PER_LIST }
}
