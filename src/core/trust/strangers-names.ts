/**
 * Looks up the names of URLs that others chose, by the DNS alone. Node's own lookup runs on two threads, which every other name of
 * the service needs as well, and holds one until the resolver has answered, however long ago nobody waits for it any more.
 */
import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { Lookup } from './url-guard.js'

const LOOKUP_TRIES = 2
const LOOKUP_TIMEOUT_MS = 2_000
/** Less than a fetch may take, so that no query outlives what it is for, however many servers the system has. */
const ANSWER_WITHIN_MS = 4_000

/** These are this machine everywhere, and no server is asked for them (RFC 6761 §6.3). */
const OF_THIS_MACHINE = /^(?:.+\.)?localhost\.?$/i
const THIS_MACHINE: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 }
]

/** EBADNAME is a text that no name can be. */
const NO_SUCH_NAME = ['ENOTFOUND', 'ENODATA', 'EBADNAME']

/** Whether an error says that a name has no address, and not that this could not be found out. */
export function hasNoAddress(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NO_SUCH_NAME.includes(String(error.code))
}

/** Asks this DNS server, or those of the system if undefined, for all addresses of a name. */
export function createStrangersLookup(server: string | undefined, withinMs = ANSWER_WITHIN_MS): Lookup {
  async function ask(hostname: string): Promise<LookupAddress[]> {
    if (OF_THIS_MACHINE.test(hostname)) return THIS_MACHINE
    // One for each name, because it can be cancelled as a whole only.
    const resolver = new Resolver({ timeout: LOOKUP_TIMEOUT_MS, tries: LOOKUP_TRIES })
    if (server !== undefined) resolver.setServers([server])
    const timer = setTimeout(() => resolver.cancel(), withinMs)
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
    clearTimeout(timer)
    const addresses = answers.flatMap((answer, i) =>
      answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family: i === 0 ? 4 : 6 })) : []
    )
    const errors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    // With half of an answer, the addresses that are known can be connected to, and that there is none is not known.
    if (addresses.length === 0) throw errors.find((error) => !hasNoAddress(error)) ?? errors[0]
    return addresses
  }

  return (hostname, _options, done) => {
    ask(hostname).then(
      (addresses) => done(null, addresses),
      (error) => done(error, [])
    )
  }
}
