/** Why a start failed, in one sentence that says what to do. What is wrong in the configuration is said by ConfigError. */
import type { Config } from '../config/config.js'
import { hostOf } from './banner.js'

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
