/**
 * Posts JSON to a URL that an operator chose, protected against SSRF unless it is said to be of the inside, without following
 * redirects, with a time limit, and with little interest in what is answered.
 */
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { trustedCertificates } from './trusted-certificates.js'
import { createUrlGuard, type Lookup } from './url-guard.js'

/** What is read of an answer's body, so that its sender is not cut off in the middle of a few words. */
const LARGEST_ANSWER = 16 * 1024

export interface Posted {
  headers: OutgoingHttpHeaders
  body: string
  /** Sends it to addresses that are not public as well, and without TLS. */
  isInternal: boolean
  signal: AbortSignal
}

/** Resolves to the status of the answer. Rejects with ForbiddenUrlError, or with the error that prevented an answer. */
export type GuardedPost = (url: string, posted: Posted) => Promise<number>

export interface GuardedPostParts {
  /** Certificates that are trusted besides those of the system, as PEM. */
  ca: string | undefined
  lookup?: Lookup
}

export function createGuardedPost({ ca, lookup: resolve }: GuardedPostParts): GuardedPost {
  const certificates = trustedCertificates(ca)
  const guard = createUrlGuard({ allowLoopback: false, lookup: resolve })

  return async (text, { headers, body, isInternal, signal }) => {
    const url = isInternal ? new URL(text) : guard.check(text)
    const options = {
      ...{ method: 'POST', agent: false as const, signal },
      headers: { ...headers, 'content-length': Buffer.byteLength(body), 'user-agent': 'grantd' },
      ...(!isInternal && { lookup: guard.lookup }),
      ...certificates
    }
    return new Promise((succeed, fail) => {
      const request = url.protocol === 'http:' ? httpRequest(url, options) : httpsRequest(url, options)
      let status: number | undefined
      // Once the status has been said, it is the answer, however the body ends.
      request.on('error', (error) => (status === undefined ? fail(error) : succeed(status)))
      request.on('response', (answer) => {
        const said = answer.statusCode ?? 0
        status = said
        let size = 0
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > LARGEST_ANSWER) answer.destroy()
        })
        answer.on('error', () => succeed(said))
        answer.on('close', () => succeed(said))
      })
      request.end(body)
    })
  }
}
