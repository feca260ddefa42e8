/**
 * The admin pages, for whom ADMINS names: users, what they have granted, what waits, and the trail. They do what the API below
 * /admin/v0 does, by the same calls of the core, and are in English alone.
 */
import { refuseOtherMethods, routesOf } from '../../method-not-allowed.js'
import type { PageParts } from '../page.js'
import { userIdOf } from '../visit.js'
import { admit } from './admit.js'
import { blockUser, confirmBlock, confirmRevokeAll, revokeAllOfUser, revokeOne, unblockUser } from './changes.js'
import { filterEvents, showEvents } from './events.js'
import { findUser, showSearch } from './find.js'
import { showPending } from './pending.js'
import { showUser } from './user.js'

const ROUTES = [
  showSearch,
  findUser,
  showUser,
  revokeOne,
  confirmRevokeAll,
  revokeAllOfUser,
  confirmBlock,
  blockUser,
  unblockUser,
  showPending,
  showEvents,
  filterEvents
]

/** Adds the pages, if somebody may see them. Otherwise nothing is at their paths. */
export function adminPages(parts: PageParts): void {
  if (parts.app.config.admins.length === 0) return
  parts.app.register(async (app) => {
    const inner = { ...parts, app: app as PageParts['app'] }
    const own = routesOf(app)
    // Before anything else is told, such as which methods a path has.
    app.addHook('onRequest', app.limitTime(admit(inner)))
    app.addHook('onRequest', app.limitTime(app.limits.perUser('account', userIdOf)))
    for (const route of ROUTES) route(inner)
    refuseOtherMethods(app, own())
  })
}
