/**
 * The cookies of the pages: `__Host-` cookies with HttpOnly and SameSite=Lax. One holds the session token. The others are sealed
 * (AES-256-GCM), so that an entered code or a sign-in under way needs no storage on the server.
 */
import '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import type { Attempt } from '../../core/upstream/sign-in-attempt.js'
import type { App } from '../app.js'
import { ASK_SECONDS, type Ask } from './ask.js'
import type { AdminPlace, Destination, Heading } from './heading.js'
import { type Cookie, type CookiesById, createSealedCookies, OPTIONS } from './sealed-cookies.js'

/** The user code that was entered or filled in by a link, and the decision on it. See entered-code.ts. */
export interface EnteredCode {
  /** The user who entered it; before signing in, the visitor. Cookies keep this older name of the field. */
  owner: string
  userCode: string
  /** Whether a link filled it in. */
  linked: boolean
  /** Whether it was looked up and found. A code typed before signing in is looked up afterwards. */
  isEntered?: boolean
  result?: 'approved' | 'denied' | 'undone'
  /** The id of the authorization that the approval created. Cookies keep the wire's word for it. */
  authorizedClientId?: string
}

/** An attempt to sign in or connect at an upstream. Its `state` parameter identifies it (RFC 6749 §10.12). */
export interface Begun {
  /** The upstream's id. Cookies keep the wire's word for it. */
  providerId: string
  state: string
  /** Where the browser goes afterwards. */
  destination: Destination
  askId?: string | undefined
  admin?: AdminPlace | undefined
  /** The attempt's secrets; undefined once it has succeeded, so that reloading the callback only redirects. */
  attempt?: Attempt
  /** A keyed tag of the user who connects an account; undefined for a sign-in. */
  connectsFor?: string
}

/** A visitor who is about to sign in or connect an account. */
export interface Visitor extends Heading {
  /** A random id, to which the CSRF tokens of a visitor without a session are bound. */
  id: string
  /** The attempts of all tabs, the oldest first. */
  begun?: readonly Begun[]
}

/** Appends an attempt. Past the cap it drops the oldest finished attempt or, if none is finished, the oldest. */
export function withBegun(before: readonly Begun[] = [], one: Begun): readonly Begun[] {
  const gone = before.length < MOST_BEGUN ? undefined : (before.find(({ attempt }) => !attempt) ?? before[0])
  return [...before.filter((other) => other !== gone), one]
}

export interface Cookies {
  session: Cookie<string>
  enteredCode: Cookie<EnteredCode>
  visitor: Cookie<Visitor>
  /** What programs ask for (asks.ts), each in a cookie of its own. */
  asks: CookiesById<Ask>
  /** Whether the browser sent none of these cookies, valid or not. */
  areAbsent(request: FastifyRequest): boolean
}

/** Five attempts of the largest size fit into one cookie. */
const MOST_BEGUN = 5
/** The time limit of a sign-in. */
const VISITOR_SECONDS = 900
export function createCookies(app: App): Cookies {
  const { config } = app
  const { sealed, sealedEach, readOnly } = createSealedCookies(app)
  const [session, code, visitor] = ['__Host-grantd-session', '__Host-grantd-code', '__Host-grantd-visitor']
  const ask = '__Host-grantd-ask-'
  return {
    session: {
      read: (request) => readOnly(request, session),
      set: (reply, token) => void reply.setCookie(session, token, { ...OPTIONS, maxAge: config.sessions.ttlSeconds }),
      clear: (reply) => void reply.clearCookie(session, OPTIONS)
    },
    enteredCode: sealed(code, config.grantTtlSeconds),
    visitor: sealed(visitor, VISITOR_SECONDS),
    asks: sealedEach(ask, ASK_SECONDS),
    areAbsent: ({ cookies }) =>
      Object.keys(cookies).every((name) => ![session, code, visitor].includes(name) && !name.startsWith(ask))
  }
}
