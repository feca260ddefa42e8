/** What a user has approved, and the authorization that it makes: before its client collects it, and from then on. */
import { accessTokenTtlOf, type Client, type ClientType } from '../clients/client.js'
import { CLOCKS_DIFFER_MS } from '../clock.js'
import type { Standing } from '../users/user.js'
import type { Authorization } from './authorization.js'

/** What was approved: the client, its type, the scopes and resources it asked for, and the metadata it sent about itself. */
export interface ApprovedRequest {
  clientId: string
  clientType: ClientType
  scopes: readonly string[]
  resources?: readonly string[]
  /** Where a code was sent, on whose device the user approved. */
  redirectUri?: string
  metadata: { name?: string; version?: string; hostname?: string; os?: string }
}

/** Who approved it, and from which address. */
export interface Approval {
  userId: string
  authorizationId: string
  ip: string
  /**
   * The id of the user's last revocation of everything when they approved, '' if there was none. Undefined in a decision that an
   * instance of an older version has made.
   */
  revokedAllId?: string | undefined
  /** The scopes that were approved. Undefined if all were that the client asked for. */
  scopes?: readonly string[] | undefined
}

/** An approval that its client wants to collect. */
export interface Approved {
  request: ApprovedRequest
  decision: Approval
  /** When the grant was started. */
  createdAtMs: number
}

/** What an authorization is called at first: by its client or, without a word of it, by the system of the device that both are on. */
export function firstLabelOf({ redirectUri, metadata: { hostname, os } }: ApprovedRequest): string | undefined {
  return hostname ?? (redirectUri === undefined ? undefined : os)
}

/** The authorization that an approval makes; its client is undefined if the operator has removed it. */
export function authorizationOf(
  client: Client | undefined,
  request: ApprovedRequest,
  { userId, authorizationId: id, ip, scopes = request.scopes }: Approval,
  createdAtMs: number,
  times: Pick<Authorization, 'expiresAtMs' | 'awaitsCollection' | 'collectedAtMs' | 'lastUsedAtMs' | 'tokenLifeMs'>,
  statusIndex?: number
): Authorization {
  const { clientId, clientType, resources = [], metadata } = request
  return {
    id,
    userId,
    clientId,
    clientType,
    scopes,
    resources,
    name: client?.name ?? metadata.name,
    version: metadata.version,
    label: firstLabelOf(request),
    ipAtGrant: ip,
    createdAtMs,
    revokedAtMs: undefined,
    statusIndex,
    ...times
  }
}

/** The times of an authorization that waits for its client. */
export const awaiting = (lapsesAtMs: number) => ({
  expiresAtMs: lapsesAtMs,
  awaitsCollection: true,
  collectedAtMs: undefined,
  lastUsedAtMs: undefined,
  tokenLifeMs: undefined
})

/** The times of an authorization from its collection on, with a refresh token or without. */
export function collectedAt(client: Client, collectedAtMs: number, hasRefreshToken: boolean) {
  return {
    collectedAtMs,
    lastUsedAtMs: collectedAtMs,
    tokenLifeMs: accessTokenTtlOf(client, hasRefreshToken) * 1000,
    // Rounded down to a second, so that the record and the JWT's `exp` (a NumericDate) end at the same instant.
    expiresAtMs: (Math.floor(collectedAtMs / 1000) + client.authorizationTtlSeconds) * 1000
  }
}

/** Whether nobody has revoked everything of the user's since they approved. */
export function isInForce({ decision: { revokedAllId }, createdAtMs }: Approved, { revokedAll }: Standing): boolean {
  if (!revokedAll || revokedAllId === revokedAll.id) return true
  // The grant has the time of Redis, the revocation that of an instance.
  return revokedAllId === undefined && createdAtMs > revokedAll.atMs + CLOCKS_DIFFER_MS
}
