/** Sends one delivery to its endpoint, and says what became of the attempt. */
import type { Clock } from '../clock.js'
import { ForbiddenUrlError } from '../trust/guarded-fetch.js'
import type { GuardedPost } from '../trust/guarded-post.js'
import { ATTEMPT_MS, type Attempted, type Delivery, type Outcome } from './delivery.js'
import type { WebhookEndpoint } from './endpoint.js'
import { bodyOf } from './message.js'
import { signedHeaders } from './signature.js'

/** Makes one attempt, which ends when `ended` is aborted, too. Rejects with what is no error of the network, but a fault of our own. */
export type Send = (endpoint: WebhookEndpoint, delivery: Delivery, ended: AbortSignal) => Promise<Attempted>

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
      const status = await post(endpoint.url, { headers, body, isInternal: endpoint.isInternal, signal })
      return { outcome: outcomeOf(status) }
    } catch (error) {
      if (error instanceof ForbiddenUrlError) return { outcome: 'forbidden' }
      if (tooLong.aborted) return { outcome: 'timed_out' }
      return { outcome: 'unreachable', code: networkCodeOf(error) }
    }
  }
}

/** Errors of DNS, of sockets, of TLS and of HTTP have a code. So have those of wrong arguments, which are errors of a type or a range. */
function networkCodeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || error instanceof TypeError || error instanceof RangeError) throw error
  return code
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return 'delivered'
  if (status === 410) return 'gone'
  return status >= 300 && status < 400 ? 'redirected' : 'refused'
}
