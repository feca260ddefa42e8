/**
 * The authorizations of a user, which are authorized clients on the wire: listed, labelled, revoked. A client token lists those
 * that src/core/callers/callers.ts lets it see, and changes its own alone.
 */
import { type AuthorizedClient, dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { Authorization } from '../../core/authorizations/authorization.js'
import { type AuthorizationPage, newestFirst } from '../../core/authorizations/authorizations.js'
import { actorOf, type Caller, mayChange, mayListAll } from '../../core/callers/callers.js'
import { isKnownByUrl } from '../../core/clients/client.js'
import { isoTime, isoTimeOrNull } from '../../core/clock.js'
import { fault } from '../../core/fault.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import { createCursors, type ListName, readPageQuery, sendData } from '../paging.js'

const listOf = (userId: string): ListName => ['authorized clients', userId]

/** GET /auth/clients: the caller's authorizations, all at once or in pages. */
export function listAuthorizedClients(app: App): void {
  const cursors = createCursors(app.core)

  app.route({
    ...dashboardOperations.listAuthorizedClients,
    // Each piece of the list has a time limit of its own, because many lists that are read at once take turns.
    config: { waitsForOthers: true },
    onRequest: app.limits.userGuards('account', 'user-or-client'),
    handler: async (request, reply) => {
      const caller = request.authenticatedCaller()
      const list = listOf(caller.userId)
      const options = readPageQuery(cursors, list, request.query)
      const { authorizations, next } = await visibleTo(app, caller, options)
      const inOrder = options ? authorizations : authorizations.sort(newestFirst)
      const data = inOrder.map((authorization) => renderAuthorizedClient(authorization, caller))
      return sendData(reply, data, next === undefined ? {} : { next_cursor: cursors.write(list, next) })
    }
  })
}

/** PATCH /auth/clients/{authorizedClientId}: gives an authorization of the caller's another label, or none. */
export function updateAuthorizedClient(app: App): void {
  app.route({
    ...dashboardOperations.updateAuthorizedClient,
    onRequest: app.limits.userGuards('account', 'user-or-client'),
    handler: async (request) => {
      const caller = request.authenticatedCaller()
      const { authorizedClientId: id } = request.params
      await requireMayChange(app, caller, id)
      const label = request.body.label ?? undefined
      const by = app.whereabouts.origin(request, actorOf(caller))
      const authorization = await app.core.authorizations.rename(caller.userId, id, label, by)
      if (!authorization) throw fault('not_found')
      return renderAuthorizedClient(authorization, caller)
    }
  })
}

/** DELETE /auth/clients/{authorizedClientId}: revokes an authorization of the caller's, from the next request on. */
export function revokeAuthorizedClient(app: App): void {
  app.route({
    ...dashboardOperations.revokeAuthorizedClient,
    onRequest: app.limits.userGuards('account', 'user-or-client'),
    handler: async (request) => {
      const caller = request.authenticatedCaller()
      const { authorizedClientId: id } = request.params
      await requireMayChange(app, caller, id)
      const by = app.whereabouts.origin(request, actorOf(caller))
      const authorization = await app.core.authorizations.revoke(caller.userId, id, 'owner', by)
      if (!authorization) throw fault('not_found')
      return renderAuthorizedClient(authorization, caller)
    }
  })
}

async function visibleTo(app: App, caller: Caller, options: ListOptions | undefined): Promise<Visible> {
  if (caller.kind === 'user' || mayListAll(caller)) return app.core.authorizations.page(caller.userId, options)
  const own = await app.core.authorizations.find(caller.userId, caller.authorizationId)
  return { authorizations: own ? [own] : [], next: undefined }
}

type Visible = Pick<AuthorizationPage, 'authorizations' | 'next'>

/** To a client the other authorizations of its user are forbidden; what is not this user's does not exist for it either. */
async function requireMayChange(app: App, caller: Caller, id: string): Promise<void> {
  if (mayChange(caller, id)) return
  const isThere = (await app.core.authorizations.get(caller.userId, id)) !== undefined
  throw fault(isThere ? 'forbidden' : 'not_found', { detail: 'not the authorization of this client' })
}

/** An authorization as this surface shows it (the wire's authorized client); `is_current` marks the one that asks. */
function renderAuthorizedClient(authorization: Authorization, caller: Caller): AuthorizedClient {
  return {
    id: authorization.id,
    client_type: authorization.clientType,
    client_name: authorization.name ?? null,
    client_version: authorization.version ?? null,
    label: authorization.label ?? null,
    ip_at_grant: authorization.ipAtGrant,
    created_at: isoTime(authorization.createdAtMs),
    expires_at: isoTime(authorization.expiresAtMs),
    last_used_at: isoTimeOrNull(authorization.lastUsedAtMs),
    revoked_at: isoTimeOrNull(authorization.revokedAtMs),
    ...(authorization.resources.length > 0 && { resources: [...authorization.resources] }),
    ...(isKnownByUrl(authorization.clientId) && { client_id: authorization.clientId }),
    is_current: caller.kind === 'client' && caller.authorizationId === authorization.id
  }
}
