/** app.accounts: the connected accounts of users and the tokens kept for them. */
import fp from 'fastify-plugin'
import { type Accounts, createAccounts } from '../src/core/connections/connections.js'
import { createRefresher } from '../src/core/connections/refresher.js'

declare module 'fastify' {
  interface FastifyInstance {
    accounts: Accounts
  }
}

export const accounts = fp(
  async (app) => {
    const { storage, keyring, metrics, identities, clock, providerClients } = app
    const records = storage.accounts
    const clientOf = (id: string) => providerClients.find(({ provider }) => provider.id === id)
    const refresher = createRefresher({
      records,
      locks: storage.locks,
      keyring,
      clientOf,
      refreshed: metrics.countAccountRefresh
    })
    app.decorate(
      'accounts',
      createAccounts({ records, owners: storage.accountOwners, identities, refresher, keyring, clientOf, clock })
    )
    // New tokens that are on their way must be kept before the storage closes.
    app.addHook('onClose', () => refresher.settle())
  },
  { name: 'accounts', dependencies: ['storage', 'keyring', 'metrics', 'identities', 'provider-clients'] }
)
