/** Whose request it is: an API key with the right to it names its owner (RFC 6750 §2.1), and may make so many an hour. */
import type { FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'
import type { TokenSources } from '../../core/issuers/workload-tokens.js'
import type { App } from '../app.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose API key the request brought; null where none is asked for. */
    owner: string | null
    /** What a token is made of, where it was read with the API key. */
    tokenSources: TokenSources | null
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

/** The same for a token, which is asked for so often that everything it needs is read at once. */
export function authenticateMinting(app: App) {
  const { core, limits } = app
  return async (request: FastifyRequest): Promise<void> => {
    const text = request.bearerToken()
    if (text === undefined) throw fault('unauthenticated')
    const { providerId, clientId } = request.params as Record<'providerId' | 'clientId', string>
    const look = core.workloadTokens.look(providerId, clientId, limits.windowOfApiKey)
    const key = await core.callers.identifyApiKey(text, 'tokens', look.readKey)
    if (look.hit) limits.judgeApiKey(look.hit)
    else await limits.perApiKey(request, key.id)
    request.owner = key.owner
    // While a body is waited for, the issuer may be deleted: then it is read again.
    if (request.raw.complete) request.tokenSources = look.sources
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
