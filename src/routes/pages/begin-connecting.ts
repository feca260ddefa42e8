import { fault } from '../../core/fault.js'
import { type PageParts, PathId, seeOther } from './page.js'
import { isFollowedHere, sessionOf, visitOf } from './visit.js'

/** GET /account/connections/{provider}/connect: on to the provider, to connect an account there. */
export function beginConnecting({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/connections/:id/connect',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: [visits.requireSession('connections'), app.limits.perAddress('sign-in')],
    handler: async (request, reply) => {
      const provider = app.core.signIn.upstream(request.params.id)
      if (!provider) throw fault('not_found')
      if (!isFollowedHere(request)) return seeOther(reply, visitOf(request), '/account/connections')
      const { url, attempt } = await app.core.signIn.begin(provider.id, { reauthenticates: false })
      const connectsFor = sessionOf(request).id
      visits.remember(request, reply, { underWay: { providerId: provider.id, attempt, connectsFor } })
      return reply.redirect(url.href, 303)
    }
  })
}
