/** Reads what the instances of a soak wrote to their logs, for the reasons of answers that were not due. */
import { addTo, type Surprise } from './ledger.js'
import type { Trouble } from './trouble.js'

/** The lines of a log that were written since then and while no fault was in force, by what they say. That a request was answered gives no reason. */
export function saidWithoutFault(
  log: string,
  trouble: Pick<Trouble, 'wasOn'>,
  sinceMs: number
): Record<string, Surprise> {
  const said: Record<string, Surprise> = {}
  let atMs = 0
  for (const line of log.split('\n').filter(Boolean)) {
    const { time, msg = line, detail, code } = parsed(line)
    // What has no time of its own was written after the line before it.
    if (time !== undefined) atMs = time - performance.timeOrigin
    if (atMs < sinceMs || trouble.wasOn(atMs) || msg === 'answered') continue
    addTo(said, [msg, detail ?? code].filter(Boolean).join(': '), atMs)
  }
  return said
}

interface Line {
  /** Milliseconds since 1970. */
  time?: number
  msg?: string
  detail?: string
  code?: string
}

/** What Node.js writes itself is no JSON. */
function parsed(line: string): Line {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}
