/** Whose request it is: an API key with the right to it names its owner (RFC 6750 §2.1), and may make so many an hour. */
import type { FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose API key the request brought; null where none is asked for. */
    owner: string | null
  }
}

export function authenticateOwner(app: App) {
  return async (request: FastifyRequest): Promise<void> => {
    const text = request.bearerToken()
    if (text === undefined) throw fault('unauthenticated')
    const key = await app.core.callers.identifyApiKey(text, 'tokens')
    await app.limits.perApiKey(request, key.id)
    request.owner = key.owner
  }
}

export function ownerOf(request: FastifyRequest): string {
  if (request.owner === null) throw fault('internal', { detail: 'a route reads its account without asking for one' })
  return request.owner
}

/** What the core found for an owner. What is not there is 404, and so is what belongs to somebody else. */
export function found<T>(answer: T | false | undefined): T {
  if (answer === undefined || answer === false) throw fault('not_found')
  return answer
}
