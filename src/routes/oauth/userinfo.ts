/** Userinfo (OpenID Connect Core 1.0 §5.3): two operations, which differ in their method alone. */
import type { FastifyRequest } from 'fastify'
import { oauthOperations, type Userinfo } from '../../../schemas/generated/oauth.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

/** GET /oauth/userinfo: who the user is. */
export function getUserinfo(app: App): void {
  app.route({ ...oauthOperations.getUserinfo, ...userinfoRoute(app) })
}

/** POST /oauth/userinfo: who the user is. */
export function postUserinfo(app: App): void {
  app.route({ ...oauthOperations.postUserinfo, ...userinfoRoute(app) })
}

function userinfoRoute(app: App) {
  return {
    config: { takesAccessToken: true },
    onRequest: [app.limits.perAddress('userinfo'), app.authenticate('user-or-client')],
    // By now there is a body, which may hold a second token (RFC 6750 §2.2).
    preHandler: async (request: FastifyRequest) => void request.bearerToken(),
    handler: async (request: FastifyRequest): Promise<Userinfo> => {
      const caller = request.authenticatedCaller()
      // A session of the dashboard is no access token.
      if (caller.kind !== 'client') throw fault('invalid_token', { detail: 'a session' })
      const { name, email, isEmailVerified } = await app.core.profiles.claims(caller.userId, caller.scopes)
      return {
        sub: caller.userId,
        ...(name !== undefined && { name }),
        ...(email !== undefined && { email, email_verified: isEmailVerified === true })
      }
    }
  }
}
