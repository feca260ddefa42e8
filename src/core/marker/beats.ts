/** The beats that the marker holds, one for each instance. */
import type { Fields } from '../records/record-store.js'

const PREFIX = 'beat:'
/** The beat of an instance that has ended goes after so long. */
const KEPT_MS = 3_600_000

/** The field of an instance, whose id is of its process alone. */
export const beatFieldOf = (instanceId: string): string => PREFIX + instanceId

/** Whether a beat is so old that it may have been cleared. */
export const isStale = (beatMs: number, nowMs: number): boolean => beatMs < nowMs - KEPT_MS

/** The fields of instances that have not beaten for long. */
export function staleBeats(fields: Fields, nowMs: number): string[] {
  return Object.keys(fields).filter((name) => name.startsWith(PREFIX) && isStale(Number(fields[name]), nowMs))
}
