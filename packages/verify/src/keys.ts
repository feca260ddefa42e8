/** The issuer's keys, by jose's remote key set: fetched when first needed, every five minutes, and for a key that is not known. */
import { type CryptoKey, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import type { Instant, Time } from './clock.js'
import type { IssuerMetadata } from './discovery.js'
import { ANSWER_WITHIN_MS, isObject, textOf } from './requests.js'

/** grantd publishes a key six minutes before it signs. */
const KEPT_MS = 300_000
/** How long the keys that there are do while the issuer cannot be asked for others. */
const KEPT_WITHOUT_ISSUER_MS = 3_600_000
/** How long a failure is remembered, so that tokens do not each ask an issuer that is down. */
const QUIET_MS = 1_000

export interface Keys {
  /** For jwtVerify of jose. */
  get: JWTVerifyGetKey
  /** Fetches the keys now. */
  load(): Promise<void>
}

/** What jose says of a token. Any other error says that the keys could not be had. */
const OF_THE_TOKEN = /^ERR_(JWT|JWS|JOSE_|JWKS_(NO|MULTIPLE)_MATCHING)/

export function isOfTheToken(error: unknown): error is errors.JOSEError {
  // A plain JOSEError is what jose throws for an answer that is no key set.
  return error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC' && OF_THE_TOKEN.test(error.code)
}

/** RFC 7517 §5. What is none must not take the place of the keys that there are. */
const isKeySet = (value: unknown) => isObject(value) && Array.isArray(value.keys) && value.keys.every(isObject)

export function createKeys(discover: () => Promise<IssuerMetadata>, time: Time): Keys {
  let set: ReturnType<typeof createRemoteJWKSet> | undefined
  /** Keys that the set has found, so that a token that names one of them takes no search; until the set is fetched anew. */
  const found = new Map<string, CryptoKey | Uint8Array>()
  let good: { text: string; at: Instant } | undefined
  let failure: { error: unknown; at: Instant } | undefined

  async function fetchKeys(url: string, init: Parameters<typeof fetch>[1]): Promise<Response> {
    found.clear()
    try {
      if (failure && time.since(failure.at) < QUIET_MS) throw failure.error
      const text = await textOf(await fetch(url, init))
      if (!isKeySet(JSON.parse(text))) throw new Error('what the issuer has at its jwks_uri is no key set')
      good = { text, at: time.instant() }
      failure = undefined
      return new Response(text)
    } catch (error) {
      if (failure?.error !== error) failure = { error, at: time.instant() }
      if (good && time.since(good.at) < KEPT_WITHOUT_ISSUER_MS) return new Response(good.text)
      throw error
    }
  }

  async function find() {
    const { jwksUri } = await discover()
    set ??= createRemoteJWKSet(jwksUri, {
      cacheMaxAge: KEPT_MS,
      timeoutDuration: ANSWER_WITHIN_MS,
      [customFetch]: fetchKeys
    })
    return set
  }

  async function search(name: string | undefined, ...[header, token]: Parameters<JWTVerifyGetKey>) {
    try {
      const all = set ?? (await find())
      const key = await all(header, token)
      if (name !== undefined && !all.reloading) found.set(name, key)
      return key
    } catch (error) {
      // While the issuer cannot be asked, nobody knows that there is no such key.
      throw error instanceof errors.JWKSNoMatchingKey && failure ? failure.error : error
    }
  }

  return {
    get(header, token) {
      const name = header.kid === undefined ? undefined : `${header.alg} ${header.kid}`
      const key = name !== undefined && set?.fresh ? found.get(name) : undefined
      return key ?? search(name, header, token)
    },
    load: async () => (await find()).reload()
  }
}
