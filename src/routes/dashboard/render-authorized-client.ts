import type { AuthorizedClient as Answer } from '../../../schemas/generated/dashboard.js'
import type { Authorization } from '../../core/authorizations/authorization.js'
import type { Caller } from '../../core/callers/callers.js'

const isoTime = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())

/** An authorized client as this surface shows it; `is_current` marks the client that asks. */
export function renderAuthorizedClient(client: Authorization, caller: Caller): Answer {
  return {
    id: client.id,
    client_type: client.clientType,
    client_name: client.name ?? null,
    client_version: client.version ?? null,
    label: client.label ?? null,
    ip_at_grant: client.ipAtGrant,
    created_at: new Date(client.createdAtMs).toISOString(),
    expires_at: new Date(client.expiresAtMs).toISOString(),
    last_used_at: isoTime(client.lastUsedAtMs),
    revoked_at: isoTime(client.revokedAtMs),
    is_current: caller.kind === 'client' && caller.authorizationId === client.id
  }
}
