/**
 * Undoing an approval, and revoking everything: all tokens of the authorization are refused, whenever they were issued.
 */
import t, { type Test } from 'tap'
import { type OAuthApp, startOAuthApp } from '../../support/oauth-app.js'
import { startRedis } from '../../support/redis-server.js'

const CLI = { client_id: 'cli' }
const MINUTE_MS = 60_000
const by = (userId: string) => ({ userId, ip: '192.0.2.1' })

for (const engine of ['memory', 'Redis']) {
  t.test(`over ${engine}`, async (t) => {
    const redis = engine === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const service = await startOAuthApp(t, redis ? { REDIS_URL: redis.url } : {})
    undoing(t, service)
    revokingAll(t, service)
  })
}

let users = 0
const newUser = () => `user ${users++}`

function undoing(t: Test, { app, clock, start, poll, call, tokens, redeem, refresh, userinfo, introspect }: OAuthApp) {
  const { decide, undo } = app.core.grants
  const isGood = async (token: string) => (await call('GET', '/auth/clients', { token })).status === 200
  const revokedOf = async (userId: string) =>
    (await app.core.authorizations.list(userId)).map(({ revokedAtMs }) => revokedAtMs !== undefined)

  t.test('before it was collected: the device is denied, now and later', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    t.strictSame(await undo(user_code, user), { kind: 'undone' })
    t.strictSame(await revokedOf(user), [true], 'it is listed as what it is')
    for (let i = 0; i < 3; i++) t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
  })

  t.test('after it was collected: the token is refused, and cannot be collected again', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    const { jwt } = (await poll(grant_code)).body
    t.equal(await isGood(jwt), true)
    t.strictSame(await undo(user_code, user), { kind: 'undone' })
    t.equal(await isGood(jwt), false)
    t.equal((await poll(grant_code)).body.jwt, undefined, 'not in the seconds in which it could be, either')
    t.strictSame(await revokedOf(user), [true], 'there is one client, not two')
  })

  t.test('everything an OAuth client was handed goes with it', async (t) => {
    const user = newUser()
    const { device_code, user_code } = (
      await app.inject({
        method: 'POST',
        url: '/oauth/device_authorization',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: 'client_id=cli&scope=openid+offline_access'
      })
    ).json()
    await decide(user_code, 'approve', by(user))
    const { access_token, refresh_token } = (await redeem(device_code)).body
    const renewed = (await refresh(refresh_token)).body
    t.equal((await userinfo(renewed.access_token)).status, 200)
    t.strictSame(await undo(user_code, user), { kind: 'undone' })
    for (const token of [access_token, renewed.access_token]) {
      t.equal((await userinfo(token)).status, 401)
      t.strictSame((await introspect(token)).body, { active: false })
    }
    t.equal((await refresh(renewed.refresh_token)).body.error, 'invalid_grant')
    t.not((await redeem(device_code)).status, 200)
    t.equal((await tokens(CLI, 'openid', newUser())).token_type, 'Bearer', 'others go on')
  })

  t.test('of a hundred polls at the same time none ends with a token that is good', async (t) => {
    for (let round = 0; round < 5; round++) {
      const user = newUser()
      const { grant_code, user_code } = await start()
      await decide(user_code, 'approve', by(user))
      const polls = Array.from({ length: 100 }, () => poll(grant_code))
      const [outcome, ...answers] = await Promise.all([undo(user_code, user), ...polls])
      t.strictSame(outcome, { kind: 'undone' })
      const jwts = answers.map(({ body }) => body.jwt).filter((jwt) => jwt !== undefined)
      t.strictSame(
        await Promise.all(jwts.map(isGood)),
        jwts.map(() => false)
      )
      t.strictSame(await revokedOf(user), [true])
    }
  })

  t.test('twice is the same as once', async (t) => {
    const user = newUser()
    const { user_code } = await start()
    await decide(user_code, 'approve', by(user))
    t.strictSame(await undo(user_code, user), { kind: 'undone' })
    const [first] = await app.core.authorizations.list(user)
    clock.advance(MINUTE_MS)
    t.strictSame(await undo(user_code, user), { kind: 'undone' })
    t.strictSame(
      (await app.core.authorizations.list(user))[0]?.revokedAtMs,
      first?.revokedAtMs,
      'it ended the first time'
    )
  })

  t.test('the same approval sent again does not bring it back', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    await undo(user_code, user)
    await decide(user_code, 'approve', by(user))
    t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
    t.strictSame(await revokedOf(user), [true])
  })

  t.test('by another user it is nothing that could be taken back', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    t.strictSame(await undo(user_code, newUser()), { kind: 'unknown' })
    const { jwt } = (await poll(grant_code)).body
    t.strictSame(await undo(user_code, `${user} `), { kind: 'unknown' })
    t.equal(await isGood(jwt), true)
    t.strictSame(await revokedOf(user), [false])
  })

  t.test('a denial, a grant that waits, one that nobody decided, and no grant at all', async (t) => {
    const user = newUser()
    const [denied, waiting] = [await start(), await start()]
    await decide(denied.user_code, 'deny', by(user))
    t.strictSame(await undo(denied.user_code, user), { kind: 'unknown' })
    t.strictSame((await poll(denied.grant_code)).body, { status: 'access_denied' })
    t.strictSame(await undo(waiting.user_code, user), { kind: 'unknown' })
    t.strictSame((await poll(waiting.grant_code)).body, { status: 'authorization_pending' })
    t.equal((await decide(waiting.user_code, 'deny', by(user))).kind, 'decided', 'which can still be decided')
    const late = await start()
    clock.advance(15 * MINUTE_MS)
    t.strictSame(await undo(late.user_code, user), { kind: 'unknown' })
    for (const code of ['BBBB-BBBB', '', 'x', '__proto__', '\u0000', late.grant_code]) {
      t.strictSame(await undo(code, user), { kind: 'unknown' }, JSON.stringify(code))
    }
    t.strictSame(await revokedOf(user), [], 'and no client is made of any')
  })

  t.test('as long as the grant is remembered, and in any spelling', async (t) => {
    const user = newUser()
    const [one, two] = [await start(), await start()]
    for (const { user_code } of [one, two]) await decide(user_code, 'approve', by(user))
    const { jwt } = (await poll(two.grant_code)).body
    clock.advance(20 * MINUTE_MS - 1)
    t.strictSame(await undo(one.user_code.toLowerCase().replace('-', ' '), user), { kind: 'undone' })
    clock.advance(1)
    t.strictSame(await undo(two.user_code, user), { kind: 'unknown' })
    t.equal(await isGood(jwt), true, 'afterwards it is for the list of clients to revoke')
  })
}

function revokingAll(t: Test, { app, clock, start, poll, call }: OAuthApp) {
  const { revokeAll, list, revoke } = app.core.authorizations
  const collect = async (user: string) => {
    const { grant_code, user_code } = await start()
    await app.core.grants.decide(user_code, 'approve', by(user))
    return (await poll(grant_code)).body.jwt as string
  }
  const areGood = (tokens: string[]) =>
    Promise.all(tokens.map(async (token) => (await call('GET', '/auth/clients', { token })).status === 200))

  t.test('all that may act are revoked, and counted; nobody else’s are', async (t) => {
    const [user, other] = [newUser(), newUser()]
    const mine = [await collect(user), await collect(user), await collect(user)]
    const theirs = [await collect(other)]
    const [newest] = await list(user)
    await revoke(user, newest?.id ?? '')
    const revokedAtMs = (await list(user))[0]?.revokedAtMs
    clock.advance(MINUTE_MS)
    t.equal(await revokeAll(user), 2, 'one had been revoked already')
    t.strictSame(await areGood([...mine, ...theirs]), [false, false, false, true])
    t.equal((await list(user)).find(({ id }) => id === newest?.id)?.revokedAtMs, revokedAtMs, 'at the time it was')
    t.equal(await revokeAll(user), 0, 'and a second time none')
  })

  t.test('none, and only expired ones', async (t) => {
    t.equal(await revokeAll(newUser()), 0)
    const user = newUser()
    await collect(user)
    clock.advance(31 * 24 * 60 * MINUTE_MS)
    t.equal(await revokeAll(user), 0)
    t.equal((await list(user))[0]?.revokedAtMs, undefined, 'what has expired was not revoked')
  })

  t.test('many at once', async (t) => {
    const user = newUser()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => collect(user)))
    const counts = await Promise.all([revokeAll(user), revokeAll(user)])
    t.ok(counts.every((count) => count <= 50) && counts.some((count) => count === 50), `${counts}`)
    t.notOk((await areGood(tokens)).includes(true))
  })
}
