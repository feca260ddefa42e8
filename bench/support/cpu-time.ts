/**
 * Reads the CPU time of a process from the kernel: user and system time of all threads, including garbage collection.
 */
import { readFileSync } from 'node:fs'
import type { RedisServer } from '../../test/support/redis-server.js'

/** Linux reports CPU time to programs in hundredths of a second, whatever the tick of the kernel is. */
const TICKS_PER_SECOND = 100

export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program may contain spaces and parentheses, so the fields are read after its last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Returns the microseconds of CPU that this process takes for a call, over so many of them. */
export async function microsOf(call: () => Promise<unknown>, times: number): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) await call()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

/**
 * Returns the CPU time that Redis reports of itself. A round costs Redis so little that hundredths of a second are too
 * coarse.
 */
export async function redisCpuSeconds({ client }: RedisServer): Promise<number> {
  const text = await client.info('cpu')
  const [system, user] = ['sys', 'user'].map((part) => Number(text.match(`used_cpu_${part}:([0-9.]+)`)?.[1]))
  return (system as number) + (user as number)
}
