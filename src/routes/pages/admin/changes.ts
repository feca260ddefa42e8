/** What admins do about a user. Each needs a recent sign-in, and what cannot be taken back is asked once more. */
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fault } from '../../../core/fault.js'
import { cursorIn, type PageParts, seeOther, sendPage } from '../page.js'
import type { AdminDone } from '../texts/admin.js'
import { AdminConfirm } from '../views/admin/confirm.js'
import { userIdOf, visitOf } from '../visit.js'
import { byAdmin, requireFreshAdmin } from './admit.js'
import { pathOfUser, UserPath, userAskedFor } from './user-path.js'

const AuthorizationPath = Type.Object({ ...UserPath.properties, id: Type.String() })

/** Back to the user's page, and to where it was in the list if that is known. */
function backTo(request: FastifyRequest, reply: FastifyReply, userId: string, done: AdminDone): FastifyReply {
  const cursor = cursorIn(request)
  const query = new URLSearchParams({ done, ...(cursor !== undefined && { cursor }) })
  return seeOther(reply, visitOf(request), `/admin/users/${pathOfUser(userId)}?${query}`)
}

/** POST …/clients/{id}/revoke: ends one authorization, from its next request on. */
export function revokeOne(parts: PageParts): void {
  const { app, visits } = parts
  app.route({
    method: 'POST',
    url: '/admin/users/:user/clients/:id/revoke',
    schema: { params: AuthorizationPath },
    onRequest: requireFreshAdmin(parts),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const userId = userAskedFor(request)
      const by = byAdmin(app, request)
      const revoked = await app.core.authorizations.revoke(userId, request.params.id, 'operator', by)
      if (!revoked) throw fault('not_found')
      return backTo(request, reply, userId, 'revoked')
    }
  })
}

/** GET …/revoke-all and GET …/block: the question before it is done. */
function confirm(parts: PageParts, what: 'revoke-all' | 'block'): void {
  const { app } = parts
  app.route({
    method: 'GET',
    url: `/admin/users/:user/${what}`,
    schema: { params: UserPath },
    onRequest: requireFreshAdmin(parts),
    handler: async (request, reply) => {
      const userId = userAskedFor(request)
      if (what === 'block' && userId === userIdOf(request)) return backTo(request, reply, userId, 'self')
      const person = await app.core.directory.show(userId)
      if (!person) throw fault('not_found')
      return sendPage(reply, AdminConfirm, { visit: visitOf(request), person, what })
    }
  })
}

export const confirmRevokeAll = (parts: PageParts) => confirm(parts, 'revoke-all')
export const confirmBlock = (parts: PageParts) => confirm(parts, 'block')

/** A change of a user as a whole. Undefined is answered as somebody who is not there. */
function change(
  parts: PageParts,
  what: 'revoke-all' | 'block' | 'unblock',
  done: AdminDone,
  work: (userId: string, request: FastifyRequest) => Promise<unknown>
): void {
  const { app, visits } = parts
  app.route({
    method: 'POST',
    url: `/admin/users/:user/${what}`,
    schema: { params: UserPath },
    // There are as many steps as it takes, each of which has a time limit of its own.
    config: { waitsForOthers: true },
    onRequest: requireFreshAdmin(parts),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const userId = userAskedFor(request)
      // Nobody locks themselves out by a slip, and the last admin with themselves all others.
      if (what === 'block' && userId === userIdOf(request)) return backTo(request, reply, userId, 'self')
      if ((await work(userId, request)) === undefined) throw fault('not_found')
      return backTo(request, reply, userId, done)
    }
  })
}

/** POST …/revoke-all: revokes every authorization and ends all sessions of the pages. */
export function revokeAllOfUser(parts: PageParts): void {
  const { app } = parts
  change(parts, 'revoke-all', 'revoked-all', (userId, request) =>
    app.core.measures.revokeAll(userId, byAdmin(app, request))
  )
}

/** POST …/block: no sign-in, no approval, no token any more. */
export function blockUser(parts: PageParts): void {
  const { app } = parts
  change(parts, 'block', 'blocked', (userId, request) => app.core.measures.block(userId, byAdmin(app, request)))
}

/** POST …/unblock. */
export function unblockUser(parts: PageParts): void {
  const { app } = parts
  change(parts, 'unblock', 'unblocked', (userId, request) => app.core.measures.unblock(userId, byAdmin(app, request)))
}
