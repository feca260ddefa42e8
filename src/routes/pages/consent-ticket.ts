/**
 * The sealed tickets in the forms of the questions: each is for the session that saw the page, and records what was asked, under
 * which names, and which scopes the user could leave out.
 */
import type { Client } from '../../core/clients/client.js'
import { resourcesOf } from '../../core/clients/resource.js'
import { isWithin } from '../../core/clients/scope.js'
import type { BrowserSession } from '../../core/users/browser-sessions.js'
import type { App } from '../app.js'

interface Shown {
  /** The client that was shown, and its registered name at that time. */
  clientId: string
  clientName: string | undefined
  /** The names of the resources that were shown, by their identifiers. Absent in a ticket of an older version. */
  resources?: Record<string, string>
  /** The scopes that were shown with a box to tick. Absent where there were none. */
  optional?: readonly string[]
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
/** An instance of an older version would grant what was left out, so that it cannot open a ticket in which something could be. */
const WITH_BOXES = 'consent with boxes'

/** Seals a ticket for the session that sees the page. No other session can open it. */
export function sealTicket(app: App, session: BrowserSession, ticket: Ticket | AskTicket): string {
  return app.core.keyring.seal(ticket.optional ? WITH_BOXES : PURPOSE, session.id, JSON.stringify(ticket))
}

function open(app: App, session: BrowserSession, text: string): Ticket | AskTicket | undefined {
  for (const purpose of [PURPOSE, WITH_BOXES]) {
    try {
      return JSON.parse(app.core.keyring.open(purpose, session.id, text)) as Ticket | AskTicket
    } catch {
      // It is of the other kind, or of nobody's.
    }
  }
  return undefined
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

/** The scopes that are asked for and may be left out. */
export const optionalOf = (client: Client, scopes: readonly string[]) =>
  scopes.filter((scope) => client.optionalScopes.includes(scope))

/** Whether the client and the resources have the names that were shown, and what could be left out still can. */
export function isAsShown({ clientName, resources = {}, optional = [] }: Shown, client: Client): boolean {
  const names = new Map(client.resources.map(({ identifier, name }) => [identifier, name]))
  const isNamedSo =
    client.name === clientName && Object.entries(resources).every(([id, name]) => names.get(id) === name)
  return isNamedSo && isWithin(optional, client.optionalScopes)
}
