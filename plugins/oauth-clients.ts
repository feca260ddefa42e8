/** app.oauthClients: the programs the operator knows. */
import fp from 'fastify-plugin'
import { createOAuthClients, type OAuthClients } from '../src/core/clients/clients.js'

declare module 'fastify' {
  interface FastifyInstance {
    oauthClients: OAuthClients
  }
}

export const oauthClients = fp(
  async (app) => {
    app.decorate('oauthClients', createOAuthClients(app.config.oauthClients))
  },
  { name: 'oauth-clients', dependencies: ['config'] }
)
