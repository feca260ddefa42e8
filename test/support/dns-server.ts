/**
 * A DNS server on a UDP port of the loopback that answers queries for TXT records and addresses from a table; a name that is not in
 * it does not exist.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

/** The other answers that a DNS server can give; `silence` is no answer. */
type Failure = 'NODATA' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence'

export interface DnsServer {
  /** The address as DNS_RESOLVER takes it. */
  address: string
  /** The queried names, one entry per query. */
  asked: string[]
  /** Sets the TXT records of a name. A record that is a list is sent as that many strings. */
  publish(name: string, ...records: (string | readonly string[])[]): void
  /** Sets the addresses of a name, of both families. */
  point(name: string, ...addresses: string[]): void
  /** Has queries fail, those of all types or of one. */
  fail(name: string, how: Failure, type?: 'A' | 'AAAA'): void
}

const RCODES = { NODATA: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }
const TYPES = { A: 1, TXT: 16, AAAA: 28 }
const HEADER_BYTES = 12

export async function startDnsServer(t: { teardown(handler: () => unknown): void }): Promise<DnsServer> {
  const table = new Map<string, Map<number, readonly Buffer[]> | Failure>()
  const failing = new Map<string, Failure>()
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, type, end } = readQuestion(query)
    asked.push(name)
    const known = failing.get(`${name} ${type}`) ?? table.get(name) ?? 'NXDOMAIN'
    if (known === 'silence') return
    const records = typeof known === 'string' ? [] : (known.get(type) ?? [])
    const header = Buffer.alloc(HEADER_BYTES)
    query.copy(header, 0, 0, 2)
    // The header of an answer with the flags RD and RA: recursion was asked for and is available.
    header.writeUInt16BE(0x8180 | (typeof known === 'string' ? RCODES[known] : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    socket.send(
      Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records.map((data) => toRecord(type, data))]),
      from.port
    )
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())

  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    publish(name, ...records) {
      table.set(name, new Map([[TYPES.TXT, records.map(toTexts)]]))
    },
    point(name, ...addresses) {
      const bytesOf = (wanted: boolean) =>
        addresses.filter((one) => isIPv6(one) === wanted).map((one) => Buffer.from(ipaddr.parse(one).toByteArray()))
      table.set(
        name,
        new Map([
          [TYPES.A, bytesOf(false)],
          [TYPES.AAAA, bytesOf(true)]
        ])
      )
    },
    fail(name, how, type) {
      if (type) failing.set(`${name} ${TYPES[type]}`, how)
      else table.set(name, how)
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

/** The data of a TXT record. */
function toTexts(record: string | readonly string[]): Buffer {
  const texts = [record].flat().map((text) => Buffer.from(text))
  return Buffer.concat(texts.flatMap((text) => [Buffer.from([text.length]), text]))
}

/** Encodes a record for the queried name with a TTL of 0, so that nobody caches it. */
function toRecord(type: number, data: Buffer): Buffer {
  const record = Buffer.alloc(HEADER_BYTES)
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  record.writeUInt16BE(type, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt32BE(0, 6)
  record.writeUInt16BE(data.length, 10)
  return Buffer.concat([record, data])
}
