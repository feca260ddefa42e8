/** The places of status lists in memory: those of the current list that are taken. */
import { randomInt } from 'node:crypto'
import { PLACES_PER_LIST, type StatusIndexStore, TAKEN_PER_LIST } from '../../core/authorizations/status-index.js'

export function createMemoryStatusIndexStore(): StatusIndexStore {
  const taken = new Set<number>()
  let list = 0

  return {
    async take() {
      let place: number
      do place = randomInt(PLACES_PER_LIST)
      while (taken.has(place))
      taken.add(place)
      const index = list * PLACES_PER_LIST + place
      if (taken.size >= TAKEN_PER_LIST) {
        list += 1
        taken.clear()
      }
      return index
    },

    currentList: async () => list
  }
}
