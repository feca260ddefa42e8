/**
 * The sealed tickets in the forms of the questions: each is for the session that saw the page, and records what was asked, and under
 * which names.
 */
import type { Client } from '../../core/clients/client.js'
import { resourcesOf } from '../../core/clients/resource.js'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'

interface Shown {
  /** The client that was shown, and its registered name at that time. */
  clientId: string
  clientName: string | undefined
  /** The names of the resources that were shown, by their identifiers. Absent in a ticket of an older version. */
  resources?: Record<string, string>
}

/** Of the question of a device. */
export interface Ticket extends Shown {
  userCode: string
  linked: boolean
}

/** Of the question of a program on the same device. */
export interface AskTicket extends Shown {
  askId: string
}

const PURPOSE = 'consent'

/** Seals a ticket for the session that sees the page. No other session can open it. */
export function sealTicket(app: App, session: BrowserSession, ticket: Ticket | AskTicket): string {
  return app.core.keyring.seal(PURPOSE, session.id, JSON.stringify(ticket))
}

function open(app: App, session: BrowserSession, text: string): Ticket | AskTicket | undefined {
  try {
    return JSON.parse(app.core.keyring.open(PURPOSE, session.id, text)) as Ticket | AskTicket
  } catch {
    return undefined
  }
}

export function openTicket(app: App, session: BrowserSession, text: string): Ticket | undefined {
  const ticket = open(app, session, text)
  return ticket && 'userCode' in ticket ? ticket : undefined
}

export function openAskTicket(app: App, session: BrowserSession, text: string): AskTicket | undefined {
  const ticket = open(app, session, text)
  return ticket && 'askId' in ticket ? ticket : undefined
}

/** The resources that are asked for and still the client's, and the names under which they are shown. */
export function namesShown(client: Client, identifiers: readonly string[] | undefined) {
  const resources = resourcesOf(client.resources, identifiers)
  return { resources, shown: Object.fromEntries(resources.map(({ identifier, name }) => [identifier, name])) }
}

/** Whether the client and the resources have the names that were shown. */
export function isAsShown({ clientName, resources = {} }: Shown, client: Client): boolean {
  const names = new Map(client.resources.map(({ identifier, name }) => [identifier, name]))
  return client.name === clientName && Object.entries(resources).every(([id, name]) => names.get(id) === name)
}
