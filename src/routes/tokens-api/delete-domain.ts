import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accountOf, providerOf } from './account.js'

/** DELETE /v1/providers/{providerId}/domains/{domainId}. */
export function deleteDomain(app: App): void {
  app.route({
    ...tokensOperations.deleteDomain,
    handler: async (request, reply) => {
      const { id } = await providerOf(app, request)
      const { domainId } = request.params
      const domain = await app.core.domains.find(id, domainId)
      if (!domain || !(await app.core.domains.delete(accountOf(request), id, domainId))) throw fault('not_found')
      app.core.issuerDocuments.forget(id, [domain.domain])
      return reply.code(204).send(null)
    }
  })
}
