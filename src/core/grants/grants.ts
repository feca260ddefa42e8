/**
 * The operations on a grant: a client starts it, a user looks it up and decides it, the client polls and collects it, or
 * withdraws it. This file handles user codes and withdrawals; polls.ts handles polls, code-grants.ts the grant without a device.
 * Both kinds share decisions.ts and collection.ts. rules.ts holds the state machine, and the surfaces (src/routes) render outcomes.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin, Whence } from '../audit/event.js'
import type { Approvals } from '../authorizations/approvals.js'
import type { Clients } from '../clients/clients.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import type { Tokens } from '../tokens/tokens.js'
import type { Users } from '../users/user.js'
import { type CodeGrantEvents, type CodeGrants, createCodeGrants } from './code-grants.js'
import { isGrantCode, readUserCode } from './codes.js'
import { createCollection } from './collection.js'
import { createDecisions, type DecidedBy } from './decisions.js'
import type {
  Action,
  DecideOutcome,
  Flow,
  GrantRequest,
  PeekOutcome,
  PollOutcome,
  Question,
  UndoOutcome,
  WithdrawOutcome
} from './grant.js'
import { questionOf, shownTold, undoTold, withdrawalTold } from './grant-events.js'
import type { FoundGrant } from './grant-store.js'
import type { PendingGrants } from './pending-grants.js'
import { createPolls, type Polls, type PollsParts } from './polls.js'
import { createStart, type StartedGrant } from './starts.js'

/** Callbacks for metrics. */
export interface GrantEvents extends CodeGrantEvents {
  /** By a device. What a browser is asked is not kept before its decision. */
  started(): void
  polled(outcome: PollOutcome['kind']): void
  collected(flow: Flow): void
}

export interface Grants extends Polls, CodeGrants {
  /**
   * Starts a grant (RFC 8628 §3.1). Rejects with `unavailable` when it could not be stored, and with `too_many_requests` when too
   * many of its address or its client wait.
   */
  start(request: GrantRequest): Promise<StartedGrant>
  /** Looks up the grant of a typed user code. */
  peek(typedUserCode: string): Promise<PeekOutcome>
  /** Notes that a user is shown the question of a grant: the first time on this instance, which is told. Rejects with `unavailable`. */
  shown(question: Question, userId: string, by: Origin): Promise<void>
  /** Approves or denies a grant. Idempotent for the same user and action, so that a request can be retried. */
  decide(typedUserCode: string, action: Action, by: DecidedBy): Promise<DecideOutcome>
  /** Undoes this user's approval, whether or not it was collected: the authorization is revoked. */
  undo(typedUserCode: string, userId: string, by: Origin): Promise<UndoOutcome>
  /**
   * Ends a grant for the client that holds its code: a pending one cannot be approved any more, and what an approval led to is
   * revoked, collected or not. To a client with another tag the grant is unknown and stays as it is. Idempotent. Rejects with
   * `unavailable`.
   */
  withdraw(grantCode: string, clientTag: string, from: Whence): Promise<WithdrawOutcome>
  /** Withdraws for whoever holds the code of a public client's grant, which could prove no more. Another's is `not_public`. */
  withdrawHeld(grantCode: string, from: Whence): Promise<WithdrawOutcome | { kind: 'not_public' }>
}

export interface GrantsParts extends Omit<PollsParts, 'collect'> {
  approvals: Approvals
  clients: Clients
  tokens: Tokens
  clock: () => number
  keyring: Keyring
  users: Users
  audit: AuditTrail
  events: GrantEvents
  pending: PendingGrants
  grantTtlSeconds: number
  pollIntervalSeconds: number
}

export function createGrants(parts: GrantsParts): Grants {
  const { store, keyring, approvals, clients, audit, events, pending } = parts
  const collect = createCollection(parts)
  const decideFound = createDecisions(parts)
  const { poll, pollAndWait } = createPolls({ ...parts, collect })
  const publicTags = clients.publicTags()
  const tagsOf = (userCode: string) => keyring.tags('user-code', userCode)

  async function find(typedUserCode: string): Promise<FoundGrant | undefined> {
    const userCode = readUserCode(typedUserCode)
    for (const tag of userCode ? tagsOf(userCode) : []) {
      const found = await store.find(tag)
      if (found) return found
    }
    return undefined
  }

  async function withdraw(grantCode: string, clientTag: string, from: Whence): Promise<WithdrawOutcome> {
    if (!isGrantCode(grantCode)) return { kind: 'unknown' }
    const grantDigest = digestOf(grantCode)
    const result = await store.withdraw(grantDigest, clientTag)
    if (result.kind !== 'approved' && result.kind !== 'withdrawn') return { kind: result.kind }
    const { request } = result
    const by: Origin = { actor: `client:${request.clientId}`, ...from }
    if (result.kind === 'withdrawn') {
      const told = withdrawalTold({ grantDigest, request }, by)
      await Promise.all([pending.leave({ grantDigest, ...request }), audit.tellOnce(told)])
      return { kind: 'withdrawn' }
    }
    await approvals.revoke(clients.find(request.clientId), result, 'token', by)
    return { kind: 'revoked' }
  }

  return {
    start: createStart(parts),
    ...createCodeGrants({ ...parts, collect, decideFound }),

    poll,
    pollAndWait,

    async peek(typedUserCode) {
      const found = await find(typedUserCode)
      if (found?.state === 'pending') {
        const { request, createdAtMs } = found
        return { kind: 'pending', request, client: clients.find(request.clientId), createdAtMs, ...questionOf(found) }
      }
      return { kind: found?.state ?? 'unknown' }
    },

    shown: (question, userId, by) => audit.tellOnce(shownTold(question, userId, by)),

    async decide(typedUserCode, action, by) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      return decideFound(found, action, by, (afterMs) => events.decided(action, afterMs / 1000, 'device'))
    },

    async undo(typedUserCode, userId, by) {
      const found = await find(typedUserCode)
      const decision = found?.decision
      if (!found || decision?.action !== 'approve' || decision.userId !== userId) return { kind: 'unknown' }
      const { request } = found
      await approvals.revoke(clients.find(request.clientId), { request, decision }, 'owner', by)
      await audit.tellOnce(undoTold(found, userId, decision.authorizationId, by))
      return { kind: 'undone' }
    },

    withdraw,

    async withdrawHeld(grantCode, from) {
      for (const tag of publicTags) {
        const outcome = await withdraw(grantCode, tag, from)
        if (outcome.kind !== 'unknown') return outcome
      }
      const isThere = isGrantCode(grantCode) && (await store.stateOf(digestOf(grantCode))) !== 'unknown'
      return { kind: isThere ? 'not_public' : 'unknown' }
    }
  }
}
