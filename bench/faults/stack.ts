/**
 * Starts the service as it is deployed: Redis in one of three shapes, two built instances, and nginx with
 * deploy/nginx.conf.
 */
import { startNginx } from '../../test/support/nginx.js'
import { startCluster } from '../../test/support/redis-cluster.js'
import { startRedisWithSentinels } from '../../test/support/redis-sentinel.js'
import { freePort, type RedisServer, startRedis } from '../../test/support/redis-server.js'
import { type Service, startService } from '../../test/support/service.js'
import { POLL_INTERVAL_SECONDS } from './actor.js'
import { type PausingProxy, startPausingProxy } from './pausing-proxy.js'
import { writeOAuthClients } from './resource-server.js'

/** Registers cleanup, in the shape of tap's test object. */
export interface Ends {
  teardown(handler: () => unknown): void
}

export type Shape = 'single' | 'sentinel' | 'cluster'

export interface Stack {
  /** The URL of nginx. */
  url: string
  services: Service[]
  /** Starts an instance again on its old port. */
  restart(index: number): Promise<void>
  redis: RedisServer[]
  /** The primary that the faults hit; a Cluster has several. */
  primary(): Promise<RedisServer>
  primaries(): Promise<RedisServer[]>
  /** The number of replicas that a durable write waits for. */
  waitsFor: number
  /** The proxy between the instances and a single Redis. */
  proxy?: PausingProxy
}

type Redis = Pick<Stack, 'redis' | 'primary' | 'primaries' | 'waitsFor' | 'proxy'> & {
  variables: Record<string, string>
}

/** Every primary has two replicas, so that a durable write still finds a replica after one server is lost. */
const REPLICAS = 2
const CLUSTER_PRIMARIES = 3
const WAITS_FOR = 1
const DURABLE = { REDIS_WAIT_REPLICAS: `${WAITS_FOR}` }

export async function startStack(t: Ends, shape: Shape, directory: string, redisTimeoutMs: number): Promise<Stack> {
  const redis = await { single, sentinel, cluster }[shape](t)
  const port = await freePort()
  const variables = {
    ...redis.variables,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    OAUTH_CLIENTS_FILE: await writeOAuthClients(directory),
    POLL_INTERVAL_SECONDS: `${POLL_INTERVAL_SECONDS}`,
    TRUST_PROXY: '127.0.0.1/32',
    // As in docker-compose.yml, the delay is longer than nginx keeps an idle connection.
    SHUTDOWN_DELAY_SECONDS: '5',
    LOG_LEVEL: 'warn',
    LIMITS: 'off',
    REDIS_TIMEOUT_MS: `${redisTimeoutMs}`
  }
  const services = await Promise.all([startService(t, variables), startService(t, variables)])
  const upstreams = services.map((service) => service.port)
  const { url } = await startNginx(t, port, upstreams)
  return {
    ...redis,
    url,
    services,
    async restart(index) {
      services[index] = await startService(t, { ...variables, PORT: `${upstreams[index]}` })
    }
  }
}

async function single(t: Ends): Promise<Redis> {
  // Protected configs allow the fault `misconf` to change the directory of snapshots, so that they fail.
  const server = await startRedis('--enable-protected-configs', 'yes')
  t.teardown(() => server.stop())
  const proxy = await startPausingProxy(server.port)
  t.teardown(() => proxy.close())
  const redis = [server]
  const variables = { REDIS_URL: proxy.url }
  return { redis, proxy, variables, waitsFor: 0, primary: async () => server, primaries: async () => redis }
}

async function sentinel(t: Ends): Promise<Redis> {
  const { servers, primary, named, sentinels, name, stop } = await startRedisWithSentinels({ replicas: REPLICAS })
  t.teardown(stop)
  const variables = { ...DURABLE, REDIS_SENTINELS: sentinels, REDIS_SENTINEL_NAME: name }
  return { redis: servers, primary, primaries: named, waitsFor: WAITS_FOR, variables }
}

async function cluster(t: Ends): Promise<Redis> {
  const { nodes, primaries, seeds, stop } = await startCluster({ primaries: CLUSTER_PRIMARIES, replicas: REPLICAS })
  t.teardown(stop)
  const primary = async () => (await primaries())[0] as RedisServer
  const variables = { ...DURABLE, REDIS_CLUSTER: seeds }
  return { redis: nodes, primary, primaries, waitsFor: WAITS_FOR, variables }
}
