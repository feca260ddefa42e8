/**
 * Who entered a code: the user or, before signing in, the visitor. The next user of the same browser sees neither the code nor
 * the decision on it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { Cookies, EnteredCode } from './cookies.js'
import { type Visit, type Visits, visitOf } from './visit.js'

export interface EnteredCodes {
  /** The code of this user or visitor; undefined if there is none or somebody else entered it. */
  read(request: FastifyRequest): EnteredCode | undefined
  /** Keeps a code for this user or visitor, in place of the former one. */
  keep(request: FastifyRequest, reply: FastifyReply, code: Omit<EnteredCode, 'owner'>): void
  forget(reply: FastifyReply): void
  /** At a sign-in: the visitor's code becomes the user's, the user's own code stays, and anybody else's is deleted. */
  handOver(request: FastifyRequest, reply: FastifyReply, session: BrowserSession): void
}

const ofUser = ({ userId }: BrowserSession) => `user ${userId}`
const whoIs = ({ session, visitor }: Visit) => (session ? ofUser(session) : visitor && `visitor ${visitor.id}`)

export function createEnteredCodes({ enteredCode }: Cookies, visits: Visits): EnteredCodes {
  function read(request: FastifyRequest): EnteredCode | undefined {
    const code = enteredCode.read(request)
    return code && code.owner === whoIs(visitOf(request)) ? code : undefined
  }

  return {
    read,

    keep(request, reply, code) {
      const who = whoIs(visitOf(request)) ?? whoIs(visits.remember(request, reply, {}))
      // There is somebody by now, because a newcomer has just been made a visitor.
      enteredCode.set(reply, { ...code, owner: who as string })
    },

    forget: (reply) => enteredCode.clear(reply),

    handOver(request, reply, session) {
      const [any, mine, user] = [enteredCode.read(request), read(request), ofUser(session)]
      if (!any || any.owner === user) return
      if (mine && visitOf(request).session === undefined) enteredCode.set(reply, { ...mine, owner: user })
      else enteredCode.clear(reply)
    }
  }
}
