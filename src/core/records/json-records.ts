/**
 * JSON records: what an API creates, lists, reads, replaces and deletes, over the record store. The content of each is one field, in
 * JSON. Their shape and meaning are defined by the folders that use them.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import { batchesOf, type List, type ListOptions, wantedOf } from './batches.js'
import { fieldsLike, jsonOf, readable, type ShapeOf, Text, TimeText } from './readable.js'
import { type Fields, FOR_EVER_MS, type Position, type RecordStore } from './record-store.js'

export interface JsonRecord {
  /** A UUID. */
  id: string
  createdAtMs: number
  updatedAtMs: number
}

export interface JsonRecords<T> {
  /** Creates a record under a new id. Under a given id, resolves to the existing record if there is one. */
  create(parent: string, content: T, id?: string): Promise<T & JsonRecord>
  /**
   * Creates a record unless another one has this name under the parent: of all that are created at once, on whichever
   * instances, one is. Undefined if the name is taken. Records that were created without a name have none.
   */
  createNamed(parent: string, content: T, name: string): Promise<(T & JsonRecord) | undefined>
  /** All records of a parent, in the order of their creation. */
  list(parent: string): Promise<(T & JsonRecord)[]>
  /** The same piece by piece. What is changed or deleted meanwhile is no reason to stop. */
  batches(parent: string): AsyncIterable<(T & JsonRecord)[]>
  /** A part of the records of a parent, of those that are wanted. */
  page(parent: string, options: ListOptions, isWanted?: (content: T) => boolean): Promise<List<T & JsonRecord>>
  find(parent: string, id: string): Promise<(T & JsonRecord) | undefined>
  /** The content in these fields of a record, which are JSON_RECORD_FIELDS. Throws `unavailable` if it cannot be read. */
  contentOf(fields: Fields): T
  /** Replaces the whole content. Resolves to undefined if there is no such record. */
  replace(parent: string, id: string, content: T): Promise<(T & JsonRecord) | undefined>
  /** Deletes a record, and frees the name that it was created with. */
  delete(parent: string, id: string, name?: string): Promise<void>
}

/** How often a name is asked for that others free and take at the same moment. */
const NAME_TRIES = 10

/** Where the name of a record leads. */
const isName = fieldsLike({ id: Text })
/** The fields that a JSON record is read from; every one has the first. */
export const JSON_RECORD_FIELDS: readonly string[] = ['content', 'createdAtMs', 'updatedAtMs']
const isJsonRecord = fieldsLike({ content: Text, createdAtMs: TimeText, updatedAtMs: TimeText })

/** Records whose content is of this shape. */
export function createJsonRecords<T extends object>(
  stored: RecordStore,
  clock: Clock,
  content: ShapeOf<T>
): JsonRecords<T> {
  const readContent = jsonOf(content)
  const records = readable(stored, (fields) => isJsonRecord(fields) && readContent(fields.content) !== undefined)
  const names = readable(stored, isName)
  /** Counts creations, so that those of one millisecond keep their order. */
  let created = 0

  /** Where the ids of named records are kept: beside them, under a parent of their own. */
  const placeOf = (parent: string, name: string) => [`names of ${parent}`, digestOf(name)] as const

  /** Parses the content once, where `records` and `read` would do so twice. */
  function contentOf(fields: Fields): T {
    const content = isJsonRecord(fields) ? readContent(fields.content) : undefined
    if (content === undefined) throw stored.unreadable()
    return content
  }

  async function create(parent: string, content: T, id: string): Promise<T & JsonRecord> {
    const nowMs = clock()
    created = (created + 1) % 1_000_000
    const order = `${String(nowMs).padStart(15, '0')}.${String(created).padStart(6, '0')}`
    const fields = { content: JSON.stringify(content), order, createdAtMs: `${nowMs}`, updatedAtMs: `${nowMs}` }
    return read<T>(id, await records.create(parent, id, fields, nowMs + FOR_EVER_MS))
  }

  /** Whether the name now leads to this id. A name whose record is gone was left behind by an interrupted deletion. */
  async function takeName(parent: string, name: string, id: string): Promise<boolean> {
    const place = placeOf(parent, name)
    for (let tries = 0; tries < NAME_TRIES; tries++) {
      const kept = await names.create(...place, { id }, clock() + FOR_EVER_MS)
      if (kept.id === id) return true
      if (await records.get(parent, kept.id ?? '')) return false
      await names.delete(...place, { field: 'id', is: kept.id ?? '' })
    }
    throw fault('unavailable', { detail: `a name was taken ${NAME_TRIES} times while it was asked for` })
  }

  /** JSON records all live equally long, so that those made first are those that end first. */
  async function* batches(parent: string, after?: Position, most?: number) {
    const options = { order: 'first-to-end', after } as const
    for await (const { records: found, next } of batchesOf(records.page, parent, options, most)) {
      yield { items: inOrder<T>(found), next }
    }
  }

  return {
    create: (parent, content, id = randomUUID()) => create(parent, content, id),

    async createNamed(parent, content, name) {
      // The record comes before its name, because whoever finds the name looks whether its record is there.
      const made = await create(parent, content, randomUUID())
      if (await takeName(parent, name, made.id)) return made
      await records.delete(parent, made.id)
      return undefined
    },

    list: async (parent) => inOrder<T>(await records.list(parent)),

    async *batches(parent) {
      for await (const { items } of batches(parent)) yield items
    },

    page: (parent, options, isWanted = () => true) =>
      wantedOf((after, most) => batches(parent, after, most), options, isWanted),

    async find(parent, id) {
      const fields = await stored.get(parent, id)
      return fields && withTimes(contentOf(fields), id, fields)
    },

    contentOf,

    async replace(parent, id, content) {
      const set = { content: JSON.stringify(content), updatedAtMs: String(clock()) }
      const fields = await records.change(parent, id, { set })
      return fields && read<T>(id, fields)
    },

    async delete(parent, id, name) {
      await records.delete(parent, id)
      if (name !== undefined) await names.delete(...placeOf(parent, name), { field: 'id', is: id })
    }
  }
}

/** Those of one millisecond by the count of their creation, which the index does not know. */
function inOrder<T>(found: Map<string, Fields>): (T & JsonRecord)[] {
  const entries = [...found].sort(([, a], [, b]) => ((a.order ?? '') < (b.order ?? '') ? -1 : 1))
  return entries.map(([id, fields]) => read<T>(id, fields))
}

function read<T>(id: string, fields: Fields): T & JsonRecord {
  return withTimes(JSON.parse(fields.content ?? '') as T, id, fields)
}

function withTimes<T>(content: T, id: string, { createdAtMs, updatedAtMs }: Fields): T & JsonRecord {
  return { ...content, id, createdAtMs: Number(createdAtMs), updatedAtMs: Number(updatedAtMs) }
}
