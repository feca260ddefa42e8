/** app.core: the rules, whose events go to the metrics and the log. Opened and closed with the application. */
import fp from 'fastify-plugin'
import { type Core, type CoreEvents, createCore } from '../src/core/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    core: Core
  }
}

/** What the log says of an upstream's answer that led nowhere. */
const PROVIDER_LINES = {
  answered: 'a provider answered',
  refused: 'a provider refused a request',
  misconfigured: 'a provider does not accept this service as its client: look at its entry in PROVIDERS_FILE',
  unreadable: 'the answer of a provider cannot be used',
  unacceptable: 'the answer of a provider proves nothing',
  ill: 'a provider is in trouble'
}

export const core = fp(
  async (app) => {
    const { storage, config, clock, signer, metrics } = app
    const events: CoreEvents = {
      started: () => metrics.countGrant('started'),
      polled: metrics.countPoll,
      decided(action, seconds) {
        metrics.countGrant(action === 'approve' ? 'approved' : 'denied')
        metrics.observeDecision(seconds)
      },
      collected: () => metrics.countGrant('collected'),
      refreshed: metrics.countRefresh,
      revoked: metrics.countRevocation,
      connectionRefreshed: metrics.countConnectionRefresh,
      upstreamAnswered: metrics.countProviderAnswer,
      upstreamRefused(provider, verdict, detail) {
        const level = verdict === 'misconfigured' ? 'error' : verdict === 'refused' ? 'info' : 'warn'
        app.log[level]({ provider, detail }, PROVIDER_LINES[verdict])
      },
      signingKeysFailed: (error) => app.log.error({ err: error }, 'the signing keys could not be read')
    }
    const core = createCore({ storage, config, clock, signer, events, limitTime: app.withinHalfTheLimit })
    app.decorate('core', core)
    // Held polls are answered, not cut off, when the instance stops.
    app.addHook('preClose', async () => core.heldPolls.stop())
    app.addHook('onClose', () => core.close())
    await core.open()
  },
  { name: 'core', dependencies: ['config', 'storage', 'metrics', 'jwt', 'time-limit'] }
)
