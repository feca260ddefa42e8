/** How evenly the groups of grants are spread over the primaries of a Cluster, by the names of the keys themselves. */
import { Command } from 'ioredis'
import { createKeys } from '../../src/storage/redis/keys.js'

const SLOTS = 16_384
const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
const keys = createKeys('grantd:', 'by-group')

export const GROUPS = DIGITS.length ** 2

const slots = DIGITS.flatMap((first) =>
  DIGITS.map((second) => new Command('get', [keys.grant(`${first}${second}`)]).getSlot() as number)
)
const known: number[] = []

/** The part of all grants that the primary with the most groups has. `isEven`: each has as many groups; otherwise as many slots. */
export function largestShare(primaries: number, isEven: boolean): number {
  if (isEven) return Math.ceil(GROUPS / primaries) / GROUPS
  const share = known[primaries] ?? countedShare(primaries)
  known[primaries] = share
  return share
}

function countedShare(primaries: number): number {
  const counts = new Uint32Array(primaries)
  for (const slot of slots) {
    const owner = Math.floor((slot * primaries) / SLOTS)
    counts[owner] = (counts[owner] ?? 0) + 1
  }
  return Math.max(...counts) / GROUPS
}
