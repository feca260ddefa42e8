import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oneOf } from '../../../schemas/config.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { staysOnDevice } from '../../core/clients/redirect-uri.js'
import { fault } from '../../core/fault.js'
import type { Action, DecideOutcome } from '../../core/grants/grant.js'
import { platformFromUserAgent } from '../../core/grants/user-agent.js'
import { answerUrl } from '../oauth/authorization-answer.js'
import { type Ask, metadataOfAsk } from './ask.js'
import { isAsShown, openAskTicket } from './consent-ticket.js'
import { formOf, type PageParts, PathId, sendPage } from './page.js'
import { type Asking, askIdOf, createAskingOf, requireAnswerer, sendAsk, tellLost } from './show-ask.js'
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

const DENIED = { error: 'access_denied', description: 'The user has denied it' } as const

/** POST /authorize/{id}: approves or denies what a program on the same device asks for, and sends the browser back to it. */
export function answerAsk(parts: PageParts): void {
  const { app, asks, visits } = parts
  const askingOf = createAskingOf(parts)
  const limitUser = app.limitTime(app.limits.perUser('approve', userIdOf))

  app.route({
    method: 'POST',
    url: '/authorize/:id',
    // The document of a client may have to be fetched.
    config: { waitsForOthers: true },
    schema: { params: PathId, body: Answer },
    onRequest: [app.limitTime(app.limits.perAddress('approve')), requireAnswerer(parts), limitUser],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const { action, sure, scope: ticked = [] } = request.body
      const ticket = openAskTicket(app, sessionOf(request), request.body.ticket)
      if (ticket?.askId !== askIdOf(request)) throw fault('forbidden', { detail: 'a ticket of another question' })
      const asking = await askingOf(request)
      if (!asking) return tellLost(request, reply)
      const { texts } = visitOf(request)
      const leftOut = (ticket.optional ?? []).filter((scope) => ![ticked].flat().includes(scope))
      const again = (status: number, problem: string) =>
        sendAsk(parts, request, reply.code(status), asking, { problem, leftOut })
      if (!isAsShown(ticket, asking.client)) return again(409, texts.consent.changed)
      if (action === 'approve' && sure !== 'yes') return again(400, texts.asking.sureMissing)
      const { kind } = await app.withinTimeLimit(request, decide(request, asking, action, leftOut))
      if (kind === 'blocked') throw fault('user_blocked')
      if (kind === 'full') return again(409, texts.consent.tooMany(MOST_ACTIVE))
      // Its code has ended: it was approved a while ago, and that answer was lost.
      if (kind !== 'decided') return tellLost(request, reply)
      return sendOnward(request, reply, asking.ask, action)
    }
  })

  function decide(
    request: FastifyRequest,
    { ask, client }: Asking,
    action: Action,
    leftOut: readonly string[]
  ): Promise<DecideOutcome> {
    const { userId, signedInAtMs } = sessionOf(request)
    const ip = app.whereabouts.ip(request)
    const location = app.whereabouts.location(request)
    const { code, askedAtMs, scopes, resources, codeChallenge, redirectUri, nonce } = ask
    // A program on this device runs on what its browser runs on, and the browser says nothing else of it.
    const os = staysOnDevice(redirectUri) ? platformFromUserAgent(request.headers['user-agent']) : undefined
    const metadata = { ...metadataOfAsk(ask, client), ...(os && { os }) }
    const asked = {
      ...{ clientId: client.id, clientType: client.type, scopes, codeChallenge, redirectUri, metadata, ip },
      ...(resources && { resources }),
      ...(nonce !== undefined && { nonce }),
      ...(location && { location })
    }
    const by = { userId, ip, signedInAtMs, leftOut }
    return app.core.grants.answerCode({ code, request: asked, askedAtMs }, action, by)
  }

  /** The browser goes on from a page, and not by a redirect: docs/decisions/answers-leave-by-a-page.md. */
  function sendOnward(request: FastifyRequest, reply: FastifyReply, ask: Ask, action: Action): FastifyReply {
    asks.forget(request, reply, ask.id)
    const { redirectUri, state } = ask
    const answer = action === 'approve' ? { code: ask.code } : DENIED
    const url = answerUrl(app.config.publicUrl, { redirectUri, state }, answer)
    return sendPage(reply, Onward, { visit: visitOf(request), url, redirectUri, action })
  }
}
