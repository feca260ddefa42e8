/** app.providerClients: the identity providers of PROVIDERS_FILE, as they are talked to. */
import fp from 'fastify-plugin'
import { createProviderClient, type ProviderClient } from '../src/core/upstream/upstream-client.js'

declare module 'fastify' {
  interface FastifyInstance {
    providerClients: readonly ProviderClient[]
  }
}

export const providerClients = fp(
  async (app) => {
    const { config, clock } = app
    app.decorate(
      'providerClients',
      config.providers.map((provider) => {
        const redirectUri = `${config.publicUrl}/login/${provider.id}/callback`
        return createProviderClient({ provider, redirectUri, clock })
      })
    )
  },
  { name: 'provider-clients', dependencies: ['config'] }
)
