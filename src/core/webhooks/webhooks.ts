/**
 * Webhooks: the events of the audit trail, sent to the endpoints of WEBHOOKS_FILE. This file is the door: the deliverer, and what an
 * operator sees and does. A delivery's attempt is sender.ts, its waiting endpoint-deliveries.ts, who delivers deliverer.ts.
 */
import { createGuardedPost, type GuardedPostParts } from '../trust/guarded-post.js'
import { createDeliverer, type DelivererParts } from './deliverer.js'
import { endpointOfDelivery, type FailedDelivery } from './delivery.js'
import type { WebhookEndpoint } from './endpoint.js'
import { createSender } from './sender.js'
import type { EndpointCounts, EndpointState } from './webhook-store.js'

export interface WebhooksParts extends Omit<DelivererParts, 'send'> {
  network: GuardedPostParts
  /** The time limit of an attempt; tests shorten it. */
  attemptMs?: number
}

export interface EndpointOverview extends EndpointState, EndpointCounts {
  endpoint: WebhookEndpoint
}

export type Webhooks = ReturnType<typeof createWebhooks>

/** How many are sent again in one step. */
const RESENT_AT_ONCE = 100

export function createWebhooks({ network, attemptMs, ...parts }: WebhooksParts) {
  const { endpoints, store, clock } = parts
  const deliverer = createDeliverer({ ...parts, send: createSender(createGuardedPost(network), clock, attemptMs) })

  async function resendOf(endpointId: string, ids: readonly string[]): Promise<number> {
    let resent = 0
    for (let from = 0; from < ids.length; from += RESENT_AT_ONCE) {
      resent += await store.resend(endpointId, ids.slice(from, from + RESENT_AT_ONCE))
    }
    return resent
  }

  return {
    ...deliverer,

    /** Every endpoint, how far it has come and what waits. */
    list(): Promise<EndpointOverview[]> {
      return Promise.all(
        endpoints.map(async (endpoint) => {
          const [state, counts] = await Promise.all([store.state(endpoint.id), store.counts(endpoint.id)])
          return { endpoint, ...state, ...counts }
        })
      )
    },

    /** What was given up, of all endpoints. */
    async failed(): Promise<FailedDelivery[]> {
      return (await Promise.all(endpoints.map(({ id }) => store.failed(id)))).flat()
    },

    /** Sends a failed delivery again. Resolves to whether there is such a one. */
    resend: async (deliveryId: string): Promise<boolean> =>
      (await store.resend(endpointOfDelivery(deliveryId), [deliveryId])) > 0,

    /** Sends all failed deliveries again. Resolves to how many there were. */
    async resendAll(): Promise<number> {
      let resent = 0
      for (const { id } of endpoints)
        resent += await resendOf(
          id,
          (await store.failed(id)).map((one) => one.id)
        )
      return resent
    },

    /** Lets an endpoint go on that was stopped. Resolves to whether there is such an endpoint. */
    async resume(endpointId: string): Promise<boolean> {
      if (endpoints.every(({ id }) => id !== endpointId)) return false
      await store.resume(endpointId)
      return true
    }
  }
}
