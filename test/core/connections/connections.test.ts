/**
 * The connections of users to real upstreams, from sign-in and from connecting: what is stored, how it is encrypted,
 * and who gets it.
 */
import t, { type Test } from 'tap'
import type { SignInOutcome } from '../../../src/core/users/sign-in.js'
import { startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { startIdentityProvider, TOKEN_ENDPOINT } from '../../support/oidc-upstream.js'
import { PLAIN_TOKEN_ENDPOINT, startPlainProvider } from '../../support/plain-upstream.js'
import { type RedisServer, startRedis } from '../../support/redis-server.js'
import { connectAt, providersFile, signInAt } from '../../support/sign-in.js'
import { sessionOf } from '../../support/tokens.js'
import { changed, type Passage } from '../../support/upstream-gate.js'

const PUBLIC_URL = 'https://grants.example'
const HOUR_MS = 3_600_000
const UNAVAILABLE = { name: 'Fault', code: 'unavailable' }
const NEEDS_RECONNECT = 'The provider no longer accepts this account: its user has to connect it again.'

const redis = await startRedis()
const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
const corp = await startIdentityProvider(t, { publicUrl: PUBLIC_URL, id: 'corp' })
const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })
t.teardown(() => redis.stop())

/** Starts an application with three upstreams. For one of them the user ids here are the subjects there. */
async function setUp(t: Test, variables: Record<string, string> = {}): Promise<TestApp> {
  const entries = [acme.entry(), corp.entry({ subject_is_user_id: true }), hub.entry()]
  const defaults = { PUBLIC_URL, SIGNING_ALG: 'EdDSA', PROVIDERS_FILE: providersFile(t, entries) }
  return startApp(t, { ...defaults, ...variables })
}

/** Starts the same over Redis, which is emptied first. */
async function setUpOverRedis(t: Test): Promise<TestApp & { redis: RedisServer }> {
  await redis.client.flushall()
  return { ...(await setUp(t, { REDIS_URL: redis.url })), redis }
}

function signedIn(outcome: SignInOutcome) {
  if (outcome.kind !== 'signed_in') throw new Error(`not signed in: ${outcome.reason}`)
  return outcome
}

/** Signs a user in. Returns the user id and the connection. */
async function enter({ app }: TestApp, providerId: string, login: string) {
  const { session } = signedIn(await signInAt(app, providerId, login))
  const account = (await app.core.connections.list(session.userId)).find((one) => one.upstreamId === providerId)
  if (!account) throw new Error('no account')
  return { userId: session.userId, account }
}

const ENGINES: Record<string, (t: Test) => Promise<TestApp>> = { memory: setUp, Redis: setUpOverRedis }

for (const [engine, start] of Object.entries(ENGINES)) {
  t.test(`accounts in ${engine}`, async (t) => {
    t.test('signing in makes a user of somebody new, and keeps their tokens and scopes', async (t) => {
      const { app, clock } = await start(t)
      const { session, token } = signedIn(await signInAt(app, 'acme', 'ann'))
      t.match(session, { name: 'ann at acme', upstreamId: 'acme', signedInAtMs: clock(), lastUsedAtMs: clock() })
      t.match(session.userId, /^[0-9a-f-]{36}$/, 'an id that says nothing')
      t.match(await app.core.browserSessions.use(token), { userId: session.userId })
      const [account, ...others] = await app.core.connections.list(session.userId)
      t.same(others, [])
      t.match(account, {
        ...{ id: /^[0-9a-f-]{36}$/, userId: session.userId, upstreamId: 'acme', subject: 'ann', username: 'ann' },
        ...{ scopes: ['openid', 'profile', 'email'], status: 'connected', connectedAtMs: clock() },
        expiresAtMs: clock() + HOUR_MS
      })
      const vended = await app.core.connections.vend(account?.id ?? '', { kind: 'user', userId: session.userId })
      t.match(vended, { kind: 'token', scopes: ['openid', 'profile', 'email'] })
      t.ok(vended.kind === 'token' && (await acme.accepts(vended.accessToken)), 'the provider accepts it')
      t.same(
        await app.core.connections.vend(account?.id ?? '', { kind: 'api_key' }),
        vended,
        'the operator’s back end as well'
      )
    })

    t.test('a plain service is signed in with like any other', async (t) => {
      const { app } = await start(t)
      const { userId, account } = await enter({ app } as TestApp, 'hub', 'ann')
      const { id } = hub.userOf('ann')
      t.match(account, { subject: `${id}`, username: 'ann', scopes: ['repo', 'read:user'], expiresAtMs: undefined })
      const vended = await app.core.connections.vend(account.id, { kind: 'user', userId })
      t.ok(vended.kind === 'token' && hub.accepts(vended.accessToken))
    })

    t.test('signing in again is the same user and the same account, with the newer tokens', async (t) => {
      const service = await start(t)
      const first = await enter(service, 'acme', 'ann')
      const before = await service.app.core.connections.vend(first.account.id, { kind: 'api_key' })
      service.clock.advance(1_000)
      const again = await enter(service, 'acme', 'ann')
      t.equal(again.userId, first.userId)
      t.match(again.account, { id: first.account.id, connectedAtMs: first.account.connectedAtMs, version: 2 })
      t.not(again.account.expiresAtMs, first.account.expiresAtMs)
      t.notSame(await service.app.core.connections.vend(first.account.id, { kind: 'api_key' }), before)
      t.equal((await service.app.core.connections.list(first.userId)).length, 1)
    })

    t.test('a provider that hands out no refresh token the second time leaves the first one in use', async (t) => {
      const service = await start(t)
      await enter(service, 'acme', 'bob')
      acme.issuesRefreshTokens = false
      t.teardown(() => {
        acme.issuesRefreshTokens = true
      })
      const { account } = await enter(service, 'acme', 'bob')
      service.clock.advance(2 * HOUR_MS)
      const vended = await service.app.core.connections.vend(account.id, { kind: 'api_key' })
      t.ok(vended.kind === 'token' && (await acme.accepts(vended.accessToken)), 'it was refreshed')
    })

    t.test('without any refresh token an account lives as long as its token', async (t) => {
      const service = await start(t)
      acme.issuesRefreshTokens = false
      t.teardown(() => {
        acme.issuesRefreshTokens = true
      })
      const { account, userId } = await enter(service, 'acme', 'once')
      service.clock.advance(HOUR_MS - 1)
      t.match(
        await service.app.core.connections.vend(account.id, { kind: 'api_key' }),
        { kind: 'token' },
        'the last millisecond'
      )
      service.clock.advance(1)
      t.same(await service.app.core.connections.vend(account.id, { kind: 'api_key' }), { kind: 'needs_reconnect' })
      t.match(await service.app.core.connections.list(userId), [{ status: 'needs_reconnect', expiresAtMs: undefined }])
      acme.issuesRefreshTokens = true
      t.match(await enter(service, 'acme', 'once'), { userId, account: { id: account.id, status: 'connected' } })
      t.match(
        await service.app.core.connections.vend(account.id, { kind: 'api_key' }),
        { kind: 'token' },
        'connected again'
      )
    })

    t.test('who has the same e-mail address, name and login is somebody else all the same', async (t) => {
      const service = await start(t)
      const { claimsOf } = acme
      t.teardown(() => {
        acme.claimsOf = claimsOf
      })
      acme.claimsOf = (login) => ({ sub: login, email: 'ann@a.example', preferred_username: 'ann', name: 'Ann' })
      const people = [await enter(service, 'acme', 'ann'), await enter(service, 'acme', 'ann-2')]
      people.push(await enter(service, 'corp', 'ann'), await enter(service, 'hub', 'ann'))
      t.equal(new Set(people.map(({ userId }) => userId)).size, 4)
      t.equal(new Set(people.map(({ account }) => account.id)).size, 4)
      for (const { userId, account } of people) {
        t.same(
          (await service.app.core.connections.list(userId)).map(({ id }) => id),
          [account.id],
          'sees their own'
        )
        for (const other of people.filter((one) => one.userId !== userId)) {
          const asked = await service.app.core.connections.vend(account.id, { kind: 'user', userId: other.userId })
          t.same(asked, { kind: 'not_yours' })
          t.equal(await service.app.core.connections.disconnect(other.userId, account.id, BY), undefined)
        }
      }
    })

    t.test('accounts are listed the latest connected first', async (t) => {
      const { app, clock } = await start(t)
      const { session } = signedIn(await signInAt(app, 'acme', 'ann'))
      for (const login of ['ann', 'ann-at-work']) {
        clock.advance(1_000)
        t.match(await connectAt(app, 'hub', login, session.userId), {
          kind: 'connected',
          connection: { username: login }
        })
      }
      clock.advance(1_000)
      await signInAt(app, 'acme', 'ann')
      const names = (await app.core.connections.list(session.userId)).map(
        ({ upstreamId, username }) => `${upstreamId} ${username}`
      )
      t.same(names, ['hub ann-at-work', 'hub ann', 'acme ann'])
      t.same(await app.core.connections.list('nobody'), [])
    })

    t.test('an account that is another user’s cannot be connected, and stays as it is', async (t) => {
      const service = await start(t)
      const { app } = service
      const ann = await enter(service, 'acme', 'ann')
      const bob = await enter(service, 'acme', 'bob')
      t.match(await connectAt(app, 'hub', 'shared', ann.userId), { kind: 'connected' })
      const before = await app.core.connections.list(ann.userId)
      t.same(await connectAt(app, 'hub', 'shared', bob.userId), { kind: 'taken' })
      t.same(await connectAt(app, 'acme', 'ann', bob.userId), { kind: 'taken' }, 'nor one that is signed in with')
      t.same(await app.core.connections.list(ann.userId), before)
      t.same(
        (await app.core.connections.list(bob.userId)).map(({ id }) => id),
        [bob.account.id]
      )
      t.same(
        await signInAt(app, 'hub', 'shared'),
        { kind: 'refused', reason: 'only_connected' },
        'nor does it sign anybody in'
      )
      t.equal(await app.core.identities.choose('hub', `${hub.userOf('shared').id}`, bob.userId, true), false)
      t.equal(await app.core.identities.choose('hub', `${hub.userOf('shared').id}`, ann.userId, true), true)
      const { session } = signedIn(await signInAt(app, 'hub', 'shared'))
      t.match(session, { userId: ann.userId, name: 'ann at acme' }, 'before its user has chosen so')
      t.match(await connectAt(app, 'hub', 'shared', ann.userId), { kind: 'connected' }, 'its user connects it again')
    })

    t.test('what was connected is given up with its account, what was first signed in with is not', async (t) => {
      const service = await start(t)
      const { app } = service
      const ann = await enter(service, 'acme', 'ann')
      const bob = await enter(service, 'acme', 'bob')
      const connected = await connectAt(app, 'hub', 'moving', ann.userId)
      const { connection: account } = connected as Extract<typeof connected, { kind: 'connected' }>
      t.match(await app.core.connections.disconnect(ann.userId, account.id, BY), { connection: { id: account.id } })
      t.equal(await app.core.connections.disconnect(ann.userId, account.id, BY), undefined, 'once')
      t.same(await app.core.connections.vend(account.id, { kind: 'api_key' }), { kind: 'unknown' })
      t.match(await connectAt(app, 'hub', 'moving', bob.userId), { kind: 'connected' }, 'free for somebody else')
      t.same(await app.core.connections.vend(account.id, { kind: 'api_key' }), { kind: 'unknown' }, 'under another id')

      t.match(await app.core.connections.disconnect(ann.userId, ann.account.id, BY), {
        connection: { id: ann.account.id }
      })
      t.same(await app.core.connections.list(ann.userId), [])
      t.same(await connectAt(app, 'acme', 'ann', bob.userId), { kind: 'taken' }, 'nobody else’s')
      const again = await enter(service, 'acme', 'ann')
      t.match(again, { userId: ann.userId, account: { id: ann.account.id, version: 1 } }, 'still the same user')
    })

    t.test(
      'an interrupted disconnect that is repeated takes nothing from who connected the account since',
      async (t) => {
        const service = await start(t)
        const { app } = service
        const [ann, bob] = [await enter(service, 'acme', 'ann'), await enter(service, 'acme', 'bob')]
        const users = [bob.userId, ann.userId]
        for (const [i, next] of users.entries()) {
          const connected = await connectAt(app, 'hub', `left-${i}`, ann.userId)
          const { id, subject } = (connected as Extract<typeof connected, { kind: 'connected' }>).connection
          await app.core.identities.release('hub', subject, id)
          t.match(await connectAt(app, 'hub', `left-${i}`, next), { kind: 'connected' })
          t.match(await app.core.connections.disconnect(ann.userId, id, BY), { connection: { id } }, 'the rest of it')
          t.equal(await app.core.identities.useOf('hub', subject, next), 'connected', 'still theirs')
          t.same(await connectAt(app, 'hub', `left-${i}`, users[1 - i] ?? ''), { kind: 'taken' })
        }
      }
    )

    t.test('where subjects are user ids, somebody new is not given another', async (t) => {
      const service = await start(t)
      t.match(await enter(service, 'corp', 'user-7'), { userId: 'user-7', account: { subject: 'user-7' } })
      t.match(await enter(service, 'corp', 'Zoë 😀'), { userId: 'Zoë 😀' })
      t.match(await enter(service, 'corp', 'x'.repeat(255)), { userId: 'x'.repeat(255) })
      await t.rejects(signInAt(service.app, 'corp', 'x'.repeat(256)), UNAVAILABLE, 'an id nobody can have')
      const other = await enter(service, 'acme', 'user-7')
      t.not(other.userId, 'user-7', 'another provider’s subject is none')
      const { app } = service
      t.same(await connectAt(app, 'corp', 'user-8', other.userId), { kind: 'taken' }, 'nor can it connect such a user')
      t.match(await enter(service, 'corp', 'user-8'), { userId: 'user-8' }, 'who signs in as ever')
      t.match(await connectAt(app, 'corp', 'user-8', 'user-8'), { kind: 'connected' })
    })

    t.test('scopes are those of the answer, and none if it tells of none', async (t) => {
      const service = await start(t)
      const told: [Passage, string[]][] = [
        [changed({ scope: 'a b' }), ['a', 'b']],
        [changed({ scope: ' a  b ' }), ['a', 'b']],
        [changed({ scope: 'a,b' }), ['a,b']],
        [changed({ scope: '' }), []],
        [changed({ scope: undefined }), []]
      ]
      t.teardown(() => acme.at(TOKEN_ENDPOINT))
      for (const [passage, scopes] of told) {
        acme.at(TOKEN_ENDPOINT, passage)
        const { account } = await enter(service, 'acme', 'ann')
        t.same(account.scopes, scopes)
        t.match(await service.app.core.connections.vend(account.id, { kind: 'api_key' }), { kind: 'token', scopes })
      }
      t.teardown(() => hub.at(PLAIN_TOKEN_ENDPOINT))
      for (const [scope, scopes] of [
        ['a,b', ['a', 'b']],
        ['a b', ['a', 'b']],
        ['', []],
        [undefined, []]
      ] as const) {
        hub.at(PLAIN_TOKEN_ENDPOINT, changed({ scope }))
        t.same((await enter(service, 'hub', 'ann')).account.scopes, scopes)
      }
    })

    t.test('only who asks by the right id gets a token', async (t) => {
      const service = await start(t)
      const { userId, account } = await enter(service, 'acme', 'ann')
      for (const id of [
        '',
        'x',
        'ann',
        '__proto__',
        account.id.toUpperCase(),
        `${account.id} `,
        'x'.repeat(5_000),
        '\u0000'
      ]) {
        t.same(await service.app.core.connections.vend(id, { kind: 'user', userId }), { kind: 'unknown' })
        t.same(await service.app.core.connections.vend(id, { kind: 'api_key' }), { kind: 'unknown' })
        t.equal(await service.app.core.connections.disconnect(userId, id, BY), undefined)
      }
      t.match(
        await service.app.core.connections.vend(account.id, { kind: 'user', userId }),
        { kind: 'token' },
        'and it is still there'
      )
    })
  })
}

/** Returns everything that a Redis server holds, names and values, as text. */
async function dump({ client }: RedisServer): Promise<string> {
  const found: string[] = []
  for (const key of await client.keys('*')) {
    const type = await client.type(key)
    const read: Record<string, () => Promise<unknown>> = {
      string: () => client.get(key),
      hash: () => client.hgetall(key),
      zset: () => client.zrange(key, '0', '-1', 'WITHSCORES'),
      stream: () => client.xrange(key, '-', '+'),
      set: () => client.smembers(key),
      list: () => client.lrange(key, 0, -1)
    }
    const value = await read[type]?.()
    if (value === undefined || value === null) throw new Error(`a ${type} nobody expected: ${key}`)
    found.push(`${key} ${JSON.stringify(value)}`)
  }
  return found.join('\n')
}

t.test('nothing that can be used is in Redis in clear', async (t) => {
  const service = await setUpOverRedis(t)
  const { app, clock } = service
  const secrets = new Map<string, string>()
  const remember: Passage = async ({ form, ask }) => {
    const reply = await ask()
    const said = { ...JSON.parse(reply.body.toString()), code: form.get('code') ?? '' }
    for (const name of ['access_token', 'refresh_token', 'id_token', 'code']) {
      if (said[name]) secrets.set(`${name} ${secrets.size}`, said[name])
    }
    return reply
  }
  hub.expires = true
  t.teardown(() => {
    hub.expires = false
    acme.at(TOKEN_ENDPOINT)
    hub.at(PLAIN_TOKEN_ENDPOINT)
  })
  acme.at(TOKEN_ENDPOINT, remember)
  hub.at(PLAIN_TOKEN_ENDPOINT, remember)

  const { session, token } = signedIn(await signInAt(app, 'acme', 'ann'))
  secrets.set('session token', token)
  const connected = await connectAt(app, 'hub', 'ann', session.userId)
  if (connected.kind !== 'connected') throw new Error('not connected')
  clock.advance(10 * HOUR_MS)
  for (const { id } of await app.core.connections.list(session.userId)) {
    t.match(await app.core.connections.vend(id, { kind: 'api_key' }), { kind: 'token' }, 'refreshed once')
  }
  t.ok(secrets.size >= 12, `${secrets.size} secrets were planted`)
  const content = await dump(redis)
  for (const word of [session.userId, 'ann at acme', '"providerId":"acme"', 'grantd:account:', 'grantd:session:']) {
    t.ok(content.includes(word), `the dump shows what is kept: ${word}`)
  }
  for (const [name, secret] of secrets) {
    t.notOk(content.includes(secret), name)
    t.notOk(content.includes(Buffer.from(secret).toString('base64url').slice(2, -2)), `${name}, encoded`)
  }
})

t.test('tokens that somebody has tampered with are nobody’s: the account has to be connected again', async (t) => {
  const service = await setUpOverRedis(t)
  const { app, clock, call } = service
  const ann = await enter(service, 'acme', 'ann')
  const bob = await enter(service, 'acme', 'bob')
  const second = await connectAt(app, 'hub', 'ann', ann.userId)
  if (second.kind !== 'connected') throw new Error('not connected')
  const keyOf = ({ userId, id }: { userId: string; id: string }) => `grantd:account:{${userId}}:${id}`
  const key = keyOf(ann.account)
  const fields = await redis.client.hgetall(key)
  const sealed = fields.sealedTokens ?? ''
  const session = await sessionOf(ann.userId, { expires: '3650d' })
  const ask = () => call('GET', `/api/v0/oauthAccounts/${ann.account.id}/accessToken`, { token: session })
  /** Writes the record back with some fields changed. */
  const put = (changes: Record<string, string>) => redis.client.hset(key, { ...fields, ...changes })
  const foreign = async (account: { userId: string; id: string }) =>
    (await redis.client.hget(keyOf(account), 'sealedTokens')) ?? ''

  const [version = '', secretId = '', nonce = '', body = ''] = sealed.split('.')
  const bytes = Buffer.from(body, 'base64url')
  const flipped = (at: number) => {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    return [version, secretId, nonce, changed.toString('base64url')].join('.')
  }
  const tampered: Record<string, string> = {
    'of another user': await foreign(bob.account),
    'of another account of the same user': await foreign(second.connection),
    'a flipped bit at the start': flipped(0),
    'a flipped bit in the middle': flipped(bytes.length >> 1),
    'a flipped bit of the tag': flipped(bytes.length - 1),
    'another nonce': [version, secretId, Buffer.alloc(12).toString('base64url'), body].join('.'),
    'cut short': sealed.slice(0, -8),
    'the tag alone': [version, secretId, nonce, bytes.subarray(-16).toString('base64url')].join('.'),
    'under another secret': [version, 'xxxxxxxx', nonce, body].join('.'),
    'of another version': ['v2', secretId, nonce, body].join('.'),
    nothing: '',
    'in clear': '{"accessToken":"planted","refreshToken":"planted"}'
  }
  t.equal((await ask()).status, 200, 'as it was')
  const asked = acme.count(TOKEN_ENDPOINT)
  for (const [what, sealedTokens] of Object.entries(tampered)) {
    t.not(sealedTokens, sealed, what)
    await put({ sealedTokens })
    t.match(await ask(), { status: 404, body: { error: NEEDS_RECONNECT } }, what)
    await put({ sealedTokens, expiresAtMs: `${clock() - 1}` })
    t.match(await ask(), { status: 404, body: { error: NEEDS_RECONNECT } }, `${what}, and over`)
  }
  t.equal(acme.count(TOKEN_ENDPOINT), asked, 'and the provider is not asked with any of it')

  await put({})
  t.equal((await ask()).status, 200, 'as it was')
  const owner = `grantd:account-owner:{${ann.account.id}}:owner`
  await redis.client.hset(owner, { userId: bob.userId })
  const asBob = await sessionOf(bob.userId, { expires: '3650d' })
  const steal = () => call('GET', `/api/v0/oauthAccounts/${ann.account.id}/accessToken`, { token: asBob })
  t.match(await steal(), { status: 404, body: { error: 'Not Found' } }, 'another owner')
  await redis.client.hset(keyOf({ userId: bob.userId, id: ann.account.id }), fields)
  t.match(await steal(), { status: 404, body: { error: NEEDS_RECONNECT } }, 'and the record moved to them')

  await redis.client.hset(owner, { userId: ann.userId })
  t.match(await enter(service, 'acme', 'ann'), { account: { status: 'connected' } }, 'connecting again mends it')
  t.equal((await ask()).status, 200)
})

t.test('tokens are opened under an older secret, and sealed under the newest from the next change on', async (t) => {
  await redis.client.flushall()
  const [older, newer] = ['the older one of two secrets: long enough', 'the newer one of two secrets: long enough']
  const start = (GRANTD_SECRET: string) => setUp(t, { REDIS_URL: redis.url, GRANTD_SECRET })
  const before = await start(older)
  const { account } = await enter(before, 'acme', 'ann')
  const vend = ({ app }: TestApp) => app.core.connections.vend(account.id, { kind: 'api_key' })
  const [prepared, rotated] = [await start(`${older},${newer}`), await start(`${newer},${older}`)]
  t.same(await vend(rotated), await vend(before))
  rotated.clock.advance(2 * HOUR_MS)
  const refreshed = await vend(rotated)
  t.match(refreshed, { kind: 'token' })
  t.same(await vend(prepared), refreshed, 'read by all who know it')
  t.same(await vend(before), { kind: 'needs_reconnect' }, 'and by nobody else')
  t.same(await vend(rotated), refreshed)
})

t.test('an instance that cannot do anything for an account leaves it to those that can', async (t) => {
  await redis.client.flushall()
  const [older, newer] = ['the older one of two secrets: long enough', 'the newer one of two secrets: long enough']
  const REDIS_URL = redis.url
  const others = {
    'which does not know the provider': await setUp(t, {
      ...{ REDIS_URL, GRANTD_SECRET: `${older},${newer}` },
      PROVIDERS_FILE: providersFile(t, [hub.entry()])
    }),
    'which does not know the secret': await setUp(t, { REDIS_URL, GRANTD_SECRET: older })
  }
  const whole = await setUp(t, { REDIS_URL, GRANTD_SECRET: `${newer},${older}` })
  const vend = ({ app }: TestApp, id: string) => app.core.connections.vend(id, { kind: 'api_key' })
  for (const [which, other] of Object.entries(others)) {
    const { account } = await enter(whole, 'acme', which)
    other.clock.advance(2 * HOUR_MS)
    t.notMatch(await vend(other, account.id).catch(() => ({})), { kind: 'token' }, which)
    t.match(await vend(whole, account.id), { kind: 'token' }, 'and it is still good elsewhere')
  }
})
