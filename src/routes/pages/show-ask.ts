/** The question of a program on the same device (RFC 6749 §4.1), which the authorization endpoint leads to. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Client, CODE_GRANT, isKnownByUrl } from '../../core/clients/client.js'
import { isAmong } from '../../core/clients/redirect-uri.js'
import { grantIdOfCode } from '../../core/grants/codes.js'
import { answerUrl, type Refusal } from '../oauth/authorization-answer.js'
import type { Ask } from './ask.js'
import { namesShown, optionalOf, sealTicket } from './consent-ticket.js'
import { type PageParts, PathId, sendPage } from './page.js'
import { AskPage, placeOf } from './views/ask-page.js'
import { ErrorPage } from './views/error-page.js'
import { byOf, sessionOf, userIdOf, visitOf } from './visit.js'

type Link = { href: string; text: string }

export interface Asking {
  ask: Ask
  client: Client
}

/** The name of a question, in its path. */
export const askIdOf = (request: FastifyRequest) => (request.params as { id: string }).id

/**
 * What is asked; undefined if this browser was not asked it, or the operator lets the client ask for it no more. The document of a
 * client was read when it asked (docs/decisions/client-documents-at-the-start.md).
 */
export function askingOf({ app, asks }: PageParts, request: FastifyRequest, id = askIdOf(request)): Asking | undefined {
  const ask = asks.read(request, id)
  const client = ask && app.core.clients.find(ask.clientId)
  if (!client?.grantTypes.includes(CODE_GRANT)) return undefined
  const mayBeSent = isKnownByUrl(client.id) || isAmong(client.redirectUris, ask?.redirectUri ?? '')
  return ask && mayBeSent ? { ask, client } : undefined
}

/** Says that there is nothing to answer. No client is told, for it is not known which. */
export function tellLost(request: FastifyRequest, reply: FastifyReply, next?: Link): FastifyReply {
  const visit = visitOf(request)
  return sendPage(reply.code(400), ErrorPage, { visit, sentence: visit.texts.asking.lost, ...(next && { next }) })
}

/** The link that takes a refusal back to the program that asked. Its user has seen the question, or was to sign in for it. */
export function wayBack({ app }: PageParts, request: FastifyRequest, ask: Ask, refusal: Refusal): Link {
  const visit = visitOf(request)
  const { redirectUri, state } = ask
  const href = answerUrl(app.config.publicUrl, { redirectUri, state }, refusal)
  return { href, text: visit.texts.asking.goOn(placeOf(redirectUri, visit)) }
}

/** The hook that sends whoever has to sign in, or to do so again, to the sign-in page and back. */
export function requireAnswerer({ asks, visits }: PageParts) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const id = askIdOf(request)
    const ask = asks.read(request, id)
    if (!ask) return tellLost(request, reply)
    const { session } = visitOf(request)
    if (session && asks.isAnswerableBy(ask, session)) return
    const { base } = visits.remember(request, reply, asks.headingOf(request, id))
    return reply.redirect(`${base}/login?ask=${id}`, 303)
  }
}

/** Shows the question, with what was wrong with an answer to it, and the boxes that were not ticked in that. */
export function sendAsk(
  { app }: PageParts,
  request: FastifyRequest,
  reply: FastifyReply,
  { ask, client }: Asking,
  { problem, leftOut = [] }: { problem?: string; leftOut?: readonly string[] } = {}
): FastifyReply {
  const session = sessionOf(request)
  const { resources, shown } = namesShown(client, ask.resources)
  const optional = optionalOf(client, ask.scopes)
  const ticket = {
    ...{ askId: ask.id, clientId: client.id, clientName: client.name, resources: shown },
    ...(optional.length > 0 && { optional })
  }
  return sendPage(reply, AskPage, {
    visit: visitOf(request),
    ...{ ask, client, resources, optional, leftOut, ticket: sealTicket(app, session, ticket) },
    userName: session.name,
    upstreamName: session.upstreamId && app.core.signIn.upstream(session.upstreamId)?.name,
    ...(problem !== undefined && { problem })
  })
}

/** GET /authorize/{id}: the question. */
export function showAsk(parts: PageParts): void {
  const { app } = parts
  app.route({
    method: 'GET',
    url: '/authorize/:id',
    schema: { params: PathId },
    onRequest: [requireAnswerer(parts), app.limits.perUser('peek', userIdOf)],
    handler: async (request, reply) => {
      const asking = askingOf(parts, request)
      if (!asking) return tellLost(request, reply)
      const { clientId, code } = asking.ask
      const question = { grantId: grantIdOfCode(code), clientId }
      await app.core.grants.shown(question, userIdOf(request), byOf(app, request))
      return sendAsk(parts, request, reply, asking)
    }
  })
}
