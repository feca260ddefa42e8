/** app.clientTokens: the access tokens of authorized clients. */
import fp from 'fastify-plugin'
import { type ClientTokens, createClientTokens } from '../src/core/tokens/access-tokens.js'

declare module 'fastify' {
  interface FastifyInstance {
    clientTokens: ClientTokens
  }
}

export const clientTokens = fp(
  async (app) => {
    const { publicUrl: issuer, expectedIssuer } = app.config
    const parts = { keys: app.signingKeys, jwt: app.jwtSigner, issuer, expectedIssuer }
    app.decorate('clientTokens', createClientTokens(parts))
  },
  { name: 'client-tokens', dependencies: ['signing-keys', 'jwt-signer'] }
)
