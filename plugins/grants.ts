/** app.grants: the core all surfaces share. */
import fp from 'fastify-plugin'
import { createGrants, type Grants } from '../src/core/grants/grants.js'

declare module 'fastify' {
  interface FastifyInstance {
    grants: Grants
  }
}

export const grants = fp(
  async (app) => {
    const { metrics, config } = app
    app.decorate(
      'grants',
      createGrants({
        store: app.storage.grants,
        keyring: app.keyring,
        authorizedClients: app.authorizedClients,
        oauthClients: app.oauthClients,
        tokens: app.tokens,
        heldPolls: app.heldPolls,
        events: {
          started: () => metrics.countGrant('started'),
          polled: metrics.countPoll,
          decided(action, seconds) {
            metrics.countGrant(action === 'approve' ? 'approved' : 'denied')
            metrics.observeDecision(seconds)
          },
          collected: () => metrics.countGrant('collected')
        },
        limitTime: app.withinHalfTheLimit,
        grantTtlSeconds: config.grantTtlSeconds,
        pollIntervalSeconds: config.pollIntervalSeconds
      })
    )
  },
  {
    name: 'grants',
    dependencies: [
      'storage',
      'keyring',
      'oauth-clients',
      'authorized-clients',
      'tokens',
      'held-polls',
      'metrics',
      'time-limit'
    ]
  }
)
