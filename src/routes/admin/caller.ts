/** Who asks: an API key with the right to what it asks for, which may make as many requests an hour as one of the tokens API. */
import type { FastifyRequest } from 'fastify'
import type { ApiKeyRight } from '../../core/api-keys/api-key.js'
import type { Actor, Origin } from '../../core/audit/event.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose API key the request brought, as the audit trail calls it; null where none is asked for. */
    adminActor: Actor | null
  }
}

export function authenticateOperator(app: App, right: ApiKeyRight) {
  return async (request: FastifyRequest): Promise<void> => {
    const text = request.bearerToken()
    if (text === undefined) throw fault('unauthenticated')
    const { owner, id } = await app.core.callers.identifyApiKey(text, right)
    await app.limits.perApiKey(request, id)
    request.adminActor = `api-key:${owner}/${id}`
  }
}

/** What the core found. What is not there is 404. */
export function found<T>(answer: T | undefined): T {
  if (answer === undefined) throw fault('not_found')
  return answer
}

/** Who changes something, and from where, for the audit trail. */
export function originOf(app: App, request: FastifyRequest): Origin {
  if (request.adminActor === null)
    throw fault('internal', { detail: 'a route reads its caller without asking for one' })
  return app.whereabouts.origin(request, request.adminActor)
}
