/**
 * What programs ask for in this browser by the authorization endpoint: each kept in a sealed cookie of its own until it is answered, so
 * that tabs do not meet. Nothing of it is stored for people who never answer, and what is approved is what this browser was asked.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'
import type { Ask } from './ask.js'
import type { Cookies } from './cookies.js'
import type { Heading } from './heading.js'
import { type Visits, visitOf } from './visit.js'

export interface Asks {
  /** Keeps one, and drops the oldest ones if there are too many beside it. False if it does not fit by itself. */
  keep(request: FastifyRequest, reply: FastifyReply, ask: Ask): boolean
  /** The one of this name, whose language the page then has. */
  read(request: FastifyRequest, id: unknown): Ask | undefined
  forget(reply: FastifyReply, id: string): void
  /** Where a sign-in leads: to the ask of this name if there is one, otherwise where the visitor was going. */
  headingOf(request: FastifyRequest, id: unknown): Heading
  /** Whether a session may answer this, of which less need be known than of one that is kept. */
  isAnswerableBy(ask: Demands, session: BrowserSession): boolean
}

export type Demands = Pick<Ask, 'askedAtMs' | 'reauthenticates' | 'maxAgeSeconds'>

const MOST = 6
/** The bytes of all in a header. With five sign-ins under way and all other cookies of the pages that makes less than 8 KB. */
const MOST_BYTES = 4_600
/** Who has just signed in for a question may read it for so long, however short `max_age` is. */
const ANSWER_WITHIN_MS = 300_000

export function createAsks(app: App, cookies: Cookies, visits: Pick<Visits, 'speak' | 'isFresh'>): Asks {
  const { clock } = app

  function read(request: FastifyRequest, id: unknown): Ask | undefined {
    const found = typeof id === 'string' ? cookies.asks.read(request, id) : undefined
    if (found?.language) visits.speak(request, found.language)
    return found
  }

  function isAnswerableBy({ askedAtMs, reauthenticates, maxAgeSeconds }: Demands, session: BrowserSession): boolean {
    const { authenticatedAtMs, signedInAtMs, isReauthenticated } = session
    const isForThis = isReauthenticated && signedInAtMs >= askedAtMs
    if (!visits.isFresh(session) || (reauthenticates && !isForThis)) return false
    if (maxAgeSeconds === undefined || clock() - authenticatedAtMs <= maxAgeSeconds * 1000) return true
    return isForThis && clock() - signedInAtMs <= ANSWER_WITHIN_MS
  }

  return {
    keep(request, reply, ask) {
      let bytes = cookies.asks.set(reply, ask.id, ask)
      if (bytes === undefined) return false
      const others = cookies.asks.sent(request).sort((a, b) => (b.value?.askedAtMs ?? 0) - (a.value?.askedAtMs ?? 0))
      for (const [i, other] of others.entries()) {
        bytes += other.bytes
        if (!other.value || i + 1 >= MOST || bytes > MOST_BYTES) cookies.asks.clear(reply, other.id)
      }
      return true
    },

    read,

    forget: (reply, id) => cookies.asks.clear(reply, id),

    headingOf(request, id) {
      const ask = id === undefined ? undefined : read(request, id)
      const { session, visitor } = visitOf(request)
      if (!ask) {
        const { destination = 'device', askId, admin, reauthenticates = false } = visitor ?? {}
        return {
          destination,
          ...(askId !== undefined && { askId }),
          ...(admin !== undefined && { admin }),
          reauthenticates
        }
      }
      const isEnough = session !== undefined && isAnswerableBy(ask, session)
      // By `max_age` a first sign-in may be good enough as it is.
      const reauthenticates = !isEnough && (session !== undefined || ask.reauthenticates === true)
      return { destination: 'device', askId: ask.id, admin: undefined, reauthenticates }
    },

    isAnswerableBy
  }
}
