/** How a grant that was found is decided, of a device or of a code. */
import { randomUUID } from 'node:crypto'
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Approval } from '../authorizations/approval.js'
import type { Approvals } from '../authorizations/approvals.js'
import type { Clients } from '../clients/clients.js'
import { isSameScope, withoutLeftOut } from '../clients/scope.js'
import type { Users } from '../users/user.js'
import {
  type Action,
  authorizationIdOf,
  type DecideOutcome,
  type Decision,
  flowOf,
  type GrantRequest
} from './grant.js'
import { decisionTold } from './grant-events.js'
import type { FoundGrant, GrantStore } from './grant-store.js'
import type { PendingGrants } from './pending-grants.js'
import { RETENTION_MS } from './rules.js'

/** Who decides, from where, and which of the optional scopes an approval leaves out. */
export interface DecidedBy extends Origin {
  userId: string
  ip: string
  leftOut?: readonly string[]
  /** When they had signed in, if that is to be told to the client. */
  signedInAtMs?: number | undefined
}

export interface DecisionsParts {
  store: GrantStore
  approvals: Approvals
  users: Users
  clients: Clients
  pending: PendingGrants
  audit: Pick<AuditTrail, 'tellOnce'>
}

/** Decides a grant. `decided` is told of a decision that is new, with the time since the grant was started. */
export type DecideFound = (
  found: FoundGrant,
  action: Action,
  by: DecidedBy,
  decided: (afterMs: number) => void
) => Promise<DecideOutcome>

export function createDecisions(parts: DecisionsParts): DecideFound {
  const { store, approvals, users, clients, pending, audit } = parts

  /** What an approval grants; undefined if that is all that is requested. */
  function grantedOf({ clientId, scopes }: GrantRequest, leftOut: readonly string[]): readonly string[] | undefined {
    const granted = withoutLeftOut(scopes, clients.find(clientId)?.optionalScopes ?? [], leftOut)
    return granted.length < scopes.length ? granted : undefined
  }

  /** Writes the record of an approval that is about to be decided. Resolves to its id; undefined if the user has too many. */
  async function prepare({ grantDigest, request, expiresAtMs }: FoundGrant, by: Omit<Approval, 'authorizationId'>) {
    const client = clients.find(request.clientId)
    const lapsesAtMs = expiresAtMs + (isOfCode(request) ? 0 : RETENTION_MS)
    const prepareAs = (authorizationId: string) =>
      approvals.prepare(client, request, { ...by, authorizationId, lapsesAtMs })
    const prepared = await prepareAs(authorizationIdOf(grantDigest, by.userId))
    if (prepared === 'full') return undefined
    const { scopes = request.scopes } = by
    const isInTime = prepared.expiresAtMs >= lapsesAtMs
    if (prepared.revokedAtMs === undefined && isSameScope(prepared.scopes, scopes) && isInTime) return prepared.id
    // An approval that never came to stand was revoked by its user, or was of other scopes, or of a code that has begun its life anew,
    // and they approve anew: a record is revoked for good, what was approved in it stays what it is, and it lapses when it was to.
    const anew = await prepareAs(randomUUID())
    return anew === 'full' ? undefined : anew.id
  }

  return async (found, action, by, decided) => {
    const { userId, ip, signedInAtMs, leftOut = [] } = by
    const isApproval = action === 'approve'
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
    const signedIn = signedInAtMs !== undefined && { signedInAtMs }
    const granted = scopes && { scopes }
    const decision: Decision = { action, userId, ip, authorizationId, ...seen, ...signedIn, ...granted }
    const result = await store.decide(found.grantDigest, decision)
    const standingId = result.kind === 'repeated' ? result.authorizationId : authorizationId
    const told = decisionTold(found, action, by, isApproval ? { authorizationId: standingId, scopes } : {})
    if (result.kind === 'decided') {
      decided(result.afterMs)
      const { grantDigest, request } = found
      // Both are asked for in one turn, so that the event costs no further round trip.
      await Promise.all([!isOfCode(request) && pending.leave({ grantDigest, ...request }), audit.tellOnce(told)])
    }
    const isDecided = result.kind === 'decided' || result.kind === 'repeated'
    // A denial that stands also discards what an earlier approval has left, if that did not come to be decided.
    const isLeftOver = isApproval ? !isDecided || standingId !== authorizationId : isDecided
    if (isLeftOver) await drop(userId, authorizationId)
    // An earlier attempt with other scopes may have left its record under the usual id.
    if (isDecided && isApproval && standingId !== usualId) await approvals.discard(userId, usualId)
    if (!isDecided) return { kind: result.kind }
    // What was approved with other boxes ticked stands as it is, and is not what this answer says.
    if (result.kind === 'repeated' && isApproval && !(await standsWith(found, scopes))) return { kind: 'resolved' }
    // Of a repetition it may not be known whether it was told.
    if (result.kind === 'repeated') await audit.tellOnce(told)
    return { kind: 'decided', ...(isApproval && { authorizationId: standingId }) }
  }

  /** Whether the approval that stands grants these scopes. */
  async function standsWith({ grantDigest, request, ...found }: FoundGrant, scopes: readonly string[] | undefined) {
    const standing = found.decision ?? (await store.get(grantDigest))?.decision
    return standing !== undefined && isSameScope(standing.scopes ?? request.scopes, scopes ?? request.scopes)
  }
}

/** A code is approved as it is made, so that it takes no place among those that wait, and lapses with its short life. */
const isOfCode = (request: GrantRequest) => flowOf(request) === 'code'
