/** The consent page, and the sealed ticket in its form: it records the session, the code and the client name that were shown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../../core/clients/client.js'
import type { GrantRequest } from '../../core/grants/grant.js'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'
import type { EnteredCodes } from './entered-code.js'
import { sendPage } from './page.js'
import { Consent } from './views/consent.js'
import { DecisionResult } from './views/decision-result.js'
import { sessionOf, visitOf } from './visit.js'

export interface Ticket {
  userCode: string
  linked: boolean
  /** The client that was shown, and its registered name at that time. */
  clientId: string
  clientName: string | undefined
}

const PURPOSE = 'consent'

/** Seals a ticket for the session that sees the page. No other session can open it. */
export function sealTicket(app: App, session: BrowserSession, ticket: Ticket): string {
  return app.core.keyring.seal(PURPOSE, session.id, JSON.stringify(ticket))
}

export function openTicket(app: App, session: BrowserSession, text: string): Ticket | undefined {
  try {
    return JSON.parse(app.core.keyring.open(PURPOSE, session.id, text)) as Ticket
  } catch {
    return undefined
  }
}

interface Question {
  userCode: string
  linked: boolean
  grant: { request: GrantRequest; createdAtMs: number }
  client: Client
  problem?: string
}

export function sendConsent(app: App, request: FastifyRequest, reply: FastifyReply, question: Question): FastifyReply {
  const { userCode, linked, grant, client, problem } = question
  const session = sessionOf(request)
  const { whereabouts } = app
  const { signIn } = app.core
  const ticket = sealTicket(app, session, { userCode, linked, clientId: client.id, clientName: client.name })
  return sendPage(reply, Consent, {
    visit: visitOf(request),
    request: grant.request,
    createdAtMs: grant.createdAtMs,
    client,
    userCode,
    linked,
    here: { ip: whereabouts.ip(request), location: whereabouts.location(request) },
    ticket,
    userName: session.name,
    upstreamName: session.upstreamId && signIn.upstream(session.upstreamId)?.name,
    ...(problem !== undefined && { problem })
  })
}

/** Says that the client has withdrawn its request. Only a user who was shown the question is told; an entered code never is. */
export function sendWithdrawn(codes: EnteredCodes, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  codes.forget(reply)
  return sendPage(reply.code(409), DecisionResult, { visit: visitOf(request), result: 'withdrawn' })
}
