/** Where a visitor goes on to who has signed in: a path of ours for each name, never anything a request could say. */
import type { Destination } from './cookies.js'

export const DESTINATIONS: Readonly<Record<Destination, string>> = {
  device: '/device',
  consent: '/device/confirm',
  clients: '/account/clients',
  connections: '/account/connections'
}
