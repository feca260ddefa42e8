/** Where a visitor goes after signing in. It is a name, never a URL, so that no request can cause an open redirect. */

export type Destination = 'device' | 'consent' | 'clients' | 'connections'

const PATHS: Readonly<Record<Destination, string>> = {
  device: '/device',
  consent: '/device/confirm',
  clients: '/account/clients',
  connections: '/account/connections'
}

/** A page below /admin: '' is the first one. It is made of a route and an id that was read there, never of a text of a request. */
export type AdminPlace = '' | '/grants' | '/events' | `/users/${string}`

export interface Heading {
  /** Beside what is to be answered it is `device`: an instance of a version before, which knows no asks, leads there. */
  destination: Destination
  /** What is to be answered (ask.ts), if anything is. */
  askId?: string | undefined
  /** The admin page, if it is one. The destination beside it is for an instance of a version before as well. */
  admin?: AdminPlace | undefined
  /** Whether the sign-in must be a reauthentication. */
  reauthenticates?: boolean
}

/** The path of a destination. */
export function pathTo({ destination, askId, admin }: Omit<Heading, 'reauthenticates'>): string {
  if (admin !== undefined) return `/admin${admin}`
  return askId === undefined ? PATHS[destination] : `/authorize/${askId}`
}
