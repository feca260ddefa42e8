import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { RedisConfig } from '../../src/redis-config.js'
import { grantModel } from '../contract/grant-model.js'
import { shareRedisEngine } from '../contract/redis-engine.js'
import { storageContract } from '../contract/storage.js'
import { startCluster } from '../support/redis-cluster.js'
import { addressesOf, redisConfig } from '../support/redis-config.js'
import { startRedisWithSentinels } from '../support/redis-sentinel.js'
import type { RedisServer } from '../support/redis-server.js'

const PASSWORD = 'a password of grantd'
const ACL = readFileSync(new URL('../../deploy/redis/grantd.acl', import.meta.url), 'utf8')

/** The user that deploy/redis/grantd.acl describes, and no other: what it may not do, grantd does not need. */
async function addUser(servers: RedisServer[]): Promise<RedisConfig['user']> {
  const [, name = '', rules = ''] = /^user (\S+) (.+)$/m.exec(ACL) ?? []
  for (const { client } of servers) {
    await client.call('ACL', 'SETUSER', name, 'reset', `>${PASSWORD}`, ...rules.split(' ').filter(isKnown))
  }
  return { username: name, password: PASSWORD }
}

/** A rule of a later version than the server's would be refused. */
const isKnown = (rule: string) => rule !== '+client|setinfo'

async function suites(t: Test, config: RedisConfig, primaries: () => Promise<RedisServer[]>): Promise<void> {
  const start = await shareRedisEngine(t, config, primaries)
  storageContract(t, start)
  t.test('grants follow the rules, whatever happens in which order', (t) =>
    grantModel(t, start, { runs: 100, freshEachRun: false })
  )
}

t.test('a primary that Sentinels look after, and replicas that must have what is acknowledged', async (t) => {
  const redis = await startRedisWithSentinels()
  t.teardown(() => redis.stop())
  const place = { kind: 'sentinel', sentinels: addressesOf(redis.sentinels), name: redis.name } as const
  const user = await addUser(redis.servers)
  await suites(t, redisConfig(place, { user, waitReplicas: 1 }), async () => [await redis.primary()])
})

t.test('a Cluster of three primaries', async (t) => {
  const cluster = await startCluster({ primaries: 3 })
  t.teardown(() => cluster.stop())
  const user = await addUser(cluster.nodes)
  await suites(t, redisConfig({ kind: 'cluster', seeds: addressesOf(cluster.seeds) }, { user }), cluster.primaries)
})
