/**
 * Resources of an API (created, listed, read, replaced, deleted) over the record store: each is a record whose content is one
 * JSON field. Their shape and meaning are defined by the folders that use them.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from './record-store.js'

export interface Resource {
  /** A UUID. */
  id: string
  createdAtMs: number
  updatedAtMs: number
}

export interface Resources<T> {
  /** Creates a resource under a new id. Under a given id, resolves to the existing resource if there is one. */
  create(parent: string, content: T, id?: string): Promise<T & Resource>
  /** All resources of a parent, in the order of their creation. */
  list(parent: string): Promise<(T & Resource)[]>
  find(parent: string, id: string): Promise<(T & Resource) | undefined>
  /** Replaces the whole content. Resolves to undefined if there is no such resource. */
  replace(parent: string, id: string, content: T): Promise<(T & Resource) | undefined>
  delete(parent: string, id: string): Promise<void>
}

export function createResources<T extends object>(records: RecordStore, clock: Clock): Resources<T> {
  /** Counts creations, so that those of one millisecond keep their order. */
  let created = 0

  return {
    async create(parent, content, id = randomUUID()) {
      const nowMs = clock()
      created = (created + 1) % 1_000_000
      const order = `${String(nowMs).padStart(15, '0')}.${String(created).padStart(6, '0')}`
      const fields = { content: JSON.stringify(content), order, createdAtMs: `${nowMs}`, updatedAtMs: `${nowMs}` }
      return read<T>(id, await records.create(parent, id, fields, nowMs + FOR_EVER_MS))
    },

    async list(parent) {
      const found = [...(await records.list(parent))]
      found.sort(([, a], [, b]) => ((a.order ?? '') < (b.order ?? '') ? -1 : 1))
      return found.map(([id, fields]) => read<T>(id, fields))
    },

    async find(parent, id) {
      const fields = await records.get(parent, id)
      return fields && read<T>(id, fields)
    },

    async replace(parent, id, content) {
      const set = { content: JSON.stringify(content), updatedAtMs: String(clock()) }
      const fields = await records.change(parent, id, { set })
      return fields && read<T>(id, fields)
    },

    delete: (parent, id) => records.delete(parent, id)
  }
}

function read<T>(id: string, { content = '{}', createdAtMs, updatedAtMs }: Fields): T & Resource {
  return { ...(JSON.parse(content) as T), id, createdAtMs: Number(createdAtMs), updatedAtMs: Number(updatedAtMs) }
}
