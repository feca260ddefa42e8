/** The counters of webhooks. Alerts watch for the first event that is given up or missed, so they begin with zeros. */
import { Counter, type Registry } from 'prom-client'
import { OUTCOMES, type Outcome } from '../src/core/webhooks/delivery.js'

export function createWebhookCounters(registry: Registry, webhooks: readonly { id: string }[]) {
  const registers = [registry]
  const attempts = new Counter({
    name: 'grantd_webhook_attempts_total',
    help: 'Attempts to deliver an event to a webhook, by webhook and outcome.',
    labelNames: ['webhook', 'outcome'],
    registers
  })
  const givenUp = new Counter({
    name: 'grantd_webhook_given_up_total',
    help: 'Events that were given up after three days.',
    labelNames: ['webhook'],
    registers
  })
  const gaps = new Counter({
    name: 'grantd_webhook_gaps_total',
    help: 'How often the trail dropped events before a webhook had them.',
    labelNames: ['webhook'],
    registers
  })
  for (const { id } of webhooks) {
    for (const outcome of OUTCOMES) attempts.inc({ webhook: id, outcome }, 0)
    givenUp.inc({ webhook: id }, 0)
    gaps.inc({ webhook: id }, 0)
  }

  return {
    countWebhookAttempt: (webhook: string, outcome: Outcome) => attempts.inc({ webhook, outcome }),
    countWebhookGivenUp: (webhook: string) => givenUp.inc({ webhook }),
    countWebhookGap: (webhook: string) => gaps.inc({ webhook })
  }
}
