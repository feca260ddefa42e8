/** Issuers, which the wire calls providers: each has keys of its own. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { found, ownerOf } from './owner.js'
import { renderIssuer } from './render.js'

export function issuers(app: App): void {
  const { issuers } = app.core

  /** GET /v1/providers: those of the owner. */
  app.route({
    ...tokensOperations.listProviders,
    handler: async (request) => (await issuers.list(ownerOf(request))).map(renderIssuer)
  })

  /** POST /v1/providers. */
  app.route({
    ...tokensOperations.createProvider,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const issuer = await issuers.create(ownerOf(request), request.body)
      return reply.code(201).send(renderIssuer(issuer))
    }
  })

  /** GET /v1/providers/{providerId}. */
  app.route({
    ...tokensOperations.getProvider,
    handler: async (request) => renderIssuer(found(await issuers.find(ownerOf(request), request.params.providerId)))
  })

  /** DELETE /v1/providers/{providerId}: with all that belongs to it. */
  app.route({
    ...tokensOperations.deleteProvider,
    handler: async (request, reply) => {
      found(await issuers.delete(ownerOf(request), request.params.providerId))
      return reply.code(204).send(null)
    }
  })
}
