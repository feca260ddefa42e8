/** One reading of the revocation feed over HTTP, and what it says. */
import { answerError, expectJson, isObject } from './requests.js'

export interface FeedAnswer {
  revocations: { cid: string; untilSeconds: number }[]
  /** Where the next reading begins. */
  cursor: string
  /** Whether there is more to read at once. */
  isMore: boolean
  /** Whether the service would have held the request. One that has no place for it answers at once. */
  isHeld: boolean
}

export interface FeedRequest {
  /** Without a cursor everything that is in force. */
  after: string | undefined
  /** How long the service may hold the request while there is nothing new. */
  waitSeconds: number | undefined
  signal: AbortSignal
}

/** Resolves to `gone` if the cursor is too old. Rejects, with an AnswerError if there was an answer. */
export type ReadFeed = (request: FeedRequest) => Promise<FeedAnswer | 'gone'>

export function createFeedRequest(address: string, authorization: string): ReadFeed {
  return async ({ after, waitSeconds, signal }) => {
    const url = after === undefined ? address : `${address}?${new URLSearchParams({ after })}`
    const headers: Record<string, string> = { authorization, accept: 'application/json' }
    if (waitSeconds !== undefined) headers.prefer = `wait=${waitSeconds}`
    const response = await fetch(url, { headers, signal, redirect: 'error' })
    if (response.status === 410) {
      await response.body?.cancel()
      // Without a cursor there is nothing that could be too old.
      if (after === undefined) throw answerError(response, 'the feed answered 410 to a reading from its beginning')
      return 'gone'
    }
    const document = await expectJson(response)
    const isHeld = /\bwait\b/.test(response.headers.get('preference-applied') ?? '')
    return { ...readDocument(document), isHeld }
  }
}

function readDocument(document: unknown): Omit<FeedAnswer, 'isHeld'> {
  if (!isObject(document) || !Array.isArray(document.revocations) || typeof document.cursor !== 'string') {
    throw new Error('this is no answer of a revocation feed')
  }
  const revocations = document.revocations.map((entry) => {
    if (!isObject(entry) || typeof entry.cid !== 'string' || !Number.isFinite(entry.until)) {
      throw new Error('the revocation feed has an entry that cannot be read')
    }
    return { cid: entry.cid, untilSeconds: entry.until as number }
  })
  // A service that does not say whether there is more has no more once it answers with nothing.
  const { cursor, more = revocations.length > 0 } = document
  return { revocations, cursor: cursor as string, isMore: more === true }
}
