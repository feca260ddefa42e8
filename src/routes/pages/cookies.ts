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
  askId?: string | undefined
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

/** Cookies of one kind: each has an id in its name, so that tabs that are answered at once do not overwrite each other's. */
export interface CookiesById<T> {
  read(request: FastifyRequest, id: string): T | undefined
  /** All that the browser has sent, readable or not, with the bytes of each in the header. */
  sent(request: FastifyRequest): { id: string; value: T | undefined; bytes: number }[]
  /** The bytes of it in the header; undefined, and nothing is set, if it is longer than browsers keep. */
  set(reply: FastifyReply, id: string, value: T): number | undefined
  clear(reply: FastifyReply, id: string): void
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

const OPTIONS = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const
/** Five attempts of the largest size fit into one cookie. */
const MOST_BEGUN = 5
/** The time limit of a sign-in. */
const VISITOR_SECONDS = 900
/** Browsers drop larger cookies, of which the name is a part. */
const LONGEST = 4096
/** What `randomBytes(16)` makes in base64url. */
const ID = /^[\w-]{22}$/

const inHeader = (name: string, text: string) => `${name}=${text}; `.length

export function createCookies(app: App): Cookies {
  const { clock, config } = app
  const { keyring } = app.core

  /** `of` and `record` are what it is sealed for. */
  function sealed<T>(name: string, lifeSeconds: number, of = name, record = '') {
    const purpose = `cookie ${of}`
    return {
      read(request: FastifyRequest): T | undefined {
        const text = readOnly(request, name)
        if (!text || text.length > LONGEST) return undefined
        try {
          const { value, untilMs } = JSON.parse(keyring.open(purpose, record, text)) as { value: T; untilMs: number }
          return untilMs > clock() ? value : undefined
        } catch {
          // The cookie was forged or sealed under a removed secret, so it counts as absent.
          return undefined
        }
      },
      set(reply: FastifyReply, value: T): number | undefined {
        const text = keyring.seal(purpose, record, JSON.stringify({ value, untilMs: clock() + lifeSeconds * 1000 }))
        if (name.length + text.length > LONGEST) return undefined
        reply.setCookie(name, text, { ...OPTIONS, maxAge: lifeSeconds })
        return inHeader(name, text)
      },
      clear: (reply: FastifyReply) => void reply.clearCookie(name, OPTIONS)
    }
  }

  function sealedEach<T>(prefix: string, lifeSeconds: number): CookiesById<T> {
    const one = (id: string) => sealed<T>(prefix + id, lifeSeconds, prefix, id)
    const read = (request: FastifyRequest, id: string) => (ID.test(id) ? one(id).read(request) : undefined)
    return {
      read,
      sent: (request) =>
        Object.entries(request.cookies).flatMap(([name, text = '']) => {
          const id = name.slice(prefix.length)
          if (!name.startsWith(prefix) || !ID.test(id)) return []
          return [{ id, value: read(request, id), bytes: inHeader(name, text) }]
        }),
      set: (reply, id, value) => one(id).set(reply, value),
      clear: (reply, id) => one(id).clear(reply)
    }
  }

  /** If a cookie occurs twice, another site has set one of them (RFC 6265 §8.6), so neither counts. */
  function readOnly(request: FastifyRequest, name: string): string | undefined {
    const sent = (request.headers.cookie ?? '').split(';').filter((pair) => pair.split('=', 1)[0]?.trim() === name)
    return sent.length === 1 ? request.cookies[name] : undefined
  }

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
