/**
 * A relying party that gets tokens of an issuer and follows its discovery document, with libraries of other authors.
 */
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import * as oidc from 'openid-client'
import type { Test } from 'tap'
import { freePort } from './ports.js'
import { BODIES, fetchAt, type Ids, startTokensApp, type TokensApp, type TokensClient } from './tokens-client.js'

/** The audience of all workloads that tests make. */
export const AUDIENCE = BODIES.createClient.audience
export const DOCUMENTS = ['openid-configuration', 'jwks', 'jwks.json'] as const

export type Fetch = ReturnType<typeof fetchAt>

export async function mint(api: TokensClient, ids: Ids, wish: object = {}): Promise<string> {
  const { status, body } = await api.createAccessToken(ids, wish)
  if (status !== 201) throw new Error(`no token: ${status} ${JSON.stringify(body)}`)
  return body.accessToken
}

/** Verifies a token as a relying party that knows only the URL of the issuer. Rejects if the token is not valid. */
export async function verify(t: Test, token: string, issuer: string, fetch: Fetch, nowMs: number): Promise<void> {
  const config = await oidc.discovery(new URL(issuer), 'relying-party', undefined, oidc.None(), {
    // The tests have no TLS.
    execute: [oidc.allowInsecureRequests],
    [oidc.customFetch]: fetch
  })
  const { jwks_uri = '', ...metadata } = config.serverMetadata()
  t.strictSame([metadata.issuer, jwks_uri], [issuer, `${issuer}/.well-known/jwks.json`])
  for (const url of [jwks_uri, jwks_uri.replace('.json', '')]) {
    const keySet = jose.createRemoteJWKSet(new URL(url), { [jose.customFetch]: fetch })
    await jose.jwtVerify(token, keySet, {
      issuer,
      audience: AUDIENCE,
      algorithms: metadata.id_token_signing_alg_values_supported as string[],
      requiredClaims: ['iss', 'sub', 'client_id', 'aud', 'iat', 'nbf', 'exp', 'jti'],
      currentDate: new Date(nowMs)
    })
  }
}

/** Verifies a token as RFC 9068 §4 asks, at the real time. */
export async function verifyAccessToken(token: string, issuer: string, fetch: Fetch): Promise<void> {
  const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch } as const
  const url = new URL(issuer)
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options))
  const request = new Request('https://cloud.example', { headers: { authorization: `Bearer ${token}` } })
  await oauth.validateJwtAccessToken(server, request, AUDIENCE, options)
}

export interface ListeningApp extends TokensApp {
  publicUrl: string
  port: number
  /** A fetch that connects to this service, whatever the host of the URL. */
  fetch: Fetch
}

/** Starts the service on a free port, which PUBLIC_URL names; `path` is the path of PUBLIC_URL. */
export async function startListeningApp(
  t: Test,
  { path = '', ...variables }: Record<string, string> = {},
  options: Parameters<typeof startTokensApp>[2] = {}
): Promise<ListeningApp> {
  const port = await freePort()
  const publicUrl = `http://localhost:${port}${path}`
  const service = await startTokensApp(t, { PUBLIC_URL: publicUrl, LIMITS: 'off', ...variables }, options)
  await service.app.listen({ host: 'localhost', port })
  return { ...service, publicUrl, port, fetch: fetchAt(port) }
}

/** Returns the `iss` claim of a token. */
export const issuerOf = (token: string) => String(jose.decodeJwt(token).iss)
export const kidOf = (token: string) => String(jose.decodeProtectedHeader(token).kid)

/** Returns the kids of the keys that an issuer publishes by path. */
export async function publishedKids({ send }: TokensApp, { providerId }: Ids): Promise<string[]> {
  const { status, body } = await send({ method: 'GET', url: `/${providerId}/.well-known/jwks`, headers: {} })
  if (status !== 200) throw new Error(`no keys: ${status}`)
  return body.keys.map(({ kid }: { kid: string }) => kid)
}
