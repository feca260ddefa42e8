import t from 'tap'
import { startApp } from '../../support/app.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const url = '/auth/grant/approve'
const GONE = 'Unknown or expired user_code.'

t.test('200', async (t) => {
  const { call, start, poll, decide } = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' })

  for (const [action, status] of [
    ['approve', 'approved'],
    ['deny', 'access_denied']
  ] as const) {
    t.test(`200 ${action} answers with the same verb, and the poller hears ${status}`, async (t) => {
      const { grant_code, user_code } = await start()
      const answer = await decide(user_code, 'ann', action)
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
      t.strictSame(answer.body, { status: action })
      t.equal((await poll(grant_code)).body.status, status)
    })

    t.test(`200 ${action} again by the same user, before and after it was collected`, async (t) => {
      const { grant_code, user_code } = await start()
      for (let i = 0; i < 3; i++) t.strictSame((await decide(user_code, 'ann', action)).body, { status: action })
      await poll(grant_code)
      const again = await decide(user_code, 'ann', action)
      t.strictSame([again.status, again.body], [200, { status: action }])
      t.equal((await poll(grant_code)).body.status, status, 'and nothing changes')
    })
  }

  t.test('200 the code as it was typed', async (t) => {
    const { grant_code, user_code } = await start()
    t.equal((await decide(` ${user_code.toLowerCase().replace('-', ' \u2013 ')} `, 'ann', 'deny')).status, 200)
    t.equal((await poll(grant_code)).body.status, 'access_denied')
  })

  t.test('200 other fields do not matter', async (t) => {
    const { grant_code, user_code } = await start()
    const body = { user_code, action: 'approve', user_id: 'bob', sub: 'bob', status: 'deny', grant_code: 'x' }
    t.strictSame((await call('POST', url, { user: 'ann', body })).body, { status: 'approve' })
    const { jwt } = (await poll(grant_code)).body
    t.equal(JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString()).sub, 'ann')
  })

  t.test('200 of many decisions at once one stands', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { grant_code, user_code } = await start()
      const attempts = Array.from({ length: 20 }, (_, i) => ({
        user: `user-${i % 5}`,
        action: i % 2 === 0 ? ('approve' as const) : ('deny' as const)
      }))
      const answers = await Promise.all(attempts.map(({ user, action }) => decide(user_code, user, action)))
      const winners = attempts.filter((_, i) => answers[i]?.status === 200)
      t.ok(winners.length > 0)
      t.equal(new Set(winners.map(({ user, action }) => `${user} ${action}`)).size, 1, 'one user, one action')
      t.ok(answers.every(({ status }) => status === 200 || status === 404))
      const wanted = winners[0]?.action === 'approve' ? 'approved' : 'access_denied'
      t.equal((await poll(grant_code)).body.status, wanted)
    }
  })
})

t.test('200 the same decision again for as long as the record lives', async (t) => {
  const { clock, call, start } = await startApp(t, { LIMITS: 'off' })
  const token = await sessionOf('ann', { expires: '1d' })
  const { user_code } = await start()
  const body = { user_code, action: 'deny' }
  const send = () => call('POST', url, { token, body })
  t.equal((await send()).status, 200)
  clock.advance(1_200_000 - 1)
  t.equal((await send()).status, 200)
  clock.advance(1)
  refused(t, await send(), 404, GONE)
})

t.test('4xx', async (t) => {
  const { clock, call, start, poll, decide, collect } = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' })
  const pending = (grantCode: string) => poll(grantCode).then(({ body }) => body.status)

  t.test('400 user_code and action are both required, and texts of the right kind', async (t) => {
    const { grant_code, user_code } = await start()
    const user = 'ann'
    refused(t, await call('POST', url, { user, body: {} }), 400, 'user_code is missing.')
    refused(t, await call('POST', url, { user, body: { user_code } }), 400, 'action is missing.')
    refused(t, await call('POST', url, { user, body: { action: 'deny' } }), 400, 'user_code is missing.')
    for (const action of ['', 'Approve', 'approved', 'denied', null, 1, true, ['approve'], {}]) {
      refused(t, await call('POST', url, { user, body: { user_code, action } }), 400, /^action must/, `${action}`)
    }
    for (const code of ['', 'x'.repeat(65), null, 5, true, [user_code], { user_code }]) {
      const body = { user_code: code, action: 'approve' }
      refused(t, await call('POST', url, { user, body }), 400, /^user_code must/, JSON.stringify(code))
    }
    t.equal(await pending(grant_code), 'authorization_pending')
  })

  t.test('401 without a valid JWT of a user, and nothing is decided', async (t) => {
    const { grant_code, user_code } = await start()
    const body = { user_code, action: 'approve' }
    const answer = await call('POST', url, { body })
    refused(t, answer, 401, 'No jwt provided!')
    t.equal(answer.headers['www-authenticate'], 'Bearer')
    const token = await sessionOf('ann', { secret: 'somebody else signs with a secret of their own' })
    refused(t, await call('POST', url, { token, body }), 401, 'The jwt is not valid.')
    t.equal(await pending(grant_code), 'authorization_pending')
  })

  t.test('403 a client JWT may not decide', async (t) => {
    const { grant_code, user_code } = await start()
    const token = await collect('ann')
    for (const action of ['approve', 'deny']) {
      refused(t, await call('POST', url, { token, body: { user_code, action } }), 403, 'Access Forbidden')
    }
    t.equal(await pending(grant_code), 'authorization_pending')
  })

  t.test('401 a revoked client JWT is not even forbidden', async (t) => {
    const { user_code } = await start()
    const token = await collect('ann')
    const { cid } = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())
    await call('DELETE', `/auth/clients/${cid}`, { user: 'ann' })
    const body = { user_code, action: 'approve' }
    refused(t, await call('POST', url, { token, body }), 401, 'The jwt is not valid.')
  })

  for (const first of ['approve', 'deny'] as const) {
    const second = first === 'approve' ? 'deny' : 'approve'
    t.test(`404 anything else after ${first}`, async (t) => {
      const { grant_code, user_code } = await start()
      await decide(user_code, 'ann', first)
      refused(t, await decide(user_code, 'ann', second), 404, GONE, 'another action by the same user')
      refused(t, await decide(user_code, 'bob', first), 404, GONE, 'the same action by another user')
      refused(t, await decide(user_code, 'bob', second), 404, GONE, 'another action by another user')
      t.equal(await pending(grant_code), first === 'approve' ? 'approved' : 'access_denied')
      refused(t, await decide(user_code, 'ann', second), 404, GONE, 'after it was heard')
    })
  }

  t.test('404 unknown and malformed codes', async (t) => {
    for (const code of ['BBBB-BBBB', 'AEIO-UAEI', 'x', '-', ' ', '__proto__', 'BBBB-BBBBB', '\u0000'.repeat(8)]) {
      refused(t, await decide(code, 'ann'), 404, GONE, JSON.stringify(code))
    }
    const { grant_code } = await start()
    refused(t, await decide(grant_code, 'ann'), 404, GONE, 'the grant code is no user code')
  })

  t.test('404 when the fifteen minutes are over', async (t) => {
    const [last, late] = [await start(), await start()]
    const token = await sessionOf('ann', { expires: '1d' })
    const approve = (user_code: string) => call('POST', url, { token, body: { user_code, action: 'approve' } })
    clock.advance(900_000 - 1)
    t.equal((await approve(last.user_code)).status, 200)
    clock.advance(1)
    refused(t, await approve(late.user_code), 404, GONE)
    t.equal(await pending(last.grant_code), 'approved')
    t.equal(await pending(late.grant_code), 'expired_token')
  })
})
