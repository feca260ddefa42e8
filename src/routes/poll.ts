/** One poll of a grant over HTTP, the same on both surfaces; only what they make of its outcome differs. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PollOutcome } from '../core/grants/grant.js'
import type { App } from './app.js'
import { readWaitSeconds } from './prefer.js'

/** Polls, held for as long as the client prefers (RFC 7240), and sets the headers that say so. */
export function pollGrant(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  grantCode: string,
  clientTag: string
): Promise<PollOutcome> {
  const { prefer } = request.headers
  const seconds = typeof prefer === 'string' ? readWaitSeconds(prefer) : undefined
  if (seconds) return pollAndWait(app, reply, grantCode, clientTag, seconds)
  return app.core.grants.poll(grantCode, clientTag)
}

/** A poll that brings nothing new, of which thousands of waiting clients make one every few seconds: nothing to report. */
export function isRoutine({ kind }: PollOutcome): boolean {
  return kind === 'pending' || kind === 'slow_down'
}

async function pollAndWait(app: App, reply: FastifyReply, grantCode: string, clientTag: string, seconds: number) {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const wait = { seconds, gone: gone.signal }
  const { outcome, waitSeconds } = await app.core.grants.pollAndWait(grantCode, clientTag, wait)
  if (waitSeconds !== undefined) reply.header('preference-applied', `wait=${waitSeconds}`)
  // When the request came, nobody knew yet.
  if (app.readiness.isDraining()) reply.header('connection', 'close')
  return outcome
}
