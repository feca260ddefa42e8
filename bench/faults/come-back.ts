/**
 * Checks that every instance does all of its work again. Behind a balancer, one broken instance would only show as half
 * of the answers being errors.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '../../test/support/service.js'
import * as surfaces from './surfaces.js'
import { createTransport, type Transport } from './transport.js'

/**
 * Each kind of work uses another connection to Redis: for lookups, for durable writes that wait for replicas, for
 * pub/sub.
 */
const WORK: readonly [name: string, isDone: (transport: Transport) => Promise<boolean>][] = [
  ['be ready', async ({ send }) => (await send({ method: 'GET', path: '/readyz' })).status === 200],
  ['start a grant', async ({ send }) => (await send(surfaces.dashboard.start('the last one'))).status === 200],
  [
    'hear of decisions',
    async ({ send }) => /^grantd_decision_feed_up 1$/m.test((await send({ method: 'GET', path: '/metrics' })).body)
  ]
]
const TRIES = 60
const EVERY_MS = 250

/** Returns the kinds of work that some instance still does not do after 15 seconds. */
export async function whatDoesNotComeBack(services: readonly Service[]): Promise<string[]> {
  const missing = await Promise.all(services.map(missingOf))
  return missing.flat()
}

async function missingOf(service: Service, index: number): Promise<string[]> {
  const transport = createTransport(service.url)
  const isDoneInTime = async (isDone: (transport: Transport) => Promise<boolean>) => {
    for (let tries = 0; tries < TRIES; tries++) {
      if (await isDone(transport)) return true
      await sleep(EVERY_MS)
    }
    return false
  }
  try {
    const done = await Promise.all(WORK.map(([, isDone]) => isDoneInTime(isDone)))
    return WORK.filter((_, i) => !done[i]).map(([name]) => `instance ${index + 1} did not ${name} any more`)
  } finally {
    transport.close()
  }
}
