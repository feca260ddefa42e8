/**
 * Grants in Redis: one string per grant and one per user code. The scripts judge; this file converts arguments and verdicts.
 */
import type { Clock } from '../../core/clock.js'
import type {
  ApprovedGrant,
  FoundGrant,
  GrantStore,
  StoredDecision,
  StoredPoll,
  StoredWithdrawal
} from '../../core/grants/grant-store.js'
import { RETENTION_MS, TTL_SLACK_MS } from '../../core/grants/state-machine.js'
import { isDigest } from '../../core/secrets/digest.js'
import type { TraceCall } from '../../core/storage.js'
import { createRedisCodeStore } from './code-store.js'
import type { RedisConnection } from './connection.js'
import { writeDecision } from './decision-record.js'
import { type GrantRecord, readRecord, writeRequest } from './grant-record.js'
import type { Keys } from './keys.js'
import { createPollBatches } from './poll-batches.js'
import type { Servers } from './servers.js'

export interface GrantStoreOptions {
  /** The Cluster; by default there is one primary. */
  cluster?: Pick<Servers, 'slotOf' | 'addressOf'> | undefined
  /** Replaces the clock of Redis in tests. The scripts use that one so that instances with wrong clocks agree. */
  testClock?: Clock | undefined
  traceCall?: TraceCall | undefined
}

export function createRedisGrantStore(
  connection: RedisConnection,
  keys: Keys,
  { cluster, testClock, traceCall }: GrantStoreOptions = {}
): GrantStore {
  const { call, run, callDurably, runDurably, unreadable } = connection
  const now = testClock ? () => [testClock()] : () => []
  const judgePoll = createPollBatches({
    connection,
    keys,
    cluster,
    traceCall,
    readVerdict,
    clock: testClock ?? Date.now,
    now
  })

  async function look(grantDigest: string): Promise<{ state: FoundGrant['state']; record: string } | undefined> {
    const found = await run('grant-find', keys.grant(grantDigest), ...now())
    if (found === 'unknown') return undefined
    const [state, record] = found as [FoundGrant['state'], string]
    return { state, record }
  }

  function read(record: string): GrantRecord {
    const grant = readRecord(record)
    if (!grant) throw unreadable('grant')
    return grant
  }

  /** A grant that is approved has a decision. */
  function readApproval(record: string): ApprovedGrant {
    const { request, decision, createdAtMs } = read(record)
    if (!decision) throw unreadable('grant')
    return { request, decision, createdAtMs }
  }

  function readVerdict(kind: string, value: number | string | null): StoredPoll {
    if (kind === 'slow_down') return { kind, intervalMs: value as number }
    if (kind === 'approved') return { kind, ...readApproval(value as string) }
    return { kind } as StoredPoll
  }

  async function get(grantDigest: string): Promise<FoundGrant | undefined> {
    const found = await look(grantDigest)
    return found && { grantDigest, state: found.state, ...read(found.record) }
  }

  /** Resolves to whether this grant has the user code. */
  async function reserve(userCodeTag: string, grantDigest: string, ttlMs: number): Promise<boolean> {
    const holder = await callDurably('user-code-reserve', keys.userCode(userCodeTag), (redis) =>
      redis.set(keys.userCode(userCodeTag), grantDigest, 'PX', ttlMs, 'NX', 'GET')
    )
    // If this grant itself holds the code, an earlier call reserved it and its answer was lost.
    return holder === null || holder === grantDigest
  }

  return {
    async create(grantDigest, userCodeTag, { request, clientTag, lifeMs, intervalMs }, beside) {
      const ttlMs = lifeMs + RETENTION_MS + TTL_SLACK_MS
      if (userCodeTag !== undefined && !(await reserve(userCodeTag, grantDigest, ttlMs))) return 'user_code_taken'
      const rest = [ttlMs, clientTag, writeRequest(request, lifeMs), userCodeTag === undefined ? '+' : '', ...now()]
      const created = runDurably('grant-create', keys.grant(grantDigest), lifeMs, intervalMs, ...rest)
      await Promise.all([created, beside?.()])
      return 'created'
    },

    poll: (grantDigest, clientTag, isUrgent = false) => judgePoll(grantDigest, clientTag, isUrgent),

    stateOf: async (grantDigest) => (await look(grantDigest))?.state ?? 'unknown',

    get,

    async find(userCodeTag) {
      const grantDigest = await call('user-code-find', (redis) => redis.get(keys.userCode(userCodeTag)))
      if (grantDigest === null) return undefined
      if (!isDigest(grantDigest)) throw unreadable('user-code')
      return get(grantDigest)
    },

    async decide(grantDigest, decision) {
      const phase = decision.action === 'approve' ? 'a' : 'd'
      const text = writeDecision(decision)
      const args = [phase, text, decision.userId, keys.decisions(grantDigest), grantDigest, ...now()]
      const verdict = await runDurably('grant-decide', keys.grant(grantDigest), ...args)
      if (typeof verdict === 'string') return { kind: verdict } as StoredDecision
      const [kind, ...facts] = verdict as ['decided', number, string] | ['repeated', string]
      if (kind === 'repeated') return { kind, authorizationId: facts[0] as string }
      const [decidedAtMs, record] = facts as [number, string]
      return { kind, afterMs: decidedAtMs - read(record).createdAtMs }
    },

    async withdraw(grantDigest, clientTag) {
      const args = [clientTag, keys.decisions(grantDigest), grantDigest, ...now()]
      const verdict = await runDurably('grant-withdraw', keys.grant(grantDigest), ...args)
      if (typeof verdict === 'string') return { kind: verdict } as StoredWithdrawal
      const [kind, record] = verdict as ['approved' | 'withdrawn', string]
      return kind === 'approved' ? { kind, ...readApproval(record) } : { kind, request: read(record).request }
    },

    async collect(grantDigest) {
      return (await runDurably('grant-collect', keys.grant(grantDigest), ...now())) as 'collected' | 'spent' | 'unknown'
    },

    ...createRedisCodeStore({ connection, keys, readApproval, now })
  }
}
