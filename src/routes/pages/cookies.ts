/**
 * The cookies of the pages: `__Host-` cookies that scripts cannot read and that other sites send only with a followed link. One
 * holds the token of the session. The others are sealed, so that an entered code or a sign-in needs no storage on the server.
 */
import '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attempt } from '../../core/upstream/upstream-client.js'
import type { App } from '../app.js'

/** Where somebody was going. A name, never a URL, so that no request can send them elsewhere. */
export type Destination = 'device' | 'consent' | 'clients' | 'connections'

/** The path of each destination. */
export const DESTINATIONS: Readonly<Record<Destination, string>> = {
  device: '/device',
  consent: '/device/confirm',
  clients: '/account/clients',
  connections: '/account/connections'
}

/** The code that was entered, or filled in by a link, and what became of it. See entered-code.ts. */
export interface EnteredCode {
  /** The user who entered it, or the visitor who was not signed in yet. */
  owner: string
  userCode: string
  /** Whether a link filled it in. */
  linked: boolean
  /** Whether it was looked up since, and found. One that was typed before signing in is looked up after it. */
  isEntered?: boolean
  result?: 'approved' | 'denied' | 'undone'
  /** The authorization that an approval leads to. Cookies keep the wire's word for it. */
  authorizedClientId?: string
}

/** A sign-in or a connecting that was begun at an upstream, and is told apart from others by its state (RFC 6749 §10.12). */
export interface Begun {
  /** Cookies keep the wire's word for the upstream. */
  providerId: string
  state: string
  /** Where its browser goes on to afterwards. */
  destination: Destination
  /** Its secrets; undefined once it has succeeded, so that a callback that is loaded again only leads on. */
  attempt?: Attempt
  /** A keyed tag of the user who connects an account; undefined for a sign-in. */
  connectsFor?: string
}

/** Somebody on their way to signing in or to connecting an account. */
export interface Visitor {
  /** Random. The forms of a visitor without a session are bound to it. */
  id: string
  destination: Destination
  /** Whether they have to prove again who they are. */
  reauthenticates?: boolean
  /** What several tabs have begun, the oldest first. */
  begun?: readonly Begun[]
}

/** The list with one more at its end. When there are too many, the oldest that is over goes, or else the oldest. */
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
  /** Whether the browser sent none of them, good or not. */
  areAbsent(request: FastifyRequest): boolean
}

const OPTIONS = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const
/** Five of the largest attempts fit into a cookie with all that surrounds them. */
const MOST_BEGUN = 5
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
        const text = readOnly(request, name)
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

  /** A cookie that comes twice was set by somebody else beside ours (RFC 6265 §8.6), and then neither counts. */
  function readOnly(request: FastifyRequest, name: string): string | undefined {
    const sent = (request.headers.cookie ?? '').split(';').filter((pair) => pair.split('=', 1)[0]?.trim() === name)
    return sent.length === 1 ? request.cookies[name] : undefined
  }

  const [session, code, visitor] = ['__Host-grantd-session', '__Host-grantd-code', '__Host-grantd-visitor']
  return {
    session: {
      read: (request) => readOnly(request, session),
      set: (reply, token) => void reply.setCookie(session, token, { ...OPTIONS, maxAge: config.sessions.ttlSeconds }),
      clear: (reply) => void reply.clearCookie(session, OPTIONS)
    },
    enteredCode: sealed(code, config.grantTtlSeconds),
    visitor: sealed(visitor, VISITOR_SECONDS),
    areAbsent: (request) => [session, code, visitor].every((name) => request.cookies[name] === undefined)
  }
}
