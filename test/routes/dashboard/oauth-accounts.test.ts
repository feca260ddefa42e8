import t, { type Test } from 'tap'
import { startApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { startIdentityProvider } from '../../support/oidc-upstream.js'
import { startPlainProvider } from '../../support/plain-upstream.js'
import { startRedis } from '../../support/redis-server.js'
import { connectAt, providersFile, signInAt } from '../../support/sign-in.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const PUBLIC_URL = 'https://grants.example'
const ENVIRONMENT_ID = '0f0e0d0c-0b0a-4908-8706-050403020100'
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const DAY_MS = 86_400_000
const NOT_VALID = 'The jwt is not valid.'
const NEEDS_RECONNECT = 'The provider no longer accepts this account: its user has to connect it again.'
const MALFORMED = [
  'x',
  '1',
  '%20',
  '..%2f..',
  '__proto__',
  'constructor',
  '*',
  '%00',
  '%F0%9F%98%80',
  UNKNOWN.slice(1),
  `${UNKNOWN}0`,
  `{${UNKNOWN}}`,
  'x'.repeat(100),
  'x'.repeat(101),
  'x'.repeat(2_000)
]
const iso = (ms: number) => new Date(ms).toISOString()

const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })

/** Starts an application with two users who have signed in at acme; ann has also connected an account at the hub. */
async function setUp(t: Test, variables: Record<string, string> = {}) {
  const service = await startApp(t, {
    ...{ LIMITS: 'off', SIGNING_ALG: 'EdDSA', PUBLIC_URL, ENVIRONMENT_ID },
    PROVIDERS_FILE: providersFile(t, [acme.entry(), hub.entry()]),
    ...variables
  })
  const { app, call, clock } = service
  const enter = async (login: string) => {
    const outcome = await signInAt(app, 'acme', login)
    if (outcome.kind !== 'signed_in') throw new Error('not signed in')
    const { userId } = outcome.session
    const [account] = await app.core.connections.list(userId)
    return { userId, id: account?.id ?? '', token: await sessionOf(userId, { expires: '3650d' }) }
  }
  const [ann, bob] = [await enter('ann'), await enter('bob')]
  clock.advance(1_000)
  const connected = await connectAt(app, 'hub', 'ann', ann.userId)
  if (connected.kind !== 'connected') throw new Error('not connected')
  const client = async ({ userId, token }: typeof ann) => {
    const { grant_code, user_code } = await service.start()
    await call('POST', '/auth/grant/approve', { token, body: { user_code, action: 'approve' } })
    return { userId, jwt: (await service.poll(grant_code)).body.jwt as string }
  }

  return {
    ...service,
    ann: { ...ann, hubId: connected.connection.id },
    bob,
    /** Returns the JWT of an authorized client of ann. */
    clientOfAnn: async () => (await client(ann)).jwt,
    list: (token?: string) => call('GET', '/api/v0/oauthAccounts', { ...(token && { token }) }),
    unlink: (id: string, token?: string) => call('DELETE', `/api/v0/oauthAccounts/${id}`, { ...(token && { token }) }),
    ask: (id: string, token?: string) =>
      call('GET', `/api/v0/oauthAccounts/${id}/accessToken`, { ...(token && { token }) }),
    askAsEndUser: (id: string, token?: string, environment = ENVIRONMENT_ID) =>
      call('GET', `/api/v0/sdk/${environment}/oauthAccounts/${id}/accessToken`, { ...(token && { token }) }),
    options: async (environment: string, id: string, headers: Record<string, string> = {}) => {
      const url = `/api/v0/sdk/${environment}/oauthAccounts/${id}/accessToken`
      return app.inject({ method: 'OPTIONS', url, headers })
    }
  }
}

/** Texts that are no token of any kind. */
const NO_TOKENS = ['x', 'x.y.z', 'uga_acme', `uga_acme.${'x'.repeat(16)}.${'x'.repeat(43)}`, `uga_${'x'.repeat(3_000)}`]

t.test('list', async (t) => {
  const { ann, bob, clock, list, call, clientOfAnn, app } = await setUp(t)

  t.test('200 with everything but the tokens, the latest first', async (t) => {
    const answer = await list(ann.token)
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    const connectedAt = clock() - 1_000
    t.strictSame(answer.body, {
      data: [
        {
          id: ann.hubId,
          provider: 'hub',
          accountUsername: 'ann',
          scopes: ['repo', 'read:user'],
          connected_at: iso(clock()),
          expires_at: null,
          status: 'connected'
        },
        {
          id: ann.id,
          provider: 'acme',
          accountUsername: 'ann',
          scopes: ['openid', 'profile', 'email'],
          connected_at: iso(connectedAt),
          expires_at: iso(connectedAt + 3_600_000),
          status: 'connected'
        }
      ]
    })
  })

  t.test("200 only the caller's own, and nothing for somebody new", async (t) => {
    t.strictSame(
      (await list(bob.token)).body.data.map(({ id }: { id: string }) => id),
      [bob.id]
    )
    const answer = await call('GET', '/api/v0/oauthAccounts', { user: 'nobody' })
    t.equal(answer.status, 200)
    t.strictSame(answer.body, { data: [] })
  })

  t.test('401 without a token, and with what is none', async (t) => {
    refused(t, await list(), 401, 'No jwt provided!')
    for (const token of NO_TOKENS) refused(t, await list(token), 401, NOT_VALID, token.slice(0, 20))
    const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
    refused(t, await list(text), 401, NOT_VALID, 'an API key is no user')
  })

  t.test('403 a client', async (t) => {
    refused(t, await list(await clientOfAnn()), 403, 'Access Forbidden')
  })

  t.test('405 with what is allowed', async (t) => {
    for (const method of ['POST', 'PATCH', 'DELETE'] as const) {
      const answer = await call(method, '/api/v0/oauthAccounts', { token: ann.token })
      refused(t, answer, 405, 'Method Not Allowed', method)
      t.equal(answer.headers.allow, 'GET, HEAD')
    }
  })
})

t.test('unlink', async (t) => {
  t.test('200 says whether the provider has ended the tokens as well', async (t) => {
    const { ann, bob, unlink, ask, list } = await setUp(t)
    const { accessToken } = (await ask(ann.id, ann.token)).body
    const answer = await unlink(ann.id, ann.token)
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    t.strictSame(answer.body, { id: ann.id, revoked_at_provider: true })
    t.notOk(await acme.accepts(accessToken))
    t.strictSame((await unlink(ann.hubId, ann.token)).body, { id: ann.hubId, revoked_at_provider: false })
    t.strictSame((await list(ann.token)).body, { data: [] })
    t.equal((await ask(bob.id, bob.token)).status, 200, "nobody else's")
  })

  t.test('200 a body is not needed, and one that is there is not looked at', async (t) => {
    const { ann, call } = await setUp(t)
    const answer = await call('DELETE', `/api/v0/oauthAccounts/${ann.id}`, { token: ann.token, body: { id: 5 } })
    t.equal(answer.status, 200)
  })

  t.test('refusals', async (t) => {
    const { ann, bob, unlink, ask, call, clientOfAnn, app } = await setUp(t)

    t.test('401 without a token, and with what is none', async (t) => {
      refused(t, await unlink(ann.id), 401, 'No jwt provided!')
      for (const token of NO_TOKENS) refused(t, await unlink(ann.id, token), 401, NOT_VALID, token.slice(0, 20))
      const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
      refused(t, await unlink(ann.id, text), 401, NOT_VALID, 'an API key is no user')
    })

    t.test('403 a client', async (t) => {
      refused(t, await unlink(ann.id, await clientOfAnn()), 403, 'Access Forbidden')
    })

    t.test("404 somebody else's, an unknown one, one that is gone, and what is no id", async (t) => {
      refused(t, await unlink(ann.id, bob.token), 404, 'Not Found', "somebody else's")
      refused(t, await unlink(UNKNOWN, ann.token), 404, 'Not Found', 'unknown')
      refused(t, await unlink(ann.id.toUpperCase(), ann.token), 404, 'Not Found', 'in capitals')
      refused(t, await unlink('ann', ann.token), 404, 'Not Found', "the provider's own id of it")
      for (const id of ['', ...MALFORMED]) {
        refused(t, await unlink(id, ann.token), 404, 'Not Found', `${id.slice(0, 40)} ${id.length}`)
      }
      await unlink(ann.hubId, ann.token)
      refused(t, await unlink(ann.hubId, ann.token), 404, 'Not Found', 'a second time')
    })

    t.test('405 with what is allowed', async (t) => {
      for (const method of ['GET', 'POST', 'PATCH'] as const) {
        const answer = await call(method, `/api/v0/oauthAccounts/${ann.id}`, { token: ann.token })
        refused(t, answer, 405, 'Method Not Allowed', method)
        t.equal(answer.headers.allow, 'DELETE')
      }
    })

    t.equal((await ask(ann.id, ann.token)).status, 200, 'and it is still there')
  })
})

/** Both operations that hand out a token give a user the same answer. */
for (const operation of ['getUserOauthAccessToken', 'getEndUserOauthAccessToken'] as const) {
  t.test(operation, async (t) => {
    const start = async (t: Test, variables: Record<string, string> = {}) => {
      const service = await setUp(t, variables)
      const path = operation === 'getUserOauthAccessToken' ? '' : `/sdk/${ENVIRONMENT_ID}`
      const ask = operation === 'getUserOauthAccessToken' ? service.ask : service.askAsEndUser
      return { ...service, ask, urlOf: (id: string) => `/api/v0${path}/oauthAccounts/${id}/accessToken` }
    }
    const { app, clock, ann, bob, ask, unlink, call, urlOf, clientOfAnn } = await start(t)

    t.test('200 a token that the provider accepts, and the scopes it was issued with', async (t) => {
      const answer = await ask(ann.id, ann.token)
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
      t.strictSame(Object.keys(answer.body).sort(), ['accessToken', 'scopes'])
      t.strictSame(answer.body.scopes, ['openid', 'profile', 'email'])
      t.ok(await acme.accepts(answer.body.accessToken))
      const other = await ask(ann.hubId, ann.token)
      t.strictSame(other.body.scopes, ['repo', 'read:user'])
      t.ok(hub.accepts(other.body.accessToken))
      t.strictSame((await ask(ann.id, ann.token)).body, answer.body, 'as often as it is asked for')
    })

    t.test('400 two callers at once', async (t) => {
      const headers = { Authorization: [`Bearer ${ann.token}`, `Bearer ${bob.token}`] }
      const answer = await app.inject({ method: 'GET', url: urlOf(ann.id), headers })
      t.equal(answer.statusCode, 400)
      t.strictSame(answer.json(), { error: 'There is more than one Authorization header.' })
    })

    t.test('401 without a token, and with what is none', async (t) => {
      const answer = await ask(ann.id)
      refused(t, answer, 401, 'No jwt provided!')
      t.equal(answer.headers['www-authenticate'], 'Bearer')
      for (const token of NO_TOKENS) refused(t, await ask(ann.id, token), 401, NOT_VALID, token.slice(0, 20))
      refused(t, await ask(ann.id, await sessionOf(ann.userId, { secret: 'x'.repeat(40) })), 401, NOT_VALID, 'forged')
      const { accessToken } = (await ask(ann.id, ann.token)).body
      refused(t, await ask(ann.id, accessToken), 401, NOT_VALID, 'the token itself')
      for (const scheme of ['Basic', 'Token', 'Bearer']) {
        const headers = { authorization: scheme === 'Bearer' ? 'Bearer' : `${scheme} ${ann.token}` }
        refused(t, await call('GET', urlOf(ann.id), { headers }), 401, 'No jwt provided!', scheme)
      }
    })

    t.test("403 somebody else's", async (t) => {
      refused(t, await ask(ann.id, bob.token), 403, 'Access Forbidden')
      refused(t, await ask(ann.hubId, bob.token), 403, 'Access Forbidden')
      refused(t, await ask(bob.id, ann.token), 403, 'Access Forbidden')
    })

    t.test("403 a client, also for its own user's account", async (t) => {
      refused(t, await ask(ann.id, await clientOfAnn()), 403, 'Access Forbidden')
    })

    t.test('404 an unknown account, and what is no id', async (t) => {
      refused(t, await ask(UNKNOWN, ann.token), 404, 'Not Found', 'unknown')
      refused(t, await ask(ann.id.toUpperCase(), ann.token), 404, 'Not Found', 'in capitals')
      refused(t, await ask('ann', ann.token), 404, 'Not Found', "the provider's own id of it")
      refused(t, await ask(ann.userId, ann.token), 404, 'Not Found', 'the id of the user')
      for (const id of ['', ...MALFORMED]) {
        refused(t, await ask(id, ann.token), 404, 'Not Found', `${id.slice(0, 40)} ${id.length}`)
      }
    })

    t.test('404 an account that was disconnected', async (t) => {
      await unlink(ann.hubId, ann.token)
      refused(t, await ask(ann.hubId, ann.token), 404, 'Not Found')
    })

    t.test('404 with a sentence of its own when the user has to connect it again', async (t) => {
      clock.advance(DAY_MS)
      acme.refuseAll()
      refused(t, await ask(ann.id, ann.token), 404, NEEDS_RECONNECT)
      refused(t, await ask(ann.id, bob.token), 403, 'Access Forbidden', 'which is nobody else’s business')
    })

    t.test('405 with what is allowed', async (t) => {
      const isForEndUsers = operation === 'getEndUserOauthAccessToken'
      for (const method of ['POST', 'PATCH', 'DELETE'] as const) {
        const answer = await call(method, urlOf(ann.id), { token: ann.token })
        refused(t, answer, 405, 'Method Not Allowed', method)
        const allowed = String(answer.headers.allow).split(', ').sort()
        t.strictSame(allowed, isForEndUsers ? ['GET', 'HEAD', 'OPTIONS'] : ['GET', 'HEAD'])
      }
    })

    t.test('429 a user who asks too often, on either path, and nobody else', async (t) => {
      const limits = { LIMITS: 'on', LIMIT_ACCESS_TOKEN_PER_MINUTE: '3' }
      const { ask, askAsEndUser, clock, ann, bob } = await start(t, limits)
      for (let i = 0; i < 3; i++) t.equal((await ask(ann.id, ann.token)).status, 200)
      for (const answer of [await ask(ann.id, ann.token), await askAsEndUser(ann.hubId, ann.token)]) {
        refused(t, answer, 429, 'Too many requests. Please try again later.')
        t.equal(answer.headers['retry-after'], '60')
      }
      t.equal((await ask(bob.id, bob.token)).status, 200)
      clock.advance(60_000)
      t.equal((await ask(ann.id, ann.token)).status, 200)
    })

    t.test('429 also who asks for what is not there', async (t) => {
      const limits = { LIMITS: 'on', LIMIT_ACCESS_TOKEN_PER_MINUTE: '2' }
      const { ask, ann } = await start(t, limits)
      for (let i = 0; i < 2; i++) refused(t, await ask(UNKNOWN, ann.token), 404, 'Not Found')
      refused(t, await ask(UNKNOWN, ann.token), 429)
    })
  })
}

t.test('getUserOauthAccessToken with an API key', async (t) => {
  const { app, ask, unlink, clock, ann, bob } = await setUp(t)

  t.test('200 of any user', async (t) => {
    const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
    for (const { id, token } of [ann, bob]) {
      const answer = await ask(id, text)
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
      t.strictSame(answer.body, (await ask(id, token)).body)
    }
  })

  t.test('401 a key that was revoked, has expired, or was never one', async (t) => {
    const [revoked, expiring] = [
      await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY),
      await app.core.apiKeys.create('acme', { rights: ['connected-accounts'], expiresInMs: 1_000 }, BY)
    ]
    t.equal((await ask(ann.id, revoked.text)).status, 200)
    await app.core.apiKeys.revoke('acme', revoked.key.id, BY)
    refused(t, await ask(ann.id, revoked.text), 401, NOT_VALID, 'from the next call on')
    clock.advance(999)
    t.equal((await ask(ann.id, expiring.text)).status, 200, 'the last millisecond')
    clock.advance(1)
    refused(t, await ask(ann.id, expiring.text), 401, NOT_VALID)
    const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
    for (const wrong of [
      `${text}x`,
      text.slice(0, -1),
      text.replace('uga_acme', 'uga_other'),
      text.replace('uga_', '')
    ]) {
      refused(t, await ask(ann.id, wrong), 401, NOT_VALID)
    }
  })

  t.test('404 an unknown account, what is no id, and one that was disconnected', async (t) => {
    const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
    for (const id of [UNKNOWN, '', ...MALFORMED]) refused(t, await ask(id, text), 404, 'Not Found', id.slice(0, 40))
    await unlink(ann.hubId, ann.token)
    refused(t, await ask(ann.hubId, text), 404, 'Not Found')
  })

  t.test('429 a key that asks too often, and no other', async (t) => {
    const { app, ask, ann } = await setUp(t, { LIMITS: 'on', LIMIT_ACCESS_TOKEN_PER_MINUTE: '2' })
    const [one, two] = [
      await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY),
      await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
    ]
    for (let i = 0; i < 2; i++) t.equal((await ask(ann.id, one.text)).status, 200)
    const answer = await ask(ann.id, one.text)
    refused(t, answer, 429, 'Too many requests. Please try again later.')
    t.equal(answer.headers['retry-after'], '60')
    t.equal((await ask(ann.id, two.text)).status, 200)
    t.equal((await ask(ann.id, ann.token)).status, 200, 'nor the user')
  })
})

t.test('the environment of /sdk', async (t) => {
  const { app, ann, askAsEndUser, options } = await setUp(t)
  const others = [
    UNKNOWN,
    ENVIRONMENT_ID.toUpperCase(),
    `${ENVIRONMENT_ID}0`,
    'production',
    '%20',
    '*',
    'x'.repeat(2_000)
  ]

  t.test('401 an API key: it is for end users', async (t) => {
    const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
    refused(t, await askAsEndUser(ann.id, text), 401, NOT_VALID)
  })

  t.test('404 any other', async (t) => {
    for (const other of others) {
      refused(t, await askAsEndUser(ann.id, ann.token, other), 404, 'Not Found', other.slice(0, 40))
      const answer = await options(other, ann.id)
      t.equal(answer.statusCode, 404)
      t.strictSame(answer.json(), { error: 'Not Found' })
    }
  })

  t.test('404 whatever it is, where none is configured', async (t) => {
    const { ann, askAsEndUser, options } = await setUp(t, { ENVIRONMENT_ID: '' })
    for (const other of [ENVIRONMENT_ID, 'undefined', '']) {
      refused(t, await askAsEndUser(ann.id, ann.token, other), 404, 'Not Found', other)
      t.equal((await options(other, ann.id)).statusCode, 404)
    }
  })
})

t.test('getEndUserOauthAccessTokenOptions', async (t) => {
  t.test('204 says which methods there are, to everybody and of every id', async (t) => {
    const { ann, options } = await setUp(t)
    for (const id of [ann.id, UNKNOWN]) {
      const answer = await options(ENVIRONMENT_ID, id)
      t.equal(answer.statusCode, 204)
      t.equal(answer.headers.allow, 'GET, HEAD, OPTIONS')
      t.equal(answer.body, '')
      t.equal(answer.headers['content-type'], undefined)
      t.equal(answer.headers['access-control-allow-origin'], undefined, 'which lets no page in')
    }
  })

  t.test('404 what is no id, and another environment, to a preflight as well', async (t) => {
    const origin = 'https://app.example.com'
    for (const CORS_ORIGINS of ['', origin]) {
      const { ann, options } = await setUp(t, { CORS_ORIGINS })
      const headers = { origin, 'access-control-request-method': 'GET' }
      const NOT_FOUND = { statusCode: 404, body: '{"error":"Not Found"}' }
      for (const id of ['x', ann.id.toUpperCase(), `${ann.id}0`, '%20', '%ff']) {
        t.match(await options(ENVIRONMENT_ID, id, headers), NOT_FOUND, id)
      }
      t.match(await options(UNKNOWN, ann.id, headers), NOT_FOUND, 'another environment')
      t.equal((await options(ENVIRONMENT_ID, ann.id, headers)).statusCode, 204)
    }
  })

  t.test('204 is a preflight for an origin that is configured, on all of these paths', async (t) => {
    const origin = 'https://app.example.com'
    const { app, ann } = await setUp(t, { CORS_ORIGINS: origin })
    const paths = [
      ['GET', ''],
      ['DELETE', `/${ann.id}`],
      ['GET', `/${ann.id}/accessToken`],
      ['GET', `/${ann.id}/accessToken`, `/sdk/${ENVIRONMENT_ID}`]
    ] as const
    for (const [method, path, before = ''] of paths) {
      const url = `/api/v0${before}/oauthAccounts${path}`
      const preflight = (from: string) =>
        app.inject({
          method: 'OPTIONS',
          url,
          headers: {
            origin: from,
            'access-control-request-method': method,
            'access-control-request-headers': 'authorization'
          }
        })
      const { statusCode, headers } = await preflight(origin)
      t.equal(statusCode, 204, url)
      t.equal(headers['access-control-allow-origin'], origin)
      t.match(headers['access-control-allow-methods'], method)
      t.notHas(headers, { 'access-control-allow-credentials': 'true' })
      t.not((await preflight('https://evil.example')).headers['access-control-allow-origin'], 'https://evil.example')
      const asked = await app.inject({ method: 'GET', url: '/api/v0/oauthAccounts', headers: { origin } })
      t.equal(asked.headers['access-control-allow-origin'], origin, 'and a refusal can be read')
    }
  })
})

t.test('503 with Retry-After while Redis is away, and nothing is lost by it', async (t) => {
  // With `no` a write is in the kernel when it is acknowledged, however slow the disk is.
  const redis = await startRedis('--appendfsync', 'no')
  t.teardown(() => redis.stop())
  const { app, ann, list, unlink, ask, askAsEndUser } = await setUp(t, { REDIS_URL: redis.url })
  const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
  await redis.kill()
  const answers = {
    list: await list(ann.token),
    unlink: await unlink(ann.id, ann.token),
    'by a user': await ask(ann.id, ann.token),
    'by an API key': await ask(ann.id, text),
    'by an end user': await askAsEndUser(ann.id, ann.token)
  }
  for (const [what, answer] of Object.entries(answers)) {
    refused(t, answer, 503, 'Service Unavailable. Please try again.', what)
    t.match(`${answer.headers['retry-after']}`, /^[1-9]\d*$/)
  }
  await redis.start()
  let answer = await ask(ann.id, ann.token)
  while (answer.status === 503) answer = await ask(ann.id, ann.token)
  t.equal(answer.status, 200)
})
