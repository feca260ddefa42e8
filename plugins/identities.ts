/** app.identities: which user an account at an identity provider belongs to. */
import fp from 'fastify-plugin'
import { createIdentities, type Identities } from '../src/core/users/identities.js'

declare module 'fastify' {
  interface FastifyInstance {
    identities: Identities
  }
}

export const identities = fp(
  async (app) => {
    app.decorate('identities', createIdentities({ records: app.storage.identities, clock: app.clock }))
  },
  { name: 'identities', dependencies: ['storage'] }
)
