/** What the revocation feed is told of an authorization: above all how long its tokens may live. */
import { accessTokenTtlOf, type Client } from '../clients/client.js'
import { type Authorization, isRefreshable } from './authorization.js'
import type { Announcement } from './revocation-store.js'

/** The time in which clocks differ and a request is under way: a token may be signed by so much after its revocation. */
const LATE_MS = 60_000

/**
 * When the last access token ends that anybody can have got of an authorization. If not all is known of it, its tokens may live as
 * long as itself: the client may have gone, or have had tokens of another life when they were signed.
 */
function tokensEndAtMs(authorization: Authorization, client: Client | undefined, nowMs: number): number {
  const { expiresAtMs, tokenLifeMs, awaitsCollection } = authorization
  const notedMs = awaitsCollection ? 0 : tokenLifeMs
  if (notedMs === undefined || !client) return expiresAtMs
  // How what awaits its collection will be collected is not known: the dashboard API takes no refresh token.
  const lifeMs = accessTokenTtlOf(client, !awaitsCollection && isRefreshable(authorization)) * 1000
  const endsAtMs = nowMs + Math.max(notedMs, lifeMs) + LATE_MS
  // What awaits its collection ends at another time once it is collected.
  return awaitsCollection ? endsAtMs : Math.min(expiresAtMs, endsAtMs)
}

export function announcementFor(authorization: Authorization, client: Client | undefined, nowMs: number): Announcement {
  const { userId, id: authorizationId, statusIndex } = authorization
  const untilMs = tokensEndAtMs(authorization, client, nowMs)
  return { userId, authorizationId, revokedAtMs: nowMs, untilMs, statusIndex }
}
