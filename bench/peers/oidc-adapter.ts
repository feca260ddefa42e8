/**
 * Keeps what node-oidc-provider stores in Redis: an adapter with the same layout as the Redis adapter in the examples
 * of node-oidc-provider. A consumable model is a hash of its JSON and the time of its use, any other model a string.
 * User codes and sessions have a second key that leads to the first. A list holds the keys of everything issued under
 * one grant.
 */
import type { Redis } from 'ioredis'
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

const CONSUMABLE = ['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest']
const OF_A_GRANT = [...CONSUMABLE, 'AccessToken']

const grantKey = (id: string) => `oidc:grant:${id}`
const userCodeKey = (userCode: string) => `oidc:userCode:${userCode}`
const uidKey = (uid: string) => `oidc:uid:${uid}`

export const redisAdapter =
  (redis: Redis): AdapterFactory =>
  (model) =>
    createAdapter(redis, model)

function createAdapter(redis: Redis, model: string): Adapter {
  const isConsumable = CONSUMABLE.includes(model)
  const keyOf = (id: string) => `oidc:${model}:${id}`

  async function find(id: string): Promise<AdapterPayload | undefined> {
    if (!isConsumable) {
      const text = await redis.get(keyOf(id))
      return text === null ? undefined : JSON.parse(text)
    }
    const { payload, ...rest } = await redis.hgetall(keyOf(id))
    return payload === undefined ? undefined : { ...rest, ...JSON.parse(payload) }
  }

  async function findBy(key: string) {
    const id = await redis.get(key)
    return id === null ? undefined : find(id)
  }

  return {
    find,
    findByUid: (uid) => findBy(uidKey(uid)),
    findByUserCode: (userCode) => findBy(userCodeKey(userCode)),

    async upsert(id, payload, expiresIn) {
      const key = keyOf(id)
      const text = JSON.stringify(payload)
      const seconds = expiresIn ?? 0
      const { grantId, userCode, uid } = payload
      const listKey = grantId !== undefined && OF_A_GRANT.includes(model) ? grantKey(grantId) : undefined
      const listSeconds = listKey === undefined ? 0 : await redis.ttl(listKey)
      const line = redis.multi()
      if (isConsumable) line.hset(key, 'payload', text)
      else line.set(key, text)
      if (seconds > 0) line.expire(key, seconds)
      if (listKey !== undefined) {
        line.rpush(listKey, key)
        if (seconds > listSeconds) line.expire(listKey, seconds)
      }
      if (userCode) line.set(userCodeKey(userCode), id, 'EX', seconds)
      if (uid) line.set(uidKey(uid), id, 'EX', seconds)
      await line.exec()
    },

    async consume(id) {
      await redis.hset(keyOf(id), 'consumed', Math.floor(Date.now() / 1000))
    },

    async destroy(id) {
      await redis.del(keyOf(id))
    },

    async revokeByGrantId(grantId) {
      const keys = await redis.lrange(grantKey(grantId), 0, -1)
      await redis.del(...keys, grantKey(grantId))
    }
  }
}
