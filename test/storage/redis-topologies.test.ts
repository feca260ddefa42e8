import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { RedisConfig } from '../../src/config/redis.js'
import { createRedisStorage } from '../../src/storage/redis/index.js'
import { listenTo, pendingGrant } from '../contract/decision-feed.js'
import { decisionOf } from '../contract/engine.js'
import { grantModel } from '../contract/grant-history.js'
import { racesContract } from '../contract/races.js'
import { shareRedisEngine } from '../contract/redis-engine.js'
import { storageContract } from '../contract/storage.js'
import { makeCertificate } from '../support/certificates.js'
import { moveSlots } from '../support/move-slots.js'
import { freePort } from '../support/ports.js'
import { addRedisAdministrator, addRedisUser } from '../support/redis-acl.js'
import { startCluster } from '../support/redis-cluster.js'
import { addressesOf, at, redisConfig } from '../support/redis-config.js'
import { startRedisWithSentinels } from '../support/redis-sentinel.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const quiet = { info() {}, warn() {} }
const PASSWORD = 'a password of grantd'

// Side by side, because they need seconds to get to know each other.
const [sentinels, cluster] = await Promise.all([
  startRedisWithSentinels({ steady: true }),
  startCluster({ primaries: 3, steady: true })
])
t.teardown(() => Promise.all([sentinels.stop(), cluster.stop()]))

async function suites(t: Test, config: RedisConfig, primaries: () => Promise<RedisServer[]>): Promise<void> {
  const start = await shareRedisEngine(t, config, primaries)
  storageContract(t, start)
  t.test('races', async (t) => racesContract(t, start))
  t.test('grants follow the rules, whatever happens in which order', (t) =>
    // With replicas to wait for, decisions have a connection of their own and overtake most polls.
    grantModel(t, start, { runs: 600, freshEachRun: false, anyFirst: false })
  )
  t.test('nothing of it was refused to the user of deploy/redis/grantd.acl', async (t) => {
    const servers = await primaries()
    t.ok(servers.length > 0)
    for (const { client } of servers) t.strictSame(await client.call('ACL', 'LOG'), [])
  })
}

t.test('a primary that Sentinels look after, and replicas that must have what is acknowledged', async (t) => {
  const place = { kind: 'sentinel', sentinels: addressesOf(sentinels.sentinels), name: sentinels.name } as const
  const user = await addRedisUser(sentinels.servers, PASSWORD)
  await suites(t, redisConfig(place, { user, waitReplicas: 1 }), async () => [await sentinels.primary()])
})

t.test('a Cluster of three primaries', async (t) => {
  const user = await addRedisUser(cluster.nodes, PASSWORD)
  const config = redisConfig({ kind: 'cluster', seeds: addressesOf(cluster.seeds) }, { user })
  await suites(t, config, cluster.primaries)

  const everybodyKnows = async (owner: RedisServer, slot: number) => {
    const knows = async ({ client }: RedisServer) =>
      (await client.cluster('SLOTS')).some(([from, to, node]) => from <= slot && slot <= to && node?.[1] === owner.port)
    await until(async () => (await Promise.all(cluster.nodes.map(knows))).every(Boolean))
  }

  t.test('a scan begins anew after slots were given to a primary that it may have looked through', async (t) => {
    const start = await shareRedisEngine(t, config, cluster.primaries)
    const { storage, clock } = await start(t)
    const { authorizations } = storage
    const ids = Array.from({ length: 90 }, (_, i) => `${i}`).sort()
    await Promise.all(ids.map((id) => authorizations.create(`of ${id}`, id, { id }, clock() + 86_400_000)))
    const scanFrom = async (after?: string) => {
      const found = new Set<string>()
      do {
        const part = await authorizations.scan({ after, most: 10 })
        for (const { id } of part.records) found.add(id)
        after = part.next
      } while (after !== undefined)
      return [...found].sort()
    }
    const { next = '' } = await authorizations.scan({ after: undefined, most: 10 })
    await t.resolves(scanFrom(next))

    // In the middle of those of the second primary: the first slot of each, by which they are called, stays what it is.
    const [first, second] = cluster.nodes as [RedisServer, RedisServer]
    await moveSlots(second, first, [8_000])
    await everybodyKnows(first, 8_000)
    await t.rejects(scanFrom(next), { code: 'invalid_request' })
    t.strictSame(await scanFrom(), ids)
    await t.resolves(scanFrom(next.split(' ').slice(0, 3).join(' ')), 'a position of the version before is taken')
  })

  t.test('a walk of all keys is refused if slots do not stay where they are', async (t) => {
    const administrator = await addRedisAdministrator(cluster.nodes, PASSWORD)
    const start = await shareRedisEngine(t, { ...config, user: administrator }, cluster.primaries)
    const { storage, clock } = await start(t)
    const { authorizations, keyspace } = storage
    if (!keyspace) throw new Error('there is none')
    const ids = Array.from({ length: 60 }, (_, i) => `${i}`).sort()
    await Promise.all(ids.map((id) => authorizations.create(`of ${id}`, id, { id }, clock() + 86_400_000)))
    const [first, , last] = cluster.nodes as [RedisServer, RedisServer, RedisServer]
    const [key = ''] = await last.client.keys('grantd:authorized-client:*:*')
    const slot = await last.client.cluster('KEYSLOT', key)
    /** Walks, and lets something happen once the first primary was looked at. */
    const walk = async (happens: () => Promise<unknown> = async () => {}) => {
      const found = new Set<string>()
      let steps = 0
      const outcome = await keyspace
        .walk(['authorized-client'], async (keys) => {
          for (const { record } of keys) if (record) found.add(record.id)
          if (steps++ === 0) await happens()
        })
        .then(
          () => 'done',
          (error: Error) => error.message
        )
      return { outcome, steps, ids: [...found].sort() }
    }
    t.strictSame(await walk(), { outcome: 'done', steps: 3, ids })

    const [from, to] = await Promise.all([last, first].map(({ client }) => client.cluster('MYID') as Promise<string>))
    const open = async () => {
      await first.client.cluster('SETSLOT', slot, 'IMPORTING', from as string)
      await last.client.cluster('SETSLOT', slot, 'MIGRATING', to as string)
    }
    const refusal = new RegExp(`^slot ${slot} of the Redis Cluster is half moved: finish that .* and run it again$`)
    t.match(await walk(open), { outcome: refusal, steps: 3 }, 'one that is half moved at the end')
    t.match(await walk(), { outcome: refusal, steps: 0 }, 'or at the beginning')
    await t.rejects(keyspace.checkRights(), { message: refusal }, 'before anything is changed')
    await last.client.cluster('SETSLOT', slot, 'STABLE')
    t.match(await walk(), { outcome: refusal, steps: 0 }, 'or that one primary alone thinks so of')
    await first.client.cluster('SETSLOT', slot, 'STABLE')

    const moved = /^slots of the Redis Cluster were moved, .* run it again$/
    const passed = await walk(() => moveSlots(last, first, [slot]))
    t.match(passed, { outcome: moved, steps: 3 })
    t.ok(passed.ids.length < ids.length, 'it has left out what was moved')
    await everybodyKnows(first, slot)
    t.match(await walk(), { outcome: 'done', ids })
    const thereAndBack = async () => {
      for (const [source, target] of [[first, last] as const, [last, first] as const]) {
        await moveSlots(source, target, [slot])
        await everybodyKnows(target, slot)
      }
    }
    t.match(await walk(thereAndBack), { outcome: moved }, 'even if all is as it was')

    const mayNot = () => first.client.call('ACL', 'SETUSER', administrator.username, '-cluster|nodes')
    t.match(
      await walk(mayNot),
      { outcome: /may not use CLUSTER\|NODES/, steps: 3 },
      'each is asked at the end, and must answer'
    )
  })
})

t.test('over TLS, with a certificate of an authority of our own', async (t) => {
  const authority = makeCertificate({ name: 'an authority' })
  const { pem, key } = makeCertificate({ name: 'redis', issuer: authority, hosts: ['127.0.0.1'] })
  const folder = t.testdir({ 'ca.pem': authority.pem, 'redis.pem': pem, 'redis.key': key })
  const options = Object.entries({
    'cert-file': 'redis.pem',
    'key-file': 'redis.key',
    'ca-cert-file': 'ca.pem'
  }).flatMap(([name, file]) => [`--tls-${name}`, join(folder, file)])
  options.push('--tls-auth-clients', 'no')
  const tls = { ca: authority.pem }

  /**
   * Checks that Redis can be reached and written to and announces decisions, and that it refuses a client without the
   * authority.
   */
  const isSpokenWith = async (t: Test, config: RedisConfig) => {
    const start = await shareRedisEngine(t, config, async () => [])
    const { storage, other } = await start(t)
    await storage.check()
    const listener = listenTo(other.decisions)
    const digest = await pendingGrant(storage)
    t.match(await storage.grants.decide(digest, decisionOf()), { kind: 'decided' })
    await listener.untilHeard(digest)
    const distrustful = createRedisStorage({
      redis: { ...config, tls: { ca: undefined } },
      clock: Date.now,
      log: quiet,
      observe() {}
    })
    t.teardown(() => distrustful.close())
    await t.rejects(distrustful.check(), { code: 'unavailable' })
  }

  // They share nothing, and mostly wait for their servers.
  t.jobs = 3

  t.test('one server', async (t) => {
    const port = await freePort()
    const server = await startRedis(...options, '--tls-port', `${port}`)
    t.teardown(() => server.stop())
    await isSpokenWith(t, redisConfig(at(`rediss://127.0.0.1:${port}`), { tls }))
  })

  t.test('Sentinels and what they look after', async (t) => {
    const redis = await startRedisWithSentinels({ steady: true, tls: options })
    t.teardown(() => redis.stop())
    const user = await addRedisUser(redis.servers, PASSWORD)
    const place = { kind: 'sentinel', sentinels: addressesOf(redis.sentinels), name: redis.name } as const
    await isSpokenWith(t, redisConfig(place, { tls, user, waitReplicas: 1 }))
  })

  t.test('a Cluster', async (t) => {
    const cluster = await startCluster({ primaries: 3, steady: true, tls: options })
    t.teardown(() => cluster.stop())
    const user = await addRedisUser(cluster.nodes, PASSWORD)
    await isSpokenWith(t, redisConfig({ kind: 'cluster', seeds: addressesOf(cluster.seeds) }, { tls, user }))
  })
})
