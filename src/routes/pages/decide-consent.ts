import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oneOf } from '../../../schemas/config.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { fault } from '../../core/fault.js'
import { sendConsent, sendWithdrawn } from './consent-page.js'
import { isAsShown, openTicket, type Ticket } from './consent-ticket.js'
import { formOf, type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { byOf, sessionOf, userIdOf, visitOf } from './visit.js'

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
    handler: async (request, reply) => {
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
      const by = { ...byOf(app, request), userId: session.userId, leftOut }
      const outcome = await app.core.grants.decide(userCode, action, by)
      if (outcome.kind === 'blocked') throw fault('user_blocked')
      if (outcome.kind === 'full') return ask(409, consent.tooMany(MOST_ACTIVE))
      if (outcome.kind === 'withdrawn') return sendWithdrawn(codes, request, reply)
      if (outcome.kind !== 'decided') return refuse(request, reply)
      const result = action === 'approve' ? 'approved' : 'denied'
      const { authorizationId: authorizedClientId } = outcome
      const approved = authorizedClientId && { authorizedClientId }
      codes.keep(request, reply, { userCode, linked, result, ...approved })
      return seeOther(reply, visitOf(request), '/device/done')
    }
  })

  async function askAgain(
    request: FastifyRequest,
    reply: FastifyReply,
    { ticket, leftOut, problem }: { ticket: Ticket; leftOut: readonly string[]; problem: string }
  ) {
    const outcome = await app.core.grants.peek(ticket.userCode)
    if (outcome.kind === 'withdrawn') return sendWithdrawn(codes, request, reply)
    const client = app.core.clients.find(ticket.clientId)
    if (outcome.kind !== 'pending' || !client) return refuse(request, reply)
    const { userCode, linked } = ticket
    return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client, leftOut, problem })
  }

  function refuse(request: FastifyRequest, reply: FastifyReply) {
    return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
  }
}
