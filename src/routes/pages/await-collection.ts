/**
 * Waits for the client to collect what was just approved, so that the result page can say that the device has it. It
 * reads the authorization a few times within two seconds, only while the user waits for this page.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthorizationStanding } from '../../core/authorizations/authorizations.js'
import type { App } from '../app.js'

/** The pauses in milliseconds between the reads. A client with a held poll collects at once, other clients within seconds. */
const PAUSES_MS = [100, 200, 300, 600, 800]
/** Caps the waiting pages, because each counts as a request under way. Beyond the cap a page reads only once. */
const MOST_WAITING = 200

export type AwaitCollection = (
  request: FastifyRequest,
  reply: FastifyReply,
  approval: { userId: string; authorizationId: string }
) => Promise<AuthorizationStanding>

/**
 * Resolves to the standing of an approval: at once unless it is `awaited`, otherwise when it changes or after two seconds.
 */
export function createAwaitCollection(app: App, waits: boolean): AwaitCollection {
  const pausesMs = waits ? PAUSES_MS : []
  let waiting = 0

  return async (request, reply, { userId, authorizationId }) => {
    const look = () => app.withinTimeLimit(request, app.core.authorizations.standingOf(userId, authorizationId))
    const first = await look()
    if (first !== 'awaited' || waiting >= MOST_WAITING) return first
    const gone = new AbortController()
    const onClose = () => gone.abort()
    reply.raw.once('close', onClose)
    waiting += 1
    try {
      for (const ms of pausesMs) {
        await pause(ms, gone.signal)
        if (gone.signal.aborted) break
        if (app.readiness.isDraining()) {
          reply.header('connection', 'close')
          break
        }
        const standing = await look()
        if (standing !== 'awaited') return standing
      }
      return first
    } finally {
      waiting -= 1
      reply.raw.off('close', onClose)
    }
  }
}

/** Resolves after the time, or at once when the browser disconnects. */
function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      gone.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    gone.addEventListener('abort', end, { once: true })
  })
}
