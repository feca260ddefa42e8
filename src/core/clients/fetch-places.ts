/** The places for fetches under way: few at once, and of each host fewer. */

const MOST_AT_ONCE = 32
const MOST_AT_ONE_HOST = 4

export interface FetchPlaces {
  /** False if there is none left. */
  take(host: string): boolean
  leave(host: string): void
}

export function createFetchPlaces(): FetchPlaces {
  const taken = new Map<string, number>()
  let all = 0
  return {
    take(host) {
      const atHost = taken.get(host) ?? 0
      if (all >= MOST_AT_ONCE || atHost >= MOST_AT_ONE_HOST) return false
      taken.set(host, atHost + 1)
      all += 1
      return true
    },

    leave(host) {
      const left = (taken.get(host) ?? 1) - 1
      if (left > 0) taken.set(host, left)
      else taken.delete(host)
      all -= 1
    }
  }
}
