/** app.keyring: sealing and tags under GRANTD_SECRET. */
import fp from 'fastify-plugin'
import { createKeyring, type Keyring } from '../src/core/secrets/keyring.js'

declare module 'fastify' {
  interface FastifyInstance {
    keyring: Keyring
  }
}

export const keyring = fp(
  async (app) => {
    app.decorate('keyring', createKeyring(app.config.secrets))
  },
  { name: 'keyring', dependencies: ['config'] }
)
