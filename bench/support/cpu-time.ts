/** CPU time a process has used, as the kernel counts it: user and system, all threads, garbage collection included. */
import { readFileSync } from 'node:fs'
import type { RedisServer } from '../../test/support/redis-server.js'

/** What Linux shows to programs counts in hundredths, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100

export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program may hold spaces and parentheses; what follows its last one does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** The same of Redis, by its own account: it needs so little for a round that hundredths of a second are too coarse. */
export async function redisCpuSeconds({ client }: RedisServer): Promise<number> {
  const text = await client.info('cpu')
  const [system, user] = ['sys', 'user'].map((part) => Number(text.match(`used_cpu_${part}:([0-9.]+)`)?.[1]))
  return (system as number) + (user as number)
}
