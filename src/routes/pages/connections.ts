/** The connections of a user: listed, begun, ended. finish-sign-in.ts handles the callback from the upstream. */
import { oneOf } from '../../../schemas/config.js'
import { fault } from '../../core/fault.js'
import { withBegun } from './cookies.js'
import { formOf, isFollowedHere, type PageParts, PathId, readDone, seeOther, sendPage } from './page.js'
import { ConnectionList } from './views/connection-list.js'
import { byOf, userIdOf, visitOf } from './visit.js'

const Choice = formOf({ may: oneOf(['yes', 'no']) })

/** GET /account/connections: the accounts at other services that the user has connected. */
export function showConnections({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/connections',
    onRequest: [visits.requireSession('connections'), app.limits.perUser('account', userIdOf)],
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const userId = userIdOf(request)
      const { connections, identities, signIn } = app.core
      const listed = await Promise.all(
        (await connections.list(userId)).map(async (connection) => {
          const { upstreamId, subject } = connection
          // An upstream without sign-in offers no choice.
          const signsIn = signIn.upstream(upstreamId)?.signsIn === true
          return { connection, use: signsIn ? await identities.useOf(upstreamId, subject, userId) : undefined }
        })
      )
      const done = readDone(request, visit.texts.connections.done)
      return sendPage(reply, ConnectionList, { visit, listed, upstreams: signIn.upstreams, done })
    }
  })
}

/**
 * POST /account/connections/{id}/sign-in: allows or forbids signing in with a connected account. It needs a recent sign-in,
 * because it opens another way into the user's account.
 */
export function chooseForSignIn({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/connections/:id/sign-in',
    schema: { params: PathId, body: Choice },
    onRequest: [visits.requireFreshSession('connections'), app.limits.perUser('account', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const [userId, signsIn] = [userIdOf(request), request.body.may === 'yes']
      const all = await app.core.connections.list(userId)
      const connection = all.find(({ id }) => id === request.params.id)
      if (!connection) throw fault('not_found')
      const { upstreamId, subject } = connection
      const isOffered = app.core.signIn.upstream(upstreamId)?.signsIn === true
      if (!isOffered || !(await app.core.identities.choose(upstreamId, subject, userId, signsIn))) {
        throw fault('not_found')
      }
      const done = signsIn ? 'signs-in' : 'signs-in-no-more'
      return seeOther(reply, visitOf(request), `/account/connections?done=${done}`)
    }
  })
}

/** GET /account/connections/{upstream}/connect: redirects to the upstream, to connect an account there. HEAD begins nothing. */
export function beginConnecting({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/connections/:id/connect',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: [
      visits.requireSession('connections'),
      app.limits.perAddress('sign-in'),
      app.limits.perUser('account', userIdOf)
    ],
    handler: async (request, reply) => {
      const upstream = app.core.signIn.upstream(request.params.id)
      if (!upstream) throw fault('not_found')
      const visit = visitOf(request)
      if (request.method === 'HEAD' || !isFollowedHere(request)) return seeOther(reply, visit, '/account/connections')
      const { url, attempt } = await app.core.signIn.begin(upstream.id, { reauthenticates: false })
      const [connectsFor = ''] = app.core.keyring.tags('connecting', userIdOf(request))
      const one = {
        providerId: upstream.id,
        state: attempt.state,
        destination: 'connections',
        attempt,
        connectsFor
      } as const
      visits.remember(request, reply, { begun: withBegun(visit.visitor?.begun, one) })
      return reply.redirect(url.href, 303)
    }
  })
}

/** POST /account/connections/{id}/disconnect: deletes the tokens here and, if possible, revokes them at the upstream. */
export function disconnect({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/connections/:id/disconnect',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: [visits.requireSession('connections'), app.limits.perUser('account', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const disconnected = await app.core.connections.disconnect(
        userIdOf(request),
        request.params.id,
        byOf(app, request)
      )
      if (!disconnected) throw fault('not_found')
      const done = disconnected.revokedAtUpstream ? 'disconnected' : 'disconnected-here'
      return seeOther(reply, visitOf(request), `/account/connections?done=${done}`)
    }
  })
}
