/**
 * oauth4webapi 3, as it is in the registry, sends every kind of request. It recognizes every refusal by the name in its
 * RFC.
 */
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { startRedis } from '../support/redis-server.js'
import { challenge, checkAnswers, type Issuer, RESOURCE_SERVER, refusal, SECRET, startIssuer, TOOL } from './support.js'

const basic = oauth.ClientSecretBasic(SECRET)
const post = oauth.ClientSecretPost(SECRET)

async function discover({ url, fetch }: Issuer, algorithm: 'oidc' | 'oauth2'): Promise<oauth.AuthorizationServer> {
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
  const as = await discover(issuer, algorithm)
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
  t.test(`${id} finds ${issuerKind} by its ${algorithm} document, and goes the whole way`, async (t) => {
    const issuer = await startIssuer(t, { path, SIGNING_ALG: alg })
    const client = await connect(issuer, id, authentication, algorithm)
    const api = await connect(issuer, RESOURCE_SERVER, basic, algorithm)
    t.same(await discover(issuer, 'oidc'), await discover(issuer, 'oauth2'), 'both documents say the same')
    t.same(client.as.id_token_signing_alg_values_supported, [alg])

    const device = await client.start({ scope: 'openid offline_access', audience: 'nobody knows this parameter' })
    t.equal(device.verification_uri_complete, `${device.verification_uri}?code=${device.user_code}`)
    t.match(device, { interval: 1, expires_in: 900, verification_uri: `${issuer.url}/device` })
    await t.rejects(client.redeem(device.device_code), refusal('authorization_pending'))
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

    const { iss, aud, sub, client_id, scope, iat, exp, jti } = claims
    t.same(
      await api.introspect(tokens.access_token),
      { active: true, token_type: 'Bearer', iss, aud, sub, client_id, scope, iat, exp, jti },
      'introspection says what the token says'
    )

    const refreshed = await client.refresh(tokens.refresh_token)
    t.match(refreshed.claims, { iss: issuer.url, aud: id, sub: 'alice' })
    t.not(refreshed.refresh_token, tokens.refresh_token)
    t.equal((await client.validate(refreshed.access_token)).jti, jti, 'the same authorization')
    const retried = await client.refresh(tokens.refresh_token)
    t.equal(retried.refresh_token, refreshed.refresh_token, 'a lost answer is given again')

    await client.revoke(refreshed.access_token)
    t.same(await api.introspect(refreshed.access_token), { active: false })
    t.same(await api.introspect(tokens.access_token), { active: false })
    await t.rejects(client.refresh(refreshed.refresh_token), refusal('invalid_grant'))
    await t.rejects(client.userInfo(refreshed.access_token, 'alice'), challenge('bearer', { error: 'invalid_token' }))
    await client.revoke(refreshed.access_token)
    checkAnswers(t, issuer)
  })
}

t.test('in memory, every refusal has the name its RFC gives it', (t) => refusals(t))

t.test('over Redis, every refusal has the name its RFC gives it', async (t) => {
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
    await refused(t, cli.introspect('any'), 'invalid_client', 'without a way to prove itself', 401)
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
