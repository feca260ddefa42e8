/** What this process was started from, the package's version and whether it is a checkout, and why it could not start. */

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Config } from '../config/config.js'
import { hostOf } from './banner.js'

// The package finds itself by its name (`exports` offers its package.json), from its sources and from what is built of them.
const require = createRequire(import.meta.url)
const MANIFEST = 'grantd/package.json'

export const { version } = require(MANIFEST) as { version: string }

/** Whether `npm run demo` is there: the examples are no part of the package that is installed. */
export function isCheckout(): boolean {
  return existsSync(join(dirname(require.resolve(MANIFEST)), 'examples/terminal-client'))
}

/** The first port that a user other than root may listen on where nothing else is configured. */
const FIRST_UNPRIVILEGED_PORT = 1024
const LAST_PORT = 65_535

/** The sentence for an error of building or listening, without a stack trace. It ends without a full stop, as a log line does. */
export function startErrorSentence(error: unknown, { host, port }: Pick<Config, 'host' | 'port'>): string {
  const { code, syscall, message } = error as Partial<NodeJS.ErrnoException>
  const isOfListening = syscall === 'listen' || syscall === 'getaddrinfo'
  const address = `${hostOf(host)}:${port}`
  switch (isOfListening ? code : undefined) {
    case 'EADDRINUSE':
      return `${address} is taken: stop the program that listens there, or set PORT to a free port, such as PORT=${nextPort(port)}`
    case 'EACCES':
    case 'EPERM':
      return `${address} may not be listened on by this user: set PORT to ${FIRST_UNPRIVILEGED_PORT} or more, or allow it (CAP_NET_BIND_SERVICE)`
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return `${host} is no address of this machine: set HOST to one, 127.0.0.1 for this machine alone or 0.0.0.0 for all of them`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is neither an address nor a name that is known here: set HOST to an address of this machine, such as 127.0.0.1`
    default:
      return `could not start: ${message ?? String(error)}`
  }
}

const nextPort = (port: number) => (port < LAST_PORT ? port + 1 : port - 1)
