/** A visit to a page: its session or visitor, its language, and what it may do; form-tokens.ts protects its forms (CSRF). */
import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import type { Origin } from '../../core/audit/event.js'
import { fault } from '../../core/fault.js'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import { type App, basePathOf } from '../app.js'
import type { Assets } from './assets.js'
import type { Cookies, Visitor } from './cookies.js'
import { createFormTokens } from './form-tokens.js'
import type { Destination, Heading } from './heading.js'
import type { Texts } from './texts/en.js'
import { type Language, languageOf, texts } from './texts/languages.js'

export interface Visit {
  language: Language
  texts: Texts
  /** The prefix of every link: the path of PUBLIC_URL. */
  base: string
  /** SERVICE_NAME. */
  serviceName: string
  assets: Assets
  /** The version of grantd, shown only in a trial. */
  version: string | undefined
  session: BrowserSession | undefined
  visitor: Visitor | undefined
  /** The token in the hidden field of every form. */
  csrfToken: string
  nowMs: number
}

declare module 'fastify' {
  interface FastifyRequest {
    visit: Visit | null
  }
}

export interface Visits {
  /** The hook that looks up the session and the visitor. */
  begin(request: FastifyRequest): Promise<void>
  /** The hook that admits signed-in users and sends everybody else to the sign-in page and back. */
  requireSession(destination: Destination): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** Whether its user has proved lately enough who they are to decide anything (CONSENT_MAX_AUTH_AGE_SECONDS). */
  isFresh(session: BrowserSession): boolean
  /** The hook that admits those alone. */
  requireFreshSession(destination: Destination): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** Sends the visitor to the sign-in page and back, to sign in once more if they are signed in. */
  sendToSignIn(request: FastifyRequest, reply: FastifyReply, heading: Omit<Heading, 'reauthenticates'>): FastifyReply
  /** Whether this visitor was shown the form and no other site submitted it. The body must have been read. */
  isOwnForm(request: FastifyRequest): boolean
  /** Throws `forbidden` for a form for which `isOwnForm` is false. */
  requireOwnForm(request: FastifyRequest): Promise<void>
  /** Whether a form of ours was submitted without any of our cookies, which some browsers refuse at an http address. */
  hasLostCookies(request: FastifyRequest): boolean
  /** A visit without session or visitor, for answers that must not look one up. */
  ofNobody(request: FastifyRequest): Visit
  /** Has this page speak another language than the browser prefers. */
  speak(request: FastifyRequest, language: Language): void
  /** Gives the browser a visitor's cookie with a destination. Returns a visit whose forms the visitor can submit. */
  remember(request: FastifyRequest, reply: FastifyReply, changes: Partial<Visitor>): Visit
}

export function createVisits(app: App, cookies: Cookies, assets: Assets): Visits {
  const { clock, config } = app
  const base = basePathOf(config.publicUrl)
  const origin = new URL(config.publicUrl).origin
  const formTokens = createFormTokens(app, origin)
  const isOwnForm = (request: FastifyRequest) => formTokens.isOwn(request, visitOf(request))

  function visitBy(request: FastifyRequest, session: BrowserSession | undefined, visitor: Visitor | undefined): Visit {
    const language = languageOf(request)
    return {
      language,
      texts: texts[language],
      base,
      serviceName: config.serviceName,
      assets,
      version: config.demoSignIn ? openapiDocument.info.version : undefined,
      session,
      visitor,
      csrfToken: formTokens.make({ session, visitor }),
      nowMs: clock()
    }
  }

  function remember(request: FastifyRequest, reply: FastifyReply, changes: Partial<Visitor>): Visit {
    const { session, visitor: before } = visitOf(request)
    // Another destination is not to answer what was asked before.
    const elsewhere = changes.destination !== undefined && { askId: undefined, admin: undefined }
    const visitor: Visitor = { id: randomUUID(), destination: 'device', ...before, ...elsewhere, ...changes }
    cookies.visitor.set(reply, visitor)
    const { language, texts } = visitOf(request)
    const visit = { ...visitBy(request, session, visitor), language, texts }
    // Later calls in this request find the same visitor.
    request.visit = visit
    return visit
  }

  /** Who was asked to prove it, and did, did so for this session: the clock of their upstream may be behind. */
  const isFresh = ({ authenticatedAtMs, signedInAtMs, isReauthenticated }: BrowserSession) =>
    clock() - (isReauthenticated ? signedInAtMs : authenticatedAtMs) <= config.sessions.consentMaxAuthAgeSeconds * 1000

  function sendToSignIn(request: FastifyRequest, reply: FastifyReply, heading: Omit<Heading, 'reauthenticates'>) {
    remember(request, reply, { ...heading, reauthenticates: visitOf(request).session !== undefined })
    return reply.redirect(`${base}/login`, 303)
  }

  const require = (destination: Destination, suffices: (session: BrowserSession) => boolean) => {
    return async (request: FastifyRequest, reply: FastifyReply) => {
      const { session } = visitOf(request)
      if (session && suffices(session)) return
      return sendToSignIn(request, reply, { destination })
    }
  }

  return {
    async begin(request) {
      const token = cookies.session.read(request)
      const session = token === undefined ? undefined : await app.core.browserSessions.use(token)
      request.visit = visitBy(request, session, cookies.visitor.read(request))
    },

    requireSession: (destination) => require(destination, () => true),

    isFresh,
    requireFreshSession: (destination) => require(destination, isFresh),
    sendToSignIn,

    isOwnForm,

    async requireOwnForm(request) {
      if (!isOwnForm(request)) throw fault('forbidden', { detail: 'not a form of this visitor' })
    },

    hasLostCookies: (request) => origin.startsWith('http:') && cookies.areAbsent(request) && formTokens.isOurs(request),

    speak(request, language) {
      request.visit = { ...visitOf(request), language, texts: texts[language] }
    },

    ofNobody: (request) => visitBy(request, undefined, undefined),

    remember
  }
}

/** The visit of a page's request. */
export function visitOf(request: FastifyRequest): Visit {
  if (!request.visit) throw fault('internal', { detail: 'a page asks for a visit that did not begin' })
  return request.visit
}

/** The session behind a page that requires one. */
export function sessionOf(request: FastifyRequest): BrowserSession {
  const { session } = visitOf(request)
  if (!session) throw fault('internal', { detail: 'a page reads its session without requiring one' })
  return session
}

/** The user behind a page that requires a session. */
export function userIdOf(request: FastifyRequest): string {
  return sessionOf(request).userId
}

/** The user behind a page, as the audit trail tells who asks. */
export function byOf({ whereabouts }: Pick<App, 'whereabouts'>, request: FastifyRequest): Origin & { ip: string } {
  return whereabouts.origin(request, `user:${userIdOf(request)}`)
}
