/** app.apiKeys: what back ends prove themselves with. */
import fp from 'fastify-plugin'
import { type ApiKeys, createApiKeys } from '../src/core/api-keys/api-keys.js'

declare module 'fastify' {
  interface FastifyInstance {
    apiKeys: ApiKeys
  }
}

export const apiKeys = fp(
  async (app) => {
    app.decorate('apiKeys', createApiKeys({ records: app.storage.apiKeys, clock: app.clock }))
  },
  { name: 'api-keys', dependencies: ['storage'] }
)
