/** The openid-client configuration of an upstream: discovered at its issuer, or built from the endpoints of a plain service. */
import * as client from 'openid-client'
import type { Clock } from '../clock.js'
import type { PlainEndpoints, Upstream } from './upstream.js'

/** The timeout of one request. A refresh makes two at most (discovery and token), which must end before its lock does. */
const ANSWER_WITHIN_SECONDS = 4

/** How long the discovered metadata of an upstream is kept. Its keys are kept by id-token-keys.ts, for a shorter time. */
const DISCOVERED_FOR_MS = 3_600_000

/** Returns what gives the configuration. Concurrent callers share one lookup; a failed lookup is not cached. */
export function createConfiguration(upstream: Upstream, fetch: client.CustomFetch, clock: Clock) {
  const { endpoints } = upstream
  let discovered: { configuration: Promise<client.Configuration>; atMs: number } | undefined

  return (): Promise<client.Configuration> => {
    if (discovered && clock() - discovered.atMs < DISCOVERED_FOR_MS) return discovered.configuration
    const configuration =
      'issuer' in endpoints ? discover(upstream, endpoints, fetch) : configurePlain(upstream, endpoints, fetch)
    const mine = { configuration, atMs: clock() }
    configuration.catch(() => {
      if (discovered === mine) discovered = undefined
    })
    discovered = mine
    return configuration
  }
}

async function discover(
  upstream: Upstream,
  { issuer }: { issuer: string },
  fetch: client.CustomFetch
): Promise<client.Configuration> {
  return client.discovery(new URL(issuer), upstream.clientId, undefined, authenticationOf(upstream), {
    timeout: ANSWER_WITHIN_SECONDS,
    [client.customFetch]: fetch,
    execute: isPlainHttp(issuer) ? [client.allowInsecureRequests] : []
  })
}

async function configurePlain(
  upstream: Upstream,
  endpoints: PlainEndpoints,
  fetch: client.CustomFetch
): Promise<client.Configuration> {
  const { authorization, token, userinfo, revocation } = endpoints
  const metadata: client.ServerMetadata = {
    issuer: new URL(authorization).origin,
    authorization_endpoint: authorization,
    token_endpoint: token,
    userinfo_endpoint: userinfo,
    ...(revocation !== undefined && { revocation_endpoint: revocation })
  }
  const configuration = new client.Configuration(metadata, upstream.clientId, undefined, authenticationOf(upstream))
  configuration.timeout = ANSWER_WITHIN_SECONDS
  configuration[client.customFetch] = fetch
  if ([authorization, token, userinfo].some(isPlainHttp)) client.allowInsecureRequests(configuration)
  return configuration
}

/** src/config/faults.ts allows http for loopback addresses only. */
const isPlainHttp = (url: string) => url.startsWith('http:')

function authenticationOf({ clientSecret, authMethod }: Upstream): client.ClientAuth {
  if (clientSecret === undefined) return client.None()
  return authMethod === 'client_secret_post'
    ? client.ClientSecretPost(clientSecret)
    : client.ClientSecretBasic(clientSecret)
}
