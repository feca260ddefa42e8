/** Completes the indexes of users by address and of authorizations by id with what versions without them have stored. */
import type { AllAuthorizations } from '../authorizations/all-authorizations.js'
import { LARGEST_PAGE } from '../records/record-store.js'
import type { Profiles } from '../users/profiles.js'

export interface Indexed {
  seen: number
  added: number
}

/** It goes through everything once, whatever else is done meanwhile. `told` is called now and then with what it has come to so far. */
export type CompleteIndexes = (told: (progress: Indexed) => void) => Promise<Indexed>

export function createCompleteIndexes(
  profiles: Pick<Profiles, 'indexSome'>,
  allAuthorizations: Pick<AllAuthorizations, 'indexSome'>
): CompleteIndexes {
  return async (told) => {
    const total = { seen: 0, added: 0 }
    for (const { indexSome } of [profiles, allAuthorizations]) {
      let after: string | undefined
      do {
        const { seen, added, next } = await indexSome({ after, most: LARGEST_PAGE })
        total.seen += seen
        total.added += added
        after = next
        told({ ...total })
      } while (after !== undefined)
    }
    return total
  }
}
