/** How events name a connection in `detail`, and what a reader of an audit log finds there. */
import type { Connection } from './connection.js'

/** After the upstream. */
const DETAIL = /^\S+ ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

export const namedConnection = ({ upstreamId, id }: Pick<Connection, 'upstreamId' | 'id'>): string =>
  `${upstreamId} ${id}`

/** The id of the connection in such a text; undefined if that is none. */
export const readConnectionDetail = (detail: string): string | undefined => DETAIL.exec(detail)?.[1]
