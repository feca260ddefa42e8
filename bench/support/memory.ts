/** Reads the memory of a process from the kernel, and that of a Redis from itself. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.js'

/** Returns the resident memory: heap, buffers and stacks. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

/** Reads the used memory after client buffers and growing hash tables have settled. */
export async function usedMemory({ client }: RedisServer): Promise<number> {
  let last = -1
  for (let tries = 0; tries < 50; tries++) {
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
    if (Math.abs(used - last) < 10_000) return used
    last = used
    await sleep(300)
  }
  throw new Error('used_memory of Redis does not settle')
}
