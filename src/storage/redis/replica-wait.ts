/**
 * Writes that must outlive their primary: each is acknowledged once enough replicas have it (WAIT). WAIT blocks all
 * later commands of its connection, so these writes have a separate connection to each primary. One WAIT covers all
 * writes before it.
 */
import type { Redis } from 'ioredis'
import { fault } from '../../core/fault.js'
import type { LatencyObserver } from '../../core/storage.js'
import { createCork } from './cork.js'
import type { Script } from './scripts.js'
import type { PrimaryAddress, Servers } from './servers.js'
import { createWatch, type Watch } from './watch.js'

export interface ReplicaWaitOptions {
  servers: Servers
  /** Limits and measures each single call. */
  watch: Watch
  observe: LatencyObserver
  /**
   * The longest time a request waits. A write takes at most three quarters of it, and a WAIT gives the replicas a
   * quarter.
   */
  timeoutMs: number
  /** The number of replicas that must have a write. */
  count: number
  /**
   * The fence is a small write before each WAIT. `fence` returns its key, which is in the same slot as the given key.
   */
  fenceScript: Script
  fence: (key: string) => string
}

export interface ReplicaWait {
  /**
   * Resolves to the result of `command` once the replicas have the write. Rejects with `unavailable` if they do not
   * have it in time; the write may be applied nevertheless, and repeating it is safe.
   */
  write<T>(key: string, command: (redis: Redis) => Promise<T>): Promise<T>
  /** Whether so many writes wait for replicas that further ones must be refused. */
  isFull(): boolean
  close(): void
}

/** A connection to a primary, with the writes that wait for its replicas. */
interface Lane {
  redis: Redis
  /** Resolves when the connection can be used; one listener serves all writes that wait for that. */
  becomingReady: Promise<void> | undefined
  waiting: WaitingWrite[]
  isAsking: boolean
}

interface WaitingWrite {
  /** The socket that the write went over. After a failover, the answer of another socket is about another server. */
  stream: Redis['stream']
  key: string
  resolve: () => void
  reject: (reason: unknown) => void
}

/** The fence has served its purpose as soon as it is written. */
const FENCE_KEPT_MS = 1_000
// Commands are not sent again: a WAIT repeated on a new connection could be answered by a server that does not have the
// write.
const PURPOSE = { connectionName: 'grantd-durable', maxRetriesPerRequest: 0 }

const unavailable = (detail: string) => fault('unavailable', { detail })

export function createReplicaWait(options: ReplicaWaitOptions): ReplicaWait {
  const { servers, watch, observe, timeoutMs, count, fenceScript, fence } = options
  const waitMs = timeoutMs / 4
  /** Limits a write as a whole: its call, the WAIT that is already under way, and its own WAIT. */
  const whole = createWatch({ withinMs: (timeoutMs * 3) / 4, observe })
  const lanes = new Map<PrimaryAddress, Lane>()
  const gather = createCork(() => [...lanes.values()].map(({ redis }) => redis))

  function laneOf(address: PrimaryAddress): Lane {
    const known = lanes.get(address)
    if (known) return known
    const addresses = servers.addresses()
    for (const [other, { redis }] of lanes) {
      if (addresses.has(other)) continue
      redis.disconnect()
      lanes.delete(other)
    }
    const redis = servers.connectTo(address, PURPOSE)
    const lane: Lane = { redis, becomingReady: undefined, waiting: [], isAsking: false }
    // The connection for all other commands (connection.ts) already logs that Redis is away.
    lane.redis.on('error', () => {})
    lanes.set(address, lane)
    return lane
  }

  /** Resolves when the connection is ready, after its start or after it broke. */
  function ready(lane: Lane): Promise<void> {
    lane.becomingReady ??= new Promise<void>((resolve, reject) => {
      const onReady = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        lane.redis.off('ready', onReady)
        reject(unavailable('not connected to Redis'))
      }, waitMs)
      lane.redis.once('ready', onReady)
    }).finally(() => {
      lane.becomingReady = undefined
    })
    return lane.becomingReady
  }

  async function writeOn<T>(address: PrimaryAddress, key: string, command: (redis: Redis) => Promise<T>): Promise<T> {
    const lane = laneOf(address)
    if (lane.redis.status !== 'ready') await ready(lane)
    const { stream } = lane.redis
    gather()
    const value = await command(lane.redis)
    await new Promise<void>((resolve, reject) => {
      lane.waiting.push({ stream, key, resolve, reject })
      if (!lane.isAsking) void askReplicas(lane)
    })
    return value
  }

  /** Sends one WAIT after another until no write waits. A write that comes during a WAIT is covered by the next one. */
  async function askReplicas(lane: Lane): Promise<void> {
    lane.isAsking = true
    while (lane.waiting.length > 0) {
      const { stream } = lane.redis
      const batch = lane.waiting.splice(0)
      const settle = await acknowledged(lane.redis, batch[0]?.key as string).then(
        (have) => (waiting: WaitingWrite) => {
          if (waiting.stream !== stream) waiting.reject(unavailable('the connection broke before the replicas had it'))
          else if (have < count) waiting.reject(unavailable(`${have} replicas have it, ${count} should`))
          else waiting.resolve()
        },
        (error: unknown) => (waiting: WaitingWrite) => waiting.reject(error)
      )
      batch.forEach(settle)
    }
    lane.isAsking = false
  }

  async function acknowledged(redis: Redis, key: string): Promise<number> {
    gather()
    // The fence is sent as text (EVAL). With EVALSHA, the second attempt after a NOSCRIPT would write the fence after
    // the WAIT.
    const fenced = redis.eval(fenceScript.lua, fenceScript.numberOfKeys, fence(key), FENCE_KEPT_MS)
    const waited = redis.wait(count, waitMs)
    const [, have] = await watch.over('replica-wait', Promise.all([fenced, waited]))
    return have
  }

  async function writeWhereItIs<T>(key: string, command: (redis: Redis) => Promise<T>): Promise<T> {
    const address = servers.addressOf(servers.slotOf(key))
    if (address === undefined) throw unavailable('nobody owns this part of the Redis Cluster')
    try {
      return await writeOn(address, key, command)
    } catch (error) {
      const [, newAddress] = /^MOVED \d+ (\S+)$/.exec((error as Error).message) ?? []
      if (newAddress === undefined) throw error
      void servers.refresh()
      return writeOn(newAddress, key, command)
    }
  }

  return {
    write: (key, command) => whole.over('durable-write', writeWhereItIs(key, command)),
    isFull: whole.isFull,

    close() {
      whole.stop()
      for (const { redis } of lanes.values()) redis.disconnect()
    }
  }
}
