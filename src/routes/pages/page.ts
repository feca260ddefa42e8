/** The parts that all routes of the pages share, and how they answer. */
import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../app.js'
import type { Asks } from './asks.js'
import type { Cookies } from './cookies.js'
import type { EnteredCodes } from './entered-code.js'
import type { Visit, Visits } from './visit.js'

export { sendPage } from './answers.js'

export interface PageParts {
  app: App
  cookies: Cookies
  visits: Visits
  codes: EnteredCodes
  asks: Asks
  /** Whether the result page waits for the client to collect. */
  awaitsCollection: boolean
}

/** Redirects with 303, so that reloading does not submit the form again. */
export function seeOther(reply: FastifyReply, visit: Visit, path: string): FastifyReply {
  return reply.redirect(visit.base + path, 303)
}

/** The fields of a form, without its CSRF token, which `requireOwnForm` has checked. */
export const formOf = <T extends Record<string, TSchema>>(fields: T) => Type.Object(fields)

export const PathId = Type.Object({ id: Type.String() })

/** A word of a closed set in the query, which selects the notice to show. */
export function readDone<T extends string>(
  request: FastifyRequest,
  sentences: Readonly<Record<T, string>>
): T | undefined {
  const { done } = request.query as { done?: unknown }
  return typeof done === 'string' && Object.hasOwn(sentences, done) ? (done as T) : undefined
}

/** Whether the link was followed on a page of ours or typed, and not followed on another site. */
export function isFollowedHere({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined || site === 'same-origin' || site === 'none'
}

/** The cursor of a page's query, if there is one. */
export function cursorIn(request: FastifyRequest): string | undefined {
  const { cursor } = request.query as { cursor?: unknown }
  return typeof cursor === 'string' ? cursor : undefined
}
