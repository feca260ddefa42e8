/** app.tokens: the tokens of an authorization, issued, refreshed, asked about and revoked. */
import fp from 'fastify-plugin'
import { createIdTokens } from '../src/core/tokens/id-tokens.js'
import { createRefreshTokenTexts } from '../src/core/tokens/refresh-token.js'
import { createTokens, type Tokens } from '../src/core/tokens/tokens.js'

declare module 'fastify' {
  interface FastifyInstance {
    tokens: Tokens
  }
}

export const tokens = fp(
  async (app) => {
    const { authorizedClients, oauthClients, clientTokens, clock, config } = app
    app.decorate(
      'tokens',
      createTokens({
        authorizedClients,
        oauthClients,
        clientTokens,
        clock,
        idTokens: createIdTokens({ keys: app.signingKeys, jwt: app.jwtSigner, issuer: config.publicUrl }),
        texts: createRefreshTokenTexts(app.keyring),
        families: app.storage.refreshFamilies
      })
    )
  },
  {
    name: 'tokens',
    dependencies: ['storage', 'keyring', 'oauth-clients', 'authorized-clients', 'client-tokens', 'jwt-signer']
  }
)
