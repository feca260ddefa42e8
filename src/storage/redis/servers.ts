/**
 * The servers of Redis: a single one, a primary chosen by Sentinels, or a Cluster. This file connects to them and knows
 * which primary owns a key; connection.ts, decision-feed.ts and replica-wait.ts send the commands.
 * Reads go only to primaries, because a replica may not have the latest writes yet.
 */
import { createHash } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import { Cluster, Command, Redis, type RedisOptions } from 'ioredis'
import { type RedisConfig, readServerAddress, type ServerAddress } from '../../config/redis.js'
import { connectorBy, shareLookups } from './lookups.js'
import { hearOfPromotions } from './promotions.js'
import { leaveWhenSilent } from './silence.js'

/** What tells a primary from others: its address in a Cluster, otherwise a constant. */
export type PrimaryAddress = string
const THE_PRIMARY: PrimaryAddress = 'primary'

/**
 * The settings that differ by purpose: the client name that the server shows, and how often a lost command is sent
 * again.
 */
export interface Purpose {
  connectionName: string
  maxRetriesPerRequest: number
}

export interface Servers {
  /** Accepts any command with a key and sends it to the primary that owns the key. */
  readonly commands: Redis | Cluster
  /** Returns the connections for commands, one for each primary that was needed so far. */
  primaries(): Redis[]
  /** What a primary is called, and whoever takes its place: its first slot in a Cluster, by which they sort, otherwise a constant. */
  nameOf(primary: Redis): string
  /** A short digest of which slots belong together, as far as is known. It stays the same when another server takes a primary's place. */
  layout(): string
  /** Returns the Cluster slot of a key or channel; without a Cluster it is always 0. */
  slotOf(key: string): number
  /** Returns the address of the primary that owns a slot; undefined while it is unknown. */
  addressOf(slot: number): PrimaryAddress | undefined
  addresses(): ReadonlySet<PrimaryAddress>
  /**
   * Opens a separate connection to a primary, for commands that would hold up others. With Sentinels it follows a
   * promotion.
   */
  connectTo(address: PrimaryAddress, purpose: Purpose): Redis
  /** Finds out again which primary owns which slot, unless nobody answers. */
  refresh(): Promise<void>
  /** Closes the subscriptions to Sentinels. The callers close the connections themselves. */
  close(): void
}

type SentinelPlace = Extract<RedisConfig['place'], { kind: 'sentinel' }>

const CONNECT_WITHIN_MS = 1_000
/** Enough redirections to follow a key that has moved, and few enough to end before the request's timeout. */
const MOST_REDIRECTIONS = 4

/**
 * The first attempts come soon, for a connection that merely broke. Jitter keeps instances from reconnecting all at
 * once.
 */
const delayBefore = (attempt: number) => Math.round(Math.min(10 * 2 ** attempt, 400) * (1 + Math.random() / 4))

/** The options of all connections. Without an offline queue, a command is refused at once while Redis is away. */
const OPTIONS = {
  protocol: 2,
  // The driver would name itself to the server (CLIENT SETINFO), which Redis 7.0 does not know and a user needs a right for.
  disableClientInfo: true,
  enableOfflineQueue: false,
  connectTimeout: CONNECT_WITHIN_MS,
  keepAlive: 10_000,
  retryStrategy: delayBefore,
  // decision-subscriber.ts subscribes again by itself. If the driver did so, a refusal (as by a primary that has become
  // a replica) would be an unhandled rejection, which ends the process.
  autoResubscribe: false,
  // READONLY means that this primary has become a replica. Reconnecting finds the present primary.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
} as const satisfies RedisOptions

/** A command whose answer was lost is sent once more, because every script is safe to apply twice. */
const COMMANDS: Purpose = { connectionName: 'grantd', maxRetriesPerRequest: 1 }

/** A Sentinel has no data to load, so no ready check is needed. */
const LISTENING = { connectionName: 'grantd-promotions', enableReadyCheck: false }

export function reachServers(config: RedisConfig): Servers {
  const { place } = config
  if (place.kind === 'cluster') return reachCluster(config, place.seeds)
  if (place.kind === 'sentinel') return reachChosen(config, place)
  const common = { ...OPTIONS, ...tlsOf(config), Connector: connectorBy(shareLookups()) }
  return reachOne(config, (purpose) => new Redis(place.url, { ...common, ...purpose }))
}

function reachOne(config: RedisConfig, make: (purpose: Purpose) => Redis): Servers {
  const connect = (purpose: Purpose) => watched(config, make(purpose))
  const redis = connect(COMMANDS)
  const primaries = [redis]
  return {
    commands: redis,
    primaries: () => primaries,
    nameOf: () => THE_PRIMARY,
    layout: () => '',
    slotOf: () => 0,
    addressOf: () => THE_PRIMARY,
    addresses: () => new Set([THE_PRIMARY]),
    connectTo: (_address, purpose) => connect(purpose),
    refresh: async () => {},
    close() {}
  }
}

/** Connects to the primary that Sentinels have chosen. */
function reachChosen(config: RedisConfig, place: SentinelPlace): Servers {
  const common = { ...OPTIONS, ...config.sentinelUser, ...tlsOf(config), ...LISTENING }
  const sentinels = place.sentinels.map((address) => watched(config, new Redis({ ...common, ...address })))
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
    nameOf: ({ options: { host, port } }) =>
      String(cluster.slots.findIndex((nodes) => nodes?.[0] === `${host}:${port}`)).padStart(5, '0'),
    layout: () => layoutOf(cluster.slots),
    slotOf: (key) => new Command('get', [key]).getSlot() as number,
    addressOf: (slot) => cluster.slots[slot]?.[0],
    addresses: () => new Set(cluster.slots.flatMap(([address]) => address ?? [])),
    connectTo: (address, purpose) =>
      watched(config, new Redis({ ...common, ...readServerAddress(address), ...purpose })),
    refresh: () => new Promise((resolve) => cluster.refreshSlotsCache(() => resolve())),
    close() {}
  }
}

function layoutOf(slots: readonly string[][]): string {
  const digest = createHash('sha1')
  const firstOf = new Map<PrimaryAddress | undefined, number>()
  let before: PrimaryAddress | undefined
  for (const [slot, [address] = []] of slots.entries()) {
    if (!firstOf.has(address)) firstOf.set(address, slot)
    if (address !== before) digest.update(`${slot} ${address && firstOf.get(address)},`)
    before = address
  }
  return digest.digest('base64url').slice(0, 8)
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
