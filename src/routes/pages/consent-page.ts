/** The question as it is asked, and the ticket that says what was shown: to whom, about which code, under which name. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../../core/clients/client.js'
import type { GrantRequest } from '../../core/grants/grant.js'
import type { BrowserSession } from '../../core/users/browser-session.js'
import type { App } from '../app.js'
import { sendPage } from './page.js'
import { Consent } from './views/consent.js'
import { sessionOf, visitOf } from './visit.js'

export interface Ticket {
  userCode: string
  linked: boolean
  /** Which client was shown, and by which of the operator's names. */
  clientId: string
  clientName: string | undefined
}

const PURPOSE = 'consent'

/** Bound to the session that saw the page: posted by any other it opens nothing. */
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
    ...grant,
    client,
    userCode,
    linked,
    here: { ip: whereabouts.ip(request), location: whereabouts.location(request) },
    ticket,
    userName: session.name,
    provider: session.upstreamId && signIn.upstream(session.upstreamId)?.name,
    ...(problem !== undefined && { problem })
  })
}
