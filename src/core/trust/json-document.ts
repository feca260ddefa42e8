/**
 * Asks a server for a JSON document of somebody else, without following redirects, with caps on the size and time of the
 * answer. Which servers may be asked is decided by the callers, guarded-fetch.ts and kept-key-sets.ts.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from 'node:zlib'

const LARGEST_ANSWER = 1024 * 1024
/** More than one content coding is rare, and each costs up to LARGEST_ANSWER bytes of work. */
const MOST_CODINGS = 2

const HEADERS = {
  // RFC 7517 §8.5.2 registers the first for key sets; discovery documents are the second, and so are most key sets.
  accept: 'application/jwk-set+json, application/json',
  'accept-encoding': 'identity',
  'user-agent': 'grantd'
}

/** The URL must never be fetched, so a retry is pointless. */
export class ForbiddenUrlError extends Error {
  override readonly name = 'ForbiddenUrlError'
}

/** The server has answered, and there is no document in what it says: another one would not be found a moment later. */
export class NoDocumentError extends Error {
  override readonly name = 'NoDocumentError'
}

/** The statuses of the client's side that are about the moment, not about the document (RFC 9110 §15.5.9, RFC 6585 §4). */
const NOT_NOW = [408, 425, 429]

/**
 * Resolves to the head of the answer, whose body readDocument reads; both must happen in `withinMs`. Rejects with
 * ForbiddenUrlError for a redirect, with NoDocumentError where there is none, and with the error that prevented an answer.
 */
export function askForDocument(url: URL, withinMs: number, connection: RequestOptions = {}): Promise<IncomingMessage> {
  const headers = { ...HEADERS, ...connection.headers }
  const options = { ...connection, agent: false as const, headers, signal: AbortSignal.timeout(withinMs) }
  return new Promise((succeed, fail) => {
    const request = url.protocol === 'http:' ? httpRequest(url, options) : httpsRequest(url, options)
    request.on('error', fail)
    request.on('response', (answer) => {
      const status = answer.statusCode ?? 0
      if (status === 200) return succeed(answer)
      request.destroy()
      if (status >= 300 && status < 400) fail(new ForbiddenUrlError('a redirect, which is not followed'))
      else if (status >= 400 && status < 500 && !NOT_NOW.includes(status))
        fail(new NoDocumentError(`answered ${status}`))
      else fail(new Error(`answered ${status}`))
    })
    request.end()
  })
}

/** Rejects with NoDocumentError if the body is larger than `largest` bytes, as it is sent or once it is decoded, or no JSON. */
export async function readDocument(answer: IncomingMessage, largest = LARGEST_ANSWER): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  // Leaving this loop by an error destroys the connection.
  for await (const chunk of answer) {
    size += chunk.length
    if (size > largest) throw new NoDocumentError(`an answer of more than ${largest} bytes`)
    chunks.push(chunk)
  }
  try {
    const bytes = await decode(Buffer.concat(chunks), answer.headers['content-encoding'] ?? '', largest)
    // TextDecoder removes a byte order mark, which JSON.parse would refuse (RFC 8259 §8.1).
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw new NoDocumentError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

type Decoder = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>

const fromGzip: Decoder = promisify<Buffer, ZlibOptions, Buffer>(gunzip)
const fromZlib: Decoder = promisify<Buffer, ZlibOptions, Buffer>(inflate)
const fromRawDeflate: Decoder = promisify<Buffer, ZlibOptions, Buffer>(inflateRaw)
const fromBrotli: Decoder = promisify<Buffer, ZlibOptions, Buffer>(brotliDecompress)

const DECODERS = new Map<string, Decoder>([
  ['gzip', fromGzip],
  ['x-gzip', fromGzip],
  // Some servers leave out the zlib wrapper, whose first byte names the method 8 (RFC 9110 §8.4.1.2).
  ['deflate', (bytes, options) => ((bytes[0] ?? 0) % 16 === 8 ? fromZlib : fromRawDeflate)(bytes, options)],
  ['br', fromBrotli]
])

/** Undoes the content codings that a server applied although none was asked for (RFC 9110 §12.5.3). */
async function decode(bytes: Buffer, contentEncoding: string, largest: number): Promise<Buffer> {
  const codings = contentEncoding.toLowerCase().split(/[\s,]+/)
  const applied = codings.filter((coding) => coding !== '' && coding !== 'identity')
  if (applied.length > MOST_CODINGS) throw new Error('an answer in too many content codings')
  let decoded = bytes
  for (const coding of applied.reverse()) {
    const decoder = DECODERS.get(coding)
    if (!decoder) throw new Error('an answer in a content coding nobody asked for')
    decoded = await decoder(decoded, { maxOutputLength: largest })
  }
  return decoded
}
