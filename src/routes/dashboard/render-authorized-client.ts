import type { AuthorizedClient } from '../../../schemas/generated/dashboard.js'
import type { Authorization } from '../../core/authorizations/authorization.js'
import type { Caller } from '../../core/callers/callers.js'

const isoTime = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())

/** An authorization as this surface shows it (the wire's authorized client); `is_current` marks the one that asks. */
export function renderAuthorizedClient(authorization: Authorization, caller: Caller): AuthorizedClient {
  return {
    id: authorization.id,
    client_type: authorization.clientType,
    client_name: authorization.name ?? null,
    client_version: authorization.version ?? null,
    label: authorization.label ?? null,
    ip_at_grant: authorization.ipAtGrant,
    created_at: new Date(authorization.createdAtMs).toISOString(),
    expires_at: new Date(authorization.expiresAtMs).toISOString(),
    last_used_at: isoTime(authorization.lastUsedAtMs),
    revoked_at: isoTime(authorization.revokedAtMs),
    is_current: caller.kind === 'client' && caller.authorizationId === authorization.id
  }
}
