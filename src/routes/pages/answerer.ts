/** Who looks at a question, as the rules of the operator see them, and what is said where these do not let them answer. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answerer } from '../../core/grants/admission.js'
import type { App } from '../app.js'
import type { EnteredCodes } from './entered-code.js'
import { seeOther, sendPage } from './page.js'
import { RefusedByRule } from './views/refused-by-rule.js'
import { byOf, sessionOf, type Visits, visitOf } from './visit.js'

export function answererOf(app: App, request: FastifyRequest): Answerer {
  const { userId, isReauthenticated, signedInAtMs, authenticatedAtMs } = sessionOf(request)
  return {
    ...{ ...byOf(app, request), userId, place: app.whereabouts.location(request) },
    // As where a session is judged to be fresh (visit.ts): the clock of an upstream may be behind.
    provedAtMs: isReauthenticated ? signedInAtMs : authenticatedAtMs
  }
}

/** Says that a rule has refused what a device asks for. It is denied by now. */
export function sendRefused(
  codes: EnteredCodes,
  request: FastifyRequest,
  reply: FastifyReply,
  { say }: { say?: string }
): FastifyReply {
  codes.forget(reply)
  return sendPage(reply.code(403), RefusedByRule, { visit: visitOf(request), say })
}

/** Sends a user whom a rule wants to sign in once more to do so, and back to the question of a device. */
export function signInAgain(visits: Visits, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const visit = visits.remember(request, reply, { destination: 'consent', reauthenticates: true })
  return seeOther(reply, visit, '/login')
}
