/**
 * Fetches the documents of clients known by a URL, and keeps them. Anybody may name any URL here, so that what leaves the service
 * is bounded: one fetch for all who wait for a document, few at a time and fewer of one host, and nothing that `admit` refuses. Those
 * that were known before have places of their own, which nobody takes by naming new ones. Each process keeps its own.
 */
import type { Clock } from '../clock.js'
import { type Fault, fault, isFault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import { createFetchPlaces } from '../trust/fetch-places.js'
import { ForbiddenUrlError, type GuardedAnswer, type GuardedFetch, NoDocumentError } from '../trust/guarded-fetch.js'
import { type ClientDocument, readClientDocument } from './client-document.js'

const LARGEST_DOCUMENT = 5 * 1024
/** However long the server says that a document may be kept, it is neither asked for at every request nor forgotten. */
const SHORTEST_KEPT_MS = 60_000
const LONGEST_KEPT_MS = 24 * 3_600_000
/** How long a failure is told to everybody who asks for the same. */
const FAILED_FOR_MS = 10_000
const MOST_KEPT = 1_000
const MOST_AT_ONCE = 32
const MOST_AT_ONE_HOST = 4

/** `application/json`, or another type that is JSON as well (RFC 6839 §3.1). */
const JSON_TYPE = /^application\/(?:[\w!#$&^.-]+\+)?json\s*(?:;|$)/i

export interface ClientDocuments {
  /**
   * The document at a URL, kept or fetched. `admit` is asked before a fetch, and rejects if whoever asks has caused too many. Rejects
   * with `invalid_client` where there is no document that can be used, with `unavailable` when it could not be asked for, and with
   * `overloaded` while too many others are fetched.
   */
  of(url: string, admit: () => Promise<void>): Promise<ClientDocument>
}

interface Kept {
  found: ClientDocument | Fault
  untilMs: number
}

export function createClientDocuments(fetchGuarded: GuardedFetch, clock: Clock): ClientDocuments {
  // Two caches, so that whoever names a thousand URLs of nothing drives out no document.
  const documents = createBoundedCache<Kept>(MOST_KEPT)
  const failures = createBoundedCache<Kept>(MOST_KEPT)
  const underWay = new Map<string, Promise<ClientDocument>>()
  const ofNew = createFetchPlaces(MOST_AT_ONCE, MOST_AT_ONE_HOST)
  const ofKnown = createFetchPlaces(MOST_AT_ONCE, MOST_AT_ONE_HOST)

  function keptOf(url: string): Kept['found'] | undefined {
    const isFresh = (one: Kept | undefined) => one !== undefined && clock() < one.untilMs
    const document = documents.get(url)
    if (document && isFresh(document)) {
      // What is in use goes last, whoever has a thousand others fetched meanwhile.
      documents.set(url, document)
      return document.found
    }
    const failure = failures.get(url)
    return isFresh(failure) ? failure?.found : undefined
  }

  async function look(url: string): Promise<ClientDocument> {
    try {
      const { body, headers } = await fetchGuarded(url, { largest: LARGEST_DOCUMENT, accept: 'application/json' })
      if (!JSON_TYPE.test(headers['content-type'] ?? '')) throw unusable('is not sent as application/json')
      const found = readClientDocument(url, body)
      if (typeof found === 'string') throw unusable(found)
      documents.set(url, { found, untilMs: clock() + keepForMs(headers, clock()) })
      failures.delete(url)
      return found
    } catch (error) {
      const problem = isFault(error) ? error : faultOf(error)
      // A document that is gone, or has become another's, is forgotten. One that could not be asked for is past its time, and known still.
      if (problem.code === 'invalid_client') documents.delete(url)
      failures.set(url, { found: problem, untilMs: clock() + FAILED_FOR_MS })
      throw problem
    }
  }

  function begin(url: string): Promise<ClientDocument> {
    // Without the port: a host is not another one at each of its ports.
    const { hostname: host } = new URL(url)
    const places = documents.get(url) ? ofKnown : ofNew
    if (!places.take(host)) {
      throw fault('overloaded', { detail: `${underWay.size} documents of clients are fetched already` })
    }
    const looking = look(url).finally(() => {
      underWay.delete(url)
      places.leave(host)
    })
    underWay.set(url, looking)
    return looking
  }

  return {
    async of(url, admit) {
      if (!keptOf(url) && !underWay.has(url)) await admit()
      // Somebody else may have begun, and even ended, while this one was admitted.
      const kept = keptOf(url)
      if (isFault(kept)) throw kept
      return kept ?? underWay.get(url) ?? begin(url)
    }
  }
}

const unusable = (reason: string, detail = reason, cause?: unknown) =>
  fault('invalid_client', {
    hint: `The client metadata document ${reason}`,
    detail: `a client metadata document: ${detail}`,
    cause
  })

/** Of what was met on the way, callers learn no more than that there is nothing: they could explore a network by it. */
function faultOf(error: unknown): Fault {
  if (error instanceof ForbiddenUrlError || error instanceof NoDocumentError) {
    return unusable('cannot be fetched', error.message, error)
  }
  const message = error instanceof Error ? error.message : String(error)
  return fault('unavailable', { detail: `a client metadata document: ${message}`, cause: error })
}

/** How long an answer is fresh (RFC 9111 §4.2), within what is bearable. */
function keepForMs(headers: GuardedAnswer['headers'], nowMs: number): number {
  const { 'cache-control': control = '', age, expires } = headers
  const isNeverFresh = /(?:^|,)\s*no-(?:store|cache)\b/i.test(control)
  const [, seconds] = /(?:^|,)\s*max-age\s*=\s*"?(\d{1,10})/i.exec(control) ?? []
  const freshMs = seconds === undefined ? Date.parse(expires ?? '') - nowMs : Number(seconds) * 1000
  const oldMs = /^\d{1,10}$/.test(age ?? '') ? Number(age) * 1000 : 0
  const leftMs = isNeverFresh || Number.isNaN(freshMs) ? 0 : freshMs - oldMs
  return Math.min(Math.max(leftMs, SHORTEST_KEPT_MS), LONGEST_KEPT_MS)
}
