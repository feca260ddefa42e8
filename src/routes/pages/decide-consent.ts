import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oneOf } from '../../../schemas/config.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { fault } from '../../core/fault.js'
import { answererOf, sendRefused, signInAgain } from './answerer.js'
import { sendConsent, sendWithdrawn } from './consent-page.js'
import { isAsShown, openTicket, type Ticket } from './consent-ticket.js'
import { formOf, type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { sessionOf, userIdOf, visitOf } from './visit.js'

const Decision = formOf({
  ticket: Type.String(),
  action: oneOf(['approve', 'deny']),
  /** The check box that confirms the codes are equal. It makes approving two clicks, which clickjacking cannot get with one. */
  same: Type.Optional(Type.Literal('yes')),
  /** The optional scopes that are ticked. */
  scope: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]))
})

/** POST /device/confirm: approves or denies the grant that the ticket names. */
export function decideConsent({ app, visits, codes }: PageParts): void {
  const limitUser = app.limits.perUser('approve', userIdOf)

  app.route({
    method: 'POST',
    url: '/device/confirm',
    schema: { body: Decision },
    onRequest: [app.limits.perAddress('approve'), visits.requireFreshSession('consent'), limitUser],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply): Promise<FastifyReply> => {
      const { action, same, scope: ticked = [] } = request.body
      const session = sessionOf(request)
      const ticket = openTicket(app, session, request.body.ticket)
      if (!ticket) throw fault('forbidden', { detail: 'a ticket of another session' })
      const { consent } = visitOf(request).texts
      const client = app.core.clients.find(ticket.clientId)
      if (!client) return refuse(request, reply)
      const { userCode, linked, optional = [] } = ticket
      const leftOut = optional.filter((scope) => ![ticked].flat().includes(scope))
      const ask = (status: number, problem: string) =>
        askAgain(request, reply.code(status), { ticket, leftOut, problem })
      if (!isAsShown(ticket, client)) return ask(409, consent.changed)
      if (action === 'approve' && same !== 'yes') return ask(400, consent.confirmMissing)
      const by = { ...answererOf(app, request), leftOut }
      const outcome = await app.core.grants.decide(userCode, action, by)
      switch (outcome.kind) {
        case 'decided': {
          const result = action === 'approve' ? 'approved' : 'denied'
          const { authorizationId: authorizedClientId } = outcome
          const approved = authorizedClientId && { authorizedClientId }
          codes.keep(request, reply, { userCode, linked, result, ...approved })
          return seeOther(reply, visitOf(request), '/device/done')
        }
        case 'blocked':
          throw fault('user_blocked')
        case 'refused':
          return sendRefused(codes, request, reply, outcome)
        case 'unproved':
          return signInAgain(visits, request, reply)
        case 'full':
          return ask(409, consent.tooMany(MOST_ACTIVE))
        case 'withdrawn':
          return sendWithdrawn(codes, request, reply)
        case 'resolved':
        case 'unknown':
          return refuse(request, reply)
      }
    }
  })

  async function askAgain(
    request: FastifyRequest,
    reply: FastifyReply,
    { ticket, leftOut, problem }: { ticket: Ticket; leftOut: readonly string[]; problem: string }
  ): Promise<FastifyReply> {
    const outcome = await app.core.grants.peek(ticket.userCode, answererOf(app, request))
    switch (outcome.kind) {
      case 'pending': {
        const client = app.core.clients.find(ticket.clientId)
        if (!client) return refuse(request, reply)
        if (outcome.isProofDue) return signInAgain(visits, request, reply)
        const { userCode, linked } = ticket
        return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client, leftOut, problem })
      }
      case 'refused':
        return sendRefused(codes, request, reply, outcome)
      case 'withdrawn':
        return sendWithdrawn(codes, request, reply)
      case 'resolved':
      case 'unknown':
        return refuse(request, reply)
    }
  }

  function refuse(request: FastifyRequest, reply: FastifyReply) {
    return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
  }
}
