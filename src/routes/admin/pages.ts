/** Lists as the admin API answers them: never whole, and with the next page's cursor beside the entries. */
import type { ListOptions } from '../../core/records/batches.js'
import type { Position } from '../../core/records/record-store.js'
import type { App } from '../app.js'
import { createCursors, type ListName, type PageQuery, USUAL_LIMIT } from '../paging.js'

export interface Pages {
  read(list: ListName, query: PageQuery): ListOptions
  /** The member of the answer that says where the next page begins, if there is one. */
  next(list: ListName, position: Position | undefined): { next_cursor?: string }
}

export function createPages(core: App['core']): Pages {
  const cursors = createCursors(core)
  return {
    read: (list, { limit, cursor }) => ({
      most: limit === undefined ? USUAL_LIMIT : Number(limit),
      after: cursor === undefined ? undefined : cursors.read(list, cursor)
    }),
    next: (list, position) => (position === undefined ? {} : { next_cursor: cursors.write(list, position) })
  }
}
