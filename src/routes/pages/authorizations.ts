/** The authorizations of a user, under the path of the wire's authorized clients: looked at, renamed, revoked. */
import { Type } from '@sinclair/typebox'
import { fault } from '../../core/fault.js'
import { formOf, type PageParts, PathId, readDone, seeOther, sendPage } from './page.js'
import { AuthorizationList } from './views/authorization-list.js'
import { isFollowedHere, userIdOf, visitOf } from './visit.js'

const Rename = formOf({ label: Type.String({ maxLength: 255 }) })

/** GET /account/clients: what the user has let act for them. */
export function showAuthorizations({ app, visits, codes }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/clients',
    onRequest: visits.requireSession('clients'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const authorizations = await app.core.authorizations.list(userIdOf(request))
      const { authorizedClientId: approvedHereId } = codes.read(request) ?? {}
      // No link from elsewhere can claim that something was done.
      const done = isFollowedHere(request) ? readDone(request, visit.texts.clients.done) : undefined
      return sendPage(reply, AuthorizationList, { visit, authorizations, approvedHereId, done })
    }
  })
}

/** POST /account/clients/{id}/rename: another label, or with an empty one none. */
export function renameAuthorization({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/:id/rename',
    schema: { params: PathId, body: Rename },
    onRequest: visits.requireSession('clients'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const label = request.body.label.trim() || undefined
      const renamed = await app.core.authorizations.rename(userIdOf(request), request.params.id, label)
      if (!renamed) throw fault('not_found')
      return seeOther(reply, visitOf(request), '/account/clients?done=renamed')
    }
  })
}

/** POST /account/clients/{id}/revoke: ends it, from its next request on. */
export function revokeAuthorization({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/:id/revoke',
    schema: { params: PathId },
    onRequest: visits.requireSession('clients'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const revoked = await app.core.authorizations.revoke(userIdOf(request), request.params.id)
      if (!revoked) throw fault('not_found')
      return seeOther(reply, visitOf(request), '/account/clients?done=revoked')
    }
  })
}

/** POST /account/clients/revoke-all: ends all that are active. */
export function revokeAllAuthorizations({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/revoke-all',
    onRequest: visits.requireSession('clients'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      await app.core.authorizations.revokeAll(userIdOf(request))
      return seeOther(reply, visitOf(request), '/account/clients?done=revoked-all')
    }
  })
}
