/**
 * A DNS server on a UDP port of the loopback that answers TXT queries from a table; a name that is not in it does not
 * exist.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** The other answers that a DNS server can give; `silence` is no answer. */
type Failure = 'NODATA' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence'

export interface DnsServer {
  /** The address as DNS_RESOLVER takes it. */
  address: string
  /** The queried names, one entry per query. */
  asked: string[]
  /** Sets the TXT records of a name. A record that is a list is sent as that many strings. */
  publish(name: string, ...records: (string | readonly string[])[]): void
  fail(name: string, how: Failure): void
}

const RCODES = { NODATA: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }
const TXT = 16
const HEADER_BYTES = 12

export async function startDnsServer(t: { teardown(handler: () => unknown): void }): Promise<DnsServer> {
  const table = new Map<string, readonly (readonly string[])[] | Failure>()
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, type, end } = readQuestion(query)
    asked.push(name)
    const known = table.get(name) ?? 'NXDOMAIN'
    if (known === 'silence') return
    const records = typeof known === 'string' || type !== TXT ? [] : known
    const header = Buffer.alloc(HEADER_BYTES)
    query.copy(header, 0, 0, 2)
    // The header of an answer with the flags RD and RA: recursion was asked for and is available.
    header.writeUInt16BE(0x8180 | (typeof known === 'string' ? RCODES[known] : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    socket.send(Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records.map(toRecord)]), from.port)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())

  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    publish(name, ...records) {
      table.set(
        name,
        records.map((record) => (typeof record === 'string' ? [record] : record))
      )
    },
    fail(name, how) {
      table.set(name, how)
    }
  }
}

/** Reads the first question: its name in lower case, its type, and the offset of its end. */
export function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** Encodes a TXT record for the queried name with a TTL of 0, so that nobody caches it. */
function toRecord(strings: readonly string[]): Buffer {
  const texts = strings.map((text) => Buffer.from(text))
  const data = Buffer.concat(texts.flatMap((text) => [Buffer.from([text.length]), text]))
  const record = Buffer.alloc(HEADER_BYTES)
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  record.writeUInt16BE(TXT, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt32BE(0, 6)
  record.writeUInt16BE(data.length, 10)
  return Buffer.concat([record, data])
}
