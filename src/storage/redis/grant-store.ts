/**
 * Grants in Redis: one string per grant and one per user code. The scripts judge; this file converts arguments and verdicts.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import type {
  ApprovedGrant,
  FoundGrant,
  GrantStore,
  StoredDecision,
  StoredPoll,
  StoredWithdrawal
} from '../../core/grants/grant-store.js'
import { RETENTION_MS, TTL_SLACK_MS } from '../../core/grants/rules.js'
import { isDigest } from '../../core/secrets/digest.js'
import type { Connection } from './connection.js'
import { type GrantRecord, readRecord, writeDecision, writeRequest } from './grant-record.js'
import type { Keys } from './keys.js'

/** The scripts use Redis's clock, so that instances with wrong clocks agree; `testClock` replaces it in tests. */
export function createRedisGrantStore(
  { call, run, callDurably, runDurably, unreadable }: Connection,
  keys: Keys,
  testClock?: Clock
): GrantStore {
  const now = testClock ? () => [testClock()] : () => []

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

  function readPoll(verdict: unknown): StoredPoll {
    if (typeof verdict === 'string') return { kind: verdict } as StoredPoll
    const [kind, value] = verdict as ['slow_down', number] | ['approved', string]
    if (kind === 'slow_down') return { kind, intervalMs: value }
    return { kind, ...readApproval(value) }
  }

  return {
    async create(grantDigest, userCodeTag, { request, clientTag, lifeMs, intervalMs }) {
      const ttlMs = lifeMs + RETENTION_MS + TTL_SLACK_MS
      const holder = await callDurably('user-code-reserve', keys.userCode(userCodeTag), (redis) =>
        redis.set(keys.userCode(userCodeTag), grantDigest, 'PX', ttlMs, 'NX', 'GET')
      )
      // If this grant itself holds the code, an earlier call reserved it and its answer was lost.
      if (holder !== null && holder !== grantDigest) return 'user_code_taken'
      const text = writeRequest(request, lifeMs)
      await runDurably('grant-create', keys.grant(grantDigest), lifeMs, intervalMs, ttlMs, clientTag, text, ...now())
      return 'created'
    },

    poll: (grantDigest, clientTag) =>
      run('grant-poll', keys.grant(grantDigest), nextPollId(), `p${clientTag}`, ...now()).then(readPoll),

    async stateOf(grantDigest) {
      const found = await look(grantDigest)
      return found?.state ?? 'unknown'
    },

    async find(userCodeTag) {
      const grantDigest = await call('user-code-find', (redis) => redis.get(keys.userCode(userCodeTag)))
      if (grantDigest === null) return undefined
      if (!isDigest(grantDigest)) throw unreadable('user-code')
      const found = await look(grantDigest)
      return found && { grantDigest, state: found.state, ...read(found.record) }
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
    }
  }
}

const processPart = randomBytes(4).toString('base64url')
const COUNT_LIMIT = 36 ** 6
let count = 0

/**
 * The id of a poll, by which grant-poll.lua recognizes a command that the driver sent twice. It has the twelve characters that
 * the layout reserves: six random ones for the process and a counter of six. Collisions between distant polls are harmless,
 * because only the last polls of one grant are compared.
 */
export function nextPollId(): string {
  count = (count + 1) % COUNT_LIMIT
  return processPart + count.toString(36).padStart(6, '0')
}
