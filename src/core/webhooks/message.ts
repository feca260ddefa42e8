/** What a receiver gets: the type and the time of an event, and the event as it is told everywhere. */
import type { AuditEvent } from '../audit/event.js'

/** The body of a message, which is the same in every attempt. */
export function bodyOf(event: AuditEvent): string {
  return JSON.stringify({ type: event.type, timestamp: new Date(event.atMs).toISOString(), data: wireOf(event) })
}

function wireOf(event: AuditEvent) {
  return {
    ...{ id: event.id, at: new Date(event.atMs).toISOString(), type: event.type, actor: event.actor },
    ...{ user_id: event.userId, client_id: event.clientId, authorization_id: event.authorizationId },
    ...{ grant_id: event.grantId, ip: event.ip, location: event.location, detail: event.detail }
  }
}
