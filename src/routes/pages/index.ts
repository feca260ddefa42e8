/**
 * The pages: what a person needs to sign in, to decide, and to look after what was granted. They are there when people can sign
 * in here; otherwise the operator has a dashboard of their own. No script runs on them.
 */
import accepts from '@fastify/accepts'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import { acceptFormBodies } from '../form-body.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { answerPageFault } from './answers.js'
import { beginConnecting } from './begin-connecting.js'
import { beginSignIn } from './begin-sign-in.js'
import { createCookies } from './cookies.js'
import { decideConsent } from './decide-consent.js'
import { disconnectAccount } from './disconnect-account.js'
import { enterCode } from './enter-code.js'
import { finishSignIn } from './finish-sign-in.js'
import type { PageParts } from './page.js'
import { refuseUnknown } from './refuse-unknown.js'
import { renameClient } from './rename-client.js'
import { revokeAllClients } from './revoke-all-clients.js'
import { revokeClient } from './revoke-client.js'
import { sendAssets } from './send-assets.js'
import { showClients } from './show-clients.js'
import { showCodeForm } from './show-code-form.js'
import { showConnections } from './show-connections.js'
import { showConsent } from './show-consent.js'
import { showLogin } from './show-login.js'
import { showLogout } from './show-logout.js'
import { showResult } from './show-result.js'
import { showStart } from './show-start.js'
import { signInByName } from './sign-in-by-name.js'
import { signOut } from './sign-out.js'
import { undoApproval } from './undo-approval.js'
import { createVisits } from './visit.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on what people look at, which is in no API document. */
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
  showLogin,
  beginSignIn,
  finishSignIn,
  showLogout,
  signOut,
  showClients,
  renameClient,
  revokeClient,
  revokeAllClients,
  showConnections,
  beginConnecting,
  disconnectAccount
]

export async function pages(app: FastifyInstance): Promise<void> {
  await app.register(accepts)
  await app.register(cookie)
  await app.register(helmet, {
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
    // Whether this host is reached by TLS alone is the operator's to say, for all of its services.
    strictTransportSecurity: false
  })
  const own: { method: string; url: string }[] = []
  app.addHook('onRoute', (route) => {
    if (!route.config?.refusesMethod) own.push({ method: String(route.method), url: route.url })
    route.config = { ...route.config, page: true }
  })
  // Forms, and nothing else that the rest of the application reads.
  app.removeAllContentTypeParsers()
  acceptFormBodies(app)
  sendAssets(app)

  const cookies = createCookies(app)
  const visits = createVisits(app, cookies)
  app.decorateRequest('visit', null)
  app.setErrorHandler(answerPageFault(visits.ofNobody))
  app.register(async (inner) => {
    inner.addHook('onRequest', inner.limitTime(visits.begin))
    const parts: PageParts = { app: inner, cookies, visits }
    for (const route of ALWAYS) route(parts)
    if (app.config.demoSignIn) signInByName(parts)
    const named = own.map(({ method, url }) => ({ method, url: url.slice(app.prefix.length) || '/' }))
    refuseOtherMethods(
      inner,
      named.filter(({ method, url }) => method !== 'HEAD' && !url.startsWith('/assets/'))
    )
    refuseUnknown(parts)
  })
}
