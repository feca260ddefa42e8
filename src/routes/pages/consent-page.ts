/** The consent page, and the ticket in its form that says what was shown: to whom, about which code, under which name. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../../core/clients/client.js'
import type { GrantRequest } from '../../core/grants/grant.js'
import type { BrowserSession } from '../../core/users/browser-session.js'
import type { App } from '../app.js'
import type { EnteredCodes } from './entered-code.js'
import { sendPage } from './page.js'
import { Consent } from './views/consent.js'
import { DecisionResult } from './views/decision-result.js'
import { sessionOf, visitOf } from './visit.js'

export interface Ticket {
  userCode: string
  linked: boolean
  /** The client that was shown, and the name that the operator gave it then. */
  clientId: string
  clientName: string | undefined
}

const PURPOSE = 'consent'

/** Seals a ticket for the session that sees the page. Posted by any other session it cannot be opened. */
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

/** Whoever was shown the question may know what became of it. A code that is entered by hand leads to no such answer. */
export function sendWithdrawn(codes: EnteredCodes, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  codes.forget(reply)
  return sendPage(reply.code(409), DecisionResult, { visit: visitOf(request), result: 'withdrawn' })
}
