/** Issuers, which the wire calls providers: each has keys of its own. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import type { AnswerList } from '../paging.js'
import { found, ownerOf } from './owner.js'
import { renderIssuer } from './render.js'

export function issuers(app: App, answerList: AnswerList): void {
  const { issuers } = app.core

  /** GET /v1/providers: those of the owner. */
  app.route({
    ...tokensOperations.listProviders,
    // Each piece of a list has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const owner = ownerOf(request)
      const read = (options: ListOptions) => issuers.list(owner, options)
      return answerList(request, reply, { name: ['providers', owner], read, render: renderIssuer })
    }
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
    // So does each step of a deletion, of which there are as many as it holds things.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      found(await issuers.delete(ownerOf(request), request.params.providerId))
      return reply.code(204).send(null)
    }
  })
}
