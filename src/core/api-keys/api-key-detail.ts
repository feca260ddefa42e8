/** How events name an API key in `detail`, and what a reader of an audit log finds there. */
import { type ApiKey, type ApiKeyRight, readRights, writeRights } from './api-key.js'

const DETAIL = /^([a-z0-9-]{1,63})\/([A-Za-z0-9_-]{16})(?: (.*))?$/

/** The detail of an event by which a key ends. */
export const namedKey = ({ owner, id }: Pick<ApiKey, 'owner' | 'id'>): string => `${owner}/${id}`

/** The detail of an event after which a key has these rights. */
export const keyWithRights = (key: Pick<ApiKey, 'owner' | 'id' | 'rights'>): string =>
  `${namedKey(key)} ${writeRights(key.rights)}`

/** The key of either detail, and the rights where it has some; undefined if that is no such text. */
export function readKeyDetail(detail: string): { owner: string; id: string; rights: ApiKeyRight[] } | undefined {
  const [, owner, id, rights = ''] = DETAIL.exec(detail) ?? []
  return owner === undefined || id === undefined ? undefined : { owner, id, rights: readRights(rights).rights }
}
