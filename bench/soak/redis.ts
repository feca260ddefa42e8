/** The Redis of a soak: one server, or a Cluster of three primaries. */
import { startCluster } from '../../test/support/redis-cluster.js'
import { type RedisServer, startRedis } from '../../test/support/redis-server.js'
import type { Lifetime } from '../support/lifetime.js'

export interface SoakRedis {
  nodes: readonly RedisServer[]
  isCluster: boolean
  /** How the instances reach it. */
  variables: Record<string, string>
}

/** What a server has to read at its start stays as short as Redis keeps it by itself: files are rewritten when they have doubled. */
const DURABLE = ['--appendfsync', 'everysec']
const PRIMARIES = 3

export async function startSoakRedis(lifetime: Lifetime, isCluster: boolean): Promise<SoakRedis> {
  if (!isCluster) {
    const server = await startRedis(...DURABLE)
    lifetime.ends(() => server.stop())
    return { nodes: [server], isCluster, variables: { REDIS_URL: server.url } }
  }
  // Without replicas a primary that was killed has to come back by itself, as a single server has.
  const { nodes, seeds, stop } = await startCluster({ primaries: PRIMARIES, options: DURABLE })
  lifetime.ends(stop)
  return { nodes, isCluster, variables: { REDIS_CLUSTER: seeds } }
}
