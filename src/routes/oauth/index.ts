/**
 * The OAuth surface: discovery, the device authorization grant, tokens. Bodies are forms, or JSON. What an operation does is in
 * the file of its name, or of its family (discovery.ts, userinfo.ts).
 */

import accepts from '@fastify/accepts'
import type { DoneFuncWithErrOrRes, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { allowAnyOrigin } from '../any-origin.js'
import { surface } from '../app.js'
import { acceptFormBodies } from '../form-body.js'
import { acceptJsonBodies } from '../json-body.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { answerOAuthFault } from './answers.js'
import { refuseToAuthorize } from './authorize.js'
import { authorizeDevice } from './authorize-device.js'
import { checkToken } from './check-token.js'
import { getAuthorizationServerMetadata, getJwks, getOpenidConfiguration, metadataUrls } from './discovery.js'
import { getStatusList, STATUS_LIST_TYPE } from './get-status-list.js'
import { introspectToken } from './introspect-token.js'
import { listRevocations } from './list-revocations.js'
import { requestToken } from './request-token.js'
import { revokeToken } from './revoke-token.js'
import { getUserinfo, postUserinfo } from './userinfo.js'

const {
  getOpenidConfiguration: openidConfiguration,
  getAuthorizationServerMetadata: serverMetadata,
  getJwks: jwks,
  getStatusList: statusList,
  getUserinfo: userinfo,
  postUserinfo: userinfoByPost,
  requestToken: token,
  revokeToken: revocation,
  authorize,
  authorizeByPost,
  ...forPrograms
} = oauthOperations

const NEEDS = [
  ...['config', 'metrics', 'core', 'readiness', 'whereabouts', 'authentication', 'client-authentication', 'limits']
]

export const oauth = surface('oauth', NEEDS, async (app) => {
  app.setErrorHandler(answerOAuthFault)
  app.addHook('onSend', nameMediaTypeAlone)
  acceptJsonBodies(app, { namesOnce: true })
  acceptFormBodies(app)
  app.register(documents)
  app.register(aboutUsers)
  app.register(tokens)
  if (!app.config.hasPages) refuseToAuthorize(app)
  authorizeDevice(app)
  introspectToken(app)
  checkToken(app)
  await app.register(accepts)
  listRevocations(app)
  // Where there are pages, the authorization endpoint is one of them.
  const inBrowsers = app.config.hasPages ? [] : [authorize, authorizeByPost]
  refuseOtherMethods(app, [...Object.values(forPrograms), ...inBrowsers])
})

/** What everybody may read, pages of other origins too. */
async function documents(app: FastifyInstance): Promise<void> {
  allowAnyOrigin(app, { methods: ['GET'] })
  getOpenidConfiguration(app)
  getAuthorizationServerMetadata(app)
  getJwks(app)
  getStatusList(app)
  // A discovery document may be at a second place.
  const discovery = [openidConfiguration, serverMetadata].flatMap(({ method, url }) =>
    metadataUrls(app, url).map((place) => ({ method, url: place }))
  )
  refuseOtherMethods(app, [...discovery, jwks, statusList])
}

/** What pages of any origin may ask with an access token (OpenID Connect Core 1.0 §5.3). */
async function aboutUsers(app: FastifyInstance): Promise<void> {
  allowAnyOrigin(app, {
    methods: ['GET', 'POST'],
    requestHeaders: ['authorization', 'content-type'],
    answerHeaders: ['www-authenticate', 'retry-after', 'x-request-id']
  })
  getUserinfo(app)
  postUserinfo(app)
  refuseOtherMethods(app, [userinfo, userinfoByPost])
}

/**
 * What clients that are pages ask, of any origin: tokens for a code, and to revoke them. A device authorization they cannot begin: a
 * page that could would ask from its visitor's own address, which is the first thing that the question has people compare.
 */
async function tokens(app: FastifyInstance): Promise<void> {
  allowAnyOrigin(app, { methods: ['POST'], isForPagesAlone: true })
  requestToken(app)
  revokeToken(app)
  refuseOtherMethods(app, [token, revocation])
}

/** JSON has no charset parameter (RFC 8259 §11), and there are clients that compare the whole header. */
function nameMediaTypeAlone(
  _request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: DoneFuncWithErrOrRes
) {
  const type = reply.getHeader('content-type')
  if (type !== undefined && type !== STATUS_LIST_TYPE) reply.header('content-type', 'application/json')
  done(null, payload)
}
