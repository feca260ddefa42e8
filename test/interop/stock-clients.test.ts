/**
 * Clients that others wrote, as they are in the registry: openid-client 6, which needs only the URL of the issuer;
 * oauth4webapi 3, which sends every kind of request and recognizes every refusal by the name in its RFC; and the clients
 * of the original API, which read the token of a connection to a real upstream.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as sdkApi from '@dynamic-labs/sdk-api'
import * as sdkApiCore from '@dynamic-labs/sdk-api-core'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { startApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { type IdentityProvider, startIdentityProvider } from '../support/oidc-upstream.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { providersFile, signInAt } from '../support/sign-in.js'
import { sessionOf } from '../support/tokens.js'
import {
  BASIC_OR_BEARER,
  BOOKS,
  challenge,
  checkAnswers,
  FILMS,
  type Issuer,
  type IssuerOverRedis,
  RESOURCE_SERVER,
  refusal,
  SECRET,
  startIssuer,
  startIssuerOverRedis,
  TOOL
} from './support.js'

const TOKEN = '/oauth/token'

/**
 * The used parts of these packages. Their own types import without file extensions, which Node.js module resolution
 * does not find.
 */
type Made<T> = new (settings: object) => T
interface Token {
  accessToken: string
  scopes?: string[]
}
interface Users {
  getUserOauthAccessToken(request: { oauthAccountId: string }): Promise<Token>
}
interface EndUser {
  getEndUserOauthAccessToken(request: Mine): Promise<Token>
  getEndUserOauthAccessTokenOptions(request: Mine): Promise<void>
  getEndUserOauthAccessTokenOptionsRaw(request: Mine): Promise<{ raw: Response }>
}
interface Mine {
  environmentId: string
  oauthAccountId: string
}
const { UsersApi, Configuration: UsersConfiguration } = sdkApi as unknown as {
  UsersApi: Made<Users>
  Configuration: Made<object>
}
const { SDKApi, Configuration } = sdkApiCore as unknown as { SDKApi: Made<EndUser>; Configuration: Made<object> }

const ENVIRONMENT_ID = '0f0e0d0c-0b0a-4908-8706-050403020100'
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const SCOPES = ['openid', 'profile', 'email']

/** Discovers the issuer for this client, from its URL alone. */
function discover(issuer: Issuer, clientId: string, authentication: client.ClientAuth = client.None()) {
  return client.discovery(new URL(issuer.url), clientId, undefined, authentication, {
    // The tests have no TLS, so the signature of an ID token is checked instead.
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
    [client.customFetch]: issuer.fetch
  })
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20)
}

// The tests share nothing, and the library mostly waits.
t.jobs = 2

t.test('over two instances and one Redis', { buffered: true }, async (t) => {
  const publicUrl = `http://127.0.0.1:${await freePort()}`
  const acme = await startIdentityProvider(t, { publicUrl })
  const variables = { ENVIRONMENT_ID, PROVIDERS_FILE: providersFile(t, [acme.entry()]) }
  const issuer = await startIssuerOverRedis(t, publicUrl, variables)

  await t.test('a client goes the whole way: slowed down, collected, refreshed, revoked, refused', async (t) => {
    const config = await discover(issuer, 'cli')
    t.match(config.serverMetadata(), { issuer: issuer.url, token_endpoint: issuer.url + TOKEN })
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid offline_access' })
    t.match(device, { interval: 1, expires_in: 900, verification_uri: `${issuer.url}/device` })

    // Others poll for the code until they are slowed down. The library's first poll comes right after them, which is too early: the
    // interval has grown by five seconds. Its second one waits for the decision.
    let intervalSeconds = 0
    let isDecided = false
    config[client.customFetch] = async (url, init) => {
      if (url.endsWith(TOKEN)) {
        if (issuer.outcomes(TOKEN).length > 0) await until(() => isDecided)
        while (intervalSeconds === 0) {
          const { body, headers } = await issuer.api.poll(device.device_code)
          if (body.status === 'slow_down') intervalSeconds = Number(headers.get('retry-after'))
          else t.equal(body.status, 'authorization_pending')
        }
      }
      return issuer.fetch(url, init)
    }
    const polling = client.pollDeviceAuthorizationGrant(config, device)
    await until(() => issuer.outcomes(TOKEN).length > 0)
    t.ok(intervalSeconds >= 6, `${intervalSeconds} s`)
    t.equal(issuer.answers.at(-1)?.headers.get('retry-after'), `${intervalSeconds + 5}`)
    t.equal((await issuer.decide(device.user_code, 'alice')).status, 200)
    isDecided = true
    const tokens = await polling
    t.same(issuer.outcomes(TOKEN), ['slow_down', 'ok'], 'is slowed down, and goes on')

    t.match(tokens, { token_type: 'bearer', expires_in: Number, scope: 'openid offline_access' })
    t.match(tokens.claims(), { iss: issuer.url, aud: 'cli', sub: 'alice', iat: Number, exp: Number })
    t.same(await client.fetchUserInfo(config, tokens.access_token, 'alice'), { sub: 'alice' })

    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
    t.not(refreshed.refresh_token, tokens.refresh_token, 'is rotated')
    t.match(refreshed.claims(), { iss: issuer.url, aud: 'cli', sub: 'alice' })
    t.same(await client.fetchUserInfo(config, refreshed.access_token, 'alice'), { sub: 'alice' })

    await client.tokenRevocation(config, refreshed.refresh_token ?? '')
    await t.rejects(client.refreshTokenGrant(config, refreshed.refresh_token ?? ''), refusal('invalid_grant'))
    for (const { access_token } of [tokens, refreshed]) {
      await t.rejects(
        client.fetchUserInfo(config, access_token, 'alice'),
        challenge('bearer', { error: 'invalid_token' })
      )
    }
  })

  await t.test('the requests of zitadel/oidc, which sends the same credentials by Basic and in the form', async (t) => {
    const encode = (text: string) => new URLSearchParams({ x: text }).toString().slice(2)
    const headers = {
      'User-Agent': 'Go-http-client/1.1',
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: `Basic ${Buffer.from(`${encode(TOOL)}:${encode(SECRET)}`).toString('base64')}`,
      'Accept-Encoding': 'gzip'
    }
    const ask = async (path: string, form: string) => {
      const credentials = `client_id=${encode(TOOL)}&client_secret=${encode(SECRET)}`
      const answer = await issuer.fetch(issuer.url + path, { method: 'POST', headers, body: `${credentials}&${form}` })
      return { status: answer.status, body: JSON.parse(await answer.text()) }
    }
    const asked = await ask('/oauth/device_authorization', 'scope=openid+offline_access')
    t.equal(asked.status, 200)
    const poll = `device_code=${asked.body.device_code}&grant_type=${encode(DEVICE_CODE_GRANT)}`
    t.same(await ask(TOKEN, poll), { status: 400, body: { error: 'authorization_pending' } })
    await issuer.decide(asked.body.user_code, 'alice')
    const { status, body } = await ask(TOKEN, poll)
    t.equal(status, 200)
    const refreshed = await ask(TOKEN, `grant_type=refresh_token&refresh_token=${body.refresh_token}`)
    t.equal(refreshed.status, 200)
    const { access_token: token } = refreshed.body
    t.match(await ask('/oauth/introspect', `token=${token}`), { status: 200, body: { active: true, sub: 'alice' } })
    t.same(await ask('/oauth/revoke', `token=${token}&token_type_hint=access_token`), { status: 200, body: {} })
    t.same(await ask('/oauth/introspect', `token=${token}`), { status: 200, body: { active: false } })
  })

  await t.test('the clients of the original API', (t) => originalApi(t, issuer, acme))

  await t.test('a client that waits outlives a crash of Redis, and has its tokens afterwards', async (t) => {
    const config = await discover(issuer, 'ide-plugin')
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid' })
    const seen = issuer.answers.length
    const polling = client.pollDeviceAuthorizationGrant(config, device)
    await issuer.redis.kill()
    await until(() => issuer.answers.length > seen)
    t.match(issuer.answers.at(-1), { status: 503, error: 'temporarily_unavailable' })
    await issuer.redis.start()
    await until(async () => (await issuer.api.call('GET', '/readyz')).status === 200)
    t.equal((await issuer.decide(device.user_code, 'bob')).status, 200)
    t.equal((await polling).claims()?.sub, 'bob')
  })

  checkAnswers(t, issuer)
})

t.test('with a clock that the test turns', { buffered: true }, async (t) => {
  const issuer = await startIssuer(t)
  const { clock } = issuer
  const config = await discover(issuer, 'cli')
  const start = (scope = 'openid') => client.initiateDeviceAuthorization(config, { scope })
  const poll = (device: client.DeviceAuthorizationResponse, by = config) =>
    client.pollDeviceAuthorizationGrant(by, device)
  const refused = (t: Test, polling: Promise<unknown>, error: string) => t.rejects(polling, refusal(error))

  await t.test(
    'a confidential client proves itself by header and by form, and is told what a token is for',
    async (t) => {
      const ways = { client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost }
      for (const [way, authentication] of Object.entries(ways)) {
        const tool = await discover(issuer, TOOL, authentication(SECRET))
        t.ok(tool.serverMetadata().token_endpoint_auth_methods_supported?.includes(way), way)
        const device = await client.initiateDeviceAuthorization(tool, { scope: 'openid offline_access reports.read' })
        await issuer.decide(device.user_code, 'carol')
        const tokens = await poll(device, tool)
        t.match(tokens, { expires_in: Number, scope: 'openid offline_access reports.read', refresh_token: String })
        t.ok(tokens.expires_in && tokens.expires_in <= 300, 'as long as its client is to have one')
        t.equal(tokens.claims()?.aud, TOOL)

        const facts = { active: true, client_id: TOOL, sub: 'carol', iss: issuer.url, scope: tokens.scope }
        const api = await discover(issuer, RESOURCE_SERVER, authentication(SECRET))
        t.match(await client.tokenIntrospection(api, tokens.access_token), {
          ...facts,
          token_type: 'Bearer',
          aud: issuer.url
        })
        t.match(await client.tokenIntrospection(tool, tokens.refresh_token ?? ''), facts)
        t.same(
          await client.tokenIntrospection(api, tokens.refresh_token ?? ''),
          { active: false },
          'not told to another client'
        )

        const narrowed = await client.refreshTokenGrant(tool, tokens.refresh_token ?? '', { scope: 'reports.read' })
        t.match(narrowed, { scope: 'reports.read', id_token: undefined })
        await client.tokenRevocation(tool, narrowed.access_token)
        for (const token of [tokens.access_token, narrowed.access_token, narrowed.refresh_token ?? '']) {
          t.same(await client.tokenIntrospection(tool, token), { active: false }, 'one act ends all of them')
        }
      }
    }
  )

  await t.test(
    'a client that is not who it says is invalid_client, and learns by header if it came by header',
    async (t) => {
      const askedBy = async (clientId: string, authentication: client.ClientAuth) =>
        client.initiateDeviceAuthorization(await discover(issuer, clientId, authentication), {})
      const invalidClient = refusal('invalid_client', 401)
      await t.rejects(askedBy('nobody', client.None()), invalidClient, 'unknown')
      await t.rejects(askedBy(TOOL, client.None()), invalidClient, 'without its secret')
      await t.rejects(askedBy(TOOL, client.ClientSecretPost('wrong')), invalidClient, 'with a wrong one')
      await t.rejects(askedBy('cli', client.ClientSecretPost(SECRET)), invalidClient, 'with one where there is none')
      await t.rejects(askedBy(TOOL, client.ClientSecretBasic('wrong')), challenge('basic', {}))
      await t.rejects(client.tokenIntrospection(config, 'any'), BASIC_OR_BEARER, 'a public client may not introspect')
    }
  )

  await t.test(
    'a client names the APIs that it wants tokens for, by the parameter that its library has for it',
    async (t) => {
      const tool = await discover(issuer, TOOL, client.ClientSecretBasic(SECRET))
      const asked = new URLSearchParams({ scope: 'openid offline_access films.read books.read' })
      for (const resource of [FILMS, BOOKS]) asked.append('resource', resource)
      const device = await client.initiateDeviceAuthorization(tool, asked)
      await issuer.decide(device.user_code, 'carol')
      const tokens = await client.pollDeviceAuthorizationGrant(tool, device, { resource: BOOKS })
      const api = await discover(issuer, RESOURCE_SERVER, client.ClientSecretBasic(SECRET))
      const about = (token: string) => client.tokenIntrospection(api, token)
      t.match(await about(tokens.access_token), { active: true, aud: BOOKS, scope: 'books.read' })
      const films = await client.refreshTokenGrant(tool, tokens.refresh_token ?? '', { resource: FILMS })
      t.match(await about(films.access_token), { active: true, aud: FILMS, scope: 'films.read' })
      await t.rejects(
        client.fetchUserInfo(tool, films.access_token, 'carol'),
        challenge('bearer', { error: 'invalid_token' })
      )
      const elsewhere = client.refreshTokenGrant(tool, films.refresh_token ?? '', { resource: issuer.url })
      await t.rejects(elsewhere, refusal('invalid_target'))

      // The same by oauth4webapi, which also validates the token as the API does (RFC 9068 §4).
      const server = config.serverMetadata() as oauth.AuthorizationServer
      const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: issuer.fetch }
      const cli = { client_id: 'cli' }
      const form = new URLSearchParams({ scope: 'films.read', resource: FILMS })
      const begun = await oauth.processDeviceAuthorizationResponse(
        server,
        cli,
        await oauth.deviceAuthorizationRequest(server, cli, oauth.None(), form, options)
      )
      await issuer.decide(begun.user_code, 'carol')
      const more = { ...options, additionalParameters: { resource: FILMS } }
      const answer = await oauth.deviceCodeGrantRequest(server, cli, oauth.None(), begun.device_code, more)
      const { access_token } = await oauth.processDeviceCodeResponse(server, cli, answer)
      const request = new Request(FILMS, { headers: { authorization: `Bearer ${access_token}` } })
      const validate = (audience: string) => oauth.validateJwtAccessToken(server, request, audience, options)
      t.match(await validate(FILMS), { aud: FILMS, scope: 'films.read', client_id: 'cli', sub: 'carol' })
      await t.rejects(validate(BOOKS), { name: 'OperationProcessingError' }, 'at another API it is refused')
      await t.rejects(validate(issuer.url), { name: 'OperationProcessingError' }, 'nor is it for the issuer')
      const unknown = await oauth.deviceAuthorizationRequest(
        server,
        cli,
        oauth.None(),
        new URLSearchParams({ resource: BOOKS }),
        options
      )
      await t.rejects(oauth.processDeviceAuthorizationResponse(server, cli, unknown), refusal('invalid_target'))
    }
  )

  await t.test("a scope that is not the client's is invalid_scope", async (t) => {
    await refused(t, start('openid reports.read'), 'invalid_scope')
  })

  await t.test('a client that may not have device codes is unauthorized_client', async (t) => {
    const api = await discover(issuer, RESOURCE_SERVER, client.ClientSecretBasic(SECRET))
    await refused(t, client.initiateDeviceAuthorization(api, {}), 'unauthorized_client')
  })

  await t.test('a client that asks to wait has its tokens the moment the user approves', async (t) => {
    const waiting = await discover(issuer, 'mcp')
    waiting[client.customFetch] = (url, init) =>
      issuer.fetch(url, { ...init, headers: { ...init.headers, prefer: 'wait=20' } })
    const device = await client.initiateDeviceAuthorization(waiting, {})
    const polling = poll(device, waiting)
    await until(() => issuer.app.core.heldPolls.count() === 1)
    const seen = issuer.answers.length
    await issuer.decide(device.user_code, 'dave')
    t.match(await polling, { token_type: 'bearer', scope: undefined, id_token: undefined, refresh_token: undefined })
    t.equal(issuer.answers.length, seen + 1, 'in the answer to its first poll')
    t.equal(issuer.answers.at(-1)?.headers.get('preference-applied'), 'wait=20')
  })

  await t.test('a denied grant is access_denied', async (t) => {
    const device = await start()
    await issuer.decide(device.user_code, 'erin', 'deny')
    await refused(t, poll(device), 'access_denied')
  })

  await t.test('a code that another client redeems is invalid_grant, and stays collectable by its own', async (t) => {
    const device = await start()
    await issuer.decide(device.user_code, 'frank')
    const others = [await discover(issuer, 'mcp'), await discover(issuer, TOOL, client.ClientSecretBasic(SECRET))]
    await Promise.all(others.map((other) => refused(t, poll(device, other), 'invalid_grant')))
    t.equal((await poll(device)).claims()?.sub, 'frank')
  })

  await t.test('a code is collected again for 30 seconds, and then spent: invalid_grant', async (t) => {
    const device = await start('openid offline_access')
    await issuer.decide(device.user_code, 'grace')
    const tokens = await poll(device)
    clock.advance(29_000)
    const again = await poll(device)
    t.equal(again.refresh_token, tokens.refresh_token)
    t.equal(again.claims()?.sub, 'grace')
    clock.advance(2_000)
    await refused(t, poll(device), 'invalid_grant')
    t.same(await client.fetchUserInfo(config, tokens.access_token, 'grace'), { sub: 'grace' }, 'its tokens live on')
  })

  await t.test('a grant nobody decided is expired_token, and five minutes later a code like any other', async (t) => {
    const [device, late] = [await start(), await start()]
    clock.advance(device.expires_in * 1000)
    await refused(t, poll(device), 'expired_token')
    clock.advance(300_000)
    await refused(t, poll(late), 'invalid_grant')
  })

  checkAnswers(t, issuer)
})

const basic = oauth.ClientSecretBasic(SECRET)
const post = oauth.ClientSecretPost(SECRET)

async function read({ url, fetch }: Issuer, algorithm: 'oidc' | 'oauth2'): Promise<oauth.AuthorizationServer> {
  const options = { algorithm, [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch }
  return oauth.processDiscoveryResponse(new URL(url), await oauth.discoveryRequest(new URL(url), options))
}

/** Returns the library's calls for this client. The library checks each answer. */
async function connect(
  issuer: Issuer,
  id: string,
  authentication: oauth.ClientAuth = oauth.None(),
  algorithm: 'oidc' | 'oauth2' = 'oidc'
) {
  const as = await read(issuer, algorithm)
  const me = { client_id: id }
  const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: issuer.fetch }

  return {
    as,
    start: async (parameters: Record<string, string> | URLSearchParams) =>
      oauth.processDeviceAuthorizationResponse(
        as,
        me,
        await oauth.deviceAuthorizationRequest(as, me, authentication, parameters, options)
      ),
    /** Also checks the signature of an ID token, which the library does not do by itself. */
    async redeem(deviceCode: string) {
      const answer = await oauth.deviceCodeGrantRequest(as, me, authentication, deviceCode, options)
      const tokens = await oauth.processDeviceCodeResponse(as, me, answer)
      if (tokens.id_token) await oauth.validateApplicationLevelSignature(as, answer, options)
      return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
    },
    async refresh(token: string | undefined, additionalParameters = {}) {
      const answer = await oauth.refreshTokenGrantRequest(as, me, authentication, token ?? '', {
        ...options,
        additionalParameters
      })
      const tokens = await oauth.processRefreshTokenResponse(as, me, answer)
      if (tokens.id_token) await oauth.validateApplicationLevelSignature(as, answer, options)
      return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
    },
    async request(grantType: string) {
      const answer = await oauth.genericTokenEndpointRequest(as, me, authentication, grantType, {}, options)
      return oauth.processGenericTokenEndpointResponse(as, me, answer)
    },
    userInfo: async (token: string, subject: string) =>
      oauth.processUserInfoResponse(as, me, subject, await oauth.userInfoRequest(as, me, token, options)),
    introspect: async (token: string | undefined) =>
      oauth.processIntrospectionResponse(
        as,
        me,
        await oauth.introspectionRequest(as, me, authentication, token ?? '', options)
      ),
    revoke: async (token: string) =>
      oauth.processRevocationResponse(await oauth.revocationRequest(as, me, authentication, token, options)),
    /** Validates a token as a resource server does without asking the service: RFC 9068 §4. */
    validate: (token: string) =>
      oauth.validateJwtAccessToken(
        as,
        new Request('https://api.example', { headers: { authorization: `Bearer ${token}` } }),
        issuer.url,
        options
      )
  }
}

for (const { alg, path, algorithm, id, authentication } of [
  { alg: 'RS256', path: '', algorithm: 'oidc', id: 'mcp', authentication: oauth.None() },
  { alg: 'ES256', path: '/some/path', algorithm: 'oauth2', id: TOOL, authentication: basic },
  { alg: 'EdDSA', path: '/some/path', algorithm: 'oidc', id: TOOL, authentication: post }
] as const) {
  const issuerKind = `an issuer ${path && `with the path ${path} `}that signs with ${alg}`
  t.test(
    `${id} finds ${issuerKind} by its ${algorithm} document, and goes the whole way`,
    { buffered: true },
    async (t) => {
      const issuer = await startIssuer(t, { path, SIGNING_ALG: alg })
      const client = await connect(issuer, id, authentication, algorithm)
      const api = await connect(issuer, RESOURCE_SERVER, basic, algorithm)
      t.same(await read(issuer, 'oidc'), await read(issuer, 'oauth2'), 'both documents say the same')
      t.same(client.as.id_token_signing_alg_values_supported, [alg])

      const device = await client.start({ scope: 'openid offline_access', audience: 'nobody knows this parameter' })
      t.equal(device.verification_uri_complete, `${device.verification_uri}?code=${device.user_code}`)
      t.match(device, { interval: 1, expires_in: 900, verification_uri: `${issuer.url}/device` })
      for (let i = 0; i < 2; i++) {
        await t.rejects(client.redeem(device.device_code), refusal('authorization_pending'))
      }
      await t.rejects(client.redeem(device.device_code), refusal('slow_down'))
      t.equal(issuer.answers.at(-1)?.headers.get('retry-after'), '6')
      issuer.clock.advance(6_000)
      await t.rejects(client.redeem(device.device_code), refusal('authorization_pending'))
      t.equal((await issuer.decide(device.user_code, 'alice')).status, 200)

      const tokens = await client.redeem(device.device_code)
      t.match(tokens, { token_type: 'bearer', scope: 'openid offline_access' })
      t.match(tokens.claims, { iss: issuer.url, aud: id, sub: 'alice' })
      const claims = await client.validate(tokens.access_token)
      t.match(claims, { iss: issuer.url, aud: issuer.url, sub: 'alice', client_id: id, scope: tokens.scope })
      t.same(await client.userInfo(tokens.access_token, 'alice'), { sub: 'alice' })

      const { iss, aud, sub, client_id, scope, iat, exp, jti, cid } = claims
      t.same(
        await api.introspect(tokens.access_token),
        { active: true, token_type: 'Bearer', iss, aud, sub, client_id, scope, iat, exp, jti },
        'introspection says what the token says'
      )

      const refreshed = await client.refresh(tokens.refresh_token)
      t.match(refreshed.claims, { iss: issuer.url, aud: id, sub: 'alice' })
      t.not(refreshed.refresh_token, tokens.refresh_token)
      t.equal((await client.validate(refreshed.access_token)).cid, cid, 'the same authorization')
      const retried = await client.refresh(tokens.refresh_token)
      t.equal(retried.refresh_token, refreshed.refresh_token, 'a lost answer is given again')

      await client.revoke(refreshed.access_token)
      t.same(await api.introspect(refreshed.access_token), { active: false })
      t.same(await api.introspect(tokens.access_token), { active: false })
      await t.rejects(client.refresh(refreshed.refresh_token), refusal('invalid_grant'))
      await t.rejects(client.userInfo(refreshed.access_token, 'alice'), challenge('bearer', { error: 'invalid_token' }))
      await client.revoke(refreshed.access_token)
      checkAnswers(t, issuer)
    }
  )
}

t.test('in memory, every refusal has the name its RFC gives it', { buffered: true }, (t) => refusals(t))

t.test('over Redis, every refusal has the name its RFC gives it', { buffered: true }, async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await refusals(t, { REDIS_URL: redis.url })
})

async function refusals(t: Test, variables = {}): Promise<void> {
  const issuer = await startIssuer(t, variables)
  const { clock } = issuer
  const cli = await connect(issuer, 'cli')
  const tool = await connect(issuer, TOOL, basic)
  const api = await connect(issuer, RESOURCE_SERVER, post)
  const refused = (t: Test, promise: Promise<unknown>, error: string, because: string, status = 400) =>
    t.rejects(promise, refusal(error, status), `${error}: ${because}`)
  const approved = async (scope: string, user: string) => {
    const device = await cli.start({ scope })
    await issuer.decide(device.user_code, user)
    return device.device_code
  }

  await t.test('a request that is wrong is refused as in RFC 6749 §5.2', async (t) => {
    const twice = new URLSearchParams([
      ['scope', 'openid'],
      ['scope', 'openid']
    ])
    await refused(t, cli.start(twice), 'invalid_request', 'a parameter is there twice')
    await refused(t, cli.start({ scope: 'openid reports.read' }), 'invalid_scope', 'the client may not ask for it')
    await refused(t, cli.start({ scope: 'open"id' }), 'invalid_scope', 'it is none')
    await refused(t, cli.request('client_credentials'), 'unsupported_grant_type', 'there are no such grants')
    await refused(t, api.start({}), 'unauthorized_client', 'it may not start any')
    await refused(t, api.refresh('grt_any'), 'unauthorized_client', 'it may not refresh')
  })

  await t.test('a client that cannot prove itself is refused as in RFC 6749 §5.2', async (t) => {
    const wrong = 'not the secret'
    const startAs = async (id: string, authentication?: oauth.ClientAuth) =>
      (await connect(issuer, id, authentication)).start({})
    await refused(t, startAs('nobody'), 'invalid_client', 'unknown', 401)
    await refused(t, startAs(TOOL), 'invalid_client', 'without its secret', 401)
    await refused(t, startAs(TOOL, oauth.ClientSecretPost(wrong)), 'invalid_client', 'with a wrong secret', 401)
    await refused(t, startAs('cli', post), 'invalid_client', 'with a secret where there is none', 401)
    await t.rejects(cli.introspect('any'), BASIC_OR_BEARER, 'without a way to prove itself')
    await t.rejects(startAs(TOOL, oauth.ClientSecretBasic(wrong)), challenge('basic', {}))
    t.equal(issuer.answers.at(-1)?.error, 'invalid_client')
  })

  await t.test('a device code that brings nothing is refused as in RFC 8628 §3.5', async (t) => {
    const denied = await cli.start({})
    await issuer.decide(denied.user_code, 'bob', 'deny')
    await refused(t, cli.redeem(denied.device_code), 'access_denied', 'the user said no')
    await refused(t, cli.redeem(denied.device_code), 'access_denied', 'and it is told again')
    await refused(t, cli.redeem('made up'), 'invalid_grant', 'there is no such code')

    const deviceCode = await approved('openid', 'carol')
    await refused(t, tool.redeem(deviceCode), 'invalid_grant', 'it is the code of another client')
    t.equal((await cli.redeem(deviceCode)).claims?.sub, 'carol', 'which collects it all the same')
    await refused(t, tool.redeem(deviceCode), 'invalid_grant', 'then as well')
    clock.advance(31_000)
    await refused(t, cli.redeem(deviceCode), 'invalid_grant', 'it is spent')

    const revoked = await approved('openid offline_access', 'dave')
    const { access_token } = await cli.redeem(revoked)
    await cli.revoke(access_token)
    await refused(t, cli.redeem(revoked), 'access_denied', 'its authorization was revoked')
  })

  await t.test('a refresh token is rotated and refused as in RFC 6749 §5.2 and RFC 9700 §4.14', async (t) => {
    const first = await cli.redeem(await approved('openid offline_access', 'erin'))
    await refused(t, cli.refresh('made up'), 'invalid_grant', 'there is no such token')
    await refused(t, tool.refresh(first.refresh_token), 'invalid_grant', 'it is the token of another client')
    await refused(t, cli.refresh(first.refresh_token, { scope: 'email' }), 'invalid_scope', 'there is more in it now')

    const second = await cli.refresh(first.refresh_token)
    t.match(await api.introspect(second.access_token), { active: true })
    clock.advance(31_000)
    await refused(t, cli.refresh(first.refresh_token), 'invalid_grant', 'it was rotated, and somebody has a copy')
    await refused(t, cli.refresh(second.refresh_token), 'invalid_grant', 'so the current one is worth nothing either')
    t.same(await api.introspect(second.access_token), { active: false })
  })

  await t.test('an access token is refused as in RFC 6750 §3.1', async (t) => {
    const { access_token } = await cli.redeem(await approved('', 'frank'))
    const tooLittle = { error: 'insufficient_scope', scope: 'openid' }
    await t.rejects(cli.userInfo(access_token, 'frank'), challenge('bearer', tooLittle, 403))
    await t.rejects(cli.userInfo('made.up', 'frank'), challenge('bearer', { error: 'invalid_token' }))
    t.same(await api.introspect('made.up'), { active: false })
  })

  await t.test('no token is wrong to revoke (RFC 7009 §2.2), and none but its own client revokes it', async (t) => {
    const { access_token } = await cli.redeem(await approved('openid', 'grace'))
    await tool.revoke(access_token)
    await cli.revoke('made up')
    t.same(await cli.userInfo(access_token, 'grace'), { sub: 'grace' })
  })

  await t.test(
    'a device code that nobody decided in time has expired for five minutes, and is then unknown',
    async (t) => {
      const device = await cli.start({})
      clock.advance(device.expires_in * 1000)
      await refused(t, cli.redeem(device.device_code), 'expired_token', 'it was too late')
      clock.advance(299_000)
      await refused(t, cli.redeem(device.device_code), 'expired_token', 'for five more minutes')
      clock.advance(1_000)
      await refused(t, cli.redeem(device.device_code), 'invalid_grant', 'nobody knows it any more')
    }
  )

  checkAnswers(t, issuer)
}

/** Returns what both libraries throw for a refusal: the answer itself. */
async function refusedBy(asking: Promise<unknown>): Promise<[number, string]> {
  const answer = await asking.then(
    () => undefined,
    (thrown) => thrown
  )
  if (!(answer instanceof Response)) throw new Error(`no refusal: ${answer}`)
  return [answer.status, (await answer.json()).error]
}

/** Lets both SDKs ask the first of the two instances, which has connections of two users to the upstream `acme`. */
async function originalApi(t: Test, issuer: IssuerOverRedis, acme: IdentityProvider): Promise<void> {
  const basePath = `${issuer.url}/api/v0`

  // Users sign in and operators make keys on this application, over the same Redis.
  const { app } = await startApp(t, issuer.variables)
  const enter = async (login: string) => {
    const outcome = await signInAt(app, 'acme', login)
    if (outcome.kind !== 'signed_in') throw new Error('not signed in')
    const { userId } = outcome.session
    const [account] = await app.core.connections.list(userId)
    return { userId, oauthAccountId: account?.id ?? '', session: await sessionOf(userId) }
  }
  const [ann, bob] = [await enter('ann'), await enter('bob')]
  const apiKey = (await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)).text

  await t.test('sdk-api, for back ends', async (t) => {
    const users = (accessToken?: string) =>
      new UsersApi(new UsersConfiguration({ basePath, ...(accessToken && { accessToken }) }))
    const { oauthAccountId } = ann

    await t.test('with an API key it has the token of anybody, and keeps nothing else of the answer', async (t) => {
      for (const { oauthAccountId } of [ann, bob]) {
        const answer = await users(apiKey).getUserOauthAccessToken({ oauthAccountId })
        t.strictSame(Object.keys(answer), ['accessToken'])
        t.ok(await acme.accepts(answer.accessToken), 'which the provider accepts')
      }
    })

    await t.test('with the JWT of a user it has theirs', async (t) => {
      const { accessToken } = await users(ann.session).getUserOauthAccessToken({ oauthAccountId })
      t.same(await users(apiKey).getUserOauthAccessToken({ oauthAccountId }), { accessToken })
    })

    await t.test('a token about to end is refreshed on the way', async (t) => {
      const before = await users(apiKey).getUserOauthAccessToken({ oauthAccountId })
      await issuer.redis.client.hset(
        `grantd:account:{${ann.userId}}:${oauthAccountId}`,
        'expiresAtMs',
        `${Date.now() + 30_000}`
      )
      const { accessToken } = await users(apiKey).getUserOauthAccessToken({ oauthAccountId })
      t.not(accessToken, before.accessToken)
      t.ok(await acme.accepts(accessToken))
    })

    await t.test('it sees who is refused, and why', async (t) => {
      const ask = (token?: string, id = oauthAccountId) =>
        refusedBy(users(token).getUserOauthAccessToken({ oauthAccountId: id }))
      t.strictSame(await ask(), [401, 'No jwt provided!'])
      t.strictSame(await ask('x.y.z'), [401, 'The jwt is not valid.'])
      t.strictSame(await ask(`${apiKey}x`), [401, 'The jwt is not valid.'])
      t.strictSame(await ask(bob.session), [403, 'Access Forbidden'])
      t.strictSame(await ask(apiKey, UNKNOWN), [404, 'Not Found'])
      t.strictSame(await ask(apiKey, '../clients?x=1#'), [404, 'Not Found'])
    })
  })

  await t.test('sdk-api-core, for end users', async (t) => {
    const sdk = (token?: string) =>
      new SDKApi(new Configuration({ basePath, ...(token && { headers: { authorization: `Bearer ${token}` } }) }))
    const mine = { environmentId: ENVIRONMENT_ID, oauthAccountId: ann.oauthAccountId }

    await t.test('it has the token and its scopes', async (t) => {
      const answer = await sdk(ann.session).getEndUserOauthAccessToken(mine)
      t.strictSame(Object.keys(answer), ['accessToken', 'scopes'])
      t.strictSame(answer.scopes, SCOPES)
      t.ok(await acme.accepts(answer.accessToken))
    })

    await t.test('scopes of which the provider told nothing are an empty list', async (t) => {
      await issuer.redis.client.hset(`grantd:account:{${bob.userId}}:${bob.oauthAccountId}`, 'scopes', '[]')
      const theirs = { environmentId: ENVIRONMENT_ID, oauthAccountId: bob.oauthAccountId }
      t.strictSame((await sdk(bob.session).getEndUserOauthAccessToken(theirs)).scopes, [])
    })

    await t.test('it may ask what may be done, with a token or without', async (t) => {
      for (const token of [undefined, ann.session]) {
        const { raw } = await sdk(token).getEndUserOauthAccessTokenOptionsRaw(mine)
        t.strictSame([raw.status, raw.headers.get('allow'), await raw.text()], [204, 'GET, HEAD, OPTIONS', ''])
        t.equal(await sdk(token).getEndUserOauthAccessTokenOptions(mine), undefined)
      }
      const elsewhere = { ...mine, environmentId: UNKNOWN }
      t.strictSame(await refusedBy(sdk().getEndUserOauthAccessTokenOptions(elsewhere)), [404, 'Not Found'])
    })

    await t.test('it sees who is refused, and why', async (t) => {
      const ask = (token?: string, request: Partial<Mine> = {}) =>
        refusedBy(sdk(token).getEndUserOauthAccessToken({ ...mine, ...request }))
      t.strictSame(await ask(), [401, 'No jwt provided!'])
      t.strictSame(await ask(apiKey), [401, 'The jwt is not valid.'], 'a back end is no end user')
      t.strictSame(await ask(bob.session), [403, 'Access Forbidden'])
      t.strictSame(await ask(ann.session, { oauthAccountId: UNKNOWN }), [404, 'Not Found'])
      t.strictSame(await ask(ann.session, { environmentId: UNKNOWN }), [404, 'Not Found'])
    })
  })

  await t.test('both see that a user has to connect an account again', async (t) => {
    const { userId, oauthAccountId, session } = bob
    await issuer.redis.client.hset(`grantd:account:{${userId}}:${oauthAccountId}`, 'expiresAtMs', `${Date.now() - 1}`)
    acme.refuseAll()
    const sentence = 'The provider no longer accepts this account: its user has to connect it again.'
    const users = new UsersApi(new UsersConfiguration({ basePath, accessToken: apiKey }))
    t.strictSame(await refusedBy(users.getUserOauthAccessToken({ oauthAccountId })), [404, sentence])
    const sdk = new SDKApi(new Configuration({ basePath, headers: { authorization: `Bearer ${session}` } }))
    const asking = sdk.getEndUserOauthAccessToken({ environmentId: ENVIRONMENT_ID, oauthAccountId })
    t.strictSame(await refusedBy(asking), [404, sentence])
  })
}
