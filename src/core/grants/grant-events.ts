/** What the audit trail is told of grants. */
import { BY_ITSELF, grantIdOf, type Origin, type Told, type Whence } from '../audit/event.js'
import type { Authorization } from '../authorizations/authorization.js'
import { writeScope } from '../clients/scope.js'
import { type Action, flowOf, type GrantRequest, type Question } from './grant.js'

/** A grant, by its digest, and what was asked for. */
export interface ToldGrant {
  grantDigest: string
  request: GrantRequest
}

/** As much of it as a decision is told of. */
interface ToldDecided {
  grantDigest: string
  request: Pick<GrantRequest, 'clientId'> & Partial<Pick<GrantRequest, 'scopes'>>
}

const idsOf = ({ grantDigest, request }: ToldDecided) => ({
  clientId: request.clientId,
  grantId: grantIdOf(grantDigest)
})

export const questionOf = (grant: ToldGrant): Question => idsOf(grant)

export function startTold(grant: ToldGrant): Told {
  const { clientId, ip, location } = grant.request
  return { type: 'grant.started', actor: `client:${clientId}`, ip, location: location?.text, ...idsOf(grant) }
}

/** Of a code grant, of which nothing is stored before an approval: it starts with its question. */
export const askTold = (question: Question, from: Whence): Told => ({
  ...{ type: 'grant.started', actor: `client:${question.clientId}` },
  ...{ ...from, ...question }
})

export const shownTold = (question: Question, userId: string, by: Origin): Told => ({
  ...{ type: 'grant.shown', ...by },
  ...{ userId, ...question }
})

/** An approval says which scopes it grants. What a rule denies is the rule's, and not its user's. */
export function decisionTold(
  grant: ToldDecided,
  action: Action,
  { actor, ip, location, userId, rule }: Origin & { userId: string; rule?: string },
  approval: { authorizationId?: string; scopes?: readonly string[] | undefined }
): Told {
  const { authorizationId, scopes = grant.request.scopes ?? [] } = approval
  if (rule !== undefined) {
    const from = { ...BY_ITSELF, ip, location }
    return { type: 'rule.refused', ...from, userId, ...idsOf(grant), detail: rule }
  }
  return {
    ...{ type: action === 'approve' ? 'grant.approved' : 'grant.denied', actor, ip, location },
    ...{ userId, ...idsOf(grant) },
    ...(authorizationId !== undefined && { authorizationId, detail: writeScope(scopes) || undefined })
  }
}

export function collectionTold(grant: ToldGrant, { userId, id: authorizationId }: Authorization, from: Whence): Told {
  const { clientId, grantId } = idsOf(grant)
  const ids = { userId, clientId, authorizationId, grantId }
  return { type: 'grant.collected', actor: `client:${clientId}`, ...from, ...ids, detail: flowOf(grant.request) }
}

export const withdrawalTold = (grant: ToldGrant, by: Origin): Told => ({
  ...{ type: 'grant.withdrawn', ...by },
  ...idsOf(grant)
})

export const undoTold = (grant: ToldGrant, userId: string, authorizationId: string, by: Origin): Told => ({
  ...{ type: 'grant.undone', ...by },
  ...{ userId, authorizationId, ...idsOf(grant) }
})
