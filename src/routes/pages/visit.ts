/** A visit to a page: who is there, in which language, and what their forms are bound to. */
import { randomUUID } from 'node:crypto'
import '@fastify/accepts'
import Csrf from '@fastify/csrf'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import { fault } from '../../core/fault.js'
import type { BrowserSession } from '../../core/users/browser-session.js'
import { type App, basePathOf } from '../app.js'
import type { Assets } from './assets.js'
import type { Cookies, Destination, Visitor } from './cookies.js'
import type { Texts } from './texts/en.js'
import { LANGUAGES, type Language, texts } from './texts/languages.js'

export interface Visit {
  language: Language
  texts: Texts
  /** What every path of a link begins with: the path of PUBLIC_URL. */
  base: string
  /** What the operator calls the service. */
  serviceName: string
  assets: Assets
  /** Of grantd itself; told where the service is only tried out. */
  version: string | undefined
  session: BrowserSession | undefined
  visitor: Visitor | undefined
  /** For the hidden field of every form. */
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
  /** Looks up the session and the visitor, for every page. */
  begin(request: FastifyRequest): Promise<void>
  /** Lets in users who are signed in, and sends everybody else to the sign-in page and back. */
  requireSession(destination: Destination): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The same, but a sign-in that was too long ago does not count. */
  requireFreshSession(destination: Destination): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** Whether a form is one that this visitor was shown, and no other site sent it. Its body has been read. */
  isOwnForm(request: FastifyRequest): boolean
  /** Refuses a form for which `isOwnForm` is false. */
  requireOwnForm(request: FastifyRequest): Promise<void>
  /** Whether a form of ours came back without any cookie of ours, from a browser that may keep none at an http address. */
  hasLostCookies(request: FastifyRequest): boolean
  /** A visit of nobody in particular, for answers that must not look anybody up. */
  ofNobody(request: FastifyRequest): Visit
  /** Remembers a visitor, and where they are going; answers with a visit whose forms they can send. */
  remember(request: FastifyRequest, reply: FastifyReply, changes: Partial<Visitor>): Visit
}

export function createVisits(app: App, cookies: Cookies, assets: Assets): Visits {
  const { clock, config } = app
  const { keyring } = app.core
  const base = basePathOf(config.publicUrl)
  const origin = new URL(config.publicUrl).origin
  const csrf = new Csrf.Tokens({})

  /** Derived from what the browser holds, so that no secret has to be stored. */
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
    // Whoever asks later in this request gets the same visitor.
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

/** The token that a form was sent with. */
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
 * Whether a page of ours sent this request, as far as the browser tells. Browsers send `Origin: null` for our own forms, since
 * the pages have the referrer policy `no-referrer`; then Sec-Fetch-Site decides, and without it the form's token alone.
 */
function isFromHere({ headers }: FastifyRequest, origin: string): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const from = headers.origin
  return from === undefined || from === 'null' || from === origin
}

/** Whether a link that begins something was followed here, or typed, rather than on another site. */
export function isFollowedHere({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined || site === 'same-origin' || site === 'none'
}

export function languageOf(request: FastifyRequest): Language {
  const chosen = request.accepts().language([...LANGUAGES])
  return LANGUAGES.find((language) => language === chosen) ?? LANGUAGES[0]
}
