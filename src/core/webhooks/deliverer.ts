/**
 * One deliverer among all instances. The lead is a lease that is kept while this instance is well; whoever has it delivers to all
 * endpoints, each at its own pace, in small steps with rests. A leader that was paused begins nothing when it wakes, and what it still
 * writes is refused by its fencing token.
 */
import { randomUUID } from 'node:crypto'
import { isFault } from '../fault.js'
import type { WebhookEndpoint } from './endpoint.js'
import { createEndpointDeliveries, type EndpointDeliveries, type EndpointParts } from './endpoint-deliveries.js'

/** After the death of a leader another one begins so much later, at most, and a little. */
export const LEASE_MS = 10_000
const RENEW_EVERY_MS = 2_500
/** No attempt begins in the last part of a lease: it would be under way when another instance leads. */
const MARGIN_MS = 2_000
const REST_MS = 500
const SHORT_REST_MS = 20

type Shared = Pick<EndpointParts, 'store' | 'trail' | 'send' | 'clock' | 'told'>

export interface DelivererParts extends Shared {
  endpoints: readonly WebhookEndpoint[]
}

interface Lead {
  token: number
  deliveries: Map<string, EndpointDeliveries>
  isOver: boolean
}

export type Deliverer = ReturnType<typeof createDeliverer>

export function createDeliverer({ endpoints, ...shared }: DelivererParts) {
  const { store, clock, told } = shared
  const holder = randomUUID()
  const beginsAtMs = clock()
  let lead: Lead | undefined
  /** By the clock of this process, which goes on while it is paused. */
  let leadsUntil = 0
  let timer: NodeJS.Timeout | undefined
  let asking: Promise<void> | undefined
  let isStopped = false

  function begin(token: number): void {
    const mine: Lead = { token, deliveries: new Map(), isOver: false }
    lead = mine
    const isLeading = () => !mine.isOver && performance.now() < leadsUntil - MARGIN_MS
    for (const endpoint of endpoints) {
      const lost = () => void leave(mine)
      const parts = { ...shared, endpoint, token, isLeading, lost, beginsAtMs }
      const deliveries = createEndpointDeliveries(parts)
      mine.deliveries.set(endpoint.id, deliveries)
      void run(mine, deliveries)
    }
  }

  /** Takes step after step for one endpoint, so that none waits for another. */
  async function run(mine: Lead, deliveries: EndpointDeliveries): Promise<void> {
    while (!mine.isOver) {
      let isMore = false
      try {
        isMore = await deliveries.step()
      } catch (error) {
        if (!isFault(error)) told.webhooksFailed(error)
      }
      await new Promise((resolve) => setTimeout(resolve, isMore ? SHORT_REST_MS : REST_MS).unref())
    }
  }

  async function leave(mine: Lead): Promise<void> {
    mine.isOver = true
    if (lead === mine) lead = undefined
    await Promise.all([...mine.deliveries.values()].map((deliveries) => deliveries.end()))
  }

  async function ask(): Promise<void> {
    const askedAt = performance.now()
    try {
      const token = await store.lead(holder, LEASE_MS)
      if (token !== undefined) leadsUntil = askedAt + LEASE_MS
      if (lead && lead.token !== token) await leave(lead)
      if (token !== undefined && !lead && !isStopped) begin(token)
    } catch (error) {
      // While the storage is away nobody can take the lead, and nothing can be read either.
      if (!isFault(error)) told.webhooksFailed(error)
    }
  }

  function askOnce(): void {
    asking ??= ask().finally(() => {
      asking = undefined
    })
  }

  return {
    start(): void {
      timer ??= setInterval(askOnce, RENEW_EVERY_MS).unref()
      askOnce()
    },

    /** Ends what is under way, saves it, and lets another instance lead. */
    async stop(): Promise<void> {
      isStopped = true
      clearInterval(timer)
      await asking
      const mine = lead
      if (!mine) return
      await leave(mine)
      await store.resign(holder).catch((error) => {
        // The lease ends by itself.
        if (!isFault(error)) throw error
      })
    },

    isLeader: () => lead !== undefined,

    /** What the metrics say, of the endpoints that this instance delivers to. */
    status() {
      const all = [...(lead?.deliveries.values() ?? [])].map((deliveries) => deliveries.status())
      const oldest = Math.min(...all.map(({ oldestAtMs = Number.POSITIVE_INFINITY }) => oldestAtMs))
      return {
        oldestSeconds: Number.isFinite(oldest) ? Math.max(0, (clock() - oldest) / 1000) : 0,
        failed: all.reduce((sum, { failed }) => sum + failed, 0),
        stopped: all.filter(({ isStopped: is }) => is).length
      }
    }
  }
}
