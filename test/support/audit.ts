/** The audit trail in tests: somebody who asks, a trail that keeps nothing, and reading what one has. */
import type { FastifyInstance } from 'fastify'
import { type AuditTrail, createAuditTrail } from '../../src/core/audit/audit-trail.js'
import { type AuditEvent, BY_ITSELF } from '../../src/core/audit/event.js'
import { createMemoryEventStore } from '../../src/storage/memory/event-store.js'

/** Where a test does not look at who asks. */
export const BY = { ...BY_ITSELF, ip: '192.0.2.99' }

export const keptNowhere: AuditTrail = createAuditTrail({ store: createMemoryEventStore(0), clock: Date.now })

/** All events that are kept, the oldest first. */
export async function eventsOf({ storage }: FastifyInstance): Promise<AuditEvent[]> {
  const all: AuditEvent[] = []
  for (let id: string | undefined; ; ) {
    const { events, next } = await storage.events.after(id, 200)
    all.push(...events)
    if (next === undefined) return all
    id = next
  }
}
