/** The authorizations of a user, under the path of the wire's authorized clients: looked at, renamed, revoked. */
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { newestFirst } from '../../core/authorizations/authorizations.js'
import { fault } from '../../core/fault.js'
import { createCursors, type ListName } from '../paging.js'
import { cursorIn, formOf, isFollowedHere, type PageParts, PathId, readDone, seeOther, sendPage } from './page.js'
import { AuthorizationList, type AuthorizationsDone } from './views/authorization-list.js'
import { byOf, userIdOf, visitOf } from './visit.js'

/** How many are on a page. */
const PAGE = 50

const Rename = formOf({ label: Type.String({ maxLength: 255 }) })

const nameOfList = (request: FastifyRequest): ListName => ['authorized clients', userIdOf(request)]

/** Back to the page of the list that the form was on. A cursor that is none leads nowhere, which the list itself says. */
function backToList(request: FastifyRequest, done: AuthorizationsDone): string {
  const cursor = cursorIn(request)
  return `/account/clients?${new URLSearchParams({ done, ...(cursor !== undefined && { cursor }) })}`
}

/** GET /account/clients: what the user has let act for them. */
export function showAuthorizations({ app, visits, codes }: PageParts): void {
  const cursors = createCursors(app.core)

  app.route({
    method: 'GET',
    url: '/account/clients',
    onRequest: [visits.requireSession('clients'), app.limits.perUser('account', userIdOf)],
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const list = nameOfList(request)
      const cursor = cursorIn(request)
      const after = cursor === undefined ? undefined : cursors.read(list, cursor)
      const page = await app.core.authorizations.page(userIdOf(request), { most: PAGE, after })
      const authorizations = page.authorizations.sort(newestFirst)
      const { active } = page
      const next = page.next === undefined ? undefined : cursors.write(list, page.next)
      const { authorizedClientId: approvedHereId } = codes.read(request) ?? {}
      // No link from elsewhere can claim that something was done.
      const done = isFollowedHere(request) ? readDone(request, visit.texts.clients.done) : undefined
      return sendPage(reply, AuthorizationList, { visit, authorizations, active, cursor, next, approvedHereId, done })
    }
  })
}

/** POST /account/clients/{id}/rename: another label, or with an empty one none. */
export function renameAuthorization({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/:id/rename',
    schema: { params: PathId, body: Rename },
    onRequest: [visits.requireSession('clients'), app.limits.perUser('account', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const label = request.body.label.trim() || undefined
      const renamed = await app.core.authorizations.rename(
        userIdOf(request),
        request.params.id,
        label,
        byOf(app, request)
      )
      if (!renamed) throw fault('not_found')
      return seeOther(reply, visitOf(request), backToList(request, 'renamed'))
    }
  })
}

/** POST /account/clients/{id}/revoke: ends it, from its next request on. */
export function revokeAuthorization({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/:id/revoke',
    schema: { params: PathId },
    onRequest: [visits.requireSession('clients'), app.limits.perUser('account', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const revoked = await app.core.authorizations.revoke(
        userIdOf(request),
        request.params.id,
        'owner',
        byOf(app, request)
      )
      if (!revoked) throw fault('not_found')
      return seeOther(reply, visitOf(request), backToList(request, 'revoked'))
    }
  })
}

/** POST /account/clients/revoke-all: ends all that are active. */
export function revokeAllAuthorizations({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/revoke-all',
    // Many are revoked in many steps, each of which has a time limit of its own.
    config: { waitsForOthers: true },
    onRequest: [visits.requireSession('clients'), app.limits.perUser('account', userIdOf)],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      await app.core.authorizations.revokeAll(userIdOf(request), 'owner', byOf(app, request))
      return seeOther(reply, visitOf(request), '/account/clients?done=revoked-all')
    }
  })
}
