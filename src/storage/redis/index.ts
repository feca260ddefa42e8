/** The Redis engine: all state is in Redis, so that any number of stateless instances can share it. */
import type { RedisConfig } from '../../config/redis.js'
import { EVENTS_KEPT } from '../../core/audit/event-store.js'
import type { Clock } from '../../core/clock.js'
import { fault } from '../../core/fault.js'
import { createTurns } from '../../core/records/turns.js'
import type { LatencyObserver, Storage, TraceCall } from '../../core/storage.js'
import { connect } from './connection.js'
import type { Log } from './connection-log.js'
import { createRedisDecisionFeed } from './decision-feed.js'
import { createRedisEventStore } from './event-store.js'
import { createRedisGrantStore } from './grant-store.js'
import { createKeys } from './keys.js'
import { createRedisLimitStore } from './limit-store.js'
import { createRedisKeyspace } from './maintenance/keyspace.js'
import { createRedisParentIndex } from './parent-index.js'
import { createRedisLockStore, createRedisRecordStore } from './record-store.js'
import { createRedisRefreshFamilyStore } from './refresh-family-store.js'
import { createRedisRevocationStore } from './revocation-store.js'
import { reachServers } from './servers.js'
import { createRedisSigningKeyStore } from './signing-key-store.js'
import { createRedisStatusIndexStore } from './status-index-store.js'

/** How long a start waits for Redis; after that the instance goes on, not ready. */
const SETTLE_WITHIN_MS = 3_000
const OLDEST_MAJOR_VERSION = 7

/** The records that one run of read-and-hit.lua reads for a workload's token, and what their kinds are called in keys. */
export const KINDS_READ_TOGETHER = { apiKeys: 'api-key', issuers: 'provider', workloads: 'provider-client' } as const

/** The fields of Redis's INFO answer. */
type Facts = ReadonlyMap<string, string>

export interface RedisStorageOptions {
  redis: RedisConfig
  clock: Clock
  log: Log
  observe: LatencyObserver
  /** Undefined where nothing is traced. */
  traceCall?: TraceCall | undefined
  /** Called whenever a key is not of the type that it should have. */
  countForeign?: () => void
  /** How many events of the audit trail are kept, about. */
  eventsKept?: number
  /** Replaces Redis's clock in the scripts, for tests. */
  testClock?: Clock
}

export function createRedisStorage({
  redis,
  clock,
  testClock,
  eventsKept = EVENTS_KEPT,
  ...options
}: RedisStorageOptions): Storage {
  const { log } = options
  const isCluster = redis.place.kind === 'cluster'
  const keys = createKeys(redis.prefix, isCluster ? 'by-group' : 'one')
  const servers = reachServers(redis)
  const replicas = { count: redis.waitReplicas, fence: keys.fence }
  const connection = connect({ ...options, servers, timeoutMs: redis.timeoutMs, replicas })
  const records = { connection, keys, clock, turns: createTurns(1) }
  const recordsOf = (kind: string) => createRedisRecordStore(kind, records)
  const decisions = createRedisDecisionFeed(servers, keys.decisionChannels, log)
  /**
   * The INFO of every primary that answers. An unreachable primary of a Cluster does not make this reject: its keys are
   * refused, but the instance must stay ready for those of the others. Rejects with `unavailable` if no primary can be used.
   */
  async function inquire(): Promise<Facts[]> {
    const said = await connection.askPrimaries('info', (primary) => primary.info())
    const facts = said.flatMap((one) => (one.status === 'fulfilled' ? [readInfo(one.value)] : []))
    // A server that is still loading its data answers INFO, but nothing else.
    const loaded = facts.filter((one) => one.get('loading') === '0')
    if (loaded.length > 0) return loaded
    if (facts.length > 0) throw fault('unavailable', { detail: 'Redis is loading' })
    throw (
      said.find((one) => one.status === 'rejected')?.reason ??
      fault('unavailable', { detail: 'not connected to Redis' })
    )
  }

  let underWay: Promise<Facts[]> | undefined

  /** Shares one inquiry among concurrent callers: the metrics check twice per scrape, and each load balancer by itself. */
  function inquireOnce(): Promise<Facts[]> {
    underWay ??= inquire().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  return {
    engine: 'redis',
    grants: createRedisGrantStore(connection, keys, {
      cluster: isCluster ? servers : undefined,
      traceCall: options.traceCall,
      testClock
    }),
    decisions,
    revocations: createRedisRevocationStore(connection, keys, clock),
    statusIndices: createRedisStatusIndexStore(connection, keys),
    epochs: recordsOf('epoch'),
    markers: recordsOf('marker'),
    refreshFamilies: createRedisRefreshFamilyStore(connection, keys, clock, testClock),
    authorizations: recordsOf('authorized-client'),
    authorizationUsers: createRedisParentIndex('authorized-client', records),
    apiKeys: recordsOf(KINDS_READ_TOGETHER.apiKeys),
    sessions: recordsOf('session'),
    identities: recordsOf('identity'),
    profiles: recordsOf('profile'),
    emails: recordsOf('email'),
    users: recordsOf('user'),
    connections: recordsOf('account'),
    connectionUsers: recordsOf('account-owner'),
    locks: createRedisLockStore(connection, keys),
    signingKeys: createRedisSigningKeyStore(connection, keys),
    signingKeysOf: (issuerId) => createRedisSigningKeyStore(connection, keys, issuerId),
    issuers: recordsOf(KINDS_READ_TOGETHER.issuers),
    issuerOwners: recordsOf('provider-owner'),
    workloads: recordsOf(KINDS_READ_TOGETHER.workloads),
    domains: recordsOf('domain'),
    domainHolders: recordsOf('domain-holder'),
    tenants: recordsOf('tenant'),
    trustedIssuers: recordsOf('tenant-provider'),
    policies: recordsOf('tenant-policy'),
    keyspace: createRedisKeyspace({ servers, keys, redis }),
    webhooks: recordsOf('webhook'),
    limits: createRedisLimitStore({ connection, keys, kinds: KINDS_READ_TOGETHER, isCluster, clock, testClock }),
    events: createRedisEventStore(connection, keys, eventsKept),

    async open() {
      await Promise.all([connection.settle(SETTLE_WITHIN_MS), decisions.settle(SETTLE_WITHIN_MS)])
      let primaries: Facts[]
      try {
        primaries = await inquire()
      } catch {
        // Redis is unreachable: the log and the readiness endpoint say so, and `check` looks at the same facts later.
        return
      }
      const reason = firstReason(primaries)
      if (reason) throw new Error(reason)
      if (primaries.some((facts) => facts.get('aof_enabled') === '0')) {
        log.warn('Redis has appendonly off: what was approved or revoked since its last snapshot is lost if it stops')
      }
    },

    async check() {
      const reason = firstReason(await inquireOnce())
      if (reason) throw fault('unavailable', { detail: reason })
      if (!connection.isReady()) throw fault('unavailable', { detail: 'not connected to Redis' })
    },

    async close() {
      decisions.close()
      await connection.close()
    }
  }
}

const firstReason = (primaries: Facts[]) => primaries.map(unfit).find((reason) => reason !== undefined)

/** The reason why this Redis must not be used; undefined if it is fit. */
function unfit(facts: Facts): string | undefined {
  const version = facts.get('redis_version') ?? '0'
  if (Number.parseInt(version, 10) < OLDEST_MAJOR_VERSION) {
    return `Redis ${version} is too old: ${OLDEST_MAJOR_VERSION}.0 or later is needed`
  }
  const policy = facts.get('maxmemory_policy')
  if (policy !== 'noeviction') {
    return `Redis has maxmemory-policy ${policy}: it would drop grants and clients without a word, set it to noeviction`
  }
  return undefined
}

function readInfo(text: string): Facts {
  const pairs = text.split('\r\n').filter((line) => line.includes(':'))
  return new Map(pairs.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}
