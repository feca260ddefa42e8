/**
 * The operations on a grant: a client starts it, a user looks it up and decides it, the client polls and collects it, or
 * withdraws it. This file handles codes, decisions and withdrawals; polls.ts handles polls and collection, rules.ts holds the
 * state machine, and the surfaces (src/routes) render the outcomes.
 */
import { randomUUID } from 'node:crypto'
import type { Approval } from '../authorizations/approval.js'
import { isWithin, withoutLeftOut } from '../clients/scope.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import type { Users } from '../users/user.js'
import { isGrantCode, readUserCode } from './codes.js'
import {
  type Action,
  authorizationIdOf,
  type DecidedBy,
  type DecideOutcome,
  type Decision,
  type GrantRequest,
  type PeekOutcome,
  type PollOutcome,
  type UndoOutcome,
  type WithdrawOutcome
} from './grant.js'
import type { FoundGrant } from './grant-store.js'
import { createPolls, type Polls, type PollsParts } from './polls.js'
import { RETENTION_MS } from './rules.js'
import { createStart, type PendingGrants, type StartedGrant } from './starts.js'

/** Callbacks for metrics. */
export interface GrantEvents {
  started(): void
  polled(outcome: PollOutcome['kind']): void
  decided(action: Action, secondsFromStart: number): void
  collected(): void
}

export interface Grants extends Polls {
  /**
   * Starts a grant (RFC 8628 §3.1). Rejects with `unavailable` when it could not be stored, and with `too_many_requests` when too
   * many of its address or its client wait.
   */
  start(request: GrantRequest): Promise<StartedGrant>
  /** Looks up the grant of a typed user code. */
  peek(typedUserCode: string): Promise<PeekOutcome>
  /** Approves or denies a grant. Idempotent for the same user and action, so that a request can be retried. */
  decide(typedUserCode: string, action: Action, by: DecidedBy): Promise<DecideOutcome>
  /** Undoes this user's approval, whether or not it was collected: the authorization is revoked. */
  undo(typedUserCode: string, userId: string): Promise<UndoOutcome>
  /**
   * Ends a grant for the client that holds its code: a pending one cannot be approved any more, and what an approval led to is
   * revoked, collected or not. To a client with another tag the grant is unknown and stays as it is. Idempotent. Rejects with
   * `unavailable`.
   */
  withdraw(grantCode: string, clientTag: string): Promise<WithdrawOutcome>
  /** Withdraws for whoever holds the code of a public client's grant, which could prove no more. Another's is `not_public`. */
  withdrawHeld(grantCode: string): Promise<WithdrawOutcome | { kind: 'not_public' }>
}

export interface GrantsParts extends PollsParts {
  keyring: Keyring
  users: Users
  events: GrantEvents
  pending: PendingGrants
  grantTtlSeconds: number
  pollIntervalSeconds: number
}

export function createGrants(parts: GrantsParts): Grants {
  const { store, keyring, approvals, users, clients, events, pending } = parts
  const { poll, pollAndWait } = createPolls(parts)
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

  /** What an approval grants; undefined if that is all that is requested. */
  function grantedOf({ clientId, scopes }: GrantRequest, leftOut: readonly string[]): readonly string[] | undefined {
    const granted = withoutLeftOut(scopes, clients.find(clientId)?.optionalScopes ?? [], leftOut)
    return granted.length < scopes.length ? granted : undefined
  }

  /** Writes the record of an approval that is about to be decided. Resolves to its id; undefined if the user has too many. */
  async function prepare({ grantDigest, request, expiresAtMs }: FoundGrant, by: Omit<Approval, 'authorizationId'>) {
    const client = clients.find(request.clientId)
    const lapsesAtMs = expiresAtMs + RETENTION_MS
    const prepareAs = (authorizationId: string) =>
      approvals.prepare(client, request, { ...by, authorizationId, lapsesAtMs })
    const prepared = await prepareAs(authorizationIdOf(grantDigest, by.userId))
    if (prepared === 'full') return undefined
    const { scopes = request.scopes } = by
    const isSame = isWithin(prepared.scopes, scopes) && isWithin(scopes, prepared.scopes)
    if (prepared.revokedAtMs === undefined && isSame) return prepared.id
    // An approval that never came to stand was revoked by its user, or was of other scopes, and they approve anew: a record is revoked
    // for good, and what was approved in it stays what it is.
    const anew = await prepareAs(randomUUID())
    return anew === 'full' ? undefined : anew.id
  }

  async function withdraw(grantCode: string, clientTag: string): Promise<WithdrawOutcome> {
    if (!isGrantCode(grantCode)) return { kind: 'unknown' }
    const grantDigest = digestOf(grantCode)
    const result = await store.withdraw(grantDigest, clientTag)
    if (result.kind === 'withdrawn') await pending.leave({ grantDigest, ...result.request })
    if (result.kind !== 'approved') return { kind: result.kind }
    await approvals.revoke(clients.find(result.request.clientId), result, 'token')
    return { kind: 'revoked' }
  }

  return {
    start: createStart(parts),

    poll,
    pollAndWait,

    async peek(typedUserCode) {
      const found = await find(typedUserCode)
      if (found?.state === 'pending') {
        const { request, createdAtMs } = found
        return { kind: 'pending', request, client: clients.find(request.clientId), createdAtMs }
      }
      return { kind: found?.state ?? 'unknown' }
    },

    async decide(typedUserCode, action, { userId, ip, leftOut = [] }) {
      const isApproval = action === 'approve'
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }

      // The record comes before the decision, so that no approval can be missed by a revocation. If the outcome of the decision
      // is not known, the record stays: the repetition finds it, or it lapses.
      const isPrepared = isApproval && found.state === 'pending'
      const usualId = authorizationIdOf(found.grantDigest, userId)
      const scopes = isApproval ? grantedOf(found.request, leftOut) : undefined
      const authorizationId = isPrepared ? await prepare(found, { userId, ip, scopes }) : usualId
      if (authorizationId === undefined) return { kind: 'full' }
      // An id that was made for this call is in no decision if it is not in the one that stands.
      const drop = authorizationId === usualId ? approvals.discard : approvals.forget
      // Asked for after the record is there: whoever revokes everything from here on finds the record.
      const standing = isApproval && (await users.standingOf(userId))
      if (standing && standing.blockedAtMs !== undefined) {
        if (isPrepared) await drop(userId, authorizationId)
        return { kind: 'blocked' }
      }
      const seen = standing && { revokedAllId: standing.revokedAll?.id ?? '' }
      const decision: Decision = { action, userId, ip, authorizationId, ...seen, ...(scopes && { scopes }) }
      const result = await store.decide(found.grantDigest, decision)
      if (result.kind === 'decided') {
        events.decided(action, result.afterMs / 1000)
        await pending.leave({ grantDigest: found.grantDigest, ...found.request })
      }
      const standingId = result.kind === 'repeated' ? result.authorizationId : authorizationId
      const isDecided = result.kind === 'decided' || result.kind === 'repeated'
      // A denial that stands also discards what an earlier approval has left, if that did not come to be decided.
      const isLeftOver = isApproval ? !isDecided || standingId !== authorizationId : isDecided
      if (isLeftOver) await drop(userId, authorizationId)
      // An earlier attempt with other scopes may have left its record under the usual id.
      if (isDecided && isApproval && standingId !== usualId) await approvals.discard(userId, usualId)
      if (!isDecided) return { kind: result.kind }
      return { kind: 'decided', ...(isApproval && { authorizationId: standingId }) }
    },

    async undo(typedUserCode, userId) {
      const found = await find(typedUserCode)
      const decision = found?.decision
      if (!found || decision?.action !== 'approve' || decision.userId !== userId) return { kind: 'unknown' }
      const { request } = found
      await approvals.revoke(clients.find(request.clientId), { request, decision }, 'owner')
      return { kind: 'undone' }
    },

    withdraw,

    async withdrawHeld(grantCode) {
      for (const tag of publicTags) {
        const outcome = await withdraw(grantCode, tag)
        if (outcome.kind !== 'unknown') return outcome
      }
      const isThere = isGrantCode(grantCode) && (await store.stateOf(digestOf(grantCode))) !== 'unknown'
      return { kind: isThere ? 'not_public' : 'unknown' }
    }
  }
}
