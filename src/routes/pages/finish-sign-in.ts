import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Refusal } from '../../core/upstream/upstream-errors.js'
import { DESTINATIONS, type Visitor } from './cookies.js'
import { type PageParts, PathId, seeOther, sendPage } from './page.js'
import { ErrorPage } from './views/error-page.js'
import { visitOf } from './visit.js'

/**
 * GET /login/{upstream}/callback: what the upstream sends the browser back with (RFC 6749 §4.1.2). Good only in the browser
 * that began, at the upstream it began with, and once; a session that was there before ends.
 */
export function finishSignIn({ app, cookies }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/login/:id/callback',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: app.limits.perAddress('sign-in-answer'),
    handler: async (request, reply) => {
      const { visitor } = visitOf(request)
      const underWay = visitor?.underWay
      if (!visitor || underWay?.providerId !== request.params.id) return refuse(request, reply, 'invalid')
      // The attempt is over whatever comes of it. The destination stays, for the next one.
      const { underWay: _over, ...going } = visitor
      cookies.visitor.set(reply, going)
      return underWay.connectsFor === undefined
        ? signIn(request, reply, visitor, underWay)
        : connect(request, reply, underWay)
    }
  })

  type UnderWay = NonNullable<Visitor['underWay']>
  const queryOf = (request: FastifyRequest) => request.raw.url?.split('?', 2)[1] ?? ''

  async function signIn(request: FastifyRequest, reply: FastifyReply, visitor: Visitor, underWay: UnderWay) {
    const visit = visitOf(request)
    const outcome = await app.core.signIn.finish(underWay.providerId, queryOf(request), underWay.attempt)
    if (outcome.kind === 'refused') return refuse(request, reply, outcome.reason)
    app.metrics.countSignIn('signed_in')
    cookies.visitor.clear(reply)
    if (visit.session) await app.core.browserSessions.end(visit.session)
    cookies.session.set(reply, outcome.token)
    return seeOther(reply, visit, DESTINATIONS[visitor.destination])
  }

  async function connect(request: FastifyRequest, reply: FastifyReply, underWay: UnderWay) {
    const { providerId: upstreamId, attempt, connectsFor } = underWay
    const visit = visitOf(request)
    const { session } = visit
    if (session?.id !== connectsFor || !session) return refuse(request, reply, 'invalid')
    const outcome = await app.core.signIn.finishConnecting(upstreamId, queryOf(request), attempt, session.userId)
    app.metrics.countSignIn(outcome.kind === 'connected' ? 'connected' : 'refused')
    const done = outcome.kind === 'refused' ? outcome.reason : outcome.kind
    return seeOther(reply, visit, `/account/connections?done=${done}`)
  }

  function refuse(request: FastifyRequest, reply: FastifyReply, reason: Refusal) {
    app.metrics.countSignIn('refused')
    const visit = visitOf(request)
    const sentence = visit.texts.error.signInFailed[reason]
    const next = { href: '/login', text: visit.texts.login.title }
    return sendPage(reply.code(400), ErrorPage, { visit, sentence, next })
  }
}
