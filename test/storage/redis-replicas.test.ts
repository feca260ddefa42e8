/**
 * Checks the promise of REDIS_WAIT_REPLICAS: an acknowledged write is on a replica, and an unacknowledged one does no
 * harm.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isFault } from '../../src/core/fault.js'
import type { Storage } from '../../src/core/storage.js'
import { createRedisStorage } from '../../src/storage/redis/index.js'
import { pendingGrant } from '../contract/decision-feed.js'
import { CLIENT_TAG, decisionOf, tally, times } from '../contract/engine.js'
import { startStopwatch } from '../support/held-up.js'
import { cancelMove, canMoveAtOnce, moveSlots } from '../support/move-slots.js'
import { freePort } from '../support/ports.js'
import { startCluster } from '../support/redis-cluster.js'
import { addressesOf, at, redisConfig } from '../support/redis-config.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

/** A write that is to be acknowledged has three quarters of it, while both cores may be busy with something else. */
const TIMEOUT_MS = 2_000
const quick = ['--repl-diskless-sync-delay', '0']
const FOR_EVER = Date.now() + 3_600_000

async function startPair(t: Test): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const primary = await startRedis(...quick)
  const replica = await startRedis('--replicaof', `127.0.0.1 ${primary.port}`, ...quick)
  t.teardown(() => Promise.all([primary.stop(), replica.stop()]))
  // The replica has caught up and answers at once.
  await until(async () => {
    await primary.client.set('hello', 'replica')
    return (await primary.client.wait(1, 100)) === 1
  })
  return { primary, replica }
}

async function open(t: Test, place: Parameters<typeof redisConfig>[0], timeoutMs = TIMEOUT_MS): Promise<Storage> {
  const redis = redisConfig(place, { waitReplicas: 1, timeoutMs })
  const storage = createRedisStorage({ redis, clock: Date.now, log: { info() {}, warn() {} }, observe() {} })
  t.teardown(() => storage.close())
  await storage.open()
  return storage
}

/** Returns the outcome of a call and its duration. */
async function outcome(call: Promise<unknown>): Promise<{ kind: string; ms: number }> {
  const startedAt = performance.now()
  const kind = await call.then(
    () => 'acknowledged',
    (error) => (isFault(error) ? error.code : String(error))
  )
  return { kind, ms: performance.now() - startedAt }
}

t.test('a replica that hangs: nothing is acknowledged, and whoever only looks is not held up', async (t) => {
  const { primary, replica } = await startPair(t)
  // A write may take three quarters of the timeout. The last quarter is enough even on a busy machine.
  const timeoutMs = 3 * TIMEOUT_MS
  const { grants, authorizations } = await open(t, at(primary.url), timeoutMs)
  const digests = await Promise.all(times(20, () => pendingGrant({ grants } as Storage)))
  await authorizations.create('alice', 'a', { label: 'old' }, FOR_EVER)
  await authorizations.create('alice', 'b', { label: 'old' }, FOR_EVER)
  const approve = (digest: string) => grants.decide(digest, decisionOf({ authorizationId: digest }))
  const change = () => authorizations.change('alice', 'a', { set: { label: 'new' } })

  await primary.client.config('RESETSTAT')
  process.kill(replica.pid(), 'SIGSTOP')
  try {
    const elapsed = startStopwatch(t)
    const all = [...digests.map(approve), change(), authorizations.delete('alice', 'b')]
    const writes = all.map(async (write) => ({ ...(await outcome(write)), ms: elapsed() }))
    let isWaiting = true
    const over = Promise.race(writes).finally(() => {
      isWaiting = false
    })
    let looks = 0
    while (isWaiting) {
      await grants.poll(digests[looks % 20] as string, CLIENT_TAG)
      looks += 1
    }
    await over
    const waits = Number(/cmdstat_wait:calls=(\d+)/.exec(await primary.client.info('commandstats'))?.[1])
    // If polls shared a connection with WAIT, only one could be answered between two WAITs.
    t.ok(waits >= 1 && looks >= 5 * waits, `${looks} polls while the first writes waited, and ${waits} WAITs`)
    const outcomes = await Promise.all(writes)
    t.same(tally(outcomes.map(({ kind }) => kind)), { unavailable: 22 })
    const longest = Math.max(...outcomes.map(({ ms }) => ms))
    t.ok(longest <= timeoutMs, `refused after at most ${longest.toFixed(0)} ms`)
    t.equal((await outcome(approve(digests[0] as string))).kind, 'unavailable', 'nor is a repetition acknowledged')
    const noted = await outcome(authorizations.note('alice', 'a', { set: { used: 'now' } }))
    t.equal(noted.kind, 'acknowledged', 'a note waits for nobody: the replica still hangs')
  } finally {
    process.kill(replica.pid(), 'SIGCONT')
  }

  // The writes were applied although they were not acknowledged, so repeating them succeeds.
  t.same(tally((await Promise.all(digests.map(approve))).map(({ kind }) => kind)), { repeated: 20 })
  t.same(await change(), { label: 'new', used: 'now' })
  await authorizations.delete('alice', 'b')
  t.equal(await authorizations.get('alice', 'b'), undefined)
  const onReplica = await Promise.all([
    replica.client.exists('grantd:authorized-client:{alice}:b'),
    replica.client.hget('grantd:authorized-client:{alice}:a', 'label')
  ])
  t.same(onReplica, [0, 'new'])
})

t.test('writes that wait for replicas have a bound, and are refused at once while Redis is away', async (t) => {
  const { primary, replica } = await startPair(t)
  const storage = await open(t, at(primary.url), 120_000)
  const { authorizations, grants } = storage
  await authorizations.create('alice', 'a', { label: '' }, FOR_EVER)
  const change = (label: string) => authorizations.change('alice', 'a', { set: { label } })
  /** What a call has come to in this turn already. */
  const atOnce = (call: Promise<unknown>) =>
    Promise.race([
      call.then(
        () => 'acknowledged',
        ({ detail }) => detail
      ),
      new Promise((resolve) => setImmediate(resolve, 'waits'))
    ])

  process.kill(replica.pid(), 'SIGSTOP')
  const waiting = times(10_000, (i) => change(`${i}`))
  try {
    t.same([await atOnce(change('one too many'))], ['too much is asked of Redis already'])
    const digest = await outcome(grants.poll('D'.repeat(43), CLIENT_TAG))
    t.equal(digest.kind, 'acknowledged', 'whoever waits for no replica is served')
  } finally {
    process.kill(replica.pid(), 'SIGCONT')
  }
  t.same(tally((await Promise.all(waiting.map(outcome))).map(({ kind }) => kind)), { acknowledged: 10_000 })
  t.equal((await outcome(change('again'))).kind, 'acknowledged', 'and there is room again')

  await primary.stop()
  await until(async () => (await atOnce(grants.poll('D'.repeat(43), CLIENT_TAG))) === 'not connected to Redis')
  t.equal(await atOnce(change('away')), 'not connected to Redis')
  t.equal(await atOnce(grants.create('D'.repeat(43), 'T', {} as never)), 'not connected to Redis')
})

t.test('one WAIT speaks for all that was written before it', async (t) => {
  const { primary } = await startPair(t)
  const { authorizations } = await open(t, at(primary.url), 30 * TIMEOUT_MS)
  await authorizations.create('alice', 'a', { label: '' }, FOR_EVER)
  await primary.client.config('RESETSTAT')
  const changes = times(500, (i) => authorizations.change('alice', 'a', { set: { label: `${i}` } }))
  t.same(tally((await Promise.all(changes.map(outcome))).map(({ kind }) => kind)), { acknowledged: 500 })
  const calls = Number(/cmdstat_wait:calls=(\d+)/.exec(await primary.client.info('commandstats'))?.[1])
  t.ok(calls >= 1 && calls <= 50, `${calls} of them for 500 writes`)
})

t.test('what was written on a primary that is lost is not acknowledged by the next one', async (t) => {
  const lonely = await startRedis()
  t.teardown(() => lonely.stop())
  const { primary } = await startPair(t)
  let port = lonely.port
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const redis = connect(port, '127.0.0.1')
    for (const [socket, peer] of [
      [client, redis],
      [redis, client]
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => peer.destroy())
      socket.pipe(peer)
    }
  }).listen(await freePort(), '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const { authorizations } = await open(t, at(`redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`))

  const acknowledged: string[] = []
  const outcomes: string[] = []
  const write = async (id: string) => {
    const { kind } = await outcome(authorizations.create('alice', id, { label: id }, FOR_EVER))
    outcomes.push(kind)
    if (kind === 'acknowledged') acknowledged.push(id)
  }
  const writes: Promise<void>[] = []
  // On a busy machine the next primary may begin to acknowledge late.
  for (let i = 0; i < 300 || acknowledged.length <= 50; i++) {
    writes.push(write(`${i}`))
    if (i === 100) {
      port = primary.port
      for (const socket of sockets) socket.destroy()
    }
    await sleep(3)
  }
  await Promise.all(writes)
  t.comment(JSON.stringify(tally(outcomes)))
  t.ok(outcomes.includes('unavailable'), 'it went over from one to the other')
  for (const id of acknowledged) {
    t.equal(await primary.client.exists(`grantd:authorized-client:{alice}:${id}`), 1, id)
  }
})

/** The hash tag of a grant's key and of the channel that its decision is announced on. */
const tagOf = (digest: string) => `{${digest.slice(0, 2)}}`
/** The hash tags of the channels that somebody is subscribed to at a server. */
async function channelsOf({ client }: RedisServer): Promise<string[]> {
  const channels = (await client.call('PUBSUB', 'SHARDCHANNELS')) as string[]
  return channels.map((channel) => channel.slice(channel.indexOf('{')))
}

t.test('a Cluster, in which a part is given to another primary while it is used', async (t) => {
  const cluster = await startCluster({ primaries: 3, replicas: 1, steady: true })
  t.teardown(() => cluster.stop())
  const storage = await open(t, { kind: 'cluster', seeds: addressesOf(cluster.seeds) }, 30 * TIMEOUT_MS)
  const [from, to] = cluster.nodes as [RedisServer, RedisServer]
  const mine: string[] = []
  while (mine.length < 30) {
    const digest = await pendingGrant(storage)
    const { port } = await cluster.primaryOf(tagOf(digest))
    if (port === from.port) mine.push(digest)
  }

  /** Whose client knows of the decision: it was announced, or looked for because an announcement may have been missed. */
  const known = new Set<string>()
  const announced = new Set<string>()
  const look = (digest: string) =>
    until(async () => {
      const { kind } = await storage.grants.poll(digest, CLIENT_TAG).catch(() => ({ kind: 'unavailable' }))
      if (kind === 'approved') known.add(digest)
      return kind !== 'unavailable'
    })
  storage.decisions.listen({
    decided(digest) {
      announced.add(digest)
      known.add(digest)
    },
    revoked() {},
    resumed: () => mine.forEach(look)
  })
  const decided = new Set<string>()
  /** Whoever is told to come again does so. */
  const decide = async (digest: string) => {
    decided.add(digest)
    const decision = decisionOf({ authorizationId: digest })
    await until(async () => (await outcome(storage.grants.decide(digest, decision))).kind === 'acknowledged')
  }

  const errors: unknown[] = []
  let isMoving = true
  const use = async () => {
    while (isMoving) {
      for (const digest of mine) {
        const { kind } = await outcome(storage.grants.poll(digest, CLIENT_TAG))
        if (kind !== 'acknowledged' && kind !== 'unavailable') errors.push(kind)
      }
    }
  }
  const using = use()

  const slotOf = new Map<string, number>()
  for (const digest of mine) slotOf.set(digest, await from.client.cluster('KEYSLOT', tagOf(digest)))
  const slots = [...new Set(slotOf.values())]
  const [first] = mine as [string]
  if (await canMoveAtOnce(from)) {
    t.equal(await cancelMove(from, to, slots, () => decide(first)), 'cancelled')
    t.equal((await cluster.primaryOf(tagOf(first))).port, from.port, 'all stays where it is')
  }
  const meanwhile: Promise<void>[] = []
  const stages = new Set<string>()
  await moveSlots(from, to, slots, (stage, moving) => {
    stages.add(stage)
    // Some at every stage; the last ones are kept for later.
    const digests = mine
      .slice(0, 20)
      .filter((digest) => !decided.has(digest) && moving.includes(slotOf.get(digest) ?? -1))
    meanwhile.push(...digests.slice(0, 3).map(decide))
  })
  await Promise.all(meanwhile)
  t.ok(meanwhile.length >= 3, `${meanwhile.length} were decided meanwhile: ${[...stages].join(', ')}`)

  const follows = async () => {
    const [left, taken] = await Promise.all([channelsOf(from), channelsOf(to)])
    return mine.map(tagOf).every((tag) => taken.includes(tag) && !left.includes(tag))
  }
  await until(async () => (await follows()) && storage.decisions.isUp())
  const later = mine.filter((digest) => !decided.has(digest))
  await Promise.all(later.map(decide))
  await until(async () => later.every((digest) => announced.has(digest)))
  await until(async () => mine.every((digest) => known.has(digest)))
  t.pass('the subscriptions have followed, and everybody has come to know')
  isMoving = false
  await using
  t.same(errors, [], 'nobody was told anything but to come again')

  const polls = await Promise.all(mine.map((digest) => storage.grants.poll(digest, CLIENT_TAG)))
  t.same(
    polls.map((poll) => poll.kind === 'approved' && poll.decision.authorizationId),
    mine,
    'no decision is lost, or another one'
  )

  t.test('a walk of all keys notices that a primary was replaced after it was looked at', async (t) => {
    const [, , , replica] = cluster.nodes as RedisServer[]
    if (!replica) throw new Error('there is none')
    const isPromoted = async ({ client }: RedisServer) =>
      (await client.cluster('SLOTS')).some(([from, , node]) => from === 0 && node?.[1] === replica.port)
    let steps = 0
    const walk = async () =>
      storage.keyspace?.walk(['grant'], async () => {
        // The primary that comes first gave away the grants that it had, so these are of the ones behind it.
        if (steps++ > 0) return
        await replica.client.call('CLUSTER', 'FAILOVER')
        await until(async () => (await Promise.all(cluster.nodes.map(isPromoted))).every(Boolean))
      })
    await t.rejects(walk(), { message: /a primary replaced, .* run it again$/ })
    await t.resolves(walk(), 'and the next one goes by what the servers say now')
    t.ok(steps >= 2)
  })
})
