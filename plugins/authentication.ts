/** What a request authenticates itself with, and app.authenticate: the hook in front of everything that must know its caller. */
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Caller } from '../src/core/callers/callers.js'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Makes the hook that lets in a user, or where it says so a client of theirs as well; a client is otherwise `forbidden`.
     * Rejects with `unauthenticated` or `invalid_token` (RFC 6750 §3.1).
     */
    authenticate(who: 'user' | 'user-or-client'): (request: FastifyRequest) => Promise<void>
  }
  interface FastifyRequest {
    /** Set by `authenticate`. */
    caller: Caller | null
    /** The caller behind `authenticate`. */
    authenticatedCaller(): Caller
    /** The Authorization header. Throws `invalid_request` if there are two, for they could mean two callers. */
    authorization(): string | undefined
    /**
     * The token of the Authorization header, if it brings one (RFC 6750 §2.1). Throws `invalid_request` if there is another one in
     * the query, or in the body if that has been read: a token must not come in two ways (§2).
     */
    bearerToken(): string | undefined
  }
}

const BEARER = /^Bearer +(\S+)$/i

export const authentication = fp(
  async (app) => {
    const { callers } = app.core
    app.decorateRequest('caller', null)

    app.decorateRequest('authenticatedCaller', function (this: FastifyRequest) {
      if (!this.caller) throw fault('internal', { detail: 'a route reads its caller without asking for one' })
      return this.caller
    })

    app.decorateRequest('authorization', function (this: FastifyRequest) {
      const { raw, headers } = this
      if (headers.authorization === undefined) return undefined
      const names = raw.rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'authorization')
      if (names.length > 1) throw fault('invalid_request', { hint: 'There is more than one Authorization header' })
      return headers.authorization
    })

    app.decorateRequest('bearerToken', function (this: FastifyRequest) {
      const token = BEARER.exec(this.authorization() ?? '')?.[1]
      const places = [this.query, this.body]
      if (token !== undefined && places.some((place) => Object.hasOwn(place ?? {}, 'access_token'))) {
        throw fault('invalid_request', { hint: 'The access token is there more than once' })
      }
      return token
    })

    app.decorate('authenticate', (who) => {
      const identify = who === 'user' ? callers.identifyUser : callers.identify
      return async (request) => {
        const token = request.bearerToken()
        if (token === undefined) throw fault('unauthenticated')
        request.caller = await identify(token)
      }
    })
  },
  { name: 'authentication', dependencies: ['core'] }
)
