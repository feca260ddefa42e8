/**
 * What programs ask for in this browser by the authorization endpoint: kept in its sealed cookie until it is answered, each tab's by
 * itself. So nothing of it is stored for people who never answer, and what is approved is what this browser was asked.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'
import { ASK_SECONDS, type Ask } from './ask.js'
import type { Cookies } from './cookies.js'
import type { Heading } from './heading.js'
import { type Visits, visitOf } from './visit.js'

export interface Asks {
  /** Keeps one, and drops the oldest ones if they do not fit beside it. False if it does not fit by itself. */
  keep(request: FastifyRequest, reply: FastifyReply, ask: Ask): boolean
  /** The one of this name, whose language the page then has. */
  read(request: FastifyRequest, id: unknown): Ask | undefined
  forget(request: FastifyRequest, reply: FastifyReply, id: string): void
  /** Where a sign-in leads: to the ask of this name if there is one, otherwise where the visitor was going. */
  headingOf(request: FastifyRequest, id: unknown): Heading
  /** Whether a session may answer anything at all (CONSENT_MAX_AUTH_AGE_SECONDS). */
  isFresh(session: BrowserSession): boolean
  /** Whether a session may answer this. */
  isAnswerableBy(ask: Ask, session: BrowserSession): boolean
}

const MOST = 5
/** The bytes of all of them, which sealed still fit into a cookie. */
const MOST_BYTES = 2_850

export function createAsks(app: App, cookies: Cookies, visits: Pick<Visits, 'speak'>): Asks {
  const { clock, config } = app
  const maxAgeMs = config.sessions.consentMaxAuthAgeSeconds * 1000

  function all(request: FastifyRequest): readonly Ask[] {
    const kept = cookies.asked.read(request) ?? []
    return kept.filter(({ askedAtMs }) => clock() - askedAtMs < ASK_SECONDS * 1000)
  }

  function read(request: FastifyRequest, id: unknown): Ask | undefined {
    const found = all(request).find((ask) => ask.id === id)
    if (found?.language) visits.speak(request, found.language)
    return found
  }

  const isFresh = (session: BrowserSession) => clock() - session.signedInAtMs <= maxAgeMs
  const isAnswerableBy = (ask: Ask, session: BrowserSession) => isFresh(session) && ask.notSession !== session.id

  return {
    keep(request, reply, ask) {
      if (bytesOf([ask]) > MOST_BYTES) return false
      const asks = [...all(request), ask].slice(-MOST)
      while (bytesOf(asks) > MOST_BYTES) asks.shift()
      cookies.asked.set(reply, asks)
      return true
    },

    read,

    forget(request, reply, id) {
      const rest = all(request).filter((ask) => ask.id !== id)
      if (rest.length > 0) cookies.asked.set(reply, rest)
      else cookies.asked.clear(reply)
    },

    headingOf(request, id) {
      const ask = id === undefined ? undefined : read(request, id)
      const { session, visitor } = visitOf(request)
      if (!ask) {
        const { destination = 'device', askId, reauthenticates = false } = visitor ?? {}
        return { destination, ...(askId !== undefined && { askId }), reauthenticates }
      }
      const isEnough = session !== undefined && isAnswerableBy(ask, session)
      const reauthenticates = !isEnough && (session !== undefined || ask.notSession !== undefined)
      return { destination: 'ask', askId: ask.id, reauthenticates }
    },

    isFresh,
    isAnswerableBy
  }
}

const bytesOf = (asks: readonly Ask[]) => Buffer.byteLength(JSON.stringify(asks))
