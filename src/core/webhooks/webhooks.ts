/**
 * Webhooks: the events of the audit trail, sent to the endpoints of WEBHOOKS_FILE. This file is the door: the deliverer, and what an
 * operator sees and does. A delivery's attempt is sender.ts, its waiting endpoint-deliveries.ts, who delivers deliverer.ts.
 */
import { randomUUID } from 'node:crypto'
import type { RecordStore } from '../records/record-store.js'
import { createGuardedPost, type GuardedPostParts } from '../trust/guarded-post.js'
import { createDeliverer, type DelivererParts } from './deliverer.js'
import { endpointOfDelivery, type FailedDelivery } from './delivery.js'
import type { WebhookEndpoint } from './endpoint.js'
import { createSender } from './sender.js'
import { createWebhookState, type EndpointState } from './webhook-state.js'

export interface WebhooksParts extends Omit<DelivererParts, 'send' | 'state'> {
  records: RecordStore
  network: GuardedPostParts
  /** The time limit of an attempt; tests shorten it. */
  attemptMs?: number
}

export interface EndpointOverview extends EndpointState {
  endpoint: WebhookEndpoint
  waiting: number
  failed: number
}

export type Webhooks = ReturnType<typeof createWebhooks>

export function createWebhooks({ records, network, attemptMs, ...parts }: WebhooksParts) {
  const { endpoints, clock } = parts
  const state = createWebhookState(records, clock)
  const send = createSender(createGuardedPost(network), clock, attemptMs)
  const deliverer = createDeliverer({ ...parts, state, send })
  const isThere = (endpointId: string) => endpoints.some(({ id }) => id === endpointId)

  return {
    ...deliverer,

    /** Every endpoint, how far it has come and what waits. */
    list(): Promise<EndpointOverview[]> {
      return Promise.all(
        endpoints.map(async (endpoint) => {
          const [kept, counts] = await Promise.all([state.state(endpoint.id), state.counts(endpoint.id)])
          return { endpoint, ...kept, ...counts }
        })
      )
    },

    /** What was given up, of all endpoints. */
    async failed(): Promise<FailedDelivery[]> {
      return (await Promise.all(endpoints.map(({ id }) => state.failed(id)))).flat()
    },

    /** Sends failed deliveries again, after what waits. Resolves to how many of them there were. */
    async resend(deliveryIds: readonly string[]): Promise<number> {
      const woken = new Set<string>()
      let resent = 0
      for (const deliveryId of deliveryIds) {
        const endpointId = endpointOfDelivery(deliveryId)
        if (!isThere(endpointId) || !(await state.resend(endpointId, deliveryId))) continue
        resent += 1
        woken.add(endpointId)
      }
      for (const endpointId of woken) await state.wake(endpointId, randomUUID(), false)
      return resent
    },

    /** Lets an endpoint go on that was stopped. Resolves to whether there is such an endpoint. */
    async resume(endpointId: string): Promise<boolean> {
      if (isThere(endpointId)) await state.wake(endpointId, randomUUID(), true)
      return isThere(endpointId)
    }
  }
}
