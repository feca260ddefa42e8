/**
 * The cookies of the pages. All are `__Host-` cookies that scripts cannot read and that other sites send only with a
 * followed link (SameSite=Lax). One holds the token of the session. The contents of the others are sealed, so that an
 * entered code or a sign-in attempt needs no storage on the server.
 */
import '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attempt } from '../../core/upstream/upstream-client.js'
import type { App } from '../app.js'

/** Where somebody was going when they had to sign in. A name, never a URL, so that no request can send them elsewhere. */
export type Destination = 'device' | 'consent' | 'clients' | 'connections'

/** The path of each destination. */
export const DESTINATIONS: Readonly<Record<Destination, string>> = {
  device: '/device',
  consent: '/device/confirm',
  clients: '/account/clients',
  connections: '/account/connections'
}

/** The code that was entered, or filled in by a link, and what became of it. */
export interface EnteredCode {
  userCode: string
  /** Whether a link filled it in. */
  linked: boolean
  /** Whether it was looked up since, and found. One that was typed before signing in is looked up after it. */
  isEntered?: boolean
  result?: 'approved' | 'denied' | 'undone'
  /** The user who decided. No other user of this browser is told the result. */
  decidedBy?: string
  /** The authorization that an approval leads to. Cookies keep the wire's word for it. */
  authorizedClientId?: string
}

/** Somebody on their way to signing in or to connecting an account. */
export interface Visitor {
  /** Random. The forms of a visitor without a session are bound to it. */
  id: string
  destination: Destination
  /** Whether they have to prove again who they are. */
  reauthenticates?: boolean
  /** The attempt at an upstream that has begun. Cookies keep the wire's `provider` for it. */
  underWay?: { providerId: string; attempt: Attempt; connectsFor?: string }
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
  /** Whether the browser sent none of them, good or not. */
  areAbsent(request: FastifyRequest): boolean
}

const OPTIONS = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const
/** How long somebody may take to sign in. */
const VISITOR_SECONDS = 900
/** The largest cookie that a browser keeps. */
const LONGEST = 4096

export function createCookies(app: App): Cookies {
  const { clock, config } = app
  const { keyring } = app.core

  function sealed<T>(name: string, lifeSeconds: number): Cookie<T> {
    const purpose = `cookie ${name}`
    return {
      read(request) {
        const text = request.cookies[name]
        if (!text || text.length > LONGEST) return undefined
        try {
          const { value, untilMs } = JSON.parse(keyring.open(purpose, '', text)) as { value: T; untilMs: number }
          return untilMs > clock() ? value : undefined
        } catch {
          // It is not one of ours, or was sealed under a secret that is gone, and so counts as absent.
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

  const [session, code, visitor] = ['__Host-grantd-session', '__Host-grantd-code', '__Host-grantd-visitor']
  return {
    session: {
      read: (request) => request.cookies[session],
      set: (reply, token) => void reply.setCookie(session, token, { ...OPTIONS, maxAge: config.sessions.ttlSeconds }),
      clear: (reply) => void reply.clearCookie(session, OPTIONS)
    },
    enteredCode: sealed(code, config.grantTtlSeconds),
    visitor: sealed(visitor, VISITOR_SECONDS),
    areAbsent: (request) => [session, code, visitor].every((name) => request.cookies[name] === undefined)
  }
}
