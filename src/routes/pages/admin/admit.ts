/** Who gets to the admin pages, and who may change anything there. Whoever is no admin gets the answer of a path that leads nowhere. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Origin } from '../../../core/audit/event.js'
import { fault } from '../../../core/fault.js'
import type { App } from '../../app.js'
import type { AdminPlace } from '../heading.js'
import type { PageParts } from '../page.js'
import { sessionOf, userIdOf, visitOf } from '../visit.js'
import { pathOfUser, userOfPath } from './user-path.js'

/** Five sign-ins under way fit into one cookie, if none of them keeps more than this of where it leads. */
const LONGEST_KEPT = 64

/** The hook that lets admins in, and sends whoever is not signed in to the sign-in page and back. */
export function admit({ app, visits }: PageParts) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { session } = visitOf(request)
    if (!session) return visits.sendToSignIn(request, reply, headingTo(request))
    if (!app.core.admins.isAdmin(session)) throw fault('not_found')
    visits.speak(request, 'en')
  }
}

/** The hook that lets those go on who proved lately who they are. */
export function requireFreshAdmin({ visits }: PageParts) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    if (!visits.isFresh(sessionOf(request))) return visits.sendToSignIn(request, reply, headingTo(request))
  }
}

const headingTo = (request: FastifyRequest) => ({ destination: 'device', admin: placeOf(request) }) as const

function placeOf({ params, routeOptions: { url = '' } }: FastifyRequest): AdminPlace {
  const userId = userOfPath((params as { user?: string }).user ?? '')
  const part = userId === undefined ? undefined : pathOfUser(userId)
  if (part !== undefined && part.length <= LONGEST_KEPT) return `/users/${part}`
  if (url.endsWith('/grants')) return '/grants'
  return url.endsWith('/events') ? '/events' : ''
}

/** The admin, as the audit trail tells who does something. */
export function byAdmin({ whereabouts }: Pick<App, 'whereabouts'>, request: FastifyRequest): Origin {
  return whereabouts.origin(request, `admin:${userIdOf(request)}`)
}
