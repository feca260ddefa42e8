/** GET /docs and /openapi.json: the contract, to read and to try. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'

export async function docs(app: FastifyInstance): Promise<void> {
  const document = { ...openapiDocument, servers: [{ url: app.config.publicUrl }] }
  await app.register(swagger, { mode: 'static', specification: { document } })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { tryItOutEnabled: true } })
  // The second name is the one that clients of the tokens API look for.
  for (const url of ['/openapi.json', '/open-api.json']) {
    app.get(url, { config: { routine: true } }, async () => document)
  }
}
