/** The places for fetches under way: few at once, and fewer of one host, or of one owner. */

export interface FetchPlaces {
  /** False if there is none left. */
  take(of: string): boolean
  leave(of: string): void
}

export function createFetchPlaces(mostAtOnce: number, mostOfOne: number): FetchPlaces {
  const taken = new Map<string, number>()
  let all = 0
  return {
    take(of) {
      const already = taken.get(of) ?? 0
      if (all >= mostAtOnce || already >= mostOfOne) return false
      taken.set(of, already + 1)
      all += 1
      return true
    },

    leave(of) {
      const left = (taken.get(of) ?? 1) - 1
      if (left > 0) taken.set(of, left)
      else taken.delete(of)
      all -= 1
    }
  }
}
