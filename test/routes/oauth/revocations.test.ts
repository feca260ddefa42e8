/** GET /oauth/revocations over memory: who may read it, what is on a page, how it is held, and what a cursor is. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { announcementFor } from '../../../src/core/authorizations/announcement.js'
import type { Authorization } from '../../../src/core/authorizations/authorization.js'
import type { Announcement } from '../../../src/core/authorizations/revocation-store.js'
import { builtInClients, type Client } from '../../../src/core/clients/client.js'
import { fault } from '../../../src/core/fault.js'
import type { Answer } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { API, BOX, basicAuth, CLI, type OAuthApp, startOAuthApp, TV } from '../../support/oauth-app.js'
import { freePort } from '../../support/ports.js'
import { until } from '../../support/until.js'
import { oauthHeaders, oauthRefused } from '../expectations.js'

const FEED = '/oauth/revocations'
const AS_API = basicAuth(API)
const EITHER = 'Basic realm="grantd", Bearer realm="grantd"'

interface Page {
  revocations: { cid: string; revoked_at: number; until: number }[]
  cursor: string
  more: boolean
}

const cidOf = ({ access_token }: { access_token: string }) => String(decodeJwt(access_token).cid)

function reader({ call }: Pick<OAuthApp, 'call'>, headers: Record<string, string> = AS_API) {
  return (after?: string, others: Record<string, string> = {}) =>
    call('GET', after === undefined ? FEED : `${FEED}?after=${encodeURIComponent(after)}`, {
      headers: { ...headers, ...others }
    })
}

async function pageOf(answer: Promise<Answer>): Promise<Page> {
  const { status, body } = await answer
  if (status !== 200) throw new Error(`no page: ${status} ${JSON.stringify(body)}`)
  return body
}

const cidsOf = ({ revocations }: Page) => revocations.map(({ cid }) => cid)

/** Puts entries into the feed as if so many authorizations had been revoked. */
async function announce({ app, clock }: OAuthApp, count: number, name = 'cid'): Promise<string[]> {
  const { revocations } = app.storage
  const ids = Array.from({ length: count }, (_, i) => `${name}-${i}`)
  for (let first = 0; first < count; first += 100) {
    const some = ids.slice(first, first + 100).map(
      (authorizationId): Announcement => ({
        ...{ userId: 'ann', authorizationId, revokedAtMs: clock(), untilMs: clock() + 3_600_000 }
      })
    )
    await revocations.announce(some)
    await revocations.finish(some)
  }
  return ids
}

t.test('200 what was revoked, in whichever way, and nothing else', async (t) => {
  const service = await startOAuthApp(t)
  const { app, clock, call, post, tokens, revoke, refresh, authorize, approve, redeem, session } = service
  const read = reader(service)
  const empty = await read()
  t.equal(empty.status, 200)
  t.strictSame(empty.body, { revocations: [], cursor: '0', more: false })
  oauthHeaders(t, empty, 'an empty feed')

  const made = { owner: await tokens(), token: await tokens(BOX), replay: await tokens(CLI, 'offline_access') }
  const [byCode, others] = [await tokens(TV), [await tokens(), await tokens(), await tokens(TV)]]
  const undone = await authorize()
  await approve(undone.user_code)
  const byUndo = (await redeem(undone.device_code)).body
  const kept = await tokens(CLI, undefined, 'bob')
  const cursor = (await pageOf(read())).cursor
  const expected: string[] = []
  const seen = async (tokenSet: { access_token: string }, title: string) => {
    expected.push(cidOf(tokenSet))
    t.strictSame(cidsOf(await pageOf(read(cursor))), expected, title)
  }

  await call('DELETE', `/auth/clients/${cidOf(made.owner)}`, { token: await session('ann') })
  await seen(made.owner, 'by its owner')
  await revoke(made.token.access_token, BOX)
  await seen(made.token, 'by its token')
  await refresh(made.replay.refresh_token)
  clock.advance(31_000)
  t.equal((await refresh(made.replay.refresh_token)).status, 400)
  await seen(made.replay, 'because a refresh token was used twice')
  await revoke(byCode.device_code, TV)
  await seen(byCode, 'by the device code it came of')
  await app.core.grants.undo(undone.user_code, 'ann', BY)
  await seen(byUndo, 'by whoever approved it')

  await call('DELETE', `/auth/clients/${cidOf(made.owner)}`, { token: await session('ann') })
  await revoke(made.token.access_token, BOX)
  await call('DELETE', '/auth/clients/00000000-0000-4000-8000-000000000000', { token: await session('ann') })
  t.strictSame(cidsOf(await pageOf(read(cursor))), expected, 'again, and what is not there, say nothing new')

  const waiting = await authorize()
  await approve(waiting.user_code)
  await post('/oauth/revoke', { ...CLI, token: waiting.device_code })
  t.strictSame(cidsOf(await pageOf(read(cursor))), expected, 'an approval that nobody has collected has no tokens')

  await app.core.users.block('bob', BY)
  t.strictSame(cidsOf(await pageOf(read(cursor))), expected, 'who is blocked has revoked nothing')

  const { user_code } = await authorize()
  await approve(user_code)
  await app.core.authorizations.revokeAll('ann', 'owner', BY)
  const all = cidsOf(await pageOf(read(cursor)))
  t.strictSame(all.slice(0, expected.length), expected)
  for (const tokenSet of others) t.ok(all.includes(cidOf(tokenSet)), 'with all of the user')
  t.notOk(all.includes(cidOf(kept)))
  t.strictSame(cidsOf(await pageOf(read())), all, 'all is in force')
})

t.test('200 an entry says when it began and when the last token ends', async (t) => {
  const service = await startOAuthApp(t)
  const { clock, tokens, revoke, refresh } = service
  const read = reader(service)
  const box = await tokens(BOX, 'offline_access')
  clock.advance(1_000_000)
  const fresh = (await refresh(box.refresh_token, BOX)).body
  const nowSeconds = Math.floor(clock() / 1000)
  await revoke(fresh.access_token, BOX)
  const cli = await tokens(CLI, 'openid')
  await revoke(cli.access_token)
  const { revocations } = await pageOf(read())
  const [ofBox, ofCli] = revocations
  t.equal(ofBox?.revoked_at, nowSeconds)
  const exp = Number(decodeJwt(fresh.access_token).exp)
  t.ok(Number(ofBox?.until) >= exp && Number(ofBox?.until) <= exp + 62, `a short life: ${Number(ofBox?.until) - exp}`)
  t.equal(ofCli?.until, decodeJwt(cli.access_token).exp, 'no longer than the authorization')

  clock.advance(300_000 + 62_000)
  t.strictSame(cidsOf(await pageOf(read())), [cidOf(cli)], 'what has ended is not told any more')
})

t.test('200 an entry lasts as long as the tokens, however they were collected', async (t) => {
  const service = await startOAuthApp(t)
  const { clock, app, authorize, approve, start, redeem, poll, refresh } = service
  const read = reader(service)
  const SCOPE = 'openid offline_access'
  const byOAuth = async (code: string) => (await redeem(code)).body
  const byDashboard = async (code: string) => ({ access_token: (await poll(code)).body.jwt })
  /** What is collected in these ways, one after another, and for how long the revocation is told, both in seconds from now. */
  async function livesOf(code: { user_code: string; code: string }, ...ways: (typeof byOAuth)[]) {
    await approve(code.user_code)
    const all = []
    for (const collect of ways) all.push(await collect(code.code))
    const refreshed = all[0]?.refresh_token ? [(await refresh(all[0].refresh_token, CLI, 'openid')).body] : []
    const claims = [...all, ...refreshed].map(({ access_token }) => decodeJwt(access_token))
    const { cid } = claims[0] ?? {}
    await app.core.authorizations.revoke('ann', String(cid), 'owner', BY)
    const entry = (await pageOf(read())).revocations.find((one) => one.cid === cid)
    const fromNow = (seconds = 0) => seconds - Math.floor(clock() / 1000)
    return { tokens: claims.map(({ exp }) => fromNow(exp)), entry: fromNow(entry?.until) }
  }
  const asked = async () => {
    const { user_code, device_code } = await authorize(CLI, SCOPE)
    return { user_code, code: device_code }
  }
  const askedInJson = async () => {
    const { user_code, grant_code } = await start({}, { scope: SCOPE })
    return { user_code, code: grant_code }
  }
  const [hour, month] = [3_600, 30 * 86_400]
  const isHour = (seconds: number) => seconds >= hour && seconds <= hour + 62
  const withRefreshToken = await livesOf(await asked(), byOAuth)
  t.strictSame(withRefreshToken.tokens, [hour, hour], 'and that of a refresh for fewer scopes')
  t.ok(isHour(withRefreshToken.entry), `an hour: ${withRefreshToken.entry}`)
  for (const ask of [asked, askedInJson]) {
    const inJson = await livesOf(await ask(), byDashboard)
    t.strictSame(inJson, { tokens: [month], entry: month }, 'there is no refresh token in the dashboard API')
    const jsonFirst = await livesOf(await ask(), byDashboard, byOAuth)
    t.strictSame(jsonFirst, { tokens: [month, hour], entry: month })
  }
  const jsonLast = await livesOf(await asked(), byOAuth, byDashboard)
  t.strictSame(jsonLast.tokens, [hour, hour, hour], 'collected again, it does not outlive what is told')
  t.ok(isHour(jsonLast.entry))
})

t.test('what is not known of an authorization makes its entry last longer', (t) => {
  const [nowMs, hourMs, monthMs] = [1_000_000_000, 3_600_000, 30 * 86_400_000]
  const [client] = builtInClients(monthMs / 1000) as [Client]
  const refreshable: Authorization = {
    ...({ id: 'a', userId: 'ann', clientId: 'cli', clientType: 'cli' } as const),
    ...{ resources: [], ipAtGrant: '192.0.2.1' },
    ...{ name: undefined, version: undefined, label: undefined, lastUsedAtMs: nowMs, revokedAtMs: undefined },
    ...{ scopes: ['offline_access'], createdAtMs: nowMs, collectedAtMs: nowMs, awaitsCollection: false },
    ...{ expiresAtMs: nowMs + 2 * monthMs, tokenLifeMs: hourMs }
  }
  const rows: [string, Partial<Authorization>, Client | undefined, number][] = [
    ['collected with a refresh token', {}, client, hourMs],
    ['without one', { tokenLifeMs: monthMs }, client, monthMs],
    ['when tokens lived longer', { tokenLifeMs: 2 * hourMs }, client, 2 * hourMs],
    ['when they lived shorter', { tokenLifeMs: 600_000 }, client, hourMs],
    ['of a client whose tokens lived shorter', { tokenLifeMs: 600_000, scopes: [] }, client, monthMs],
    ['by a version that noted nothing', { tokenLifeMs: undefined }, client, 2 * monthMs],
    ['of a client that is gone', {}, undefined, 2 * monthMs],
    ['about to be collected, nobody knows how', { tokenLifeMs: undefined, awaitsCollection: true }, client, monthMs]
  ]
  for (const [what, parts, of, lifeMs] of rows) {
    const late = lifeMs === 2 * monthMs ? 0 : 60_000
    t.equal(announcementFor({ ...refreshable, ...parts }, of, nowMs).untilMs, nowMs + lifeMs + late, what)
  }
  t.end()
})

t.test('200 pages, to the end and on', async (t) => {
  const service = await startOAuthApp(t)
  const read = reader(service)
  const ids = await announce(service, 2_500)
  const first = await pageOf(read())
  t.strictSame([first.revocations.length, first.more], [1_000, true])
  const second = await pageOf(read(first.cursor))
  const third = await pageOf(read(second.cursor))
  t.strictSame([second.more, third.more, third.revocations.length], [true, false, 500])
  t.strictSame([first, second, third].flatMap(cidsOf), ids)
  t.strictSame(await pageOf(read(third.cursor)), { revocations: [], cursor: third.cursor, more: false })
  const [late] = await announce(service, 1, 'late')
  t.strictSame(cidsOf(await pageOf(read(third.cursor))), [late])
  t.strictSame((await pageOf(read('0'))).revocations, first.revocations, 'the cursor of an empty feed is its beginning')
})

t.test('200 compressed for whoever accepts it, if there is much', async (t) => {
  const service = await startOAuthApp(t)
  const inject = (encoding?: string) =>
    service.app.inject({
      url: FEED,
      headers: { ...AS_API, ...(encoding !== undefined && { 'accept-encoding': encoding }) }
    })
  t.equal((await inject('gzip')).headers['content-encoding'], undefined, 'a short answer is sent as it is')
  await announce(service, 1_000)
  const plain = await inject()
  t.equal(plain.headers['content-encoding'], undefined)
  for (const encoding of ['identity', 'br', 'gzip;q=0', 'gzip;q=0.1, identity']) {
    t.equal((await inject(encoding)).body, plain.body, encoding)
  }
  for (const encoding of ['gzip', 'gzip, deflate, br', 'br;q=1.0, gzip;q=0.8, *;q=0.1', '*']) {
    const { headers, rawPayload } = await inject(encoding)
    t.match(
      headers,
      { 'content-encoding': 'gzip', vary: /accept-encoding/i, 'content-type': 'application/json' },
      encoding
    )
    t.equal(gunzipSync(rawPayload).toString(), plain.body, encoding)
    t.ok(rawPayload.length < plain.rawPayload.length / 2, `${rawPayload.length} of ${plain.rawPayload.length} bytes`)
  }
})

t.test('200 held until something is revoked', async (t) => {
  const service = await startOAuthApp(t)
  const { app, tokens, revoke } = service
  const read = reader(service)
  const { cursor } = await pageOf(read())
  const areHeld = (count: number) => until(async () => app.core.heldPolls.count() === count)

  const began = await read(undefined, { prefer: 'wait=30' })
  t.equal(began.headers['preference-applied'], undefined, 'who begins is told at once')
  t.equal((await read(cursor, { prefer: 'wait=0' })).headers['preference-applied'], undefined)

  const tokenSet = await tokens()
  const held = Array.from({ length: 20 }, () => read(cursor, { prefer: 'respond-async, wait=99' }))
  await areHeld(20)
  await revoke(tokenSet.access_token)
  for (const answer of await Promise.all(held)) {
    t.equal(answer.status, 200)
    t.equal(answer.headers['preference-applied'], 'wait=30')
    t.strictSame(cidsOf(answer.body), [cidOf(tokenSet)])
  }
  await areHeld(0)

  const known = await read(cursor, { prefer: 'wait=30' })
  t.strictSame(
    [known.headers['preference-applied'], cidsOf(known.body).length],
    ['wait=30', 1],
    'what is there is told at once'
  )
  const over = await read(known.body.cursor, { prefer: 'wait=1' })
  t.strictSame(over.body, { revocations: [], cursor: known.body.cursor, more: false }, 'the wait is over')
  t.equal(over.headers['preference-applied'], 'wait=1')

  t.test('what was not told is found all the same', async (t) => {
    // This stands for a message that was lost: the engine is told nothing.
    const { revocations } = app.storage
    const heads = ['1.lost-message', '2.lost-message']
    const real = { head: revocations.head, page: revocations.page }
    t.teardown(() => Object.assign(revocations, real))
    const waiting = read(known.body.cursor, { prefer: 'wait=30' })
    await areHeld(1)
    Object.assign(revocations, {
      head: async () => heads.shift() ?? real.head(),
      page: async () => ({
        revocations: [{ authorizationId: 'lost', revokedAtMs: 1, untilMs: Number.MAX_SAFE_INTEGER }],
        ...{ next: '2.lost-message', isMore: false }
      })
    })
    t.strictSame(cidsOf(await pageOf(waiting)), ['lost'])
  })

  t.test('an instance that stops lets go of its readers', async (t) => {
    const waiting = read(known.body.cursor, { prefer: 'wait=30' })
    await areHeld(1)
    app.core.heldPolls.stop()
    t.strictSame((await pageOf(waiting)).revocations, [])
    t.equal((await read(known.body.cursor, { prefer: 'wait=30' })).headers['preference-applied'], undefined)
  })
})

t.test('200 a reader that leaves gives its place back', async (t) => {
  const service = await startOAuthApp(t, { HELD_POLLS: '2' })
  const { app } = service
  const port = await freePort()
  await app.listen({ host: '127.0.0.1', port })
  const { cursor } = await pageOf(reader(service)())
  const ask = () =>
    get({ host: '127.0.0.1', port, path: `${FEED}?after=${cursor}`, headers: { ...AS_API, prefer: 'wait=30' } })
  const [one, two] = [ask(), ask()]
  for (const request of [one, two]) request.on('error', () => {})
  await until(async () => app.core.heldPolls.count() === 2)
  const [third] = (await once(ask(), 'response')) as [IncomingMessage]
  t.equal(third.headers['preference-applied'], undefined, 'there is no place for a third one')
  t.strictSame(JSON.parse(await text(third)).revocations, [])
  one.destroy()
  await until(async () => app.core.heldPolls.count() === 1)
  two.destroy()
  await until(async () => app.core.heldPolls.count() === 0)
})

t.test('400 what is no cursor, or stands there twice', async (t) => {
  const service = await startOAuthApp(t)
  const { call } = service
  const read = reader(service)
  const long = '9'.repeat(400)
  const wrong = [
    ' ',
    '1',
    '1.',
    '-1',
    '00',
    '0.AAAAAAAAAAAA',
    '1.short',
    `${long}.AAAAAAAAAAAA`,
    '1.AAAAAAAAAAA/',
    '1e3.AAAAAAAAAAAA'
  ]
  for (const cursor of wrong) {
    for (const headers of [{}, { prefer: 'wait=30' }]) {
      const answer = await read(cursor, headers as Record<string, string>)
      oauthRefused(t, answer, 400, 'invalid_request')
    }
  }
  const whole = await pageOf(read())
  t.strictSame(await pageOf(read('')), whole, 'an empty one counts as left out')
  t.notOk('preference-applied' in (await read('', { prefer: 'wait=30' })).headers, 'so that nobody is held')
  oauthRefused(t, await call('GET', `${FEED}?after=0&after=0`, { headers: AS_API }), 400, 'invalid_request')
})

t.test('401 for everybody who does not prove to be a confidential client or an API key', async (t) => {
  const service = await startOAuthApp(t)
  const { call, tokens, session, app } = service
  const { access_token } = await tokens()
  const { text: revokedKey, key } = await app.core.apiKeys.create('acme', { rights: ['introspect'] }, BY)
  await app.core.apiKeys.revoke('acme', key.id, BY)
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const asBearer = 'Bearer realm="grantd", error="invalid_token"'
  const refused: [Record<string, string>, string, string][] = [
    [{}, 'invalid_client', EITHER],
    [basicAuth({ ...TV, client_secret: '' }), 'invalid_client', 'Basic realm="grantd"'],
    [basicAuth({ ...API, client_secret: 'wrong' }), 'invalid_client', 'Basic realm="grantd"'],
    [bearer(access_token), 'invalid_token', asBearer],
    [bearer(await session('ann')), 'invalid_token', asBearer],
    [bearer(revokedKey), 'invalid_token', asBearer]
  ]
  for (const [headers, error, challenge] of refused) {
    oauthRefused(t, await call('GET', FEED, { headers }), 401, error, challenge)
  }
  const inQuery = new URLSearchParams(Object.entries(API))
  oauthRefused(t, await call('GET', `${FEED}?${inQuery}`), 401, 'invalid_client', EITHER)
})

t.test('403 an API key without the right, 200 one with it', async (t) => {
  const { call, app } = await startOAuthApp(t)
  const keyFor = async (...rights: ('tokens' | 'introspect' | 'admin:read')[]) =>
    (await app.core.apiKeys.create('acme', { rights }, BY)).text
  const answer = await call('GET', FEED, { token: await keyFor('tokens', 'admin:read') })
  oauthRefused(t, answer, 403, 'insufficient_scope', 'Bearer realm="grantd", error="insufficient_scope"')
  t.equal((await call('GET', FEED, { token: await keyFor('introspect') })).status, 200)
  t.equal((await call('GET', FEED, { headers: basicAuth(BOX) })).status, 200, 'any confidential client')
})

t.test('405 by any other method', async (t) => {
  const { call } = await startOAuthApp(t)
  const answer = await call('POST', FEED, { headers: AS_API, body: {} })
  oauthRefused(t, answer, 405, 'invalid_request')
  t.equal(answer.headers.allow, 'GET, HEAD')
})

t.test('410 a cursor of another feed, or of one that forgot it', async (t) => {
  const service = await startOAuthApp(t)
  const { clock } = service
  const read = reader(service)
  const isGone = async (t: Test, cursor: string, title: string) => {
    for (const headers of [{}, { prefer: 'wait=30' }]) {
      const answer = await read(cursor, headers as Record<string, string>)
      oauthRefused(t, answer, 410, 'invalid_request')
      t.match(answer.body.error_description, /start over/, title)
    }
  }
  await isGone(t, '1.AAAAAAAAAAAA', 'nothing was revoked yet')
  await announce(service, 1)
  const { cursor } = await pageOf(read())
  t.equal((await read(cursor)).status, 200)
  await isGone(t, `${cursor.split('.')[0]}.AAAAAAAAAAAA`, 'of this number, and not of this feed')
  await isGone(t, `2.${cursor.split('.')[1]}`, 'of a number that is to come')

  clock.advance(3_700_000)
  t.strictSame(
    await pageOf(read(cursor)),
    { revocations: [], cursor, more: false },
    'its entry has ended, it is remembered'
  )
  await announce(service, 4_095, 'others')
  await service.app.storage.revocations.sweep(0)
  t.equal((await read(cursor)).status, 200)
  await announce(service, 1, 'last')
  await isGone(t, cursor, 'too many came after it')
})

t.test('429 with the requests of introspection, however long one is held', async (t) => {
  const service = await startOAuthApp(t, { LIMITS: '', LIMIT_INTROSPECT_PER_MINUTE: '3' })
  const read = reader(service)
  const { cursor } = await pageOf(read())
  t.equal((await read(cursor, { prefer: 'wait=1' })).status, 200)
  t.equal((await service.introspect('x')).status, 200)
  const answer = await read()
  oauthRefused(t, answer, 429, 'temporarily_unavailable')
  t.match(answer.headers['retry-after'], /^\d+$/)
})

t.test('503 while the storage cannot be asked', async (t) => {
  const service = await startOAuthApp(t)
  const read = reader(service)
  const { cursor } = await pageOf(read())
  const { revocations } = service.app.storage
  const real = revocations.page
  t.teardown(() => Object.assign(revocations, { page: real }))
  Object.assign(revocations, { page: () => Promise.reject(fault('unavailable')) })
  for (const [after, headers] of [
    [undefined, {}],
    [cursor, {}],
    [cursor, { prefer: 'wait=30' }]
  ] as const) {
    const answer = await read(after, headers)
    oauthRefused(t, answer, 503, 'temporarily_unavailable')
    t.match(answer.headers['retry-after'], /^\d+$/)
  }
})
