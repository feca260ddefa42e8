import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oneOf } from '../../../schemas/config.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { staysOnDevice } from '../../core/clients/redirect-uri.js'
import { fault } from '../../core/fault.js'
import type { Action, DecideOutcome } from '../../core/grants/grant.js'
import { platformFromUserAgent } from '../../core/grants/user-agent.js'
import { answerUrl } from '../oauth/authorization-answer.js'
import { type Asking, ruledOf, sendRefusedAsk, signInForAsk, tellLost, wayBack } from './admit-ask.js'
import { answererOf } from './answerer.js'
import type { Ask } from './ask.js'
import { isAsShown, openAskTicket } from './consent-ticket.js'
import { formOf, type PageParts, PathId, sendPage } from './page.js'
import { askIdOf, askingOf, requireAnswerer, sendAsk } from './show-ask.js'
import { Onward } from './views/onward.js'
import { sessionOf, userIdOf, visitOf } from './visit.js'

const Answer = formOf({
  ticket: Type.String(),
  action: oneOf(['approve', 'deny']),
  /** The check box. It makes approving two clicks, which clickjacking cannot get with one. */
  sure: Type.Optional(Type.Literal('yes')),
  /** The optional scopes that are ticked. */
  scope: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]))
})

const LOST = { error: 'server_error', description: 'The approval was lost on its way' } as const
const DENIED = { error: 'access_denied', description: 'The user has denied it' } as const

/** POST /authorize/{id}: approves or denies what a program on the same device asks for, and sends the browser back to it. */
export function answerAsk(parts: PageParts): void {
  const { app, asks, visits } = parts

  app.route({
    method: 'POST',
    url: '/authorize/:id',
    schema: { params: PathId, body: Answer },
    onRequest: [app.limits.perAddress('approve'), requireAnswerer(parts), app.limits.perUser('approve', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply): Promise<FastifyReply> => {
      const { action, sure, scope: ticked = [] } = request.body
      const ticket = openAskTicket(app, sessionOf(request), request.body.ticket)
      if (ticket?.askId !== askIdOf(request)) throw fault('forbidden', { detail: 'a ticket of another question' })
      const asking = askingOf(parts, request)
      if (!asking) return tellLost(request, reply)
      const { texts } = visitOf(request)
      const leftOut = (ticket.optional ?? []).filter((scope) => ![ticked].flat().includes(scope))
      const again = (status: number, problem: string) =>
        sendAsk(parts, request, reply, asking, { status, problem, leftOut })
      if (!isAsShown(ticket, asking.client)) return again(409, texts.consent.changed)
      if (action === 'approve' && sure !== 'yes') return again(400, texts.asking.sureMissing)
      const outcome = await decide(request, asking, action, leftOut)
      switch (outcome.kind) {
        case 'decided':
          return sendOnward(request, reply, asking.ask, action)
        case 'refused':
          return sendRefusedAsk(parts, request, reply, asking, outcome)
        case 'unproved':
          return signInForAsk(parts, request, reply, asking.ask)
        case 'blocked':
          throw fault('user_blocked')
        case 'full':
          return again(409, texts.consent.tooMany(MOST_ACTIVE))
        case 'resolved':
        case 'withdrawn':
        case 'unknown':
          return tellLate(request, reply, asking.ask)
      }
    }
  })

  function decide(
    request: FastifyRequest,
    asking: Asking,
    action: Action,
    leftOut: readonly string[]
  ): Promise<DecideOutcome> {
    const { ask } = asking
    const { authenticatedAtMs: signedInAtMs } = sessionOf(request)
    const { code, askedAtMs, scopes, resources, codeChallenge, redirectUri, nonce } = ask
    // A program on this device runs on what its browser runs on, and the browser says nothing else of it.
    const os = staysOnDevice(redirectUri) ? platformFromUserAgent(request.headers['user-agent']) : undefined
    const metadata = { ...ask.metadata, ...(os && { os }) }
    const asked = {
      ...{ ...ruledOf(app, request, asking), scopes, codeChallenge, metadata },
      ...(resources && { resources }),
      ...(nonce !== undefined && { nonce })
    }
    const by = { ...answererOf(app, request), signedInAtMs, leftOut }
    return app.core.grants.answerCode({ code, request: asked, askedAtMs }, action, by)
  }

  /** It was approved a while ago, that answer was lost, and its code is good no more. The program can only begin anew. */
  function tellLate(request: FastifyRequest, reply: FastifyReply, ask: Ask): FastifyReply {
    asks.forget(reply, ask.id)
    return tellLost(request, reply, wayBack(parts, request, ask, LOST))
  }

  /** The browser goes on from a page, and not by a redirect: docs/decisions/answers-leave-by-a-page.md. */
  function sendOnward(request: FastifyRequest, reply: FastifyReply, ask: Ask, action: Action): FastifyReply {
    asks.forget(reply, ask.id)
    const { redirectUri, state } = ask
    const answer = action === 'approve' ? { code: ask.code } : DENIED
    const url = answerUrl(app.config.publicUrl, { redirectUri, state }, answer)
    return sendPage(reply, Onward, { visit: visitOf(request), url, redirectUri, action })
  }
}
