import type { FastifyRequest } from 'fastify'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { fault } from '../../core/fault.js'
import { isBlankUserCode } from '../../core/grants/codes.js'
import type { App } from '../app.js'

const TOO_MANY = `The user has ${MOST_ACTIVE} active clients, which is the maximum: when one is revoked, this can be approved`

/** POST /auth/grant/approve: approves or denies a pending grant. */
export function decideGrant(app: App): void {
  const userOf = (request: FastifyRequest) => request.authenticatedCaller().userId

  app.route({
    ...dashboardOperations.decideGrant,
    onRequest: app.limits.userGuards('approve', 'user'),
    handler: async (request) => {
      const { user_code, action } = request.body
      if (isBlankUserCode(user_code)) throw fault('unknown_user_code', { detail: 'blank' })
      const by = { userId: userOf(request), ip: app.whereabouts.ip(request) }
      const outcome = await app.limits.guess(request, by.userId, () => app.core.grants.decide(user_code, action, by))
      if (outcome.kind === 'blocked') throw fault('user_blocked')
      if (outcome.kind === 'full') throw fault('conflict', { hint: TOO_MANY })
      if (outcome.kind !== 'decided') throw fault('unknown_user_code', { detail: outcome.kind })
      return { status: action }
    }
  })
}
