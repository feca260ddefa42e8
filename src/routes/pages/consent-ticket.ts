/**
 * The sealed ticket in the form of the consent page: it records the session, the code, the names of the client and of the resources
 * that were shown, and which scopes the user could leave out.
 */
import type { Client } from '../../core/clients/client.js'
import { isWithin } from '../../core/clients/scope.js'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'

export interface Ticket {
  userCode: string
  linked: boolean
  /** The client that was shown, and its registered name at that time. */
  clientId: string
  clientName: string | undefined
  /** The names of the resources that were shown, by their identifiers. Absent in a ticket of an older version. */
  resources?: Record<string, string>
  /** The scopes that were shown with a box to tick. Absent where there were none. */
  optional?: readonly string[]
}

const PURPOSE = 'consent'
/** An instance of an older version would grant what was left out, so that it cannot open a ticket in which something could be. */
const WITH_BOXES = 'consent with boxes'

/** Seals a ticket for the session that sees the page. No other session can open it. */
export function sealTicket(app: App, session: BrowserSession, ticket: Ticket): string {
  return app.core.keyring.seal(ticket.optional ? WITH_BOXES : PURPOSE, session.id, JSON.stringify(ticket))
}

export function openTicket(app: App, session: BrowserSession, text: string): Ticket | undefined {
  for (const purpose of [PURPOSE, WITH_BOXES]) {
    try {
      return JSON.parse(app.core.keyring.open(purpose, session.id, text)) as Ticket
    } catch {
      // It is of the other kind, or of nobody's.
    }
  }
  return undefined
}

/** Whether the client and the resources have the names that were shown, and what could be left out still can. */
export function isAsShown({ clientName, resources = {}, optional = [] }: Ticket, client: Client): boolean {
  const names = new Map(client.resources.map(({ identifier, name }) => [identifier, name]))
  const isNamedSo =
    client.name === clientName && Object.entries(resources).every(([id, name]) => names.get(id) === name)
  return isNamedSo && isWithin(optional, client.optionalScopes)
}
