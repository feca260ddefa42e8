import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { fault } from '../../core/fault.js'
import { JWKS_MAX_AGE_SECONDS } from '../../core/tokens/signing-keys.js'
import type { App } from '../app.js'

/** GET /.well-known/jwks.json (RFC 7517): what verifies the tokens of this service, from memory. */
export function getJwks(app: App): void {
  app.route({
    ...oauthOperations.getJwks,
    handler: async (_request, reply) => {
      const keys = app.core.signingKeys.published()
      // An empty set would be cached, and every token be refused for as long.
      if (keys.length === 0) throw fault('unavailable', { detail: 'no signing key yet' })
      reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`)
      return { keys: keys.map((key) => ({ ...key, kty: key.kty ?? '' })) }
    }
  })
}
