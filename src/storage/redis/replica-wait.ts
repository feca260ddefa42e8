/**
 * Writes that must outlive their primary: they are answered when so many replicas have them (WAIT). That holds up everything
 * else on a connection, so they have one of their own to each primary; and one WAIT speaks for all that was written before it.
 */
import type { Redis } from 'ioredis'
import { fault } from '../../core/fault.js'
import type { LatencyObserver } from '../../core/storage.js'
import type { Script } from './scripts.js'
import type { Owner, Servers } from './servers.js'
import { createWatch, type Watch } from './watch.js'

export interface ReplicaWaitOptions {
  servers: Servers
  /** For each single call. */
  watch: Watch
  observe: LatencyObserver
  /** The longest a request waits; a write takes three quarters of it at most, and gives the replicas a quarter. */
  timeoutMs: number
  /** How many replicas. */
  count: number
  /** What is written before each WAIT, and the key for it in the slot of another one. */
  fenceScript: Script
  fence: (key: string) => string
}

export interface ReplicaWait {
  /**
   * What `command` resolves to, once the replicas have it as well. Rejects with `unavailable` if they do not in time: it may
   * have been done all the same, and doing it again is safe.
   */
  write<T>(key: string, command: (redis: Redis) => Promise<T>): Promise<T>
  close(): void
}

/** A connection to a primary, and who waits for its replicas. */
interface Lane {
  redis: Redis
  /** Until it can be used, one listener for all who wait for that. */
  becomingReady: Promise<void> | undefined
  waiting: Waiting[]
  isAsking: boolean
}

interface Waiting {
  /** The connection it was written on: what another says, after a failover, is about another server. */
  stream: Redis['stream']
  key: string
  resolve: () => void
  reject: (reason: unknown) => void
}

/** It has done its work with the write itself. */
const FENCE_KEPT_MS = 1_000
// Nothing is sent again: on another connection a repetition would be answered for a server that has never seen it.
const PURPOSE = { connectionName: 'grantd-durable', maxRetriesPerRequest: 0 }

const unavailable = (detail: string) => fault('unavailable', { detail })

export function createReplicaWait(options: ReplicaWaitOptions): ReplicaWait {
  const { servers, watch, observe, timeoutMs, count, fenceScript, fence } = options
  const waitMs = timeoutMs / 4
  /** For a write as a whole: its call, the WAIT that is under way before its own, and its own. */
  const whole = createWatch((timeoutMs * 3) / 4, observe)
  const lanes = new Map<Owner, Lane>()

  function laneOf(owner: Owner): Lane {
    const known = lanes.get(owner)
    if (known) return known
    const owners = servers.owners()
    for (const [other, { redis }] of lanes) {
      if (owners.has(other)) continue
      redis.disconnect()
      lanes.delete(other)
    }
    const redis = servers.connectTo(owner, PURPOSE)
    const lane: Lane = { redis, becomingReady: undefined, waiting: [], isAsking: false }
    // That Redis is away is said by the connection that all other commands go over.
    lane.redis.on('error', () => {})
    lanes.set(owner, lane)
    return lane
  }

  /** Resolves when a connection can be used: the first time, and after it broke. */
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

  async function writeOn<T>(owner: Owner, key: string, command: (redis: Redis) => Promise<T>): Promise<T> {
    const lane = laneOf(owner)
    if (lane.redis.status !== 'ready') await ready(lane)
    const { stream } = lane.redis
    const value = await command(lane.redis)
    await new Promise<void>((resolve, reject) => {
      lane.waiting.push({ stream, key, resolve, reject })
      if (!lane.isAsking) void askReplicas(lane)
    })
    return value
  }

  /** Until nobody waits: whoever comes while a WAIT is under way is in the next one. */
  async function askReplicas(lane: Lane): Promise<void> {
    lane.isAsking = true
    while (lane.waiting.length > 0) {
      const { stream } = lane.redis
      const batch = lane.waiting.splice(0)
      const settle = await acknowledged(lane.redis, batch[0]?.key as string).then(
        (have) => (waiting: Waiting) => {
          if (waiting.stream !== stream) waiting.reject(unavailable('the connection broke before the replicas had it'))
          else if (have < count) waiting.reject(unavailable(`${have} replicas have it, ${count} should`))
          else waiting.resolve()
        },
        (error: unknown) => (waiting: Waiting) => waiting.reject(error)
      )
      batch.forEach(settle)
    }
    lane.isAsking = false
  }

  async function acknowledged(redis: Redis, key: string): Promise<number> {
    // As its text, which no server can have forgotten: a fence that is written in a second attempt comes after the WAIT.
    const fenced = redis.eval(fenceScript.lua, fenceScript.numberOfKeys, fence(key), FENCE_KEPT_MS)
    const waited = redis.wait(count, waitMs)
    const [, have] = await watch.over('replica-wait', Promise.all([fenced, waited]))
    return have
  }

  async function writeWhereItIs<T>(key: string, command: (redis: Redis) => Promise<T>): Promise<T> {
    const owner = servers.ownerOf(servers.slotOf(key))
    if (owner === undefined) throw unavailable('nobody owns this part of the Redis Cluster')
    try {
      return await writeOn(owner, key, command)
    } catch (error) {
      const [, newOwner] = /^MOVED \d+ (\S+)$/.exec((error as Error).message) ?? []
      if (newOwner === undefined) throw error
      servers.refresh()
      return writeOn(newOwner, key, command)
    }
  }

  return {
    write: (key, command) => whole.over('durable-write', writeWhereItIs(key, command)),

    close() {
      whole.stop()
      for (const { redis } of lanes.values()) redis.disconnect()
    }
  }
}
