/** What has ended by an epoch: its stored form, the later of two, and how its event says it. */
import { fieldsLike, TimeText } from '../records/readable.js'
import type { Fields } from '../records/record-store.js'

/** What has ended; all zero while there was no epoch. */
export interface Ends {
  /** What was approved, collected or signed in to before this has ended. */
  beforeMs: number
  /** API keys that were made before this have ended. */
  apiKeysBeforeMs: number
  /** When the operator said so. */
  beganAtMs: number
}

const TIMES = { beforeMs: TimeText, apiKeysBeforeMs: TimeText, beganAtMs: TimeText }
export const isEpoch = fieldsLike(TIMES)

const DETAIL = /^before (\S+?)(, API keys as well)?$/

/** What an epoch ends, as its event says it in `detail`. */
export const epochDetail = (beforeMs: number, apiKeys: boolean): string =>
  `before ${new Date(beforeMs).toISOString()}${apiKeys ? ', API keys as well' : ''}`

/** Reads what `epochDetail` writes; undefined if that is no such text. */
export function readEpochDetail(detail: string): { beforeMs: number; apiKeys: boolean } | undefined {
  const [, before = '', apiKeys] = DETAIL.exec(detail) ?? []
  const beforeMs = Date.parse(before)
  return Number.isNaN(beforeMs) ? undefined : { beforeMs, apiKeys: apiKeys !== undefined }
}

/** The later ends of each; the first where none of the second is later. */
export function later(standing: Ends, ends: Ends): Ends {
  const beforeMs = Math.max(standing.beforeMs, ends.beforeMs)
  const apiKeysBeforeMs = Math.max(standing.apiKeysBeforeMs, ends.apiKeysBeforeMs)
  if (beforeMs === standing.beforeMs && apiKeysBeforeMs === standing.apiKeysBeforeMs) return standing
  return { beforeMs, apiKeysBeforeMs, beganAtMs: Math.max(ends.beganAtMs, standing.beganAtMs + 1) }
}

export const toFields = (ends: Ends): Fields =>
  Object.fromEntries(Object.entries(ends).map(([name, ms]) => [name, String(ms)]))

export function fromFields({ beforeMs = '0', apiKeysBeforeMs = '0', beganAtMs = '0' }: Fields = {}): Ends {
  return { beforeMs: Number(beforeMs), apiKeysBeforeMs: Number(apiKeysBeforeMs), beganAtMs: Number(beganAtMs) }
}
