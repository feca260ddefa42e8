/**
 * All keys of Redis, looked through with SCAN at every primary over connections of its own, and deleted with UNLINK: each command is
 * short for Redis, however many keys there are. deploy/redis/grantd-admin.acl names the user who may.
 */
import { once } from 'node:events'
import { type Redis, ReplyError } from 'ioredis'
import type { RedisConfig } from '../../../config/redis.js'
import { FAMILIES, type FoundKey, type KeyPlace, type Keyspace } from '../../../core/restore/keyspace.js'
import type { Keys } from '../keys.js'
import { isWholeStep, SCAN_START, scanStep } from '../scan-step.js'
import type { PrimaryAddress, Servers } from '../servers.js'
import { MOVED, whileSlotsStay } from './slots.js'

/** What SCAN looks at in one step. */
const LOOKED_AT = 1_000
const CONNECT_WITHIN_MS = 5_000
/** What was looked at and deleted before is done; what was not is unknown. */
const REPLACED = 'a Redis primary was replaced or started again while its keys were looked at: run it again'
/** What the driver says of a connection that was lost. */
const LOST = /^(Connection is closed|Stream isn't writeable|Reached the max retries per request limit)/
/** What a primary says of a key that is at another one by now. */
const ELSEWHERE = /^(MOVED|ASK) /
const PURPOSE = { connectionName: 'grantd-keyspace', maxRetriesPerRequest: 1 }

export interface KeyspaceParts {
  servers: Servers
  keys: Pick<Keys, 'all' | 'readKey' | 'lock'>
  redis: Pick<RedisConfig, 'place' | 'waitReplicas' | 'timeoutMs'>
}

export function createRedisKeyspace({ servers, keys, redis: { place, ...wait } }: KeyspaceParts): Keyspace {
  async function at<T>(address: PrimaryAddress, work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = servers.connectTo(address, PURPOSE)
    redis.on('error', () => {})
    try {
      await readyOrLate(redis)
      return await work(redis)
    } catch (error) {
      throw sentenceOf(error, address)
    } finally {
      redis.disconnect()
    }
  }

  /** Calls `work` with a connection to each primary in turn. */
  async function eachPrimary(work: (redis: Redis) => Promise<void>): Promise<void> {
    await servers.refresh()
    const addresses = [...servers.addresses()]
    const all = async () => {
      for (const address of addresses) await at(address, work)
    }
    if (place.kind !== 'cluster') return all()
    const nodesOf = async (redis: Redis) => String(await redis.cluster('NODES'))
    await whileSlotsStay(() => Promise.all(addresses.map((address) => at(address, nodesOf))), all)
  }

  async function untilReplicasHave(redis: Redis): Promise<void> {
    if (wait.waitReplicas === 0) return
    const reached = await redis.wait(wait.waitReplicas, wait.timeoutMs)
    if (reached < wait.waitReplicas) {
      throw new Error(
        `${reached} of ${wait.waitReplicas} replicas have what was deleted (REDIS_WAIT_REPLICAS): run it again`
      )
    }
  }

  const placeAt = (redis: Redis): KeyPlace => ({
    async delete(names) {
      // One by one, since those of a Cluster are not in one slot; they leave together.
      const gone = await Promise.all(names.map((name) => redis.unlink(name)))
      if (names.length > 0) await untilReplicasHave(redis)
      return gone.reduce((sum, count) => sum + count, 0)
    }
  })

  return {
    checkRights: () =>
      eachPrimary(async (redis) => {
        await scanStep(redis, SCAN_START, keys.all, 1)
        // Of a Cluster, another primary may have that slot: whoever is told so would have been allowed.
        await redis.unlink(keys.lock('no such lock')).catch((error: Error) => {
          if (!error.message.startsWith('MOVED')) throw error
        })
      }),

    walk: (families, step) =>
      eachPrimary(async (redis) => {
        let from: { cursor: string; server: string | undefined } = { cursor: SCAN_START, server: undefined }
        do {
          const look = await scanStep(redis, from.cursor, keys.all, LOOKED_AT)
          if (!isWholeStep(look, from)) throw new Error(REPLACED)
          const found = look.keys.flatMap((key): FoundKey[] => {
            const { family, record } = keys.readKey(key)
            const known = FAMILIES.find((one) => one === family)
            return known && families.includes(known) ? [{ family: known, key, ...(record && { record }) }] : []
          })
          if (found.length > 0) await step(found, placeAt(redis))
          from = look
        } while (from.cursor !== SCAN_START)
      })
  }
}

async function readyOrLate(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  const signal = AbortSignal.timeout(CONNECT_WITHIN_MS)
  await new Promise<void>((resolve, reject) => {
    once(redis, 'ready', { signal }).then(() => resolve(), reject)
    // A refused password ends the attempts, and says why.
    redis.on('error', (error: Error) => error instanceof ReplyError && reject(error))
  })
}

function sentenceOf(error: unknown, address: PrimaryAddress): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const [, command] = /^NOPERM .*'([\w|]+)' command/.exec(error.message) ?? []
  if (command !== undefined || error.message.startsWith('NOPERM')) {
    const what = command === undefined ? 'do that' : `use ${command.toUpperCase()}`
    return new Error(
      `this user of Redis may not ${what}. Nothing was looked at or changed by this step. Run the command as the administrator of deploy/redis/grantd-admin.acl`
    )
  }
  if (error.name === 'AbortError' || LOST.test(error.message))
    return new Error(`the Redis primary ${address} does not answer: run it again`)
  return ELSEWHERE.test(error.message) ? new Error(MOVED) : error
}
