/** The issuer's metadata: RFC 8414, or else OpenID Connect Discovery. Asked for once, and again only if that failed. */
import type { Time } from './clock.js'
import { ANSWER_WITHIN_MS, answerError, expectJson, isAnswerError, isObject } from './requests.js'

export interface IssuerMetadata {
  jwksUri: URL
  introspectionEndpoint: string | undefined
}

/** How long a failure is remembered, so that requests with tokens do not each ask an issuer that is down. */
const QUIET_MS = 1_000

/** Returns the function that discovers. It rejects when neither document can be had, or is not of this issuer. */
export function createDiscovery(issuer: string, time: Time): () => Promise<IssuerMetadata> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const addresses = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`
  ]
  let known: Promise<IssuerMetadata> | undefined
  let failedAt: ReturnType<Time['instant']> | undefined

  async function read(): Promise<IssuerMetadata> {
    let reason: unknown
    for (const address of addresses) {
      try {
        const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
        // A redirect is an answer like any other that is none, and nobody follows it.
        const response = await fetch(address, { signal, redirect: 'manual' })
        return readDocument(response, await expectJson(response))
      } catch (error) {
        // An issuer that has nothing of use at the first path may have it at the second. One that is down has neither.
        if (!isAnswerError(error) || error.status >= 500) throw error
        // That there is nothing says less than what was wrong with what there was.
        reason = reason === undefined || error.status !== 404 ? error : reason
      }
    }
    throw reason
  }

  function readDocument(response: Response, document: unknown): IssuerMetadata {
    if (!isObject(document)) throw answerError(response, 'the metadata of the issuer is no JSON object')
    // RFC 8414 §3.3: metadata of another issuer must not be used.
    if (document.issuer !== issuer) {
      throw answerError(response, `the metadata at ${issuer} is of ${String(document.issuer)}`)
    }
    const jwksUri = addressOf(document.jwks_uri)
    if (!jwksUri) throw answerError(response, 'the metadata of the issuer names no jwks_uri')
    return { jwksUri, introspectionEndpoint: addressOf(document.introspection_endpoint)?.href }
  }

  /** An address that is as safe as the issuer's own. */
  function addressOf(value: unknown): URL | undefined {
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
    return url && (url.protocol === 'https:' || url.protocol === new URL(issuer).protocol) ? url : undefined
  }

  return () => {
    if (failedAt && time.since(failedAt) >= QUIET_MS) {
      known = undefined
      failedAt = undefined
    }
    known ??= read().catch((error) => {
      failedAt = time.instant()
      throw error
    })
    return known
  }
}
