/**
 * A Fastify plugin: `app.requireToken({ scope })` is a hook for the routes that need a token, `request.token` has its claims. Refusals are
 * errors of the application, so that its own error handler gives them their shape; headers and status come with them.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { checkScope, type VerifierOptions } from './options.js'
import { METADATA_HEADERS } from './resource-metadata.js'
import { type AccessTokenClaims, createVerifier, type Requirements, type Verifier } from './verifier.js'

/** A verifier of yours, which you close; or the options of one, which is closed with the application. */
export type VerifyPluginOptions = { verifier: Verifier } | VerifierOptions

export type TokenHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    verifier: Verifier
    /** A hook for `onRequest`, of a route or of all. Throws a TypeError for what is no scope. The route of the metadata is open to everybody all the same. */
    requireToken(requirements?: Requirements): TokenHook
  }
  interface FastifyRequest {
    /** The claims of the token; null where no hook asked for one. */
    token: AccessTokenClaims | null
  }
}

const plugin: FastifyPluginAsync<VerifyPluginOptions> = async (app: FastifyInstance, options) => {
  const isOwn = !('verifier' in options)
  const verifier = isOwn ? createVerifier(options) : options.verifier
  const { metadata } = verifier
  // A colon would begin a parameter.
  const metadataPath = metadata?.path.split('?')[0]?.replaceAll(':', '::')

  app.decorate('verifier', verifier)
  app.decorateRequest('token', null)
  app.decorate('requireToken', (requirements?: Requirements): TokenHook => {
    checkScope(requirements?.scope)
    return async (request) => {
      if (metadataPath !== undefined && request.routeOptions.url === metadataPath) return
      request.token = await verifier.authenticate(request.headers.authorization, requirements)
    }
  })
  if (isOwn) app.addHook('onClose', () => verifier.close())

  if (metadata && metadataPath !== undefined) {
    // RFC 9728 §3.1: it is below the origin, whatever the path of the API.
    if (app.prefix !== '') throw new TypeError(`verifyTokens: with metadata, register it outside of ${app.prefix}`)
    app.get(metadataPath, async (_request, reply) => reply.headers(METADATA_HEADERS).send(metadata.document))
  }
}

/** Fastify reads these marks: what is decorated is for the whole application, and Fastify 5 is needed. */
export const verifyTokens: FastifyPluginAsync<VerifyPluginOptions> = Object.assign(plugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@grantd/verify',
  [Symbol.for('plugin-meta')]: { name: '@grantd/verify', fastify: '5.x' }
})
