/** Userinfo (OpenID Connect Core 1.0 §5.3), which is asked for by GET or by POST. */
import type { FastifyRequest } from 'fastify'
import { callerOf } from '../../../plugins/authentication.js'
import type { Userinfo } from '../../../schemas/generated/oauth.js'
import { fault } from '../../fault.js'
import type { App } from '../app.js'

export function userinfoRoute(app: App) {
  return {
    config: { takesAccessToken: true },
    onRequest: [app.limits.perAddress('userinfo'), app.authenticate('user-or-client')],
    handler: async (request: FastifyRequest) => describeUser(request)
  }
}

function describeUser(request: FastifyRequest): Userinfo {
  const caller = callerOf(request)
  // A session of the dashboard is no access token.
  if (caller.kind !== 'client') throw fault('invalid_token', { detail: 'a session' })
  if (!caller.scopes.includes('openid')) throw fault('insufficient_scope')
  return { sub: caller.userId }
}
