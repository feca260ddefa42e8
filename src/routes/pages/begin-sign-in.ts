import { fault } from '../../core/fault.js'
import { withBegun } from './cookies.js'
import { type PageParts, PathId, seeOther } from './page.js'
import { isFollowedHere, visitOf } from './visit.js'

/** GET /login/{upstream}: on to the upstream, from the link on the sign-in page and from nowhere else. HEAD begins nothing. */
export function beginSignIn({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/login/:id',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: app.limits.perAddress('sign-in'),
    handler: async (request, reply) => {
      const upstream = app.core.signIn.upstream(request.params.id)
      if (!upstream?.signsIn) throw fault('not_found')
      const visit = visitOf(request)
      if (request.method === 'HEAD' || !isFollowedHere(request)) return seeOther(reply, visit, '/login')
      const reauthenticates = visit.visitor?.reauthenticates === true
      const { url, attempt } = await app.core.signIn.begin(upstream.id, { reauthenticates })
      const destination = visit.visitor?.destination ?? 'device'
      const one = { providerId: upstream.id, state: attempt.state, destination, attempt }
      visits.remember(request, reply, { begun: withBegun(visit.visitor?.begun, one) })
      return reply.redirect(url.href, 303)
    }
  })
}
