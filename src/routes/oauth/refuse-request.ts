/** How a request of the authorization endpoint is refused, before anybody was asked anything. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Client, hostOfClient } from '../../core/clients/client.js'
import { whereTo } from '../../core/clients/redirect-uri.js'
import { fault } from '../../core/fault.js'
import { sendPage } from '../pages/page.js'
import { ErrorPage } from '../pages/views/error-page.js'
import { NotAsked } from '../pages/views/onward.js'
import { visitOf } from '../pages/visit.js'
import { answerUrl, LONGEST_URL, type Refusal, type ReturnAddress } from './authorization-answer.js'

export type Refuse = (
  request: FastifyRequest,
  reply: FastifyReply,
  client: Client,
  to: ReturnAddress,
  refusal: Refusal
) => FastifyReply

/**
 * Makes what sends a refusal back to the client. Whoever has published a document is trusted by nobody, and would otherwise have links
 * to this service that lead to a page of theirs (RFC 9700 §4.11.2): there the browser goes on by a link, if its user wants that. A
 * program that listens on their own machine can do nothing that it could not do without.
 */
export function createRefuse(issuer: string): Refuse {
  return (request, reply, client, to, refusal) => {
    const { redirectUri } = to
    const url = answerUrl(issuer, to, refusal)
    // Nobody could be sent on with so much: it is for the user alone.
    if (url.length > LONGEST_URL) throw fault('invalid_request')
    const host = hostOfClient(client.id)
    // 303, because a browser would send a form on with 307 (RFC 9700 §4.12).
    if (host === undefined || whereTo(redirectUri).kind === 'loopback') return reply.redirect(url, 303)
    const { error } = refusal
    return sendPage(reply.code(400), NotAsked, { visit: visitOf(request), url, redirectUri, host, error })
  }
}

/** Says on a page what no client is told (RFC 6749 §4.1.2.1): whoever made the link does not get the browser back. */
export function refuseHere(request: FastifyRequest, reply: FastifyReply, sentence: string): FastifyReply {
  return sendPage(reply.code(400), ErrorPage, { visit: visitOf(request), sentence })
}
