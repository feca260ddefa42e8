/** app.authenticate: the hook in front of everything that needs to know its caller (RFC 6750 §2.1). */
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Caller } from '../src/core/callers/callers.js'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Lets in a user, or where it says so a client of theirs as well; a client is otherwise forbidden. A hook, or called where
     * more is known.
     */
    authenticate(who: 'user' | 'user-or-client'): (request: FastifyRequest) => Promise<void>
  }
  interface FastifyRequest {
    caller: Caller | null
  }
}

export const authentication = fp(
  async (app) => {
    const { callers } = app.core
    app.decorateRequest('caller', null)
    app.decorate('authenticate', (who: 'user' | 'user-or-client') => async (request: FastifyRequest) => {
      const token = bearerTokenOf(request)
      if (token === undefined) throw fault('unauthenticated')
      const caller = await callers.identify(token)
      if (!caller) throw fault('invalid_token')
      if (caller.kind === 'client' && who === 'user') throw fault('forbidden', { detail: 'a client JWT' })
      request.caller = caller
    })
  },
  { name: 'authentication', dependencies: ['core'] }
)

/** What a request authenticates itself with. Two headers could mean two callers, so they are refused. */
export function authorizationOf({ raw, headers }: FastifyRequest): string | undefined {
  if (headers.authorization === undefined) return undefined
  const names = raw.rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'authorization')
  if (names.length > 1) throw fault('invalid_request', { hint: 'There is more than one Authorization header' })
  return headers.authorization
}

/** The bearer token of a request (RFC 6750 §2.1), if it brings one. */
export function bearerTokenOf(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorizationOf(request) ?? '')?.[1]
}

/** The caller behind an authenticated route. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw fault('internal', { detail: 'a route reads its caller without asking for one' })
  return request.caller
}
