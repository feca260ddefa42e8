import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'

/** DELETE /v1/providers/{providerId}/clients/{clientId}. */
export function deleteClient(app: App): void {
  app.route({
    ...tokensOperations.deleteClient,
    handler: async (request, reply) => {
      const { id } = await providerOf(app, request)
      const { clientId } = request.params
      if (!(await app.core.issuers.findWorkload(id, clientId))) throw fault('not_found')
      await app.core.issuers.deleteWorkload(id, clientId)
      return reply.code(204).send(null)
    }
  })
}
