/** The question of a program on the same device (RFC 6749 §4.1), which the authorization endpoint leads to, and its answer. */
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oneOf } from '../../../schemas/config.js'
import { MOST_ACTIVE } from '../../core/authorizations/authorization.js'
import { type Client, CODE_GRANT } from '../../core/clients/client.js'
import { isAmong } from '../../core/clients/redirect-uri.js'
import { fault } from '../../core/fault.js'
import type { DecideOutcome } from '../../core/grants/grant.js'
import { answerUrl } from '../oauth/authorization-request.js'
import type { Ask } from './ask.js'
import { isAsShown, namesShown, openTicket, sealTicket } from './consent-page.js'
import { formOf, type PageParts, PathId, sendPage } from './page.js'
import { AskPage } from './views/ask-page.js'
import { ErrorPage } from './views/error-page.js'
import { Onward } from './views/onward.js'
import { sessionOf, userIdOf, visitOf } from './visit.js'

const Answer = formOf({
  ticket: Type.String(),
  action: oneOf(['approve', 'deny']),
  /** The check box. It makes approving two clicks, which clickjacking cannot get with one. */
  sure: Type.Optional(Type.Literal('yes'))
})

const DENIED = { error: 'access_denied', description: 'The user has denied it' } as const

/** GET and POST /authorize/{id}. */
export function answerAsk(parts: PageParts): void {
  const { app, asks, visits } = parts

  /** Sends whoever has to sign in, or to do so again, to the sign-in page and back. Whoever was asked nothing is told so. */
  async function requireSession(request: FastifyRequest, reply: FastifyReply) {
    const id = idOf(request)
    const ask = asks.read(request, id)
    if (!ask) return tellLost(request, reply)
    const { session } = visitOf(request)
    if (session && asks.isAnswerableBy(ask, session)) return
    visits.remember(request, reply, asks.headingOf(request, id))
    return reply.redirect(`${visitOf(request).base}/login?ask=${id}`, 303)
  }

  app.route({
    method: 'GET',
    url: '/authorize/:id',
    schema: { params: PathId },
    onRequest: [requireSession, app.limits.perUser('peek', userIdOf)],
    handler: async (request, reply) => {
      const found = find(request)
      return found ? sendAsk(request, reply, found) : tellLost(request, reply)
    }
  })

  app.route({
    method: 'POST',
    url: '/authorize/:id',
    schema: { params: PathId, body: Answer },
    onRequest: [app.limits.perAddress('approve'), requireSession, app.limits.perUser('approve', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const { action, sure } = request.body
      const ticket = openTicket(app, sessionOf(request), request.body.ticket)
      if (ticket?.askId !== idOf(request))
        throw fault('forbidden', { detail: 'a ticket of another session or question' })
      const found = find(request)
      if (!found) return tellLost(request, reply)
      const { consent, asking } = visitOf(request).texts
      const again = (status: number, problem: string) => sendAsk(request, reply.code(status), found, problem)
      if (!isAsShown(ticket, found.client)) return again(409, consent.changed)
      if (action === 'approve' && sure !== 'yes') return again(400, asking.sureMissing)
      const { kind } = await decide(request, found, action)
      if (kind === 'blocked') throw fault('user_blocked')
      if (kind === 'full') return again(409, consent.tooMany(MOST_ACTIVE))
      // Its code has ended: it was approved a while ago, and that answer was lost.
      if (kind !== 'decided') return tellLost(request, reply)
      return sendOnward(request, reply, found.ask, action)
    }
  })

  /** What is asked, if the client may ask for it still. */
  function find(request: FastifyRequest): { ask: Ask; client: Client } | undefined {
    const ask = asks.read(request, idOf(request))
    const client = ask && app.core.clients.find(ask.clientId)
    if (!client?.grantTypes.includes(CODE_GRANT) || !isAmong(client.redirectUris, ask?.redirectUri ?? ''))
      return undefined
    return ask && { ask, client }
  }

  function sendAsk(
    request: FastifyRequest,
    reply: FastifyReply,
    { ask, client }: { ask: Ask; client: Client },
    problem?: string
  ): FastifyReply {
    const session = sessionOf(request)
    const { resources, shown } = namesShown(client, ask.resources)
    const ticket = { askId: ask.id, clientId: client.id, clientName: client.name, resources: shown }
    return sendPage(reply, AskPage, {
      visit: visitOf(request),
      ...{ ask, client, resources, ticket: sealTicket(app, session, ticket) },
      userName: session.name,
      upstreamName: session.upstreamId && app.core.signIn.upstream(session.upstreamId)?.name,
      ...(problem !== undefined && { problem })
    })
  }

  function decide(
    request: FastifyRequest,
    { ask, client }: { ask: Ask; client: Client },
    action: 'approve' | 'deny'
  ): Promise<DecideOutcome> {
    const { userId, signedInAtMs } = sessionOf(request)
    const ip = app.whereabouts.ip(request)
    const location = app.whereabouts.location(request)
    const { code, askedAtMs, scopes, resources, codeChallenge, redirectUri, nonce } = ask
    const asked = {
      ...{ clientId: client.id, clientType: client.type, scopes, codeChallenge, redirectUri, metadata: {}, ip },
      ...(resources && { resources }),
      ...(nonce !== undefined && { nonce }),
      ...(location && { location })
    }
    return app.core.grants.answerCode({ code, request: asked, askedAtMs }, action, { userId, ip, signedInAtMs })
  }

  /** The browser goes on from a page, and not by a redirect: docs/decisions/answers-by-a-page.md. */
  function sendOnward(
    request: FastifyRequest,
    reply: FastifyReply,
    ask: Ask,
    action: 'approve' | 'deny'
  ): FastifyReply {
    asks.forget(request, reply, ask.id)
    const { redirectUri, state } = ask
    const answer = action === 'approve' ? { code: ask.code } : DENIED
    const url = answerUrl(app.config.publicUrl, { redirectUri, state }, answer)
    return sendPage(reply, Onward, { visit: visitOf(request), url, redirectUri, action })
  }

  function tellLost(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const visit = visitOf(request)
    return sendPage(reply.code(400), ErrorPage, { visit, sentence: visit.texts.error.lostAsk })
  }
}

const idOf = (request: FastifyRequest) => (request.params as { id: string }).id
