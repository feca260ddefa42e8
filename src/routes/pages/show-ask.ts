/** The question of a program on the same device (RFC 6749 §4.1), which the authorization endpoint leads to. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Client, CODE_GRANT } from '../../core/clients/client.js'
import { isAmong } from '../../core/clients/redirect-uri.js'
import { createDescribe, describedOrNone } from '../described-client.js'
import type { Ask } from './ask.js'
import { namesShown, optionalOf, sealTicket } from './consent-ticket.js'
import { type PageParts, PathId, sendPage } from './page.js'
import { AskPage } from './views/ask-page.js'
import { ErrorPage } from './views/error-page.js'
import { sessionOf, userIdOf, visitOf } from './visit.js'

export interface Asking {
  ask: Ask
  client: Client
}

/** The name of a question, in its path. */
export const askIdOf = (request: FastifyRequest) => (request.params as { id: string }).id

/**
 * Makes what finds out what is asked; undefined if this browser was not asked it, or the client may not ask for it any more: where its
 * answers go is looked up again in its document, which is kept for a while.
 */
export function createAskingOf({ app, asks }: PageParts) {
  const describe = createDescribe(app)
  return async (request: FastifyRequest): Promise<Asking | undefined> => {
    const ask = asks.read(request, askIdOf(request))
    const client = await describedOrNone(describe, request, ask && app.core.clients.find(ask.clientId))
    if (!client?.grantTypes.includes(CODE_GRANT)) return undefined
    return ask && isAmong(client.redirectUris, ask.redirectUri) ? { ask, client } : undefined
  }
}

/** Says that there is nothing to answer. No client is told, for it is not known which. */
export function tellLost(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const visit = visitOf(request)
  return sendPage(reply.code(400), ErrorPage, { visit, sentence: visit.texts.asking.lost })
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
  const askingOf = createAskingOf(parts)
  app.route({
    method: 'GET',
    url: '/authorize/:id',
    // The document of a client may have to be fetched.
    config: { waitsForOthers: true },
    schema: { params: PathId },
    onRequest: [requireAnswerer(parts), app.limitTime(app.limits.perUser('peek', userIdOf))],
    handler: async (request, reply) => {
      const asking = await askingOf(request)
      return asking ? sendAsk(parts, request, reply, asking) : tellLost(request, reply)
    }
  })
}
