/**
 * The cookies of the pages: `__Host-` cookies with HttpOnly and SameSite=Lax. One holds the session token. The others are sealed
 * (AES-256-GCM), so that an entered code or a sign-in under way needs no storage on the server.
 */
import '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attempt } from '../../core/upstream/sign-in-attempt.js'
import type { App } from '../app.js'
import { ASK_SECONDS, type Ask } from './ask.js'
import type { Destination, Heading } from './heading.js'

/** The user code that was entered or filled in by a link, and the decision on it. See entered-code.ts. */
export interface EnteredCode {
  /** The user who entered it; before signing in, the visitor. */
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
  askId?: string
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

export interface Cookie<T> {
  read(request: FastifyRequest): T | undefined
  set(reply: FastifyReply, value: T): void
  clear(reply: FastifyReply): void
}

export interface Cookies {
  session: Cookie<string>
  enteredCode: Cookie<EnteredCode>
  visitor: Cookie<Visitor>
  /** What programs ask for (asks.ts), the oldest first. */
  asked: Cookie<readonly Ask[]>
  /** Whether the browser sent none of these cookies, valid or not. */
  areAbsent(request: FastifyRequest): boolean
}

const OPTIONS = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const
/** Five attempts of the largest size fit into one cookie. */
const MOST_BEGUN = 5
/** The time limit of a sign-in. */
const VISITOR_SECONDS = 900
/** Browsers drop larger cookies. */
const LONGEST = 4096

export function createCookies(app: App): Cookies {
  const { clock, config } = app
  const { keyring } = app.core

  function sealed<T>(name: string, lifeSeconds: number): Cookie<T> {
    const purpose = `cookie ${name}`
    return {
      read(request) {
        const text = readOnly(request, name)
        if (!text || text.length > LONGEST) return undefined
        try {
          const { value, untilMs } = JSON.parse(keyring.open(purpose, '', text)) as { value: T; untilMs: number }
          return untilMs > clock() ? value : undefined
        } catch {
          // The cookie was forged or sealed under a removed secret, so it counts as absent.
          return undefined
        }
      },
      set(reply, value) {
        const text = keyring.seal(purpose, '', JSON.stringify({ value, untilMs: clock() + lifeSeconds * 1000 }))
        reply.setCookie(name, text, { ...OPTIONS, maxAge: lifeSeconds })
      },
      clear: (reply) => void reply.clearCookie(name, OPTIONS)
    }
  }

  /** If a cookie occurs twice, another site has set one of them (RFC 6265 §8.6), so neither counts. */
  function readOnly(request: FastifyRequest, name: string): string | undefined {
    const sent = (request.headers.cookie ?? '').split(';').filter((pair) => pair.split('=', 1)[0]?.trim() === name)
    return sent.length === 1 ? request.cookies[name] : undefined
  }

  const [session, code, visitor] = ['__Host-grantd-session', '__Host-grantd-code', '__Host-grantd-visitor']
  const asked = '__Host-grantd-asked'
  return {
    session: {
      read: (request) => readOnly(request, session),
      set: (reply, token) => void reply.setCookie(session, token, { ...OPTIONS, maxAge: config.sessions.ttlSeconds }),
      clear: (reply) => void reply.clearCookie(session, OPTIONS)
    },
    enteredCode: sealed(code, config.grantTtlSeconds),
    visitor: sealed(visitor, VISITOR_SECONDS),
    asked: sealed(asked, ASK_SECONDS),
    areAbsent: (request) => [session, code, visitor, asked].every((name) => request.cookies[name] === undefined)
  }
}
