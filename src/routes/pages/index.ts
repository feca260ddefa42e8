/**
 * The pages on which people sign in, decide grants and manage their authorizations. They exist where people can sign in here;
 * otherwise the operator's own dashboard takes their place. No script runs on them.
 */
import accepts from '@fastify/accepts'
import cookie from '@fastify/cookie'
import helmet from 'helmet'
import { surface } from '../app.js'
import { acceptFormBodies } from '../form-body.js'
import { refuseOtherMethods, routesOf } from '../method-not-allowed.js'
import { authorize } from '../oauth/authorize.js'
import { adminPages } from './admin/index.js'
import { answerAsk } from './answer-ask.js'
import { answerPageFault } from './answers.js'
import { createAsks } from './asks.js'
import { createAssets, sendAssets } from './assets.js'
import {
  renameAuthorization,
  revokeAllAuthorizations,
  revokeAuthorization,
  showAuthorizations
} from './authorizations.js'
import { beginConnecting, chooseForSignIn, disconnect, showConnections } from './connections.js'
import { showConsent } from './consent-page.js'
import { createCookies } from './cookies.js'
import { decideConsent } from './decide-consent.js'
import { enterCode, showCodeForm, showStart } from './enter-code.js'
import { createEnteredCodes } from './entered-code.js'
import { finishSignIn } from './finish-sign-in.js'
import { beginSignIn, showLogin, showLogout, signInByName, signOut } from './login.js'
import { answerStrays, refuseUnknown } from './other-paths.js'
import type { PageParts } from './page.js'
import { showResult, undoApproval } from './result.js'
import { showAsk } from './show-ask.js'
import { createVisits } from './visit.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on pages, which no API document describes. */
    page?: boolean
  }
}

const ALWAYS = [
  showStart,
  showCodeForm,
  enterCode,
  showConsent,
  decideConsent,
  showResult,
  undoApproval,
  authorize,
  showAsk,
  answerAsk,
  showLogin,
  beginSignIn,
  finishSignIn,
  showLogout,
  signOut,
  showAuthorizations,
  renameAuthorization,
  revokeAuthorization,
  revokeAllAuthorizations,
  showConnections,
  beginConnecting,
  chooseForSignIn,
  disconnect
]

/** Sets the headers of every answer of the pages. */
const protect = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"]
    }
  },
  frameguard: { action: 'deny' },
  referrerPolicy: { policy: 'no-referrer' },
  // Every answer of the service has this header, not the pages alone: plugins/answer-headers.ts.
  strictTransportSecurity: false
})

const NEEDS = ['config', 'metrics', 'core', 'readiness', 'whereabouts', 'limits']

export const pages = surface<{ awaitsCollection: boolean }>('pages', NEEDS, async (app, { awaitsCollection }) => {
  await app.register(accepts)
  await app.register(cookie)
  const own = routesOf(app)
  app.addHook('onRoute', (route) => {
    // The authorization endpoint is in an API document, and answers people all the same.
    const isDocumented = route.schema !== undefined && 'operationId' in route.schema
    route.config = { ...route.config, page: !isDocumented }
  })
  // When the answer is there, because a request may be refused before any hook of the pages has seen it.
  app.addHook('onSend', (request, reply, _payload, done) => {
    const isForProgram = request.is404 && !String(reply.getHeader('content-type')).startsWith('text/html')
    if (isForProgram) done()
    else protect(request.raw, reply.raw, () => done())
  })
  // Pages read only forms, so the application's parsers are removed.
  app.removeAllContentTypeParsers()
  acceptFormBodies(app)
  const assets = createAssets(app.config.brand)
  sendAssets(app, assets)

  const cookies = createCookies(app)
  const visits = createVisits(app, cookies, assets)
  const codes = createEnteredCodes(cookies, visits)
  const asks = createAsks(app, cookies, visits)
  app.decorateRequest('visit', null)
  app.setErrorHandler(answerPageFault(visits))
  app.register(async (inner) => {
    // Before the visitor is looked up: even that is a call of the storage.
    inner.addHook('onRequest', inner.limitTime(inner.limits.perAddress('page')))
    inner.addHook('onRequest', inner.limitTime(visits.begin))
    const parts: PageParts = { app: inner, cookies, visits, codes, asks, awaitsCollection }
    for (const route of ALWAYS) route(parts)
    if (app.config.demoSignIn) signInByName(parts)
    refuseOtherMethods(
      inner,
      own().filter(({ url }) => !url.startsWith('/assets/'))
    )
    refuseUnknown(parts)
    adminPages(parts)
  })
  answerStrays(app, visits)
})
