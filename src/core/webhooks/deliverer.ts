/**
 * One deliverer among all instances. The lead is a lease that is kept while this instance is well; whoever has it delivers to all
 * endpoints, each at its own pace, in small steps with rests. A leader whose lease has ended breaks off what is under way, one that was
 * paused as soon as it wakes, and what it still writes is refused by its fencing token.
 */
import { randomUUID } from 'node:crypto'
import { isFault } from '../fault.js'
import type { LockStore } from '../records/record-store.js'
import type { WebhookEndpoint } from './endpoint.js'
import { createEndpointDeliveries, type EndpointDeliveries, type EndpointParts } from './endpoint-deliveries.js'
import { createLease } from './lease.js'
import { statusOf } from './telling.js'

/** After the death of a leader another one begins so much later, at most, and a little. */
export const LEASE_MS = 10_000
/** So often in a lease it is renewed. */
const RENEWALS = 4
/** No attempt begins in the last part of a lease: it would be broken off. */
const MARGIN = 0.2
const REST_MS = 500
const SHORT_REST_MS = 20

type Shared = Pick<EndpointParts, 'state' | 'trail' | 'send' | 'clock' | 'told'>

/** The name of the lock that whoever leads has. */
const LEAD = 'webhooks'

export interface DelivererParts extends Shared {
  endpoints: readonly WebhookEndpoint[]
  locks: LockStore
  /** Tests shorten it. */
  leaseMs?: number | undefined
}

interface Lead {
  deliveries: Map<string, EndpointDeliveries>
  /** Another instance may lead. */
  hasLapsed: boolean
  isOver: boolean
}

export function createDeliverer({ endpoints, locks, leaseMs = LEASE_MS, ...shared }: DelivererParts) {
  const { clock, told } = shared
  const holder = randomUUID()
  const beginsAtMs = clock()
  const lease = createLease(leaseMs, clock, lapse)
  let lead: Lead | undefined
  let timer: NodeJS.Timeout | undefined
  let asking: Promise<void> | undefined
  let isStopped = false

  function begin(): void {
    const mine: Lead = { deliveries: new Map(), hasLapsed: false, isOver: false }
    lead = mine
    const isLeading = () => {
      if (lease.leftMs() <= 0) lapse()
      return !mine.isOver && !mine.hasLapsed && lease.leftMs() > leaseMs * MARGIN
    }
    const lost = () => void leave(mine)
    for (const endpoint of endpoints) {
      const parts = { ...shared, endpoint, leader: holder, isLeading, lost, beginsAtMs }
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

  /** The lease has ended: what is under way would be sent beside another leader. What came of the rest is saved if the lead is found again. */
  function lapse(): void {
    if (!lead || lead.hasLapsed) return
    lead.hasLapsed = true
    for (const deliveries of lead.deliveries.values()) deliveries.breakOff()
    // Who was suspended need not wait for the next renewal.
    if (!isStopped) askOnce()
  }

  async function ask(): Promise<void> {
    const askedAt = lease.now()
    try {
      const isMine = await locks.acquire(LEAD, holder, leaseMs)
      if (lease.leftMs() <= 0) lapse()
      if (isMine) lease.renew(askedAt)
      // Another instance may have led meanwhile, so that what this one knows is old.
      if (lead && (!isMine || lead.hasLapsed)) await leave(lead)
      if (isMine && !lead && !isStopped) begin()
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
      timer ??= setInterval(askOnce, leaseMs / RENEWALS).unref()
      askOnce()
    },

    /** Ends what is under way, saves it, and lets another instance lead. */
    async stop(): Promise<void> {
      isStopped = true
      if (!timer) return
      clearInterval(timer)
      lease.forget()
      await asking
      if (lead) await leave(lead)
      await locks.release(LEAD, holder).catch((error) => {
        // The lease ends by itself.
        if (!isFault(error)) throw error
      })
    },

    isLeader: () => lead !== undefined,

    /** What the metrics say, of the endpoints that this instance delivers to. */
    status: () =>
      statusOf(
        [...(lead?.deliveries.values() ?? [])].map(({ status }) => status()),
        clock()
      )
  }
}
