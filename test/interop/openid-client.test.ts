/** openid-client 6, as it is in the registry, needs only the URL of the issuer. */
import { setTimeout as sleep } from 'node:timers/promises'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import {
  challenge,
  checkAnswers,
  type Issuer,
  RESOURCE_SERVER,
  refusal,
  SECRET,
  startIssuer,
  startIssuerOverRedis,
  TOOL
} from './support.js'

const TOKEN = '/oauth/token'

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

// The two tests share nothing, and the library mostly waits.
t.jobs = 2

t.test('over two instances and one Redis', { buffered: true }, async (t) => {
  const issuer = await startIssuerOverRedis(t)

  await t.test('a client goes the whole way: slowed down, collected, refreshed, revoked, refused', async (t) => {
    const config = await discover(issuer, 'cli')
    t.match(config.serverMetadata(), { issuer: issuer.url, token_endpoint: issuer.url + TOKEN })
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid offline_access' })
    t.match(device, { interval: 1, expires_in: 900, verification_uri: `${issuer.url}/device` })

    // Another poll comes a moment before the library's first poll, which is then too early.
    config[client.customFetch] = async (url, init) => {
      if (url.endsWith(TOKEN) && issuer.outcomes(TOKEN).length === 0) {
        t.equal((await issuer.api.poll(device.device_code)).body.status, 'authorization_pending')
      }
      return issuer.fetch(url, init)
    }
    const polling = client.pollDeviceAuthorizationGrant(config, device)
    await until(() => issuer.outcomes(TOKEN).length > 0)
    t.equal(issuer.answers.at(-1)?.headers.get('retry-after'), '6')
    t.equal((await issuer.decide(device.user_code, 'alice')).status, 200)
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
      await t.rejects(client.tokenIntrospection(config, 'any'), invalidClient, 'a public client may not introspect')
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
    let isPolling = false
    waiting[client.customFetch] = (url, init) => {
      isPolling ||= url.endsWith(TOKEN)
      return issuer.fetch(url, { ...init, headers: { ...init.headers, prefer: 'wait=20' } })
    }
    const device = await client.initiateDeviceAuthorization(waiting, {})
    const polling = poll(device, waiting)
    await until(() => isPolling)
    await sleep(200)
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
