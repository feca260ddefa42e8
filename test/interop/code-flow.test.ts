/** The code flow by clients of other authors: openid-client 6 and oauth4webapi 3 as they are in the registry, and golang.org/x/oauth2. */
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import { startApp } from '../support/app.js'
import { answer, challengeOf } from '../support/code-flow.js'
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

/** A configuration of golang.org/x/oauth2. */
interface GoConfig {
  clientId: string
  clientSecret?: string
  redirectUrl: string
  scopes: string[]
  /** How it sends its credentials; without one it finds out. */
  authStyle?: 'in header' | 'in params'
}

/** url.QueryEscape of Go, which escapes all but letters, digits and these: -_.~ */
const queryEscape = (text: string) =>
  encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
/** url.Values.Encode of Go, which sorts by name. */
const encode = (values: Record<string, string>) =>
  Object.keys(values)
    .sort()
    .map((name) => `${queryEscape(name)}=${queryEscape(values[name] ?? '')}`)
    .join('&')

/**
 * The requests of golang.org/x/oauth2 (commit 89ff2e1), by its source: Config.AuthCodeURL with S256ChallengeOption, Config.Exchange
 * with VerifierOption, and the refresh of a TokenSource. Until it has had a success it sends a request twice, by Basic, also
 * where there is no secret, and when that failed by parameters; it keeps to the way that worked.
 */
function createGoClient(url: string, { clientId, clientSecret = '', redirectUrl, scopes, authStyle }: GoConfig) {
  let known = authStyle
  let sent = 0

  async function roundTrip(form: Record<string, string>, style: 'in header' | 'in params') {
    sent += 1
    const credentials = { client_id: clientId, ...(clientSecret && { client_secret: clientSecret }) }
    const basic = Buffer.from(`${queryEscape(clientId)}:${queryEscape(clientSecret)}`).toString('base64')
    const answer = await fetch(`${url}/oauth/token`, {
      method: 'POST',
      headers: {
        'User-Agent': 'Go-http-client/1.1',
        'Content-Type': 'application/x-www-form-urlencoded',
        ...(style === 'in header' && { Authorization: `Basic ${basic}` }),
        'Accept-Encoding': 'gzip'
      },
      body: encode(style === 'in params' ? { ...form, ...credentials } : form)
    })
    return { status: answer.status, body: JSON.parse(await answer.text()) }
  }

  async function retrieveToken(form: Record<string, string>) {
    const first = await roundTrip(form, known ?? 'in header')
    const isGood = ({ body }: typeof first) => body.error === undefined && body.access_token !== ''
    if (known) return first
    const style = isGood(first) ? 'in header' : 'in params'
    const last = style === 'in header' ? first : await roundTrip(form, style)
    if (isGood(last)) known = style
    return last
  }

  return {
    sent: () => sent,
    authStyle: () => known,
    authCodeUrl: (state: string, options: Record<string, string>) =>
      `${url}/oauth/authorize?${encode({
        ...{ response_type: 'code', client_id: clientId, redirect_uri: redirectUrl, scope: scopes.join(' '), state },
        ...options
      })}`,
    exchange: (code: string, verifier: string) =>
      retrieveToken({ grant_type: 'authorization_code', code, redirect_uri: redirectUrl, code_verifier: verifier }),
    refresh: (token: string) => retrieveToken({ grant_type: 'refresh_token', refresh_token: token })
  }
}

t.test('the requests of golang.org/x/oauth2', async (t) => {
  const { url, ann } = await setUp(t)
  const cli = { clientId: 'cli', redirectUrl: 'http://127.0.0.1:38271/', scopes: ['openid', 'offline_access'] }
  const tool = {
    ...{ clientId: TOOL, clientSecret: SECRET, redirectUrl: 'https://tool.example/callback' },
    scopes: ['reports.read', 'offline_access']
  }
  const inParams = { authStyle: 'in params' } as const
  const inHeader = { authStyle: 'in header' } as const
  const pkce = () => {
    const verifier = client.randomPKCECodeVerifier()
    return { verifier, options: { code_challenge_method: 'S256', code_challenge: challengeOf(verifier) } }
  }
  async function approve(go: ReturnType<typeof createGoClient>, more: Record<string, string> = {}) {
    const { verifier, options } = pkce()
    const { searchParams } = await open(ann, new URL(go.authCodeUrl('a state', { ...options, ...more })))
    t.equal(searchParams.get('state'), 'a state')
    return { verifier, code: searchParams.get('code') ?? '' }
  }

  const configs: [title: string, config: GoConfig, style: string][] = [
    ['without a secret, finding out', cli, 'in header'],
    ['without a secret, in the header', { ...cli, ...inHeader }, 'in header'],
    ['without a secret, in parameters', { ...cli, ...inParams }, 'in params'],
    ['with a secret, finding out', tool, 'in header'],
    ['with a secret, in parameters', { ...tool, ...inParams }, 'in params']
  ]
  for (const [title, config, style] of configs) {
    const go = createGoClient(url, config)
    // AccessTypeOffline is Google's own, and ApprovalForce asks for what is done anyway.
    const { code, verifier } = await approve(go, { access_type: 'offline', prompt: 'consent' })
    const { status, body } = await go.exchange(code, verifier)
    t.equal(status, 200, title)
    t.strictSame(
      [go.sent(), go.authStyle()],
      [1, style],
      `${title}: the first request brings it, so that none is a second use`
    )
    t.match(body, { token_type: /^bearer$/i, expires_in: Number, refresh_token: String })
    const refreshed = await go.refresh(body.refresh_token)
    t.equal(refreshed.status, 200, title)
    t.strictSame([go.sent(), go.authStyle()], [2, style], title)
    t.not(refreshed.body.refresh_token, body.refresh_token, 'it keeps the new one')
    t.equal((await go.exchange(code, verifier)).body.error, 'invalid_grant', title)
    t.equal((await go.refresh(refreshed.body.refresh_token)).body.error, 'invalid_grant', 'a second use revokes')
  }

  const go = createGoClient(url, cli)
  const { code, verifier } = await approve(go)
  const wrong = await go.exchange(code, pkce().verifier)
  t.strictSame([wrong.status, wrong.body.error, go.sent()], [400, 'invalid_grant', 2], 'what is refused is sent twice')
  t.equal((await go.exchange(code, verifier)).status, 200, 'and uses nothing up')

  const thief = createGoClient(url, { ...tool, clientSecret: 'not the secret' })
  const stolen = await approve(createGoClient(url, tool))
  const refused = await thief.exchange(stolen.code, stolen.verifier)
  t.strictSame([refused.status, refused.body.error, thief.sent()], [401, 'invalid_client', 2])
  t.equal((await createGoClient(url, tool).exchange(stolen.code, stolen.verifier)).status, 200)
})
