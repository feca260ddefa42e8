/** The code flow by clients of other authors, as they are in the registry: openid-client 6 and oauth4webapi 3. */
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import { startApp } from '../support/app.js'
import { answer } from '../support/code-flow.js'
import { freePort } from '../support/ports.js'
import { signedIn, type Visitor } from '../support/visitor.js'
import { clientsFile, FILMS, refusal, SECRET, TOOL } from './support.js'

const LOOPBACK = 'http://127.0.0.1:43123/callback'

/** Starts the service where it listens, and a person who has signed in. */
async function setUp(t: Test): Promise<{ url: string; ann: Visitor }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const service = await startApp(t, { PUBLIC_URL: url, OAUTH_CLIENTS_FILE: await clientsFile(t), LIMITS: 'off' })
  await service.app.listen({ host: '127.0.0.1', port })
  return { url, ann: await signedIn(service) }
}

/** Opens an address as a browser does, and answers the question there. */
async function open(ann: Visitor, { pathname, search }: URL, action?: 'approve' | 'deny'): Promise<URL> {
  await ann.follow(ann.get(pathname + search))
  return answer(ann, action)
}

t.test('openid-client goes the whole way: code, nonce, resource, refresh, revoked', async (t) => {
  const { url, ann } = await setUp(t)
  const config = await client.discovery(new URL(url), 'cli', undefined, client.None(), {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks]
  })
  t.match(config.serverMetadata(), {
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    request_uri_parameter_supported: false,
    prompt_values_supported: ['none', 'login', 'consent']
  })
  t.equal(config.serverMetadata().supportsPKCE(), true)
  const [pkceCodeVerifier, expectedState, expectedNonce] = [
    client.randomPKCECodeVerifier(),
    client.randomState(),
    client.randomNonce()
  ]
  const parameters = {
    ...{ redirect_uri: LOOPBACK, scope: 'openid offline_access', state: expectedState, nonce: expectedNonce },
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    ...{ code_challenge_method: 'S256', max_age: '300' }
  }
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: 300 }
  const answered = await open(ann, client.buildAuthorizationUrl(config, parameters))
  const tokens = await client.authorizationCodeGrant(config, answered, checks)
  t.match(tokens.claims(), { iss: url, sub: 'ann', aud: 'cli', nonce: expectedNonce })
  t.match(await client.fetchUserInfo(config, tokens.access_token, 'ann'), { sub: 'ann' })
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
  await client.tokenRevocation(config, fresh.access_token)
  await t.rejects(client.refreshTokenGrant(config, fresh.refresh_token ?? ''), refusal('invalid_grant'))
  await t.rejects(client.authorizationCodeGrant(config, answered, checks), refusal('invalid_grant'))

  const forFilms = { ...parameters, scope: 'films.read', resource: FILMS }
  const other = await open(ann, client.buildAuthorizationUrl(config, forFilms))
  const { idTokenExpected: _, maxAge: __, expectedNonce: ___, ...withoutIdToken } = checks
  const film = await client.authorizationCodeGrant(config, other, withoutIdToken, { resource: FILMS })
  t.equal(JSON.parse(Buffer.from(film.access_token.split('.')[1] ?? '', 'base64url').toString()).aud, FILMS)

  const denied = await open(ann, client.buildAuthorizationUrl(config, parameters), 'deny')
  await t.rejects(client.authorizationCodeGrant(config, denied, checks), {
    name: 'AuthorizationResponseError',
    error: 'access_denied'
  })
  const mixedUp = new URL(answered)
  mixedUp.searchParams.set('iss', 'https://other.example')
  await t.rejects(client.authorizationCodeGrant(config, mixedUp, checks), { cause: { message: /iss/ } })
})

t.test('oauth4webapi, as a confidential client with a redirect URI of the operator’s file', async (t) => {
  const { url, ann } = await setUp(t)
  const http = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(url)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http))
  const tool = { client_id: TOOL }
  const redirectUri = 'https://tool.example/callback'
  const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()]
  const request = new URL(as.authorization_endpoint ?? '')
  const challenge = await oauth.calculatePKCECodeChallenge(verifier)
  for (const [name, value] of Object.entries({
    ...{
      client_id: TOOL,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'reports.read offline_access',
      state
    },
    ...{ code_challenge: challenge, code_challenge_method: 'S256' }
  })) {
    request.searchParams.set(name, value)
  }
  const parameters = oauth.validateAuthResponse(as, tool, await open(ann, request), state)
  const redeem = (by: oauth.ClientAuth) =>
    oauth.authorizationCodeGrantRequest(as, tool, by, parameters, redirectUri, verifier, http)
  await t.rejects(
    oauth.processAuthorizationCodeResponse(as, tool, await redeem(oauth.None())),
    refusal('invalid_client', 401)
  )
  const by = oauth.ClientSecretBasic(SECRET)
  const tokens = await oauth.processAuthorizationCodeResponse(as, tool, await redeem(by))
  t.match(tokens, { scope: 'reports.read offline_access', expires_in: Number, refresh_token: String })
  const refreshed = await oauth.processRefreshTokenResponse(
    as,
    tool,
    await oauth.refreshTokenGrantRequest(as, tool, by, tokens.refresh_token ?? '', http)
  )
  t.ok(refreshed.access_token)
})
