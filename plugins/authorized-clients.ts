/** app.authorizedClients: what users have let act for them. */
import fp from 'fastify-plugin'
import { type AuthorizedClients, createAuthorizedClients } from '../src/core/authorizations/authorizations.js'

declare module 'fastify' {
  interface FastifyInstance {
    authorizedClients: AuthorizedClients
  }
}

export const authorizedClients = fp(
  async (app) => {
    app.decorate(
      'authorizedClients',
      createAuthorizedClients({ records: app.storage.authorizedClients, clock: app.clock })
    )
  },
  { name: 'authorized-clients', dependencies: ['storage'] }
)
