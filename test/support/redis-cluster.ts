/** Starts a real Redis Cluster on the loopback: a number of primaries, each with a number of replicas. */
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis-server.js'
import { until } from './until.js'

const SLOTS = 16_384
/** A node that has been silent for this long counts as failed. */
const NODE_TIMEOUT_MS = 500
/** A busy machine keeps a node silent for a while, but not for this long. */
const STEADY_NODE_TIMEOUT_MS = 600_000

export interface RedisCluster {
  /** All nodes; the initial primaries come first. */
  nodes: RedisServer[]
  /** The addresses as REDIS_CLUSTER takes them. */
  seeds: string
  /** Returns the nodes that are primaries now and can be reached. */
  primaries(): Promise<RedisServer[]>
  /** Resolves to the primary that owns a key, as soon as there is one. */
  primaryOf(key: string): Promise<RedisServer>
  stop(): Promise<void>
}

interface ClusterOptions {
  primaries: number
  replicas?: number
  /** For tests without a failover: a node that is silent because the machine is busy is not taken for failed. */
  steady?: boolean
  /** Options for the command line of every node. */
  options?: string[]
  /**
   * Options that set TLS up. All nodes then speak TLS on a second port, also among themselves, and `seeds` has those
   * ports.
   */
  tls?: string[]
}

export async function startCluster(parts: ClusterOptions): Promise<RedisCluster> {
  const { primaries, replicas = 0, steady = false, options = [], tls } = parts
  const count = primaries * (1 + replicas)
  const buses = await Promise.all(Array.from({ length: count }, freePort))
  const tlsPorts = tls && (await Promise.all(Array.from({ length: count }, freePort)))
  const nodes = await Promise.all(
    buses.map((bus, i) => {
      const own = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`]
      const timeout = ['--cluster-node-timeout', `${NODE_TIMEOUT_MS}`, '--cluster-require-full-coverage', 'no']
      // It does not keep anybody from CLUSTER FAILOVER.
      if (steady) timeout.push('--cluster-replica-no-failover', 'yes')
      const secure = tls
        ? [...tls, '--tls-cluster', 'yes', '--tls-replication', 'yes', '--tls-port', `${tlsPorts?.[i]}`]
        : []
      return startRedis(...own, ...timeout, '--repl-diskless-sync-delay', '0', ...secure, ...options)
    })
  )
  const [first] = nodes as [RedisServer]

  await Promise.all(
    nodes.map(async ({ client }, i) => {
      await client.cluster('SET-CONFIG-EPOCH', i + 1)
      const [from, to] = [i, i + 1].map((share) => Math.floor((share * SLOTS) / primaries)) as [number, number]
      if (i < primaries) await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1)
    })
  )
  const ports = tlsPorts ?? nodes.map(({ port }) => port)
  await until(async () => {
    // A node that does not answer at once is forgotten again.
    const met = (await first.client.cluster('NODES')) as string
    for (const [i, port] of ports.entries()) {
      if (i > 0 && !met.includes(`:${port}@`)) await first.client.cluster('MEET', '127.0.0.1', port, buses[i] as number)
    }
    return (await knownNodes(nodes)).every((known) => known === count)
  })
  const ids = await Promise.all(nodes.map(({ client }) => client.cluster('MYID')))
  await Promise.all(
    nodes.slice(primaries).map(({ client }, i) => client.cluster('REPLICATE', ids[i % primaries] as string))
  )
  await until(async () => (await states(nodes)).every((state) => state === 'ok'))
  // Not from the beginning: nodes get to know each other the faster the sooner they take one for failed.
  if (steady)
    await Promise.all(nodes.map(({ client }) => client.config('SET', 'cluster-node-timeout', STEADY_NODE_TIMEOUT_MS)))
  await until(async () => (await links(nodes.slice(primaries))).every((link) => link === 'up'))

  const cluster: RedisCluster = {
    nodes,
    seeds: ports.map((port) => `127.0.0.1:${port}`).join(','),
    async primaries() {
      const roles = await Promise.all(nodes.map(roleOf))
      return nodes.filter((_, i) => roles[i] === 'master')
    },
    async primaryOf(key) {
      const slot = await first.client.cluster('KEYSLOT', key)
      // There is no time limit, because a busy machine may be slow.
      for (;;) {
        for (const node of await cluster.primaries()) {
          const range = (await node.client.cluster('SLOTS')).find(([from, to]) => from <= slot && slot <= to)
          if (range?.[2]?.[1] === node.port) return node
        }
        await sleep(50)
      }
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
    }
  }
  return cluster
}

const knownNodes = (nodes: RedisServer[]) =>
  Promise.all(nodes.map((node) => infoOf(node, 'cluster_known_nodes', Number)))
const states = (nodes: RedisServer[]) => Promise.all(nodes.map((node) => infoOf(node, 'cluster_state', String)))

async function infoOf<T>({ client }: RedisServer, name: string, read: (text: string) => T): Promise<T> {
  const text = (await client.cluster('INFO')) as string
  return read(new RegExp(`${name}:(\\w+)`).exec(text)?.[1] ?? '')
}

const links = (replicas: RedisServer[]) =>
  Promise.all(
    replicas.map(async ({ client }) => /master_link_status:(\w+)/.exec(await client.info('replication'))?.[1] ?? '')
  )

/** Returns the role of a node; undefined if it is dead or hangs. */
async function roleOf({ client }: RedisServer): Promise<string | undefined> {
  if (client.status !== 'ready') return undefined
  const role = client.role().then(
    ([role]) => String(role),
    () => undefined
  )
  return Promise.race([role, sleep(300, undefined)])
}
