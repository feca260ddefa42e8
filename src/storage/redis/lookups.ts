/**
 * Finds the address of a server that is known by its name, where the resolver takes longer than an attempt to connect: the attempts share
 * a lookup, so that one of the later ones has its answer. The driver alone begins anew with each, and never comes to an end.
 */
import { type LookupAddress, lookup as lookUp } from 'node:dns'
import { createConnection, type LookupFunction, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'

/** Longer than the driver pauses between two attempts. */
const KEPT_MS = 1_000

/** Looks names up as Node.js does, one lookup for all who ask meanwhile or in the moment after its answer. A failure is not kept. */
export function shareLookups(resolve: typeof lookUp = lookUp): LookupFunction {
  const known = new Map<string, Promise<LookupAddress[]>>()

  return (hostname, options, done) => {
    const name = `${hostname} ${options.family}`
    let answer = known.get(name)
    if (!answer) {
      answer = new Promise((succeed, fail) => {
        resolve(hostname, { ...options, all: true }, (error, found) => (error ? fail(error) : succeed(found)))
      })
      known.set(name, answer)
      const forget = () => known.delete(name)
      answer.then(() => void setTimeout(forget, KEPT_MS).unref(), forget)
    }
    const tell = (addresses: LookupAddress[]) => {
      const [first] = addresses
      if (options.all || !first) done(null, addresses)
      else done(null, first.address, first.family)
    }
    answer.then(tell, (error) => done(error, []))
  }
}

/** The driver's own way to connect to one server, but for the lookup. */
export function connectorBy(lookup: LookupFunction): NonNullable<RedisOptions['Connector']> {
  return class extends AbstractConnector {
    readonly #options: RedisOptions

    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout)
      this.#options = options as RedisOptions
    }

    async connect(): Promise<Socket> {
      this.connecting = true
      await new Promise<void>((resolve) => process.nextTick(resolve))
      if (!this.connecting) throw new Error('Connection is closed.')
      const { host = 'localhost', port = 6379, family, tls } = this.#options
      const place = { host, port, ...(family !== undefined && { family }), lookup }
      const stream = tls ? connectTls({ ...place, ...(typeof tls === 'object' && tls) }) : createConnection(place)
      stream.once('error', (error) => {
        this.firstError = error
      })
      this.stream = stream
      return stream
    }
  }
}
