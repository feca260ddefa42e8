/** GET /docs and /openapi.json: the contract, to read and to try. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import { answerNowhere } from '../unroutable.js'

export async function docs(app: FastifyInstance): Promise<void> {
  const document = { ...openapiDocument, servers: [{ url: app.config.publicUrl }] }
  await app.register(swagger, { mode: 'static', specification: { document } })
  await app.register(
    async (ui) => {
      // The handler for strays is that of the pages, which @fastify/static does not reach from here for a file it has not.
      ui.setNotFoundHandler(answerNowhere)
      await ui.register(swaggerUi, { routePrefix: '/', staticCSP: true, uiConfig: { tryItOutEnabled: true } })
    },
    { prefix: '/docs' }
  )
  // The second name is the one that clients of the tokens API look for.
  for (const url of ['/openapi.json', '/open-api.json']) {
    app.get(url, { config: { routine: true } }, async () => document)
  }
}
