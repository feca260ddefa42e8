/**
 * Whose entered code it is. A code belongs to the user who entered it, or to the visitor who enters it before signing in: the
 * next user of the same browser starts anew, and sees neither a half-entered code nor what somebody else decided.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BrowserSession } from '../../core/users/browser-session.js'
import type { Cookies, EnteredCode } from './cookies.js'
import { type Visit, type Visits, visitOf } from './visit.js'

export interface EnteredCodes {
  /** The code of whoever is here; undefined if there is none, or if somebody else entered it. */
  read(request: FastifyRequest): EnteredCode | undefined
  /** Keeps a code for whoever is here, in place of the one before. */
  keep(request: FastifyRequest, reply: FastifyReply, code: Omit<EnteredCode, 'owner'>): void
  forget(reply: FastifyReply): void
  /** At a sign-in: what the visitor has entered becomes the user's, theirs stays, and what anybody else has entered goes. */
  handOver(request: FastifyRequest, reply: FastifyReply, session: BrowserSession): void
}

const ofUser = ({ userId }: BrowserSession) => `user ${userId}`
const ownerOf = ({ session, visitor }: Visit) => (session ? ofUser(session) : visitor && `visitor ${visitor.id}`)

export function createEnteredCodes({ enteredCode }: Cookies, visits: Visits): EnteredCodes {
  function read(request: FastifyRequest): EnteredCode | undefined {
    const code = enteredCode.read(request)
    return code && code.owner === ownerOf(visitOf(request)) ? code : undefined
  }

  return {
    read,

    keep(request, reply, code) {
      const owner = ownerOf(visitOf(request)) ?? ownerOf(visits.remember(request, reply, {}))
      // The owner is there by now: somebody who was nobody yet has just become a visitor.
      enteredCode.set(reply, { ...code, owner: owner as string })
    },

    forget: (reply) => enteredCode.clear(reply),

    handOver(request, reply, session) {
      const [any, mine, owner] = [enteredCode.read(request), read(request), ofUser(session)]
      if (!any || any.owner === owner) return
      if (mine && visitOf(request).session === undefined) enteredCode.set(reply, { ...mine, owner })
      else enteredCode.clear(reply)
    }
  }
}
