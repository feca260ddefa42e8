/** What metrics and logs are told of the deliveries. */
import type { Gap } from './cursor.js'
import type { Attempted, Outcome } from './delivery.js'

/** Callbacks for metrics and logs. */
export interface WebhookEvents {
  webhookAttempted(endpointId: string, outcome: Outcome): void
  /** An endpoint fails, is stopped by 410, or takes events again. The code is that of the last attempt. */
  webhookTurned(endpointId: string, outcome: Outcome, code?: string): void
  webhookGivenUp(endpointId: string, deliveryId: string): void
  webhookGap(endpointId: string, gap: Gap): void
  /** The deliveries failed for another reason than a receiver or an unreachable storage. */
  webhooksFailed(error: unknown): void
}

/** An endpoint fails when so many attempts in a row did, so that one event that is not taken is not told each time. */
const FAILS_AT = 3

/** Makes the function that tells of an attempt at an endpoint, which may be stopped already. */
export function createTelling(endpointId: string, told: WebhookEvents) {
  let failures = 0

  return ({ outcome, code }: Attempted, isStopped: boolean): void => {
    told.webhookAttempted(endpointId, outcome)
    const failuresBefore = failures
    failures = outcome === 'delivered' ? 0 : failures + 1
    const isBackAgain = failures === 0 && failuresBefore >= FAILS_AT
    const isFirstGone = outcome === 'gone' && !isStopped
    if (failures === FAILS_AT || isBackAgain || isFirstGone) told.webhookTurned(endpointId, outcome, code)
  }
}

/** What the metrics say of one endpoint. */
export interface EndpointStatus {
  /** The time of the oldest event that it lacks. */
  oldestAtMs: number | undefined
  failed: number
  isStopped: boolean
}

/** What they say of all endpoints together. */
export function statusOf(endpoints: readonly EndpointStatus[], nowMs: number) {
  const ages = endpoints.map(({ oldestAtMs = nowMs }) => (nowMs - oldestAtMs) / 1000)
  return {
    oldestSeconds: Math.max(0, ...ages),
    failed: endpoints.reduce((sum, { failed }) => sum + failed, 0),
    stopped: endpoints.filter(({ isStopped }) => isStopped).length
  }
}
