/**
 * The dashboard API, mounted under /api/v0: grants for clients and browsers, and what a user looks after, their authorizations
 * and their connections. An operation is in the file of its name, or of what it is about; how both surfaces start and poll is in
 * src/routes.
 */
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import {
  getEndUserOauthAccessToken,
  getEndUserOauthAccessTokenOptions,
  getUserOauthAccessToken
} from './access-token.js'
import { listAuthorizedClients, revokeAuthorizedClient, updateAuthorizedClient } from './authorized-clients.js'
import { decideGrant, peekGrant } from './decide-grant.js'
import { listOauthAccounts, unlinkOauthAccount } from './oauth-accounts.js'
import { pollGrantToken } from './poll-grant-token.js'
import { startGrant, withdrawGrant } from './start-grant.js'

const { startGrant: start, pollGrantToken: poll, withdrawGrant: withdraw, ...forBrowsers } = dashboardOperations

export const dashboard = surface(
  'dashboard',
  ['config', 'core', 'readiness', 'whereabouts', 'authentication', 'limits'],
  async (app) => {
    app.register(clientRoutes)
    app.register(browserRoutes)
  }
)

/** What programs call. No page does, so there is no CORS. */
async function clientRoutes(app: FastifyInstance): Promise<void> {
  startGrant(app)
  pollGrantToken(app)
  withdrawGrant(app)
  refuseOtherMethods(app, [start, poll, withdraw])
}

/** What pages call, from the origins that are configured. They bring bearer tokens, so CORS allows no credentials. */
async function browserRoutes(app: FastifyInstance): Promise<void> {
  const { corsOrigins } = app.config
  if (corsOrigins.length > 0) {
    // The library would answer a preflight for any path, also for one that leads nowhere.
    app.addHook('onRequest', async (request) => {
      if (request.routeOptions.url?.endsWith('*')) throw fault('not_found')
    })
    await app.register(cors, {
      origin: [...corsOrigins],
      methods: ['GET', 'POST', 'PATCH', 'DELETE'],
      allowedHeaders: ['authorization', 'content-type'],
      exposedHeaders: ['retry-after', 'www-authenticate', 'x-request-id'],
      maxAge: 600,
      strictPreflight: false
    })
  }
  peekGrant(app)
  decideGrant(app)
  listAuthorizedClients(app)
  updateAuthorizedClient(app)
  revokeAuthorizedClient(app)
  listOauthAccounts(app)
  unlinkOauthAccount(app)
  getUserOauthAccessToken(app)
  getEndUserOauthAccessToken(app)
  getEndUserOauthAccessTokenOptions(app)
  refuseOtherMethods(app, Object.values(forBrowsers))
}
