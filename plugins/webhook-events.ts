/** What the metrics and the log are told of webhooks. The log says nothing of a URL, which may have a secret in it. */
import type { FastifyBaseLogger } from 'fastify'
import type { CoreEvents } from '../src/core/index.js'
import type { WebhookEvents } from '../src/core/webhooks/telling.js'
import type { Metrics } from './metrics.js'

/** What the log says of a webhook that fails, where it is more than that. */
const SENTENCES: Partial<Record<Parameters<CoreEvents['webhookTurned']>[1], string>> = {
  gone: 'a webhook is stopped: its receiver says that it is gone; webhooks resume lets it go on',
  redirected: 'a webhook fails: its receiver redirects, and nobody follows; name the right URL in WEBHOOKS_FILE',
  forbidden: 'a webhook fails: its host is at an address that is not public, and the entry does not say internal'
}

export function webhookEvents(metrics: Metrics, log: FastifyBaseLogger): WebhookEvents {
  return {
    webhookAttempted: metrics.countWebhookAttempt,

    webhookTurned(webhook, outcome, code) {
      if (outcome === 'delivered') log.info({ webhook }, 'a webhook takes events again')
      else log.warn({ webhook, outcome, code }, SENTENCES[outcome] ?? 'a webhook fails')
    },

    webhookGivenUp(webhook, delivery) {
      metrics.countWebhookGivenUp(webhook)
      log.error({ webhook, delivery }, 'an event was given up after three days: see webhooks failed')
    },

    webhookGap(webhook, { fromMs, untilMs }) {
      metrics.countWebhookGap(webhook)
      const [from, until] = [new Date(fromMs).toISOString(), new Date(untilMs).toISOString()]
      log.error({ webhook, from, until }, 'the trail dropped events before a webhook had them: see webhooks list')
    },

    webhooksFailed: (error) => log.error({ err: error }, 'webhooks could not be delivered')
  }
}
