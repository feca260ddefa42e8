/** The question of a program on the same device (RFC 6749 §4.1), which the authorization endpoint leads to. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CODE_GRANT, isKnownByUrl } from '../../core/clients/client.js'
import { isAmong } from '../../core/clients/redirect-uri.js'
import { grantIdOfCode } from '../../core/grants/codes.js'
import { type Asking, admitAsk, tellLost } from './admit-ask.js'
import { namesShown, optionalOf, sealTicket } from './consent-ticket.js'
import { type PageParts, PathId, sendPage } from './page.js'
import { AskPage } from './views/ask-page.js'
import { byOf, sessionOf, userIdOf, visitOf } from './visit.js'

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

/** Shows the question, if the rules let it be put, with what was wrong with an answer to it, and the boxes that were not ticked in that. */
export async function sendAsk(
  parts: PageParts,
  request: FastifyRequest,
  reply: FastifyReply,
  asking: Asking,
  { status = 200, problem, leftOut = [] }: { status?: number; problem?: string; leftOut?: readonly string[] } = {}
): Promise<FastifyReply> {
  const { app } = parts
  const { ask, client } = asking
  const { sent, warnings = [] } = await admitAsk(parts, request, reply, asking)
  if (sent) return sent
  const question = { grantId: grantIdOfCode(ask.code), clientId: client.id }
  await app.core.grants.asked(question, userIdOf(request), byOf(app, request))
  const session = sessionOf(request)
  const { resources, shown } = namesShown(client, ask.resources)
  const optional = optionalOf(client, ask.scopes)
  const ticket = {
    ...{ askId: ask.id, clientId: client.id, clientName: client.name, resources: shown },
    ...(optional.length > 0 && { optional })
  }
  return sendPage(reply.code(status), AskPage, {
    visit: visitOf(request),
    ...{ ask, client, resources, optional, leftOut, warnings, ticket: sealTicket(app, session, ticket) },
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
      return asking ? sendAsk(parts, request, reply, asking) : tellLost(request, reply)
    }
  })
}
