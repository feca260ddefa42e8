import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accountOf, providerOf } from './account.js'
import { renderDomain } from './render.js'

/** POST /v1/providers/{providerId}/domains: a domain to prove. */
export function addDomain(app: App): void {
  app.route({
    ...tokensOperations.addDomain,
    handler: async (request, reply) => {
      const { id } = await providerOf(app, request)
      const domain = await app.core.domains.add(accountOf(request), id, request.body.domain)
      if (domain === 'taken') throw fault('conflict', { hint: 'The domain belongs to a provider already' })
      return reply.code(201).send(renderDomain(domain))
    }
  })
}
