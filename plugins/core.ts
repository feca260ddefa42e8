/** app.core: the rules, whose events go to the metrics and the log. Opened and closed with the application. */
import fp from 'fastify-plugin'
import { type Core, type CoreEvents, createCore } from '../src/core/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    core: Core
  }
}

/** What an operator is told of a custom domain; that one was proved again, or nobody answered, is only counted. */
const DOMAIN_SENTENCES: Partial<Record<Parameters<CoreEvents['domainChecked']>[0], string>> = {
  missing: 'the challenge of a verified custom domain is published no more; the domain is lost in three days',
  lost: 'a custom domain is lost: its challenge was not published for three days',
  taken_over: 'a custom domain is lost: another provider has proved it'
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
      domainChecked(outcome, about) {
        metrics.countDomainCheck(outcome)
        const said = DOMAIN_SENTENCES[outcome]
        if (said !== undefined) app.log.warn(about, said)
      },
      domainCheckFailed: (error) => app.log.error({ err: error }, 'a custom domain could not be checked'),
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
