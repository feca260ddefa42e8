/**
 * The admin API, mounted under /admin/v0: what operators see and do from their own tools. Who asks is an API key, and what it may do
 * its rights say: looking, changing, and the connected accounts are rights of their own. One file per resource.
 */
import { adminOperations } from '../../../schemas/generated/admin.js'
import type { ApiKeyRight } from '../../core/api-keys/api-key.js'
import { fault } from '../../core/fault.js'
import { type App, surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { accounts } from './accounts.js'
import { answerAdminFault } from './answers.js'
import { authorizationChanges, authorizations } from './authorizations.js'
import { authenticateOperator } from './caller.js'
import { events } from './events.js'
import { globalTokenRevocation } from './global-token-revocation.js'
import { createPages } from './pages.js'
import { pendingGrants } from './pending-grants.js'
import { refuseUnknownParameters } from './unknown-parameters.js'
import { userChanges, users } from './users.js'

export const admin = surface('admin', ['core', 'config', 'whereabouts', 'authentication', 'limits'], async (app) => {
  app.setErrorHandler(answerAdminFault)
  app.setNotFoundHandler(() => {
    throw fault('not_found')
  })
  app.decorateRequest('adminActor', null)
  const pages = createPages(app.core)

  /** Routes for who has a right. */
  function behind(right: ApiKeyRight, routes: (inner: App) => void): void {
    app.register(async (inner) => {
      inner.addHook('onRequest', inner.limitTime(authenticateOperator(inner, right)))
      inner.addHook('preValidation', refuseUnknownParameters)
      routes(inner)
    })
  }

  behind('admin:read', (inner) => {
    users(inner, pages)
    authorizations(inner, pages)
    pendingGrants(inner, pages)
    events(inner, pages)
  })
  behind('admin:write', (inner) => {
    userChanges(inner)
    authorizationChanges(inner)
    globalTokenRevocation(inner)
  })
  behind('connected-accounts', (inner) => accounts(inner, pages))
  refuseOtherMethods(app, Object.values(adminOperations))
})
