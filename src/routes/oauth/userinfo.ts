/** Userinfo (OpenID Connect Core 1.0 §5.3), which is asked for by GET or by POST. */
import type { FastifyRequest } from 'fastify'
import { callerOf } from '../../../plugins/authentication.js'
import type { Userinfo } from '../../../schemas/generated/oauth.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

export function userinfoRoute(app: App) {
  return {
    config: { takesAccessToken: true },
    onRequest: [app.limits.perAddress('userinfo'), app.authenticate('user-or-client')],
    handler: async (request: FastifyRequest) => describeUser(app, request)
  }
}

async function describeUser(app: App, request: FastifyRequest): Promise<Userinfo> {
  const caller = callerOf(request)
  // A session of the dashboard is no access token.
  if (caller.kind !== 'client') throw fault('invalid_token', { detail: 'a session' })
  const { userId, scopes } = caller
  if (!scopes.includes('openid')) throw fault('insufficient_scope')
  const knows = scopes.includes('profile') || scopes.includes('email')
  // Nothing is known of users that only a dashboard has signed in.
  const profile = knows ? await app.core.profiles.find(userId) : undefined
  return {
    sub: userId,
    ...(profile && scopes.includes('profile') && { name: profile.name }),
    ...(profile?.email !== undefined &&
      scopes.includes('email') && { email: profile.email, email_verified: profile.isEmailVerified === true })
  }
}
