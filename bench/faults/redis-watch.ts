/**
 * Watches Redis without the code of the service: records since when all primaries accept writes that replicas
 * acknowledge.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Stack } from './stack.js'

export interface RedisWatch {
  /** When Redis became whole for good, on the clock of the history; infinite if it is not whole. */
  wholeSince(): number
  end(): Promise<void>
}

const LOOK_EVERY_MS = 50
const MOST_TAGS = 200

/** Starts to watch. A look may take `timeoutMs`, and the replicas a quarter of it, as in the instances. */
export async function watchRedis(stack: Stack, timeoutMs: number): Promise<RedisWatch> {
  const count = (await stack.primaries()).length
  // WAIT blocks its connection for other commands, so every server is watched over a connection of its own.
  const connections = new Map<RedisServer, Redis>()
  for (const server of stack.redis) {
    const connection = server.client.duplicate()
    connection.on('error', () => {})
    await connection.connect()
    connections.set(server, connection)
  }
  let wholeSince = Number.POSITIVE_INFINITY
  let isOver = false

  async function isWhole(): Promise<boolean> {
    const primaries = await stack.primaries()
    if (primaries.length !== count) return false
    const taken = primaries.map((server) => takesWrite(connections.get(server) as Redis, stack.waitsFor, timeoutMs / 4))
    return (await Promise.all(taken)).every(Boolean)
  }

  async function look(): Promise<void> {
    while (!isOver) {
      const answer = isWhole().catch(() => false)
      const isSo = await Promise.race([answer, sleep(timeoutMs, false)])
      wholeSince = isSo ? Math.min(wholeSince, performance.now()) : Number.POSITIVE_INFINITY
      await sleep(LOOK_EVERY_MS)
    }
  }
  const looking = look()

  return {
    wholeSince: () => wholeSince,
    async end() {
      isOver = true
      await looking
      for (const connection of connections.values()) connection.disconnect()
    }
  }
}

async function takesWrite(redis: Redis, replicas: number, withinMs: number): Promise<boolean> {
  if (redis.status !== 'ready') return false
  // A primary of a Cluster accepts only keys of its own slots, so hash tags are tried until one fits.
  for (let tag = 0; tag < MOST_TAGS; tag++) {
    const answer = await redis.set(`watch:{${tag}}`, '', 'PX', 1_000).catch((error: Error) => error.message)
    if (answer.startsWith('MOVED')) continue
    return answer === 'OK' && (await redis.wait(replicas, withinMs)) >= replicas
  }
  return false
}
