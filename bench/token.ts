/** Measures the same as poll.ts at the token endpoint: form bodies, and 400 with an OAuth error as answer. */
import { comparePolls } from './support/compare-polls.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, FORM_POLL, TOKEN_PATH } from './support/load.js'
import type { Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

export async function benchToken(lifetime: Lifetime, sizes: Sizes): Promise<Section> {
  const { service, yardstick, ratio, figures, pending } = await comparePolls(lifetime, sizes, {
    servicePath: TOKEN_PATH,
    yardstickPath: '/token',
    shape: FORM_POLL
  })
  return {
    title: '5. Polls at the token endpoint, per CPU-second of the process that answers',
    how:
      `As section 1, but the body is a form and the answer a 400, on both sides; ${sizes.rounds} rounds of ` +
      `${sizes.polls.toLocaleString('en')}, ${CONNECTIONS} connections. Verified: all ${pending.toLocaleString('en')} polls of ` +
      'the service were counted as pending.',
    figures: [
      { name: 'service', value: service, unit: 'polls per CPU-second' },
      { name: 'yardstick', value: yardstick, unit: 'polls per CPU-second' },
      { name: 'service / yardstick', value: ratio, unit: '', target: { atLeast: 1 } },
      ...figures
    ]
  }
}
