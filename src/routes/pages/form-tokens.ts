/**
 * The CSRF protection of forms: a token that is derived from the session or the visitor, and what the browser says of where a
 * form was submitted.
 */
import Csrf from '@fastify/csrf'
import type { FastifyRequest } from 'fastify'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'
import type { Visitor } from './cookies.js'

export const CSRF_FIELD = 'csrf'

/** Whom a form is shown to. */
export interface Viewer {
  session: BrowserSession | undefined
  visitor: Visitor | undefined
}

export interface FormTokens {
  /** Makes the token in the hidden field. */
  make(viewer: Viewer): string
  /** Whether a form was shown to this viewer, and no other site submitted it. */
  isOwn(request: FastifyRequest, viewer: Viewer): boolean
  /** Whether a form of ours was submitted, as far as can be told without its viewer. */
  isOurs(request: FastifyRequest): boolean
}

/** `origin` is that of PUBLIC_URL. */
export function createFormTokens({ core: { keyring } }: App, origin: string): FormTokens {
  const csrf = new Csrf.Tokens({})

  /** Derives the CSRF token from the session or the visitor's id, so that none has to be stored. */
  const secretsOf = ({ session, visitor }: Viewer) =>
    keyring.derive('csrf', session ? `session ${session.id}` : `visitor ${visitor?.id}`)

  return {
    make: (viewer) => csrf.create(secretsOf(viewer)[0] as string),

    isOwn(request, viewer) {
      const sent = sentTokenOf(request)
      return (
        (viewer.session !== undefined || viewer.visitor !== undefined) &&
        sent !== undefined &&
        secretsOf(viewer).some((secret) => csrf.verify(secret, sent)) &&
        isFromHere(request, origin)
      )
    },

    isOurs: (request) => sentTokenOf(request) !== undefined && isFromHere(request, origin)
  }
}

/** The CSRF token that was submitted with a form. */
function sentTokenOf({ body }: FastifyRequest): string | undefined {
  const sent = (body as Record<string, unknown> | null | undefined)?.[CSRF_FIELD]
  return typeof sent === 'string' ? sent : undefined
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
