/** What a user does with a grant by its code: looks it up, and approves or denies it. */
import type { FastifyRequest } from 'fastify'
import { dashboardOperations, type GrantApproveResponse } from '../../../schemas/generated/dashboard.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { isBuiltIn } from '../../core/clients/client.js'
import { hostOf, type Resource, resourcesOf } from '../../core/clients/resource.js'
import { writeScope } from '../../core/clients/scope.js'
import { fault } from '../../core/fault.js'
import type { Answerer } from '../../core/grants/admission.js'
import { isBlankUserCode } from '../../core/grants/codes.js'
import { type Action, countriesDiffer, type DecideOutcome, type PeekOutcome } from '../../core/grants/grant.js'
import type { App } from '../app.js'

const TOO_MANY = `The user has ${MOST_ACTIVE} active clients, which is the maximum: when one is revoked, this can be approved`

/** Who looks and decides, for the rules. */
function answererOf({ whereabouts }: App, request: FastifyRequest): Answerer {
  const caller = request.authenticatedCaller()
  const provedAtMs = caller.kind === 'user' ? caller.authenticatedAtMs : undefined
  const { userId } = caller
  return { ...whereabouts.origin(request, `user:${userId}`), userId, place: whereabouts.location(request), provedAtMs }
}

/** What a rule refuses. Its sentence is for the user. */
const refusedByRule = (say: string | undefined) => fault('refused_by_rule', say === undefined ? {} : { hint: say })

/** GET /auth/grant/peek: what a consent page shows of a pending grant. */
export function peekGrant(app: App): void {
  app.route({
    ...dashboardOperations.peekGrant,
    onRequest: app.limits.userGuards('peek', 'user'),
    handler: async (request) => {
      const { user_code } = request.query
      if (isBlankUserCode(user_code)) throw fault('unknown_user_code', { detail: 'blank' })
      const by = answererOf(app, request)
      const peek = () => app.core.grants.peek(user_code, by)
      const outcome = pendingOf(await app.limits.guess(request, by.userId, peek))
      const { warnings, isProofDue } = outcome
      const { clientId, clientType, scopes, metadata, location } = outcome.request
      const { grantId } = outcome
      await app.core.grants.shown(
        { grantId, clientId },
        by.userId,
        app.whereabouts.origin(request, `user:${by.userId}`)
      )
      const clientName = outcome.client?.name
      const resources = resourcesOf(outcome.client?.resources ?? [], outcome.request.resources)
      const approverLocation = by.place
      const countryMismatch = countriesDiffer(location, approverLocation)
      return {
        client_type: clientType,
        client_metadata: metadata,
        ...(!isBuiltIn(clientId) && { client_id: clientId }),
        ...(clientName !== undefined && { client_name: clientName }),
        ...(scopes.length > 0 && { scope: writeScope(scopes) }),
        ...(resources.length > 0 && { resources: resources.map(renderResource) }),
        ...(location && { requester_location: location.text }),
        ...(approverLocation && { approver_location: approverLocation.text }),
        ...(countryMismatch !== undefined && { country_mismatch: countryMismatch }),
        ...(warnings.length > 0 && { warnings: [...warnings] }),
        ...(isProofDue && { sign_in_again: true })
      }
    }
  })
}

/** The outcome of a lookup, if there is something to decide. */
function pendingOf(outcome: PeekOutcome): Extract<PeekOutcome, { kind: 'pending' }> {
  switch (outcome.kind) {
    case 'pending':
      return outcome
    case 'refused':
      throw refusedByRule(outcome.say)
    case 'resolved':
    case 'withdrawn':
    case 'unknown':
      throw fault('unknown_user_code', { detail: outcome.kind })
  }
}

const renderResource = ({ identifier, name }: Resource) => ({ identifier, name, host: hostOf(identifier) })

/** POST /auth/grant/approve: approves or denies a pending grant. */
export function decideGrant(app: App): void {
  app.route({
    ...dashboardOperations.decideGrant,
    onRequest: app.limits.userGuards('approve', 'user'),
    handler: async (request) => {
      const { user_code, action } = request.body
      if (isBlankUserCode(user_code)) throw fault('unknown_user_code', { detail: 'blank' })
      const by = answererOf(app, request)
      // A lookup that changes nothing, because a guess may be refused after it.
      const { kind } = await app.limits.guess(request, by.userId, () => app.core.grants.peek(user_code))
      if (kind === 'unknown') throw fault('unknown_user_code', { detail: kind })
      return render(await app.core.grants.decide(user_code, action, by), action)
    }
  })
}

function render(outcome: DecideOutcome, action: Action): GrantApproveResponse {
  switch (outcome.kind) {
    case 'decided':
      return { status: action }
    case 'blocked':
      throw fault('user_blocked')
    case 'refused':
      throw refusedByRule(outcome.say)
    case 'unproved':
      throw fault('insufficient_user_authentication')
    case 'full':
      throw fault('conflict', { hint: TOO_MANY })
    case 'resolved':
    case 'withdrawn':
    case 'unknown':
      throw fault('unknown_user_code', { detail: outcome.kind })
  }
}
