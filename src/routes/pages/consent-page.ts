/** The consent page, with the question of a device. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../../core/clients/client.js'
import type { GrantRequest } from '../../core/grants/grant.js'
import type { App } from '../app.js'
import { answererOf, sendRefused, signInAgain } from './answerer.js'
import { namesShown, optionalOf, sealTicket } from './consent-ticket.js'
import type { EnteredCodes } from './entered-code.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { Consent } from './views/consent.js'
import { DecisionResult } from './views/decision-result.js'
import { byOf, sessionOf, userIdOf, visitOf } from './visit.js'

interface Question {
  userCode: string
  linked: boolean
  grant: { request: GrantRequest; createdAtMs: number; warnings: readonly string[] }
  client: Client
  /** The boxes that were not ticked before. */
  leftOut?: readonly string[]
  problem?: string
}

export function sendConsent(app: App, request: FastifyRequest, reply: FastifyReply, question: Question): FastifyReply {
  const { userCode, linked, grant, client, leftOut = [], problem } = question
  const session = sessionOf(request)
  const { whereabouts } = app
  const { signIn } = app.core
  const { resources, shown } = namesShown(client, grant.request.resources)
  const optional = optionalOf(client, grant.request.scopes)
  const ticket = sealTicket(app, session, {
    ...{ userCode, linked, clientId: client.id, clientName: client.name },
    ...(resources.length > 0 && { resources: shown }),
    ...(optional.length > 0 && { optional })
  })
  return sendPage(reply, Consent, {
    visit: visitOf(request),
    request: grant.request,
    createdAtMs: grant.createdAtMs,
    warnings: grant.warnings,
    client,
    resources,
    optional,
    leftOut,
    userCode,
    linked,
    here: { ip: whereabouts.ip(request), location: whereabouts.location(request) },
    ticket,
    userName: session.name,
    upstreamName: session.upstreamId && signIn.upstream(session.upstreamId)?.name,
    ...(problem !== undefined && { problem })
  })
}

/** Says that the client has withdrawn its request. Only a user who was shown the question is told; an entered code never is. */
export function sendWithdrawn(codes: EnteredCodes, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  codes.forget(reply)
  return sendPage(reply.code(409), DecisionResult, { visit: visitOf(request), result: 'withdrawn' })
}

/** GET /device/confirm: the consent page, with the client, the scopes and the requester's location. */
export function showConsent({ app, visits, codes }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/device/confirm',
    onRequest: [visits.requireFreshSession('consent'), app.limits.perUser('peek', userIdOf)],
    handler: async (request, reply): Promise<FastifyReply> => {
      const visit = visitOf(request)
      const entered = codes.read(request)
      // A code from a link must be submitted with the form first, so that the user compares it. After a decision the back
      // button leads here, where nothing is left to decide.
      if (!entered || (entered.linked && !entered.isEntered) || entered.result) return seeOther(reply, visit, '/device')
      const { userCode, linked, isEntered } = entered
      const peek = () => app.core.grants.peek(userCode, answererOf(app, request))
      // The first lookup of a code that was typed before signing in counts as a guess.
      const outcome = isEntered ? await peek() : await app.limits.guess(request, userIdOf(request), peek)
      switch (outcome.kind) {
        case 'pending': {
          const { client, grantId, clientId } = outcome
          if (!client) return refuse(request, reply)
          if (!isEntered) codes.keep(request, reply, { userCode, linked, isEntered: true })
          if (outcome.isProofDue) return signInAgain(visits, request, reply)
          await app.core.grants.shown({ grantId, clientId }, userIdOf(request), byOf(app, request))
          return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client })
        }
        case 'refused':
          return sendRefused(codes, request, reply, outcome)
        case 'withdrawn':
          return isEntered ? sendWithdrawn(codes, request, reply) : refuse(request, reply)
        case 'resolved':
        case 'unknown':
          return refuse(request, reply)
      }
    }
  })

  function refuse(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    codes.forget(reply)
    return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
  }
}
