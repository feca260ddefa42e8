/** GET /oauth/status-lists/{list} over memory: what a token says of it, what is in it and when, and how it is cached. */
import { inflateSync } from 'node:zlib'
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import fc from 'fast-check'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import t from 'tap'
import { KEPT_AFTER_MS } from '../../../src/core/authorizations/revocation-store.js'
import { PLACES_PER_LIST, TAKEN_PER_LIST } from '../../../src/core/authorizations/status-index.js'
import { fault } from '../../../src/core/fault.js'
import { bitsOf, STATUS_LIST_TTL_SECONDS, signStatusList } from '../../../src/core/tokens/status-list-token.js'
import { createMemoryStatusIndexStore } from '../../../src/storage/memory/status-index-store.js'
import { BY } from '../../support/audit.js'
import { BOX, type OAuthApp, startOAuthApp } from '../../support/oauth-app.js'
import { oauthRefused } from '../expectations.js'

const ISSUER = 'https://grants.example.com'
const ON = { TOKEN_STATUS_LIST: 'on', PUBLIC_URL: ISSUER }
const FIRST = '/oauth/status-lists/0'
const HELD_MS = 5_000

/** Follows the claim of an access token by the library of others. */
async function statusOf({ call }: Pick<OAuthApp, 'call'>, accessToken: string): Promise<number> {
  const { idx, uri } = getStatusListFromJWT(accessToken)
  const { status, body } = await call('GET', uri.replace(ISSUER, ''))
  if (status !== 200 || decodeJwt(body).sub !== uri) throw new Error(`no list: ${status} ${JSON.stringify(body)}`)
  return getListFromStatusListJWT(body).getStatus(idx)
}

t.test('the bits of a list', async (t) => {
  const list = 3
  const first = list * PLACES_PER_LIST

  t.test('are those of the draft: the least significant bit of a byte is its first place', async (t) => {
    const bits = bitsOf(
      list,
      [0, 3, 4, 5, 7, 8, 9, 13, 15].map((place) => first + place)
    )
    t.strictSame([bits[0], bits[1], bits.length], [0xb9, 0xa3, PLACES_PER_LIST / 8])
  })

  t.test('are those of its indices and no others, as another library reads them too', async (t) => {
    const index = fc.integer({ min: first - PLACES_PER_LIST, max: first + 2 * PLACES_PER_LIST })
    const signer = { sign: (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.` }
    const key = { kid: 'k', alg: 'ES256', privateKey: '', publicKey: '' } as const
    const content = { issuer: ISSUER, list, nowMs: 0, expiresAtSeconds: 600 }
    await fc.assert(
      fc.asyncProperty(fc.array(index, { maxLength: 300 }), async (indices) => {
        const bits = bitsOf(list, indices)
        const jwt = await signStatusList({ ...signer, verify: () => t.fail() as never }, key, { ...content, bits })
        const { lst } = decodeJwt<{ status_list: { lst: string } }>(jwt).status_list
        const set = inflateSync(Buffer.from(lst, 'base64url'))
        const theirs = getListFromStatusListJWT(jwt)
        const wanted = new Set(indices.filter((one) => Math.floor(one / PLACES_PER_LIST) === list))
        for (const one of wanted) if (theirs.getStatus(one - first) !== 1) return false
        return set.equals(bits) && theirs.statusList.reduce((sum, bit) => sum + bit, 0) === wanted.size
      }),
      { numRuns: 30 }
    )
  })
})

t.test('the places of a list are taken in no order, each once, until the next list begins', async (t) => {
  const store = createMemoryStatusIndexStore()
  const taken = await Promise.all(Array.from({ length: TAKEN_PER_LIST }, store.take))
  t.equal(new Set(taken).size, TAKEN_PER_LIST)
  t.ok(taken.every((index) => index >= 0 && index < PLACES_PER_LIST))
  const rising = taken.filter((index, i) => i > 0 && index > (taken[i - 1] as number)).length
  t.ok(Math.abs(rising / TAKEN_PER_LIST - 0.5) < 0.05, `${rising} are above the one before`)
  t.equal(await store.currentList(), 1)
  t.equal(Math.floor((await store.take()) / PLACES_PER_LIST), 1)
})

t.test('404 while it is off, and tokens are as they were', async (t) => {
  const service = await startOAuthApp(t, { PUBLIC_URL: ISSUER })
  const { access_token, refresh_token } = await service.tokens()
  const refreshed = (await service.refresh(refresh_token)).body.access_token
  const names = ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_id', 'client_type', 'scope']
  for (const token of [access_token, refreshed]) t.strictSame(Object.keys(decodeJwt(token)), names)
  oauthRefused(t, await service.call('GET', FIRST), 404, 'invalid_request')
  t.equal(await service.app.storage.statusIndices.currentList(), 0)
  const { sub, cid } = decodeJwt(access_token)
  const fields = await service.app.storage.authorizations.get(String(sub), String(cid))
  t.ok(fields && !('statusIndex' in fields), 'nor is a place taken')
})

t.test('200 what is revoked, by the claim of the token', async (t) => {
  const service = await startOAuthApp(t, { ...ON, SIGNING_ALG: 'ES256' })
  const { app, call, clock } = service

  t.test('all tokens of an authorization have one place, and others have others', async (t) => {
    const { access_token, refresh_token } = await service.tokens()
    const entry = getStatusListFromJWT(access_token)
    t.match(entry, { uri: `${ISSUER}${FIRST}`, idx: Number })
    t.strictSame(getStatusListFromJWT((await service.refresh(refresh_token)).body.access_token), entry)
    t.strictSame(getStatusListFromJWT(await service.collect('ann')).uri, entry.uri, 'the JWT of the dashboard API too')
    const others = await Promise.all(['a', 'b', 'c'].map((user) => service.tokens(BOX, 'openid', user)))
    const places = [access_token, ...others.map((one) => one.access_token)].map((one) => getStatusListFromJWT(one).idx)
    t.equal(new Set(places).size, 4)
    t.equal((await service.introspect(access_token)).body.active, true)
  })

  t.test('before the revocation 0, and 1 once what the instance holds is old', async (t) => {
    const [tokens, other] = [await service.tokens(), await service.tokens()]
    t.equal(await statusOf(service, tokens.access_token), 0)
    await service.revoke(tokens.access_token)
    t.equal(await statusOf(service, tokens.access_token), 0, 'it was read a moment ago')
    clock.advance(HELD_MS)
    t.equal(await statusOf(service, tokens.access_token), 1)
    t.equal(await statusOf(service, other.access_token), 0)
  })

  t.test('whichever way it was revoked', async (t) => {
    const ways: Record<string, (tokens: Awaited<ReturnType<OAuthApp['tokens']>>) => Promise<unknown>> = {
      'refresh token': ({ refresh_token }) => service.revoke(refresh_token),
      'device code': ({ device_code }) => service.revoke(device_code),
      all: () => app.core.authorizations.revokeAll('ann', 'owner', BY)
    }
    for (const [way, revoke] of Object.entries(ways)) {
      const tokens = await service.tokens()
      await revoke(tokens)
      clock.advance(HELD_MS)
      t.equal(await statusOf(service, tokens.access_token), 1, way)
    }
  })

  t.test('a blocked user is not told', async (t) => {
    const { access_token } = await service.tokens(BOX, 'openid', 'blocked')
    await app.core.users.block('blocked', BY)
    clock.advance(HELD_MS)
    t.equal(await statusOf(service, access_token), 0)
  })

  t.test('a signed JWT that says what it is, for a minute', async (t) => {
    const answer = await call('GET', FIRST)
    t.match(answer.headers, {
      'content-type': /^application\/statuslist\+jwt$/,
      'cache-control': 'public, max-age=60',
      'access-control-allow-origin': '*',
      etag: /^W\/"[\w-]+"$/
    })
    const keys = createLocalJWKSet((await call('GET', '/.well-known/jwks.json')).body)
    const checks = { typ: 'statuslist+jwt', issuer: ISSUER, currentDate: new Date(clock()) }
    const { payload } = await jwtVerify(answer.body, keys, checks)
    const seconds = Math.floor(clock() / 1000)
    t.match(payload, { sub: `${ISSUER}${FIRST}`, ttl: STATUS_LIST_TTL_SECONDS, status_list: { bits: 1 } })
    t.ok((payload.iat as number) <= seconds && (payload.exp as number) > seconds + STATUS_LIST_TTL_SECONDS)
    t.equal((await call('GET', '/oauth/userinfo', { token: answer.body })).status, 401, 'it is no access token')
  })

  t.test('an entry is dropped with its last token', async (t) => {
    const { access_token } = await service.tokens(BOX, 'openid')
    await service.revoke(access_token, BOX)
    clock.advance(300_000)
    t.equal(await statusOf(service, access_token), 1, 'it has just ended, by this clock')
    clock.advance(60_000 + KEPT_AFTER_MS)
    t.equal(await statusOf(service, access_token), 0)
  })
})

t.test('304 while it says the same', async (t) => {
  const service = await startOAuthApp(t, ON)
  const { call, clock } = service
  const { access_token } = await service.tokens()
  const first = await call('GET', FIRST)
  const ask = (etag: string) => call('GET', FIRST, { headers: { 'if-none-match': etag } })
  const etag = String(first.headers.etag)
  for (const condition of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
    const answer = await ask(condition)
    t.strictSame([answer.status, answer.body, answer.headers.etag], [304, '', etag], condition)
    t.equal(answer.headers['cache-control'], 'public, max-age=60')
  }
  for (const other of ['"other"', '', `"other, ${etag.slice(3)}`, etag.slice(3, -1)]) {
    t.equal((await ask(other)).status, 200, other)
  }
  await service.revoke(access_token)
  clock.advance(HELD_MS)
  const changed = await ask(etag)
  t.equal(changed.status, 200)

  // Whoever is told 304 goes on with a list that has not ended.
  let [{ body, headers }, unchanged] = [changed, 0]
  for (let seconds = 0; seconds < 1_200; seconds += 30) {
    clock.advance(30_000)
    const answer = await ask(String(headers.etag))
    if (answer.status === 200) ({ body, headers } = answer)
    else unchanged += 1
    t.ok((decodeJwt(body).exp as number) * 1000 > clock() + STATUS_LIST_TTL_SECONDS * 1000)
  }
  t.ok(unchanged > 30, `${unchanged} of 40 times`)
})

t.test('404 a list that there is not', async (t) => {
  const { call } = await startOAuthApp(t, ON)
  t.equal((await call('GET', FIRST)).status, 200, 'the first one is there before any place is taken')
  t.equal((await call('GET', '/oauth/status-lists/1')).status, 200, 'and the next one, whose places come next')
  for (const list of ['2', 'x', '-1', '1.5', '00', '1234567890']) {
    oauthRefused(t, await call('GET', `/oauth/status-lists/${list}`), 404, 'invalid_request')
  }
  oauthRefused(t, await call('POST', FIRST), 405, 'invalid_request')
})

t.test('503 while the feed cannot be read, and then everything that was missed', async (t) => {
  const service = await startOAuthApp(t, ON)
  const { app, call, clock } = service
  const tokens = await Promise.all(Array.from({ length: 5 }, (_, i) => service.tokens(BOX, 'openid', `user-${i}`)))
  for (const { access_token } of tokens) await service.revoke(access_token, BOX)
  const { revocations } = app.storage
  const real = revocations.page
  t.teardown(() => Object.assign(revocations, { page: real }))
  let pages = 0
  // Two entries at a time, and none after the first two.
  Object.assign(revocations, {
    page: (after: string) => (pages++ === 0 ? real(after, 2) : Promise.reject(fault('unavailable')))
  })
  for (let i = 0; i < 2; i++) {
    const answer = await call('GET', FIRST)
    oauthRefused(t, answer, 503, 'temporarily_unavailable')
    t.match(answer.headers['retry-after'], /^\d+$/)
  }
  Object.assign(revocations, { page: (after: string) => real(after, 2) })
  for (const { access_token } of tokens) t.equal(await statusOf(service, access_token), 1)

  t.test('a feed that was lost is read from its start, and one reading serves all', async (t) => {
    clock.advance(HELD_MS)
    let [asked, started] = [0, 0]
    Object.assign(revocations, {
      page(after: string) {
        asked += 1
        if (after === '0') started += 1
        return started === 0 ? Promise.resolve('gone') : real(after, 100)
      }
    })
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('GET', FIRST)))
    t.ok(answers.every(({ status, body }) => status === 200 && body === answers[0]?.body))
    t.strictSame([asked, started], [2, 1])
    for (const { access_token } of tokens) t.equal(await statusOf(service, access_token), 1)
  })
})
