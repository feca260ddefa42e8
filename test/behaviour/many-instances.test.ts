/** Several instances over one Redis are one service. Each runs in its own process here. */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { authorizationIdOf } from '../../src/core/grants/grant.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { PATIENT, startApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { apiClient, claimsOf, type HttpAnswer } from '../support/client.js'
import { BOX, startOAuthApp } from '../support/oauth-app.js'
import { startRedis } from '../support/redis-server.js'
import { startService } from '../support/service.js'
import { until } from '../support/until.js'

const cidOf = (answers: HttpAnswer[]) => claimsOf(answers[0]?.body.access_token).cid
type Row = Record<'id' | 'revoked_at', string | null>

const countOf = (answers: HttpAnswer[], status: string) => answers.filter(({ body }) => body.status === status).length

t.test('two instances over one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  // Within this interval come all polls of a burst, on any machine.
  const paced = { POLL_INTERVAL_SECONDS: '40', LIMIT_REFRESH_PER_MINUTE: '1000' }
  const variables = { ...PATIENT, ...paced, REDIS_URL: redis.url, LOG_LEVEL: 'warn' }
  // Both start at once, so that they race for the first signing key.
  const whole = t
  const startBoth = () => Promise.all([startService(whole, variables), startService(whole, variables)])
  let services = await startBoth()
  let [one, two] = [apiClient(services[0].url), apiClient(services[1].url)]

  await t.test('instances that start at once end with one signing key', async (t) => {
    const sets = await Promise.all([one, two].map((api) => api.call('GET', '/.well-known/jwks.json')))
    t.equal(sets[0]?.body.keys.length, 1)
    t.same(sets[0]?.body, sets[1]?.body)
  })

  await t.test(
    '200 concurrent polls of an approved grant come to one authorized client, in tokens with a jti each',
    async (t) => {
      const { grant_code, user_code } = await one.start()
      t.equal((await two.decide(user_code, 'alice')).status, 200)
      const polls = await Promise.all(Array.from({ length: 200 }, (_, i) => (i % 2 ? one : two).poll(grant_code)))
      t.equal(countOf(polls, 'approved'), 200)
      t.equal(new Set(polls.map(({ body }) => claimsOf(body.jwt).cid)).size, 1)
      t.equal(new Set(polls.map(({ body }) => claimsOf(body.jwt).jti)).size, 200)
      const clients = await one.call('GET', '/auth/clients', { user: 'alice' })
      t.equal(clients.body.data.length, 1)
      t.equal(clients.body.data[0].id, claimsOf(polls[0]?.body.jwt).cid)
    }
  )

  await t.test(
    '100 parallel redemptions of one code come to one authorized client and one refresh token',
    async (t) => {
      const { device_code, user_code } = (
        await one.call('POST', '/oauth/device_authorization', {
          body: { client_id: 'mcp', scope: 'openid offline_access' }
        })
      ).body
      t.equal((await two.decide(user_code, 'erin')).status, 200)
      const body = { grant_type: DEVICE_CODE_GRANT, client_id: 'mcp', device_code }
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => (i % 2 ? one : two).call('POST', '/oauth/token', { body }))
      )
      t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
      t.equal(new Set(answers.map(({ body }) => body.refresh_token)).size, 1, 'one refresh token')
      t.equal(new Set(answers.map(({ body }) => claimsOf(body.access_token).cid)).size, 1, 'one authorization')
      t.equal((await one.call('GET', '/auth/clients', { user: 'erin' })).body.data.length, 1, 'one authorized client')
      t.equal((await redis.client.keys('grantd:refresh-family:*')).length, 1, 'one family')
    }
  )

  await t.test('100 parallel refreshes with one token come to one rotation, and nothing is revoked', async (t) => {
    const refresh = (api: typeof one, refresh_token: string) =>
      api.call('POST', '/oauth/token', { body: { grant_type: 'refresh_token', client_id: 'mcp', refresh_token } })
    const { device_code, user_code } = (
      await one.call('POST', '/oauth/device_authorization', { body: { client_id: 'mcp', scope: 'offline_access' } })
    ).body
    await two.decide(user_code, 'frank')
    const body = { grant_type: DEVICE_CODE_GRANT, client_id: 'mcp', device_code }
    const first = (await one.call('POST', '/oauth/token', { body })).body.refresh_token
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => refresh(i % 2 ? one : two, first)))
    t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
    const [next, ...others] = new Set(answers.map(({ body }) => body.refresh_token as string))
    t.strictSame(others, [], 'all were given the same next token')
    t.not(next, first)
    const row = await redis.client.hgetall(
      (await redis.client.keys(`grantd:refresh-family:${cidOf(answers)}`))[0] ?? ''
    )
    t.equal(row.rotated?.length, 56, 'one rotation')
    // These callers use the first token after a further rotation. Within the grace period each is told the current
    // token.
    const later = (await refresh(one, next as string)).body.refresh_token
    const late = await Promise.all(Array.from({ length: 20 }, (_, i) => refresh(i % 2 ? one : two, first)))
    t.strictSame([...new Set(late.map(({ body }) => body.refresh_token))], [later])
    const [client] = (await two.call('GET', '/auth/clients', { user: 'frank' })).body.data
    t.equal(client.revoked_at, null)
  })

  await t.test('50 concurrent polls of a pending grant get at most two authorization_pending', async (t) => {
    const { grant_code } = await one.start()
    const polls = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? one : two).poll(grant_code)))
    const accepted = countOf(polls, 'authorization_pending')
    // A repetition counts only within 300 ms, and a busy machine may need longer for the burst.
    t.ok(accepted === 1 || accepted === 2, `${accepted}`)
    t.equal(countOf(polls, 'slow_down'), 50 - accepted)
    t.equal(Math.max(...polls.map(({ body }) => body.interval ?? 0)), 60, 'the interval grows to its cap')
  })

  await t.test('concurrent decisions either way come to one, and the client is told that one', async (t) => {
    const { grant_code, user_code } = await one.start()
    const decisions = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 ? one : two).decide(user_code, `user ${i}`, i % 4 < 2 ? 'approve' : 'deny')
      )
    )
    const taken = decisions.filter(({ status }) => status === 200)
    t.equal(taken.length, 1)
    t.equal(decisions.filter(({ status }) => status === 404).length, 7)
    const expected = taken[0]?.body.status === 'approve' ? 'approved' : 'access_denied'
    t.equal((await one.poll(grant_code)).body.status, expected)
  })

  await t.test('a client revoked on one instance is refused by the other on its next request', async (t) => {
    const { grant_code, user_code } = await one.start()
    await two.decide(user_code, 'bob')
    const { jwt } = (await one.poll(grant_code)).body
    t.equal((await two.call('GET', '/auth/clients', { token: jwt })).status, 200)
    t.equal((await one.call('DELETE', `/auth/clients/${claimsOf(jwt).cid}`, { user: 'bob' })).status, 200)
    t.equal((await two.call('GET', '/auth/clients', { token: jwt })).status, 401)
  })

  // These two are in this process, because revoking everything is on the pages alone, which ask for a sign-in.
  const unlimited = { REDIS_URL: redis.url, LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
  const [here, there] = [await startApp(t, unlimited), await startApp(t, unlimited)]

  await t.test('no token outlives a revocation of everything that came after its approval', async (t) => {
    const later = async <T>(turns: number, act: () => Promise<T>) => {
      for (let i = 0; i < turns; i++) await setImmediate()
      return act()
    }
    const seen = { revoked: 0, alive: 0, denied: 0 }
    for (let round = 0; round < 80; round++) {
      const user = `racer ${round}`
      const revokeAll = () => here.app.core.authorizations.revokeAll(user, 'owner', BY)
      const [before, during] = [await here.start(), await here.start()]
      t.equal((await there.decide(before.user_code, user)).status, 200)

      // The approval of one grant is acknowledged; the other one is approved, both are collected and everything is revoked at
      // the same time, each round a little differently.
      const collect = () =>
        Promise.all(
          [0, 3, 6, 9].flatMap((turns) =>
            [before, during].map(({ grant_code }, i) =>
              later(turns + (round % 5), () => ((turns + i) % 2 ? here : there).poll(grant_code))
            )
          )
        )
      const revoke = () => later(round % 7, revokeAll)
      // Who wins is the machine's choice, but the polls come first in one round, and the revocation in another.
      const polls = round === 1 ? undefined : collect()
      const revoking = round === 0 ? polls?.then(revoke) : revoke()
      const polled = polls ?? revoking?.then(collect) ?? []
      const [, ...decisions] = await Promise.all([
        revoking,
        later(round % 3, () => there.decide(during.user_code, user)),
        later(round % 4, () => here.decide(during.user_code, user))
      ])
      t.same(
        decisions.map(({ status }) => status),
        [200, 200]
      )

      const idOf = ({ grant_code }: typeof before) => authorizationIdOf(digestOf(grant_code), user)
      const rows: Row[] = (await there.call('GET', '/auth/clients', { user })).body.data
      const isRevoked = (id: unknown) => rows.some((row) => row.id === id && row.revoked_at !== null)
      const others = rows.filter(({ id }) => id !== idOf(before) && id !== idOf(during))
      t.equal(rows.length - others.length, 2, 'each approval has one row')
      // If the first of the two approvals was revoked before it was decided, the second one is an approval of its own.
      t.ok(others.length === 0 || (others.length === 1 && isRevoked(idOf(during))), `${others.length} others`)
      t.ok(isRevoked(idOf(before)))
      t.same((await here.poll(before.grant_code)).body, { status: 'access_denied' })
      for (const { body } of await polled) {
        if (body.status !== 'approved') {
          if (body.status === 'access_denied') seen.denied += 1
          continue
        }
        const isOver = isRevoked(claimsOf(body.jwt).cid)
        seen[isOver ? 'revoked' : 'alive'] += 1
        t.equal((await there.call('GET', '/auth/clients', { token: body.jwt })).status, isOver ? 401 : 200)
      }

      await revokeAll()
      t.same((await there.poll(during.grant_code)).body, { status: 'access_denied' })
      for (const { body } of await polled) {
        if (body.status !== 'approved') continue
        t.equal((await there.call('GET', '/auth/clients', { token: body.jwt })).status, 401)
      }
    }
    t.comment(JSON.stringify(seen))
    t.ok(seen.alive + seen.revoked > 0, 'some were collected')
    t.ok(seen.denied > 0, 'some were too late')
  })

  await t.test('what is approved while everything is revoked is revoked in the list too, or in force', async (t) => {
    const seen = { revoked: 0, alive: 0 }
    for (let round = 0; round < 60; round++) {
      const user = `hasty ${round}`
      const grant = await here.start()
      const [{ status }] = await Promise.all([
        here.decide(grant.user_code, user),
        sleep(round % 6).then(() => there.app.core.authorizations.revokeAll(user, 'owner', BY))
      ])
      t.equal(status, 200)
      const [row, ...more]: Row[] = (await here.call('GET', '/auth/clients', { user })).body.data
      t.strictSame(more, [])
      const isRevoked = row?.revoked_at !== null
      t.equal((await there.poll(grant.grant_code)).body.status, isRevoked ? 'access_denied' : 'approved')
      seen[isRevoked ? 'revoked' : 'alive'] += 1
    }
    t.comment(JSON.stringify(seen))
  })

  for (const [when, isRevoked] of [
    ['before the row of an approval is there', false],
    ['as soon as it is there', true]
  ] as const) {
    await t.test(`everything is revoked ${when}: list and poll say the same`, async (t) => {
      const user = `met ${when}`
      const { grant_code, user_code } = await here.start()
      const records = here.app.storage.authorizations
      const { createWithin } = records
      t.teardown(() => {
        records.createWithin = createWithin
      })
      records.createWithin = async (...args) => {
        if (!isRevoked) await there.app.core.authorizations.revokeAll(user, 'owner', BY)
        const made = await createWithin(...args)
        if (isRevoked) await there.app.core.authorizations.revokeAll(user, 'owner', BY)
        return made
      }
      t.equal((await here.decide(user_code, user)).status, 200)
      const rows: Row[] = (await there.call('GET', '/auth/clients', { user })).body.data
      t.same(
        rows.map(({ revoked_at }) => revoked_at !== null),
        [isRevoked]
      )
      t.equal((await there.poll(grant_code)).body.status, isRevoked ? 'access_denied' : 'approved')
    })
  }

  await t.test('of two users who approve one grant at two instances one has a row', async (t) => {
    const approved = { alice: 0, bob: 0 }
    for (let round = 0; round < 20; round++) {
      const { grant_code, user_code } = await here.start()
      const users = [`alice ${round}`, `bob ${round}`] as const
      const answers = await Promise.all([here.decide(user_code, users[0]), there.decide(user_code, users[1])])
      const lists = await Promise.all(users.map((user) => here.call('GET', '/auth/clients', { user })))
      t.same(
        lists.map(({ body }) => body.data.length),
        answers.map(({ status }) => (status === 200 ? 1 : 0))
      )
      t.equal(answers.filter(({ status }) => status === 200).length, 1)
      const { sub } = claimsOf((await there.poll(grant_code)).body.jwt)
      t.equal(sub, users[answers.findIndex(({ status }) => status === 200)])
      approved[sub === users[0] ? 'alice' : 'bob'] += 1
    }
    t.comment(JSON.stringify(approved))
  })

  await t.test('a client ends itself on either instance, and no other client of its user on any', async (t) => {
    const collect = async () => {
      const { grant_code, user_code } = await one.start()
      await two.decide(user_code, 'grace')
      return (await one.poll(grant_code)).body.jwt as string
    }
    const [token, other] = [await collect(), await collect()]
    const end = (api: typeof one, jwt: string) => api.call('DELETE', `/auth/clients/${claimsOf(jwt).cid}`, { token })
    for (const api of [one, two]) t.equal((await end(api, other)).status, 403)
    t.equal((await two.call('GET', '/auth/clients', { token })).body.data.length, 2, 'it sees both')
    t.equal((await end(two, token)).status, 200)
    t.equal((await one.call('GET', '/auth/clients', { token: other })).status, 200, 'the other one goes on')
  })

  await t.test('a client of the operator’s has its own row alone on either instance', async (t) => {
    const [here, there] = [
      await startOAuthApp(t, { REDIS_URL: redis.url }),
      await startOAuthApp(t, { REDIS_URL: redis.url })
    ]
    const { access_token: token } = await here.tokens(BOX, 'openid', 'heidi')
    const own = claimsOf(token).cid as string
    const [other, foreign] = [claimsOf(await there.collect('heidi')), claimsOf(await there.collect('ivan'))]
    t.equal((await there.call('GET', '/auth/clients', { user: 'heidi' })).body.data.length, 2)
    const body = { label: 'mine' }
    for (const { call } of [here, there]) {
      const { data } = (await call('GET', '/auth/clients', { token })).body
      t.match(data, [{ id: own, is_current: true }])
      t.equal(data.length, 1)
      for (const [id, status] of [
        [other.cid, 403],
        [foreign.cid, 404]
      ]) {
        t.equal((await call('PATCH', `/auth/clients/${id}`, { token, body })).status, status)
        t.equal((await call('DELETE', `/auth/clients/${id}`, { token })).status, status)
      }
    }
    t.equal((await there.call('PATCH', `/auth/clients/${own}`, { token, body })).status, 200)
    t.equal((await here.call('GET', '/auth/clients', { token })).body.data[0].label, 'mine')
    t.equal((await there.call('DELETE', `/auth/clients/${own}`, { token })).status, 200)
    t.equal((await here.call('GET', '/auth/clients', { token })).status, 401)
    const { data } = (await here.call('GET', '/auth/clients', { user: 'heidi' })).body
    t.same(
      data
        .filter(({ revoked_at }: Row) => revoked_at === null)
        .map(({ id, label }: Record<string, unknown>) => [id, label]),
      [[other.cid, null]],
      'the other one is as it was'
    )
  })

  await t.test(
    'started on one, approved on the other, collected on the first, both restarted in between',
    async (t) => {
      const { grant_code, user_code } = await one.start()
      t.equal((await two.decide(user_code, 'carol')).status, 200)
      for (const service of services) t.equal(await service.stop(), 0, 'stops cleanly')
      services = await startBoth()
      ;[one, two] = [apiClient(services[0].url), apiClient(services[1].url)]
      const poll = await one.poll(grant_code)
      t.equal(poll.body.status, 'approved')
      t.equal(claimsOf(poll.body.jwt).sub, 'carol')
      t.equal(
        (await two.call('GET', '/auth/clients', { token: poll.body.jwt })).status,
        200,
        'signed with a shared key'
      )
    }
  )

  await t.test('what was acknowledged survives kill -9 of redis-server', async (t) => {
    const approved = await one.start()
    const revoked = await one.start()
    await one.decide(revoked.user_code, 'dave')
    const { jwt } = (await one.poll(revoked.grant_code)).body
    t.equal((await one.call('DELETE', `/auth/clients/${claimsOf(jwt).cid}`, { user: 'dave' })).status, 200)
    t.equal((await two.decide(approved.user_code, 'dave')).status, 200)
    await redis.kill()
    await redis.start()
    const poll = await eventually(() => one.poll(approved.grant_code))
    t.equal(poll.body.status, 'approved', 'still approved')
    t.equal((await eventually(() => two.call('GET', '/auth/clients', { token: jwt }))).status, 401, 'still revoked')
  })
})

/** Repeats a request while the service answers 503. */
async function eventually(ask: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  let answer = await ask()
  await until(async () => {
    if (answer.status === 503) answer = await ask()
    return answer.status !== 503
  })
  return answer
}
