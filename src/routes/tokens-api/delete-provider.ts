import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accountOf, providerOf } from './account.js'

/** DELETE /v1/providers/{providerId}: with all that belongs to it. */
export function deleteProvider(app: App): void {
  app.route({
    ...tokensOperations.deleteProvider,
    handler: async (request, reply) => {
      const { id } = await providerOf(app, request)
      const hosts = (await app.core.domains.list(id)).map(({ domain }) => domain)
      if (!(await app.core.issuers.delete(accountOf(request), id))) throw fault('not_found')
      app.core.issuerDocuments.forget(id, hosts)
      return reply.code(204).send(null)
    }
  })
}
