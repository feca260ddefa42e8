/** Measures polls of pending grants per CPU-second of the answering process: the service against the yardstick. */
import { comparePolls } from './support/compare-polls.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, JSON_POLL, POLL_PATH } from './support/load.js'
import type { Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

export async function benchPoll(lifetime: Lifetime, sizes: Sizes): Promise<Section> {
  const { service, yardstick, ratio, figures, pending } = await comparePolls(lifetime, sizes, {
    servicePath: POLL_PATH,
    yardstickPath: '/poll',
    shape: JSON_POLL
  })
  return {
    title: '1. Polls of pending grants, per CPU-second of the process that answers',
    how:
      `${sizes.rounds} rounds of ${sizes.polls.toLocaleString('en')} first polls of unique grants each, alternating; wrk on 1 ` +
      `thread, ${CONNECTIONS} connections; Redis with AOF. Verified: all ${pending.toLocaleString('en')} polls of the service ` +
      'were counted as pending by grantd_polls_total, and each wrote its grant once.',
    figures: [
      { name: 'service', value: service, unit: 'polls per CPU-second' },
      { name: 'yardstick', value: yardstick, unit: 'polls per CPU-second' },
      { name: 'service / yardstick', value: ratio, unit: '', target: { atLeast: 1.05 } },
      ...figures
    ]
  }
}
