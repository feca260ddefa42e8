/** Sends one delivery to its endpoint, and says what became of the attempt. */
import type { Clock } from '../clock.js'
import { ForbiddenUrlError } from '../trust/guarded-fetch.js'
import type { GuardedPost } from '../trust/guarded-post.js'
import { ATTEMPT_MS, type Delivery, type Outcome } from './delivery.js'
import type { WebhookEndpoint } from './endpoint.js'
import { bodyOf } from './message.js'
import { signedHeaders } from './signature.js'

/** Makes one attempt, which ends when `ended` is aborted, too. Never rejects. */
export type Send = (endpoint: WebhookEndpoint, delivery: Delivery, ended: AbortSignal) => Promise<Outcome>

export function createSender(post: GuardedPost, clock: Clock, withinMs = ATTEMPT_MS): Send {
  return async (endpoint, { id, event }, ended) => {
    const body = bodyOf(event)
    const headers = {
      'content-type': 'application/json',
      ...signedHeaders(endpoint.secrets, { id, atMs: clock(), body })
    }
    const tooLong = AbortSignal.timeout(withinMs)
    try {
      const signal = AbortSignal.any([tooLong, ended])
      return outcomeOf(await post(endpoint.url, { headers, body, isInternal: endpoint.isInternal, signal }))
    } catch (error) {
      if (error instanceof ForbiddenUrlError) return 'forbidden'
      return tooLong.aborted ? 'timed_out' : 'unreachable'
    }
  }
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return 'delivered'
  if (status === 410) return 'gone'
  return status >= 300 && status < 400 ? 'redirected' : 'refused'
}
