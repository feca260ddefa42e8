/** For tests that do not look at the audit trail: somebody who asks, and a trail that keeps nothing. */
import { type AuditTrail, createAuditTrail } from '../../src/core/audit/audit-trail.js'
import { BY_ITSELF } from '../../src/core/audit/event.js'
import { createMemoryEventStore } from '../../src/storage/memory/event-store.js'

export const BY = { ...BY_ITSELF, ip: '192.0.2.99' }

export const keptNowhere: AuditTrail = createAuditTrail({ store: createMemoryEventStore(0), clock: Date.now })
