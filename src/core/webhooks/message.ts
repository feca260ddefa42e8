/** What a receiver gets: the type and the time of an event, and the event as it is told everywhere. */
import { type AuditEvent, wireFormOf } from '../audit/event.js'

/** The body of a message, which is the same in every attempt. */
export function bodyOf(event: AuditEvent): string {
  return JSON.stringify({ type: event.type, timestamp: new Date(event.atMs).toISOString(), data: wireFormOf(event) })
}
