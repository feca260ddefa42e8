/**
 * Signing keys in Redis, shared by all instances: one hash per set of keys, with a field per key and one for the newest `kid`.
 */
import { Type } from '@sinclair/typebox'
import { jsonOf, Text } from '../../core/records/readable.js'
import type { SigningKeyStore, StoredSigningKey } from '../../core/tokens/signing-key.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'

const NEWEST = 'newest'

const signingKeyOf = jsonOf(
  Type.Object({
    ...{ kid: Text, sealedPrivateKey: Text, publicJwk: Type.Object({ kty: Text }) },
    alg: Type.Union([Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')]),
    ...{ createdAtMs: Type.Number(), signsFromMs: Type.Number(), predecessorsUntilMs: Type.Number() }
  })
)

/** The signing keys of an issuer; without `issuerId`, those of the service itself. */
export function createRedisSigningKeyStore(
  { call, callDurably, runDurably, unreadable: unreadableKey }: RedisConnection,
  keys: Keys,
  issuerId?: string
): SigningKeyStore {
  const key = keys.signingKeys(issuerId)
  const unreadable = (why?: string) => unreadableKey('signing-keys', why)

  /** A set is read as a whole or not at all: with a part of it, tokens would be signed by a key that has had its time. */
  function read(entries: [string, string][]): StoredSigningKey[] {
    const stored = entries.filter(([field]) => field !== NEWEST)
    const newest = entries.find(([field]) => field === NEWEST)?.[1]
    const isWhole = stored.length === 0 ? newest === undefined : stored.some(([kid]) => kid === newest)
    const readable = stored.flatMap(([, json]) => signingKeyOf(json) ?? [])
    if (!isWhole || readable.length < stored.length) throw unreadable()
    return readable as StoredSigningKey[]
  }

  return {
    async list() {
      return read(Object.entries(await call('signing-keys-list', (redis) => redis.hgetall(key))))
    },

    async succeed(predecessorKid, next, obsolete) {
      const args = [predecessorKid ?? '', next.kid, JSON.stringify(next), ...obsolete]
      const flat = (await runDurably('signing-keys-succeed', key, ...args)) as string[]
      return read(flat.flatMap((field, i) => (i % 2 === 0 ? [[field, flat[i + 1] as string]] : [])))
    },

    async clear() {
      await callDurably('signing-keys-clear', key, (redis) => redis.del(key))
    },

    unreadable
  }
}
