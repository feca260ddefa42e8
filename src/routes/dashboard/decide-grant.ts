/** What a user does with a grant by its code: looks it up, and approves or denies it. */
import type { FastifyRequest } from 'fastify'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { isBuiltIn } from '../../core/clients/client.js'
import { hostOf, type Resource, resourcesOf } from '../../core/clients/resource.js'
import { writeScope } from '../../core/clients/scope.js'
import { fault } from '../../core/fault.js'
import { isBlankUserCode } from '../../core/grants/codes.js'
import { countriesDiffer } from '../../core/grants/grant.js'
import type { App } from '../app.js'

const TOO_MANY = `The user has ${MOST_ACTIVE} active clients, which is the maximum: when one is revoked, this can be approved`

const userOf = (request: FastifyRequest) => request.authenticatedCaller().userId

/** GET /auth/grant/peek: what a consent page shows of a pending grant. */
export function peekGrant(app: App): void {
  app.route({
    ...dashboardOperations.peekGrant,
    onRequest: app.limits.userGuards('peek', 'user'),
    handler: async (request) => {
      const { user_code } = request.query
      if (isBlankUserCode(user_code)) throw fault('unknown_user_code', { detail: 'blank' })
      const peek = () => app.core.grants.peek(user_code)
      const outcome = await app.limits.guess(request, userOf(request), peek)
      if (outcome.kind !== 'pending') throw fault('unknown_user_code', { detail: outcome.kind })

      const { clientId, clientType, scopes, metadata, location } = outcome.request
      const { grantId } = outcome
      const userId = userOf(request)
      await app.core.grants.shown({ grantId, clientId }, userId, app.whereabouts.origin(request, `user:${userId}`))
      const clientName = outcome.client?.name
      const resources = resourcesOf(outcome.client?.resources ?? [], outcome.request.resources)
      const approverLocation = app.whereabouts.location(request)
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
        ...(countryMismatch !== undefined && { country_mismatch: countryMismatch })
      }
    }
  })
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
      const userId = userOf(request)
      const by = { ...app.whereabouts.origin(request, `user:${userId}`), userId }
      const { kind } = await app.limits.guess(request, userId, () => app.core.grants.peek(user_code))
      if (kind === 'unknown') throw fault('unknown_user_code', { detail: kind })
      const outcome = await app.core.grants.decide(user_code, action, by)
      if (outcome.kind === 'blocked') throw fault('user_blocked')
      if (outcome.kind === 'full') throw fault('conflict', { hint: TOO_MANY })
      if (outcome.kind !== 'decided') throw fault('unknown_user_code', { detail: outcome.kind })
      return { status: action }
    }
  })
}
