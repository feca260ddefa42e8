/** A visit to a page: its session or visitor, its language, and the CSRF protection of its forms. */
import { randomUUID } from 'node:crypto'
import '@fastify/accepts'
import Csrf from '@fastify/csrf'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import { fault } from '../../core/fault.js'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import { type App, basePathOf } from '../app.js'
import type { Assets } from './assets.js'
import type { Cookies, Destination, Visitor } from './cookies.js'
import type { Texts } from './texts/en.js'
import { LANGUAGES, type Language, texts } from './texts/languages.js'

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

export const CSRF_FIELD = 'csrf'

export interface Visits {
  /** The hook that looks up the session and the visitor. */
  begin(request: FastifyRequest): Promise<void>
  /** The hook that admits signed-in users and sends everybody else to the sign-in page and back. */
  requireSession(destination: Destination): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The same, but only for a recent sign-in (CONSENT_MAX_AUTH_AGE_SECONDS). */
  requireFreshSession(destination: Destination): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** Whether this visitor was shown the form and no other site submitted it. The body must have been read. */
  isOwnForm(request: FastifyRequest): boolean
  /** Throws `forbidden` for a form for which `isOwnForm` is false. */
  requireOwnForm(request: FastifyRequest): Promise<void>
  /** Whether a form of ours was submitted without any of our cookies, which some browsers refuse at an http address. */
  hasLostCookies(request: FastifyRequest): boolean
  /** A visit without session or visitor, for answers that must not look one up. */
  ofNobody(request: FastifyRequest): Visit
  /** Gives the browser a visitor's cookie with a destination. Returns a visit whose forms the visitor can submit. */
  remember(request: FastifyRequest, reply: FastifyReply, changes: Partial<Visitor>): Visit
}

export function createVisits(app: App, cookies: Cookies, assets: Assets): Visits {
  const { clock, config } = app
  const { keyring } = app.core
  const base = basePathOf(config.publicUrl)
  const origin = new URL(config.publicUrl).origin
  const csrf = new Csrf.Tokens({})

  /** Derives the CSRF token from the session or the visitor's id, so that none has to be stored. */
  const csrfSecretsOf = (session: BrowserSession | undefined, visitor: Visitor | undefined) =>
    keyring.derive('csrf', session ? `session ${session.id}` : `visitor ${visitor?.id}`)

  function visitBy(request: FastifyRequest, session: BrowserSession | undefined, visitor: Visitor | undefined): Visit {
    const language = languageOf(request)
    const csrfToken = csrf.create(csrfSecretsOf(session, visitor)[0] as string)
    return {
      language,
      texts: texts[language],
      base,
      serviceName: config.serviceName,
      assets,
      version: config.demoSignIn ? openapiDocument.info.version : undefined,
      session,
      visitor,
      csrfToken,
      nowMs: clock()
    }
  }

  function remember(request: FastifyRequest, reply: FastifyReply, changes: Partial<Visitor>): Visit {
    const { session, visitor: before } = visitOf(request)
    const visitor: Visitor = { id: randomUUID(), destination: 'device', ...before, ...changes }
    cookies.visitor.set(reply, visitor)
    const visit = visitBy(request, session, visitor)
    // Later calls in this request find the same visitor.
    request.visit = visit
    return visit
  }

  function isOwnForm(request: FastifyRequest): boolean {
    const { session, visitor } = visitOf(request)
    const sent = sentTokenOf(request)
    return (
      (session !== undefined || visitor !== undefined) &&
      sent !== undefined &&
      csrfSecretsOf(session, visitor).some((secret) => csrf.verify(secret, sent)) &&
      isFromHere(request, origin)
    )
  }

  const require = (destination: Destination, suffices: (session: BrowserSession) => boolean) => {
    return async (request: FastifyRequest, reply: FastifyReply) => {
      const { session } = visitOf(request)
      if (session && suffices(session)) return
      remember(request, reply, { destination, reauthenticates: session !== undefined })
      return reply.redirect(`${base}/login`, 303)
    }
  }

  return {
    async begin(request) {
      const token = cookies.session.read(request)
      const session = token === undefined ? undefined : await app.core.browserSessions.use(token)
      request.visit = visitBy(request, session, cookies.visitor.read(request))
    },

    requireSession: (destination) => require(destination, () => true),

    requireFreshSession: (destination) =>
      require(destination, ({ signedInAtMs }) =>
        clock() - signedInAtMs <= config.sessions.consentMaxAuthAgeSeconds * 1000),

    isOwnForm,

    async requireOwnForm(request) {
      if (!isOwnForm(request)) throw fault('forbidden', { detail: 'not a form of this visitor' })
    },

    hasLostCookies: (request) =>
      origin.startsWith('http:') &&
      cookies.areAbsent(request) &&
      sentTokenOf(request) !== undefined &&
      isFromHere(request, origin),

    ofNobody: (request) => visitBy(request, undefined, undefined),

    remember
  }
}

/** The CSRF token that was submitted with a form. */
function sentTokenOf({ body }: FastifyRequest): string | undefined {
  const sent = (body as Record<string, unknown> | null | undefined)?.[CSRF_FIELD]
  return typeof sent === 'string' ? sent : undefined
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

/**
 * Whether the browser's headers allow that a page of ours sent this request. Browsers send `Origin: null` for our own forms,
 * because the pages have the referrer policy `no-referrer`. Then Sec-Fetch-Site decides and, without it, only the CSRF token.
 */
function isFromHere({ headers }: FastifyRequest, origin: string): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const from = headers.origin
  return from === undefined || from === 'null' || from === origin
}

/** Whether the link was followed on a page of ours or typed, and not followed on another site. */
export function isFollowedHere({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined || site === 'same-origin' || site === 'none'
}

export function languageOf(request: FastifyRequest): Language {
  const chosen = request.accepts().language([...LANGUAGES])
  return LANGUAGES.find((language) => language === chosen) ?? LANGUAGES[0]
}
