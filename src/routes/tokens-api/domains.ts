/** Custom domains of issuers: their owner proves them by a TXT record. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import type { AnswerList } from '../paging.js'
import { found, ownerOf } from './owner.js'
import { renderDomain } from './render.js'

export function domains(app: App, answerList: AnswerList): void {
  const { domains } = app.core

  /** GET /v1/providers/{providerId}/domains. */
  app.route({
    ...tokensOperations.listDomains,
    // Each piece of a list has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const [owner, { providerId }] = [ownerOf(request), request.params]
      const read = async (options: ListOptions) => found(await domains.list(owner, providerId, options))
      return answerList(request, reply, { name: ['domains', owner, providerId], read, render: renderDomain })
    }
  })

  /** POST /v1/providers/{providerId}/domains: a domain to prove. */
  app.route({
    ...tokensOperations.addDomain,
    // If another provider has verified the domain, its challenge is looked up.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const domain = found(await domains.add(ownerOf(request), request.params.providerId, request.body.domain))
      if (domain === 'taken') throw fault('conflict', { hint: 'The domain belongs to a provider already' })
      return reply.code(201).send(renderDomain(domain))
    }
  })

  /** GET /v1/providers/{providerId}/domains/{domainId}. */
  app.route({
    ...tokensOperations.getDomain,
    handler: async (request) => {
      const { providerId, domainId } = request.params
      return renderDomain(found(await domains.find(ownerOf(request), providerId, domainId)))
    }
  })

  /** DELETE /v1/providers/{providerId}/domains/{domainId}. */
  app.route({
    ...tokensOperations.deleteDomain,
    handler: async (request, reply) => {
      const { providerId, domainId } = request.params
      found(await domains.delete(ownerOf(request), providerId, domainId))
      return reply.code(204).send(null)
    }
  })

  /** POST /v1/providers/{providerId}/domains/{domainId}/verify: looks for the challenge. */
  app.route({
    ...tokensOperations.verifyDomain,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { providerId, domainId } = request.params
      const { domain, verified, message } = found(await domains.verify(ownerOf(request), providerId, domainId))
      return { domain: renderDomain(domain), verified, message }
    }
  })
}
