import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { type Answer, startApp, type TestApp } from '../../support/app.js'
import { BOX, startOAuthApp } from '../../support/oauth-app.js'
import { startRedis } from '../../support/redis-server.js'
import { apiHeaders, refused } from '../expectations.js'

const url = '/auth/grant/revoke'
const GONE = 'Unknown or expired user_code.'
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }

const withdraw = ({ call }: TestApp, grant_code: string) => call('POST', url, { body: { grant_code } })

function revoked(t: Test, answer: Answer, about: string): void {
  t.strictSame([answer.status, answer.body], [200, { status: 'revoked' }], about)
  apiHeaders(t, answer, about)
}

async function withdrawals(t: Test, service: TestApp): Promise<void> {
  const { call, start, poll, decide, clock } = service

  t.test('200 what waits cannot be approved any more, and the poll says so', async (t) => {
    const { grant_code, user_code } = await start()
    t.equal((await poll(grant_code)).body.status, 'authorization_pending')
    revoked(t, await withdraw(service, grant_code), 'the first time')
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
    for (const action of ['approve', 'deny'] as const) refused(t, await decide(user_code, 'ann', action), 404, GONE)
    refused(t, await call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann' }), 404, GONE)
    revoked(t, await withdraw(service, grant_code), 'again')
    t.strictSame((await call('GET', '/auth/clients', { user: 'ann' })).body, { data: [] })
  })

  t.test('200 what was approved and not collected is not handed out, and is listed as revoked', async (t) => {
    const { grant_code, user_code } = await start({ hostname: 'here' })
    await decide(user_code, 'bea')
    revoked(t, await withdraw(service, grant_code), 'approved')
    t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
    const [row, ...others] = (await call('GET', '/auth/clients', { user: 'bea' })).body.data
    t.strictSame([row.label, typeof row.revoked_at, others], ['here', 'string', []])
  })

  t.test('200 the token of what was collected is refused from the next request on', async (t) => {
    const { grant_code, user_code } = await start()
    await decide(user_code, 'cleo')
    const token = (await poll(grant_code)).body.jwt
    t.equal((await call('GET', '/auth/clients', { token })).status, 200)
    // The code is spent by then, and the record still exists.
    clock.advance(60_000)
    revoked(t, await withdraw(service, grant_code), 'collected')
    refused(t, await call('GET', '/auth/clients', { token }), 401)
    const { data } = (await call('GET', '/auth/clients', { user: 'cleo' })).body
    const first = data.find(({ id }: { id: string }) => id === decodeJwt(token).jti).revoked_at
    clock.advance(1_000)
    revoked(t, await withdraw(service, grant_code), 'again')
    t.equal(
      (await call('GET', '/auth/clients', { user: 'cleo' })).body.data[0].revoked_at,
      first,
      'the first time stays'
    )
  })

  t.test('200 for whatever there is nothing to withdraw of, and nothing of it changes', async (t) => {
    const [denied, waiting] = [await start(), await start()]
    await decide(denied.user_code, 'ann', 'deny')
    const nothing = [denied.grant_code, 'A'.repeat(43), 'x', ' ', '\u0000', '😀'.repeat(128), waiting.user_code]
    for (const code of [...nothing, `${waiting.grant_code}=`]) revoked(t, await withdraw(service, code), code)
    t.strictSame((await poll(denied.grant_code)).body, { status: 'access_denied' })
    t.strictSame((await poll(waiting.grant_code)).body, { status: 'authorization_pending' })
    t.equal((await decide(waiting.user_code, 'ann')).status, 200)
  })

  t.test('200 approved and withdrawn at once: it is one or the other, and no token of it counts', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { grant_code, user_code } = await start()
      const [approval, , polled] = await Promise.all([
        decide(user_code, 'dora'),
        withdraw(service, grant_code),
        poll(grant_code)
      ])
      if (polled.body.jwt) refused(t, await call('GET', '/auth/clients', { token: polled.body.jwt }), 401)
      const expected = approval.status === 200 ? 'access_denied' : 'expired_token'
      t.strictSame((await poll(grant_code)).body, { status: expected }, `${approval.status}`)
    }
  })
}

t.test('in memory', async (t) => withdrawals(t, await startApp(t, freely)))

t.test('over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await withdrawals(t, await startApp(t, { ...freely, REDIS_URL: redis.url }))
})

t.test('200 a grant of a client that is not built in stays as it is', async (t) => {
  const service = await startOAuthApp(t)
  const { device_code } = await service.authorize(BOX, 'openid')
  revoked(t, await withdraw(service, device_code), 'it says the same')
  t.equal((await service.redeem(device_code, BOX)).body.error, 'authorization_pending')
})

t.test('400 grant_code must be a text of 1 to 128 characters', async (t) => {
  const { call } = await startApp(t)
  refused(t, await call('POST', url, { body: {} }), 400, 'grant_code is missing.')
  for (const grant_code of ['', 'x'.repeat(129), null, 5, true, ['x'], { code: 'x' }]) {
    refused(t, await call('POST', url, { body: { grant_code } }), 400, /^grant_code must /, typeof grant_code)
  }
  for (const body of [null, [], 'x', 5]) refused(t, await call('POST', url, { body }), 400, /^The body must be object/)
})

t.test('405 with what is allowed', async (t) => {
  const { call } = await startApp(t)
  const answer = await call('GET', url)
  refused(t, answer, 405, 'Method Not Allowed')
  t.equal(answer.headers.allow, 'POST')
})

t.test('429 counts with the revocations of tokens, by address', async (t) => {
  const service = await startApp(t, { LIMIT_REVOKE_PER_MINUTE: '2' })
  revoked(t, await withdraw(service, 'x'), 'the first')
  const token = await service.call('POST', '/oauth/revoke', { body: { client_id: 'cli', token: 'x' } })
  t.equal(token.status, 200)
  const answer = await withdraw(service, 'x')
  refused(t, answer, 429, 'Too many requests. Please try again later.')
  t.equal(answer.headers['retry-after'], '60')
})
