/** The connections of a user: looked at, begun, ended. What the browser comes back with from an upstream is finish-sign-in.ts. */
import { fault } from '../../core/fault.js'
import { type PageParts, PathId, readDone, seeOther, sendPage } from './page.js'
import { ConnectionList } from './views/connection-list.js'
import { isFollowedHere, sessionOf, userIdOf, visitOf } from './visit.js'

/** GET /account/connections: the accounts at other services that the user has connected. */
export function showConnections({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/connections',
    onRequest: visits.requireSession('connections'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const connections = await app.core.connections.list(userIdOf(request))
      const done = readDone(request, visit.texts.connections.done)
      return sendPage(reply, ConnectionList, { visit, connections, upstreams: app.core.signIn.upstreams, done })
    }
  })
}

/** GET /account/connections/{upstream}/connect: on to the upstream, to connect an account there. */
export function beginConnecting({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/connections/:id/connect',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: [visits.requireSession('connections'), app.limits.perAddress('sign-in')],
    handler: async (request, reply) => {
      const upstream = app.core.signIn.upstream(request.params.id)
      if (!upstream) throw fault('not_found')
      if (!isFollowedHere(request)) return seeOther(reply, visitOf(request), '/account/connections')
      const { url, attempt } = await app.core.signIn.begin(upstream.id, { reauthenticates: false })
      const connectsFor = sessionOf(request).id
      visits.remember(request, reply, { underWay: { providerId: upstream.id, attempt, connectsFor } })
      return reply.redirect(url.href, 303)
    }
  })
}

/** POST /account/connections/{id}/disconnect: gives the tokens up, here and if possible at the upstream. */
export function disconnect({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/connections/:id/disconnect',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: visits.requireSession('connections'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const disconnected = await app.core.connections.disconnect(userIdOf(request), request.params.id)
      if (!disconnected) throw fault('not_found')
      const done = disconnected.revokedAtProvider ? 'disconnected' : 'disconnected-here'
      return seeOther(reply, visitOf(request), `/account/connections?done=${done}`)
    }
  })
}
