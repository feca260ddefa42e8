/** A DNS server that knows one address for every name, and says it as late as it is told to. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readQuestion } from '../../test/support/dns-server.js'
import type { Ends } from '../faults/stack.js'

export interface SlowResolver {
  /** Which address each name has. Others do not exist. */
  names: Map<string, string>
  /** How late it answers from now on. */
  delayMs: number
  /** The number of questions so far. */
  asked: number
}

const PORT = 53
const A = 1
const HEADER_BYTES = 12
const NXDOMAIN = 3

export async function startSlowResolver(t: Ends, host: string): Promise<SlowResolver> {
  const resolver: SlowResolver = { names: new Map(), delayMs: 0, asked: 0 }
  const socket = createSocket('udp4')
  let isOpen = true
  socket.on('message', (query, from) => {
    resolver.asked += 1
    const { name, type, end } = readQuestion(query)
    const address = resolver.names.get(name)
    const record = address !== undefined && type === A ? recordOf(address) : Buffer.alloc(0)
    const header = Buffer.alloc(HEADER_BYTES)
    query.copy(header, 0, 0, 2)
    // An answer, with the flags RD and RA.
    header.writeUInt16BE(0x8180 | (address === undefined ? NXDOMAIN : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(record.length > 0 ? 1 : 0, 6)
    const answer = Buffer.concat([header, query.subarray(HEADER_BYTES, end), record])
    const say = () => isOpen && socket.send(answer, from.port, from.address, () => {})
    setTimeout(say, resolver.delayMs).unref()
  })
  socket.bind(PORT, host)
  await once(socket, 'listening')
  t.teardown(() => {
    isOpen = false
    socket.close()
  })
  return resolver
}

/** The address of the name that was asked for, with a TTL of 0. */
function recordOf(address: string): Buffer {
  const record = Buffer.alloc(HEADER_BYTES)
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  record.writeUInt16BE(A, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt32BE(0, 6)
  record.writeUInt16BE(4, 10)
  return Buffer.concat([record, Buffer.from(address.split('.').map(Number))])
}
