/** GET /docs and /openapi.json: the contract, to read and to try. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'

export async function docs(app: FastifyInstance): Promise<void> {
  const document = { ...openapiDocument, servers: [{ url: app.config.publicUrl }] }
  await app.register(swagger, { mode: 'static', specification: { document } })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { tryItOutEnabled: true } })
  app.get('/openapi.json', { config: { routine: true } }, async () => document)
}
