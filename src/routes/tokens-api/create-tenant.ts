import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { accountOf } from './account.js'
import { renderTenant } from './render.js'

/** POST /v1/tenants. */
export function createTenant(app: App): void {
  app.route({
    ...tokensOperations.createTenant,
    handler: async (request, reply) => {
      const tenant = await app.core.tenants.create(accountOf(request), request.body)
      return reply.code(201).send(renderTenant(tenant))
    }
  })
}
