/**
 * The authorizations of all users, for operators: by their id alone, and all of them in no order. A walk through all looks at every
 * key that the storage has, so it is no way to find those of one user.
 */
import type { Epoch } from '../epoch/epoch.js'
import { type List, type ListOptions, wantedOf } from '../records/batches.js'
import type { ParentIndex, PlacedRecord, Position, RecordStore } from '../records/record-store.js'
import { type Authorization, fromFields, listedUntilMs } from './authorization.js'
import { withinEpoch } from './ended-by-epoch.js'

/** What is asked for; undefined is all the same. */
export interface AuthorizationFilter {
  clientType?: string | undefined
  clientId?: string | undefined
  isRevoked?: boolean | undefined
}

export interface AllAuthorizations {
  /** The authorization with this id, whosever it is. Undefined as well for one that a version without the index has made. */
  findById(id: string): Promise<Authorization | undefined>
  /** A part of all that are wanted: as many as asked for at most, in no order, each at least once. */
  search(filter: AuthorizationFilter, options: ListOptions): Promise<List<Authorization>>
  /** Notes whose each of a part of all is, where that is missing. Resolves to how many were, and where the next part begins. */
  indexSome(options: ListOptions): Promise<{ seen: number; added: number; next: string | undefined }>
}

export interface AllAuthorizationsParts {
  records: RecordStore
  parents: ParentIndex
  epoch: Pick<Epoch, 'ends'>
}

interface Found {
  authorization: Authorization
  position: Position
}

export function createAllAuthorizations({ records, parents, epoch }: AllAuthorizationsParts): AllAuthorizations {
  const read = ({ parent, id, fields }: PlacedRecord) => fromFields(parent, id, fields)

  async function* batches(after: string | undefined, most: number): AsyncGenerator<List<Found>> {
    const [{ records: found, next }, ends] = await Promise.all([records.scan({ after, most }), epoch.ends()])
    yield { items: found.map((one) => ({ authorization: withinEpoch(read(one), ends), position: one.position })), next }
  }

  return {
    async findById(id) {
      const [userId] = await parents.of([id])
      if (userId === undefined) return undefined
      const [fields, ends] = await Promise.all([records.get(userId, id), epoch.ends()])
      return fields && withinEpoch(fromFields(userId, id, fields), ends)
    },

    async search({ clientType, clientId, isRevoked }, options) {
      const found = await wantedOf(batches, options, ({ authorization: one }) => {
        const isOfClient = clientId === undefined || one.clientId === clientId
        const isOfType = clientType === undefined || one.clientType === clientType
        return isOfClient && isOfType && (isRevoked === undefined || (one.revokedAtMs !== undefined) === isRevoked)
      })
      const kept = found.items.slice(0, options.most)
      // A scan finds more than it was asked for now and then.
      const next = kept.length < found.items.length ? kept.at(-1)?.position : found.next
      return { items: kept.map(({ authorization }) => authorization), next }
    },

    async indexSome(options) {
      const { records: found, next } = await records.scan(options)
      const known = await parents.of(found.map(({ id }) => id))
      const missing = found.filter((_, i) => known[i] === undefined).map(read)
      await parents.note(missing.map((one) => ({ id: one.id, parent: one.userId, keepUntilMs: listedUntilMs(one) })))
      return { seen: found.length, added: missing.length, next }
    }
  }
}
