/** Starts what a row is about: Redis in one of two shapes and two built instances, each in a namespace of its own. */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { SENTINELS, startRedisWithSentinels } from '../../test/support/redis-sentinel.js'
import { type RedisServer, startRedisAt } from '../../test/support/redis-server.js'
import { type Service, startService } from '../../test/support/service.js'
import { POLL_INTERVAL_SECONDS } from '../faults/actor.js'
import { writeOAuthClients } from '../faults/resource-server.js'
import type { Ends } from '../faults/stack.js'
import type { Network, Node } from './namespaces.js'
import { type SlowLink, startSlowLink } from './slow-link.js'
import { type SlowResolver, startSlowResolver } from './slow-resolver.js'

export interface Stack {
  network: Network
  /** The first one is the one that the network is broken for. */
  services: readonly [Service, Service]
  instances: readonly [Node, Node]
  redis: readonly RedisServer[]
  /** Where they are; the first one is the primary at the start. */
  redisNodes: readonly Node[]
  sentinelNodes: readonly Node[]
  primary(): Promise<RedisServer>
  /** The way from the first instance to Redis, of the shape `slow-link`. */
  link?: SlowLink
  /** Who the first instance asks for names, of the shape `names`. */
  resolver?: SlowResolver
}

/** `slow-link` and `names` are one Redis, with another way to it and with its name. */
export type Shape = 'single' | 'slow-link' | 'names' | 'sentinel'

export interface Wanted {
  shape: Shape
  /** For both instances. */
  variables?: Record<string, string>
  /** Of the servers of Redis, for their command line. */
  redisOptions?: string[]
  /** Writes files that variables of the first instance name, and returns those. */
  prepare?(directory: string): Promise<Record<string, string>>
}

type Redis = Pick<Stack, 'redis' | 'redisNodes' | 'sentinelNodes' | 'primary'> & { variables: Record<string, string> }

const PORT = 8_080
const REDIS_NAME = 'redis.network.test'
const REPLICAS = 2

const several = (network: Network, name: string, count: number) =>
  Array.from({ length: count }, (_, i) => network.addNode(`${name}-${i + 1}`))

export async function startStack(t: Ends, network: Network, directory: string, wanted: Wanted): Promise<Stack> {
  const { shape } = wanted
  const { clients } = network
  t.teardown(() => network.removeNodes())
  const nameserver = shape === 'names' ? clients.host : undefined
  const instances = [network.addNode('instance-1', nameserver), network.addNode('instance-2')] as const
  const { variables, ...redis } = await (shape === 'sentinel' ? sentinel : single)(t, network, wanted)
  const port = redis.redis[0]?.port
  const redisNode = redis.redisNodes[0] as Node

  const resolver = shape === 'names' ? await startSlowResolver(t, clients.host) : undefined
  resolver?.names.set(REDIS_NAME, redisNode.host)
  const link = shape === 'slow-link' ? await startSlowLink(t, clients, [instances[0], redisNode]) : undefined
  const common = {
    ...variables,
    PUBLIC_URL: `http://127.0.0.1:${PORT}`,
    OAUTH_CLIENTS_FILE: await writeOAuthClients(await mkdtemp(join(directory, 'row-'))),
    POLL_INTERVAL_SECONDS: `${POLL_INTERVAL_SECONDS}`,
    LOG_LEVEL: 'warn',
    LIMITS: 'off',
    PORT: `${PORT}`,
    ...wanted.variables
  }
  const ofFirst = {
    ...(link && { REDIS_URL: `redis://${link.address}:${port}` }),
    ...(resolver && { REDIS_URL: `redis://${REDIS_NAME}:${port}` }),
    ...(await wanted.prepare?.(directory))
  }
  const services = await Promise.all([
    startService(t, { ...common, ...ofFirst }, undefined, instances[0]),
    startService(t, common, undefined, instances[1])
  ])
  return { ...{ network, services, instances }, ...redis, ...(link && { link }), ...(resolver && { resolver }) }
}

async function single(t: Ends, network: Network, { redisOptions = [] }: Wanted): Promise<Redis> {
  const redisNodes = several(network, 'redis', 1)
  const server = await startRedisAt(redisNodes[0] as Node, ...redisOptions)
  t.teardown(() => server.stop())
  const variables = { REDIS_URL: server.url }
  return { redis: [server], redisNodes, sentinelNodes: [], primary: async () => server, variables }
}

async function sentinel(t: Ends, network: Network, { redisOptions = [] }: Wanted): Promise<Redis> {
  const redisNodes = several(network, 'redis', 1 + REPLICAS)
  const sentinelNodes = several(network, 'sentinel', SENTINELS)
  const places = { servers: redisNodes, sentinels: sentinelNodes }
  const group = await startRedisWithSentinels({ replicas: REPLICAS, options: redisOptions, places })
  t.teardown(group.stop)
  const variables = { REDIS_SENTINELS: group.sentinels, REDIS_SENTINEL_NAME: group.name }
  return { redis: group.servers, redisNodes, sentinelNodes, primary: group.primary, variables }
}
