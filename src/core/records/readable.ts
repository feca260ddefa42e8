/**
 * Records that can be read: what the storage holds is compared with the shape of its kind before anybody uses it, for somebody else
 * may have written or damaged it. One record that cannot be read rejects with `unavailable`, and a list leaves it out; the operator is told
 * either way (`unreadable` of the store). Each kind has its shape in its own file, and shapes are compiled once.
 */
import { type TSchema, type TString, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { readAll } from './batches.js'
import type { Fields, RecordStore } from './record-store.js'

export const Text = Type.String()
/** A time in Unix milliseconds that a Date can hold, as it is stored. */
export const TimeText = Type.String({ pattern: '^\\d{1,15}(\\.\\d+)?$' })
/** Another finite number, as it is stored. */
export const NumberText = Type.String({ pattern: '^\\d{1,21}(\\.\\d+)?(e-\\d{1,3})?$' })

/** The number in a field, if the field is there. */
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)

/** The schema of a type. */
export type ShapeOf<T> = TSchema & { static: T }
export type IsReadable = (fields: Fields) => boolean
type Shape = Record<string, TString>

/** Fields of which some are there and others may be. There may be more, which a later version has written. */
export function fieldsLike(required: Shape, optional: Shape = {}): IsReadable {
  const shape = TypeCompiler.Compile(Type.Composite([Type.Object(required), Type.Partial(Type.Object(optional))]))
  return (fields) => shape.Check(fields)
}

/** Makes the function that reads JSON of a shape; undefined if a text is none. No shape here takes `undefined`. */
export function jsonOf<T>(schema: ShapeOf<T>): (text: string | undefined) => T | undefined {
  const shape = TypeCompiler.Compile(schema)
  return (text = '') => {
    try {
      const value: unknown = JSON.parse(text)
      return shape.Check(value) ? (value as T) : undefined
    } catch {
      return undefined
    }
  }
}

/** A store whose records are all of one shape. */
export function readable(records: RecordStore, isReadable: IsReadable): RecordStore {
  function check<T extends Fields | undefined>(fields: T): T {
    if (fields !== undefined && !isReadable(fields)) throw records.unreadable()
    return fields
  }

  const page: RecordStore['page'] = async (parent, options) => {
    const { records: found, ...rest } = await records.page(parent, options)
    for (const [id, fields] of found) {
      if (isReadable(fields)) continue
      records.unreadable()
      found.delete(id)
    }
    return { ...rest, records: found }
  }

  return {
    ...records,
    async scan(options) {
      const { records: found, next } = await records.scan(options)
      const [good, bad] = [true, false].map((wanted) => found.filter(({ fields }) => isReadable(fields) === wanted))
      for (const _ of bad ?? []) records.unreadable()
      return { records: good ?? [], next }
    },
    create: async (...record) => check(await records.create(...record)),
    async createWithin(...record) {
      const kept = await records.createWithin(...record)
      return kept === 'full' ? kept : check(kept)
    },
    get: async (parent, id) => check(await records.get(parent, id)),
    change: async (parent, id, changes) => check(await records.change(parent, id, changes)),
    list: (parent) => readAll(page, parent),
    page
  }
}
