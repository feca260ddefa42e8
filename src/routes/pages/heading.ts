/** Where a visitor goes after signing in. It is a name, never a URL, so that no request can cause an open redirect. */

export type Destination = 'device' | 'consent' | 'clients' | 'connections' | 'ask'

const PATHS: Readonly<Record<Exclude<Destination, 'ask'>, string>> = {
  device: '/device',
  consent: '/device/confirm',
  clients: '/account/clients',
  connections: '/account/connections'
}

export interface Heading {
  destination: Destination
  /** What is to be answered (ask.ts), with the destination `ask`. */
  askId?: string
  /** Whether the sign-in must be a reauthentication. */
  reauthenticates?: boolean
}

/** The path of a destination. */
export function pathTo({ destination, askId }: Pick<Heading, 'destination' | 'askId'>): string {
  if (destination !== 'ask') return PATHS[destination]
  return askId === undefined ? PATHS.device : `/authorize/${askId}`
}
