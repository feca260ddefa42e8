/**
 * One step of SCAN. A cursor belongs to one run of one server: whoever has taken its place (a promoted replica, or the same one started
 * again) makes something else of it, and leaves out keys without a word. So it is asked who answers, before and after.
 */
import type { Redis } from 'ioredis'

/** Where a server has been looked through, and where looking begins; this one is good at every server. */
export const SCAN_START = '0'

export interface ScanStep {
  keys: string[]
  cursor: string
  /** The run of the server that has answered; undefined if it was replaced meanwhile, or is a replica by now. */
  server: string | undefined
}

export async function scanStep(redis: Redis, cursor: string, pattern: string, count: number): Promise<ScanStep> {
  const who = () => redis.info('server', 'replication')
  // They leave together. A connection that breaks in between is made anew, and what was not answered is sent again.
  const [before, [next, keys], after] = await Promise.all([
    who(),
    redis.scan(cursor, 'MATCH', pattern, 'COUNT', count),
    who()
  ])
  const [server, last] = [runOf(before), runOf(after)]
  return { keys, cursor: next, server: server === last ? server : undefined }
}

/** Whether a step has gone on where the one before it ended. A server that does not say who it is cannot be told from another. */
export function isWholeStep(step: ScanStep, from: { cursor: string; server: string | undefined }): boolean {
  return step.server !== undefined && (from.cursor === SCAN_START || step.server === from.server)
}

function runOf(info: string): string | undefined {
  const lineOf = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  return lineOf('role') === 'slave' ? undefined : (lineOf('run_id') ?? '')
}
