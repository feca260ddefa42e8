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

/** What the log says of an upstream's answer that led nowhere. */
const PROVIDER_LINES = {
  answered: 'a provider answered',
  refused: 'a provider refused a request',
  misconfigured: 'a provider does not accept this service as its client: look at its entry in PROVIDERS_FILE',
  unreadable: 'the answer of a provider cannot be used',
  unacceptable: 'the answer of a provider proves nothing',
  ill: 'a provider is in trouble'
}

/** What the log says of a webhook that fails, where it is more than that. */
const WEBHOOK_SENTENCES: Partial<Record<Parameters<CoreEvents['webhookTurned']>[1], string>> = {
  gone: 'a webhook is stopped: its receiver says that it is gone; webhooks resume lets it go on',
  redirected: 'a webhook fails: its receiver redirects, and nobody follows; name the right URL in WEBHOOKS_FILE',
  forbidden: 'a webhook fails: its host is at an address that is not public, and the entry does not say internal'
}

export const core = fp(
  async (app) => {
    const { storage, config, clock, signer, metrics, whereabouts } = app
    const events: CoreEvents = {
      started: () => metrics.countGrant('started', 'device'),
      polled: metrics.countPoll,
      decided(action, seconds, flow) {
        metrics.countGrant(action === 'approve' ? 'approved' : 'denied', flow)
        metrics.observeDecision(seconds)
      },
      collected: (flow) => metrics.countGrant('collected', flow),
      redeemed: metrics.countRedemption,
      refreshed: metrics.countRefresh,
      revoked: metrics.countRevocation,
      connectionRefreshed: metrics.countConnectionRefresh,
      domainChecked(outcome, about) {
        metrics.countDomainCheck(outcome)
        const said = DOMAIN_SENTENCES[outcome]
        if (said !== undefined) app.log.warn(about, said)
      },
      domainCheckFailed: (error) => app.log.error({ err: error }, 'a custom domain could not be checked'),
      upstreamAnswered: metrics.countProviderAnswer,
      upstreamRefused(provider, verdict, detail) {
        const level = verdict === 'misconfigured' ? 'error' : verdict === 'refused' ? 'info' : 'warn'
        app.log[level]({ provider, detail }, PROVIDER_LINES[verdict])
      },
      webhookAttempted: metrics.countWebhookAttempt,
      webhookTurned(webhook, outcome) {
        if (outcome === 'delivered') app.log.info({ webhook }, 'a webhook takes events again')
        else app.log.warn({ webhook, outcome }, WEBHOOK_SENTENCES[outcome] ?? 'a webhook fails')
      },
      webhookGivenUp(webhook, delivery) {
        metrics.countWebhookGivenUp(webhook)
        app.log.error({ webhook, delivery }, 'an event was given up after three days: see webhooks failed')
      },
      webhookGap(webhook, { fromMs, untilMs }) {
        metrics.countWebhookGap(webhook)
        const [from, until] = [new Date(fromMs).toISOString(), new Date(untilMs).toISOString()]
        app.log.error({ webhook, from, until }, 'the trail dropped events before a webhook had them: see webhooks list')
      },
      webhooksFailed: (error) => app.log.error({ err: error }, 'webhooks could not be delivered'),
      signingKeysFailed: (error) => app.log.error({ err: error }, 'the signing keys could not be read'),
      revocationSweepFailed: (error) => app.log.error({ err: error }, 'the revocations could not be looked through')
    }
    const pending = config.limits !== 'off' && {
      perAddress: config.limits.pendingPerIp,
      perClient: config.limits.pendingPerClient,
      networkOf: whereabouts.countedAs,
      refused: (by: string) => metrics.countLimited(`pending grants per ${by}`)
    }
    const parts = { storage, config, clock, signer, events, limitTime: app.withinHalfTheLimit }
    const core = createCore(pending ? { ...parts, pending } : parts)
    app.decorate('core', core)
    // Held polls are answered, not cut off, when the instance stops.
    app.addHook('preClose', async () => core.heldPolls.stop())
    app.addHook('onClose', () => core.close())
    await core.open()
    core.webhooks?.start()
  },
  { name: 'core', dependencies: ['config', 'storage', 'metrics', 'jwt', 'time-limit', 'whereabouts'] }
)
