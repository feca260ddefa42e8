/** Grants in memory: runs core/grants/state-machine.ts over two maps, and tells of decisions within the process. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import type { Decision, GrantRequest } from '../../core/grants/grant.js'
import type {
  ApprovedGrant,
  DecisionFeed,
  DecisionListener,
  FoundGrant,
  GrantStanding,
  GrantStore
} from '../../core/grants/grant-store.js'
import {
  COLLECT_AGAIN_MS,
  type GrantState,
  isForgotten,
  judgeCollection,
  judgeDecision,
  judgePoll,
  judgeRedemption,
  judgeWithdrawal
} from '../../core/grants/state-machine.js'
import type { Sweeps } from './sweeps.js'

interface StoredGrant extends GrantState {
  request: GrantRequest
  clientTag: string
  decision: Decision | undefined
  createdAtMs: number
  userCodeTag: string | undefined
}

/** Decisions are passed on within the process, so the feed is never down. */
export function createMemoryDecisionFeed(): { feed: DecisionFeed } & Omit<DecisionListener, 'resumed'> {
  const listeners: DecisionListener[] = []
  return {
    feed: { isUp: () => true, listen: (listener) => void listeners.push(listener) },
    decided(grantDigest) {
      for (const { decided } of listeners) decided(grantDigest)
    },
    revoked() {
      for (const { revoked } of listeners) revoked()
    }
  }
}

export function createMemoryGrantStore(
  clock: Clock,
  sweeps: Sweeps,
  decided: (grantDigest: string) => void
): GrantStore {
  const grants = new Map<string, StoredGrant>()
  const digests = new Map<string, string>()

  const isOver = (grant: StoredGrant, nowMs: number) =>
    isForgotten(grant, nowMs) && (grant.phase !== 'collected' || nowMs > grant.collectedAtMs + COLLECT_AGAIN_MS)

  sweeps.add({
    sweep() {
      const nowMs = clock()
      for (const [digest, grant] of grants) {
        if (!isOver(grant, nowMs)) continue
        grants.delete(digest)
        const { userCodeTag: tag } = grant
        if (tag !== undefined && digests.get(tag) === digest) digests.delete(tag)
      }
    },
    kept: () => grants.size + digests.size
  })

  function standingOf(grant: StoredGrant | undefined): GrantStanding {
    const judged = grant ? judgeDecision(grant, clock()) : 'unknown'
    return judged === 'open' ? 'pending' : judged
  }

  const approvalOf = ({ request, decision, createdAtMs }: StoredGrant): ApprovedGrant => ({
    request,
    decision: decision as Decision,
    createdAtMs
  })

  function get(grantDigest: string): FoundGrant | undefined {
    const grant = grants.get(grantDigest)
    const state = standingOf(grant)
    if (!grant || state === 'unknown') return undefined
    const { request, createdAtMs, expiresAtMs, decision } = grant
    return { grantDigest, state, request, createdAtMs, expiresAtMs, decision }
  }

  return {
    async create(grantDigest, userCodeTag, { request, clientTag, lifeMs, intervalMs }, beside) {
      const nowMs = clock()
      const before = grants.get(grantDigest)
      if (before && (userCodeTag !== undefined || before.phase !== 'pending')) {
        await beside?.()
        return 'created'
      }
      if (userCodeTag !== undefined) {
        const holder = grants.get(digests.get(userCodeTag) ?? '')
        if (holder && !isOver(holder, nowMs)) return 'user_code_taken'
        digests.set(userCodeTag, grantDigest)
      }
      grants.set(grantDigest, {
        phase: 'pending',
        expiresAtMs: nowMs + lifeMs,
        intervalMs,
        polledAtMs: 0,
        isRepeatable: false,
        collectedAtMs: 0,
        request: structuredClone(request),
        clientTag,
        decision: undefined,
        createdAtMs: nowMs,
        userCodeTag
      })
      await beside?.()
      return 'created'
    },

    async poll(grantDigest, clientTag) {
      const grant = grants.get(grantDigest)
      if (!grant?.clientTag.startsWith(clientTag)) return { kind: 'unknown' }
      const kind = judgePoll(grant, clock())
      if (kind === 'slow_down') return { kind, intervalMs: grant.intervalMs }
      return kind === 'approved' ? { kind, ...approvalOf(grant) } : { kind }
    },

    stateOf: async (grantDigest) => standingOf(grants.get(grantDigest)),

    get: async (grantDigest) => get(grantDigest),
    find: async (userCodeTag) => get(digests.get(userCodeTag) ?? ''),

    async decide(grantDigest, decision) {
      const grant = grants.get(grantDigest)
      if (!grant) return { kind: 'unknown' }
      const nowMs = clock()
      const judged = judgeDecision(grant, nowMs)
      if (judged === 'open') {
        grant.phase = decision.action === 'approve' ? 'approved' : 'denied'
        grant.decision = { ...decision }
        decided(grantDigest)
        return { kind: 'decided', afterMs: nowMs - grant.createdAtMs }
      }
      const taken = judged === 'resolved' ? grant.decision : undefined
      if (taken?.action !== decision.action || taken.userId !== decision.userId) return { kind: judged }
      return { kind: 'repeated', authorizationId: taken.authorizationId }
    },

    async withdraw(grantDigest, clientTag) {
      const grant = grants.get(grantDigest)
      if (!grant?.clientTag.startsWith(clientTag)) return { kind: 'unknown' }
      const before = grant.phase
      const kind = judgeWithdrawal(grant, clock())
      if (grant.phase !== before) decided(grantDigest)
      if (kind === 'approved') return { kind, ...approvalOf(grant) }
      return kind === 'withdrawn' ? { kind, request: grant.request } : { kind }
    },

    async collect(grantDigest) {
      const grant = grants.get(grantDigest)
      return grant ? judgeCollection(grant, clock()) : 'unknown'
    },

    async lookAtCode(grantDigest, clientTag) {
      const grant = grants.get(grantDigest)
      const kind = grant?.clientTag === clientTag ? judgeRedemption(grant, clock()) : 'unknown'
      return grant && (kind === 'open' || kind === 'spent') ? { kind, ...approvalOf(grant) } : { kind: 'unknown' }
    },

    async redeem(grantDigest, clientTag) {
      const grant = grants.get(grantDigest)
      if (grant?.clientTag !== clientTag) return 'unknown'
      return judgeRedemption(grant, clock(), randomUUID()) as 'collected' | 'spent' | 'unknown'
    }
  }
}
