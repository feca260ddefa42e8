/**
 * The servers of Redis, whether that is one, one that Sentinels choose, or a Cluster: how they are reached, and which of them
 * owns a key. What is said to them is connection.ts's, decision-feed.ts's and replica-wait.ts's.
 * Reads go to primaries alone: what a replica does not know yet would be taken for what is not there.
 */
import type { ConnectionOptions } from 'node:tls'
import { Cluster, Command, Redis, type RedisOptions } from 'ioredis'
import { type RedisConfig, readServerAddress, type ServerAddress } from '../../config/redis.js'
import { hearOfPromotions } from './promotions.js'
import { leaveWhenSilent } from './silence.js'

/** A primary, by its address in a Cluster; there is one name for the only one elsewhere. */
export type Owner = string
const THE_PRIMARY: Owner = 'primary'

/** What a connection is for: its name among the clients of the server, and how often a command is sent again. */
export interface Purpose {
  connectionName: string
  maxRetriesPerRequest: number
}

export interface Servers {
  /** Takes any command with a key, and finds who owns it. */
  readonly commands: Redis | Cluster
  /** Connections that commands go over: one for each primary that was needed so far. */
  primaries(): Redis[]
  /** Where in a Cluster a key is, or a channel; elsewhere all are in one place. */
  slotOf(key: string): number
  /** Undefined while it is not known. */
  ownerOf(slot: number): Owner | undefined
  owners(): ReadonlySet<Owner>
  /** A connection of its own to a primary, for what would hold up others. It stays with the one that Sentinels choose. */
  connectTo(owner: Owner, purpose: Purpose): Redis
  /** Finds out anew who owns what. */
  refresh(): void
  /** Ends what is listened to beside the connections, which end by themselves. */
  close(): void
}

type SentinelPlace = Extract<RedisConfig['place'], { kind: 'sentinel' }>

const CONNECT_WITHIN_MS = 1_000
/** Enough to follow a key that has moved, and short of what a request waits for. */
const MOST_REDIRECTIONS = 4

/** Soon at first, for a connection that merely broke; jitter keeps instances from coming back all at once. */
const delayBefore = (attempt: number) => Math.round(Math.min(10 * 2 ** attempt, 400) * (1 + Math.random() / 4))

/** What all connections have in common. Nothing is queued while Redis is away: who asks is refused at once. */
const OPTIONS = {
  protocol: 2,
  enableOfflineQueue: false,
  connectTimeout: CONNECT_WITHIN_MS,
  keepAlive: 10_000,
  retryStrategy: delayBefore,
  // Who listens subscribes anew by itself. The driver would do it too, and nobody would catch it if that were refused, as it is
  // by a primary that has come back as a replica: an error that nobody catches ends the instance.
  autoResubscribe: false,
  // A primary that has become a replica: whoever is primary now is found by connecting anew.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
} as const satisfies RedisOptions

/** A command whose answer was lost is sent once more: every script is safe to apply twice. */
const COMMANDS: Purpose = { connectionName: 'grantd', maxRetriesPerRequest: 1 }

/** A Sentinel has nothing to load before it is ready. */
const LISTENING = { connectionName: 'grantd-promotions', enableReadyCheck: false }

export function reachServers(config: RedisConfig): Servers {
  const { place } = config
  if (place.kind === 'cluster') return reachCluster(config, place.seeds)
  if (place.kind === 'sentinel') return reachChosen(config, place)
  return reachOne(config, (purpose) => new Redis(place.url, { ...OPTIONS, ...tlsOf(config), ...purpose }))
}

function reachOne(config: RedisConfig, make: (purpose: Purpose) => Redis): Servers {
  const connect = (purpose: Purpose) => watched(config, make(purpose))
  const redis = connect(COMMANDS)
  const primaries = [redis]
  return {
    commands: redis,
    primaries: () => primaries,
    slotOf: () => 0,
    ownerOf: () => THE_PRIMARY,
    owners: () => new Set([THE_PRIMARY]),
    connectTo: (_owner, purpose) => connect(purpose),
    refresh() {},
    close() {}
  }
}

/** The one that Sentinels have chosen. */
function reachChosen(config: RedisConfig, place: SentinelPlace): Servers {
  const common = { ...OPTIONS, ...config.sentinelUser, ...tlsOf(config), ...LISTENING }
  const sentinels = place.sentinels.map((address) => new Redis({ ...common, ...address }))
  const promotions = hearOfPromotions(sentinels, place.name)
  const servers = reachOne(config, (purpose) => {
    const redis = new Redis({ ...OPTIONS, ...sentinelOptions(config, place), ...purpose })
    promotions.follow(redis)
    return redis
  })
  return { ...servers, close: promotions.close }
}

function reachCluster(config: RedisConfig, seeds: readonly ServerAddress[]): Servers {
  const common = { ...OPTIONS, ...config.user, ...tlsOf(config) }
  const { retryStrategy, enableOfflineQueue, ...nodes } = common
  const cluster = new Cluster([...seeds], {
    enableOfflineQueue,
    clusterRetryStrategy: delayBefore,
    maxRedirections: MOST_REDIRECTIONS,
    slotsRefreshTimeout: CONNECT_WITHIN_MS,
    scaleReads: 'master',
    redisOptions: { ...nodes, ...COMMANDS }
  })
  cluster.on('+node', (node: Redis) => watched(config, node))
  return {
    commands: cluster,
    primaries: () => cluster.nodes('master'),
    slotOf: (key) => new Command('get', [key]).getSlot() as number,
    ownerOf: (slot) => cluster.slots[slot]?.[0],
    owners: () => new Set(cluster.slots.flatMap(([owner]) => owner ?? [])),
    connectTo: (owner, purpose) => watched(config, new Redis({ ...common, ...readServerAddress(owner), ...purpose })),
    refresh: () => cluster.refreshSlotsCache(),
    close() {}
  }
}

function watched({ timeoutMs }: RedisConfig, redis: Redis): Redis {
  leaveWhenSilent(redis, timeoutMs)
  return redis
}

function sentinelOptions(config: RedisConfig, place: SentinelPlace) {
  const { user, sentinelUser, tls } = config
  return {
    ...user,
    ...tlsOf(config),
    sentinels: [...place.sentinels],
    name: place.name,
    sentinelUsername: sentinelUser.username,
    sentinelPassword: sentinelUser.password,
    sentinelCommandTimeout: CONNECT_WITHIN_MS,
    sentinelRetryStrategy: delayBefore,
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOf(config).tls })
  } satisfies RedisOptions
}

function tlsOf({ tls }: RedisConfig): { tls?: ConnectionOptions } {
  return tls ? { tls: tls.ca === undefined ? {} : { ca: tls.ca } } : {}
}
