/** Whether every instance does all of its work again: behind a balancer one that does nothing is half of the answers, no more. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '../../test/support/service.js'
import * as surfaces from './surfaces.js'
import { createTransport, type Transport } from './transport.js'

/** Each on a connection of its own to Redis: what is looked up, what must be on a replica, what is heard. */
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

/** What is still not done after a quarter of a minute. */
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
