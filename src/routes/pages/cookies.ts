/**
 * The cookies of the pages, all of them `__Host-`, out of reach of scripts, and sent along from other sites only when somebody
 * follows a link here. One holds the token of the session; what the others hold is sealed, so that an entered code and an
 * attempt to sign in need no place on the server until they come to something.
 */
import '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attempt } from '../../core/upstream/upstream-client.js'
import type { App } from '../app.js'

/** Where somebody was going when they had to sign in. A name, never a URL: there is nothing to forge. */
export type Destination = 'device' | 'consent' | 'clients' | 'connections'

/** The code that was entered, or filled in by a link, and what became of it. */
export interface EnteredCode {
  userCode: string
  /** Whether a link filled it in. */
  linked: boolean
  /** Whether it was looked up since, and found. */
  isEntered?: boolean
  result?: 'approved' | 'denied' | 'undone'
  /** Who decided: nobody else who signs in in this browser is told. */
  decidedBy?: string
  /** The authorized client that an approval leads to. */
  authorizedClientId?: string
}

/** A visitor on their way to signing in or to connecting an account. */
export interface Visitor {
  /** Random; what forms of a visitor without a session are bound to. */
  id: string
  destination: Destination
  /** Whether they have to prove again who they are. */
  reauthenticates?: boolean
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
}

const OPTIONS = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const
/** How long somebody may take to sign in. */
const VISITOR_SECONDS = 900
/** A browser keeps no larger one. */
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
          // Not one of ours, or sealed under a secret that is gone: as good as none.
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

  const session = '__Host-grantd-session'
  return {
    session: {
      read: (request) => request.cookies[session],
      set: (reply, token) => void reply.setCookie(session, token, { ...OPTIONS, maxAge: config.sessions.ttlSeconds }),
      clear: (reply) => void reply.clearCookie(session, OPTIONS)
    },
    enteredCode: sealed('__Host-grantd-code', config.grantTtlSeconds),
    visitor: sealed('__Host-grantd-visitor', VISITOR_SECONDS)
  }
}
