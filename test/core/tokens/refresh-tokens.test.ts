/**
 * Refresh tokens and their effects: format, rotation, replays, narrowing of scopes, revocation. Undoing an approval and
 * revoking everything, after which all tokens of the authorization are refused, whenever they were issued.
 */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { tagOf } from '../../../src/core/clients/client.js'
import { fault } from '../../../src/core/fault.js'
import { createKeyring } from '../../../src/core/secrets/keyring.js'
import { createRefreshTokenTexts, looksLikeRefreshToken } from '../../../src/core/tokens/refresh-tokens.js'
import { age } from '../../contract/redis-engine.js'
import { anyCharacter } from '../../support/any-character.js'
import type { Answer } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import {
  API,
  BOX,
  CLI,
  type Credentials,
  clientsFile,
  DEVICE_CODE,
  type OAuthApp,
  startConnectedApp,
  startOAuthApp,
  TV
} from '../../support/oauth-app.js'
import { startRedis } from '../../support/redis-server.js'
import { answerWith, authorityFile, listen } from '../../support/trusted-issuer.js'

const OLD = 'an old secret of more than 32 characters'
const NEW = 'a new secret of more than 32 characters!'
const GRACE_MS = 30_000
const MINUTE_MS = 60_000
const EVERYTHING = 'openid offline_access reports.read reports.write'

t.test('the text of a refresh token', async (t) => {
  const texts = createRefreshTokenTexts(createKeyring([NEW]))
  const [id, grantCode] = [randomUUID(), 'G'.repeat(43)]
  const first = () => texts.first(id, grantCode)[0] as string
  const next = (token: string) => texts.next(token)[0] as string

  t.test('names its authorized client, and is long enough for nobody to guess', async (t) => {
    let token = first()
    for (let i = 0; i < 20; i++) {
      t.match(token, /^grt_[0-9a-f-]{36}\.[\w-]{43}\.[\w-]{24}$/)
      t.equal(token.slice(4, 40), id)
      t.equal(texts.read(token), id)
      t.ok(looksLikeRefreshToken(token))
      t.notMatch(token, grantCode)
      token = next(token)
    }
    t.notOk(looksLikeRefreshToken('eyJhbGciOiJFZERTQSJ9.e30.x'))
  })

  t.test('follows from the grant code, and each from the one before, in every process alike', async (t) => {
    const elsewhere = createRefreshTokenTexts(createKeyring([NEW]))
    let token = first()
    t.equal(elsewhere.first(id, grantCode)[0], token)
    const seen = new Set<string>()
    for (let i = 0; i < 1_000; i++) {
      seen.add(token)
      if (elsewhere.next(token)[0] !== next(token)) t.fail(`step ${i} differs`)
      token = next(token)
    }
    t.equal(seen.size, 1_000, 'and never comes back to one there was')
  })

  t.test('differs by authorized client, by grant code and by secret', async (t) => {
    const others = [
      texts.first(randomUUID(), grantCode)[0],
      texts.first(id, 'H'.repeat(43))[0],
      createRefreshTokenTexts(createKeyring([OLD])).first(id, grantCode)[0],
      next(first())
    ]
    const secretOf = (token = '') => token.split('.')[1]
    t.equal(new Set([first(), ...others].map(secretOf)).size, 5)
  })

  t.test('is read only with its own seal, to the letter', async (t) => {
    const token = first()
    for (let i = 0; i < token.length; i++) {
      const other = token[i] === 'a' ? 'b' : 'a'
      const changed = token.slice(0, i) + other + token.slice(i + 1)
      if (texts.read(changed) !== undefined) t.fail(`character ${i} does not matter`)
      if (texts.read(token.slice(0, i) + token.slice(i + 1)) !== undefined) t.fail(`character ${i} is not needed`)
    }
    const [body1, secret1, seal1] = token.split('.')
    const [, secret2, seal2] = next(token).split('.')
    const stranger = texts.first(randomUUID(), grantCode)[0] as string
    for (const made of [
      ...['', 'grt_', token.toUpperCase(), `${token}\n`, ` ${token}`, `${token}.`, `${token}${token}`, token.slice(4)],
      ...[`${body1}.${secret1}.${seal2}`, `${body1}.${secret2}.${seal1}`, `${stranger.slice(0, 40)}${token.slice(40)}`],
      ...[`${body1}.${secret1}.`, `${body1}.${secret1}`, `${body1}.${secret1}.${'A'.repeat(24)}`]
    ]) {
      t.equal(texts.read(made), undefined, JSON.stringify(made).slice(0, 50))
    }
    t.equal(createRefreshTokenTexts(createKeyring([OLD])).read(token), undefined, 'nor under another secret')
  })

  t.test('no other text is taken for one, and none is a reason to fail', async (t) => {
    const made = fc.stringMatching(
      /^grt_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{24}$/
    )
    fc.assert(
      fc.property(fc.oneof(made, fc.string({ unit: anyCharacter })), (text) => texts.read(text) === undefined),
      { numRuns: 500 }
    )
    t.pass('500 texts')
  })

  t.test('while the secret is rotated: what was made before is read, and followed under the new secret', async (t) => {
    const before = createRefreshTokenTexts(createKeyring([OLD]))
    const during = createRefreshTokenTexts(createKeyring([NEW, OLD]))
    const [old = ''] = before.first(id, grantCode)
    t.strictSame(during.first(id, grantCode), [first(), old], 'the newest first')
    t.equal(during.read(old), id)
    t.strictSame(during.next(old), [texts.next(old)[0], before.next(old)[0]])
    t.equal(during.read(during.next(old)[0] as string), id)
    t.equal(texts.read(during.next(old)[0] as string), id, 'the new secret is enough for what came since')
    t.equal(texts.read(old), undefined)
    t.equal(before.read(during.next(old)[0] as string), undefined)
  })
})

/** What a token says beside its `jti`. */
function restOf(token: string) {
  const { jti, ...rest } = decodeJwt(token)
  return { ...rest, hasJti: typeof jti === 'string' }
}

/** Tries everything that an authorization allows at this moment: the dashboard API, and its tokens. */
async function usesOf(service: OAuthApp, access: string, refresh: string, client: Credentials) {
  const { introspect, userinfo, call, session } = service
  const { data } = (await call('GET', '/auth/clients', { token: await session('ann') })).body
  const [row] = data.filter(({ id }: { id: string }) => id === decodeJwt(access).cid)
  return {
    introspection: (await introspect(access)).body.active,
    ...(client.client_secret && { ownIntrospection: (await introspect(refresh, client)).body.active }),
    userinfo: (await userinfo(access)).status,
    dashboard: (await call('GET', '/auth/clients', { token: access })).status,
    revoked: row.revoked_at !== null
  }
}
const ALIVE = { introspection: true, userinfo: 200, dashboard: 200, revoked: false }
const DEAD = { introspection: false, userinfo: 401, dashboard: 401, revoked: true }

function invalidGrant(t: Test, { status, body, headers }: Answer, title = 'invalid_grant'): void {
  t.strictSame([status, body.error], [400, 'invalid_grant'], title)
  t.notOk('www-authenticate' in headers, title)
}

t.test('collecting again within 30 seconds', async (t) => {
  t.test('brings the same tokens, then none', async (t) => {
    const { clock, tokens, redeem } = await startOAuthApp(t)
    const first = await tokens()
    const jtis = new Set([decodeJwt(first.access_token).jti])
    for (const step of [0, 1, 14_999, 15_000]) {
      clock.advance(step)
      const { status, body } = await redeem(first.device_code)
      t.equal(status, 200)
      t.equal(body.refresh_token, first.refresh_token)
      t.strictSame(restOf(body.access_token), restOf(first.access_token), 'but for its jti')
      jtis.add(decodeJwt(body.access_token).jti)
      t.strictSame(decodeJwt(body.id_token), decodeJwt(first.id_token))
    }
    t.equal(jtis.size, 5)
    clock.advance(1)
    invalidGrant(t, await redeem(first.device_code))
  })

  t.test('brings the current refresh token when the first one has been used since', async (t) => {
    const { clock, tokens, redeem, refresh } = await startOAuthApp(t)
    const { device_code, refresh_token, access_token } = await tokens()
    let current = refresh_token
    for (let uses = 1; uses <= 4; uses++) {
      clock.advance(1_000)
      current = (await refresh(current)).body.refresh_token
      const { status, body } = await redeem(device_code)
      t.equal(status, 200, `used ${uses} times`)
      t.equal(body.refresh_token, current)
      t.strictSame(restOf(body.access_token), restOf(access_token), 'and the access token it had, but for its jti')
    }
    t.equal((await refresh(current)).status, 200, 'the current one is good')
  })

  t.test('brings the same refresh token to however many ask at once', async (t) => {
    const { authorize, approve, redeem, call, session } = await startOAuthApp(t)
    const { device_code, user_code } = await authorize(CLI, 'offline_access')
    await approve(user_code)
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(device_code)))
    t.equal(new Set(answers.map(({ body }) => body.refresh_token)).size, 1)
    t.equal((await call('GET', '/auth/clients', { token: await session('ann') })).body.data.length, 1)
  })
})

t.test('a refresh', async (t) => {
  t.test('brings a new access token of the same authorization, and the next refresh token', async (t) => {
    const { clock, tokens, refresh, introspect, userinfo } = await startOAuthApp(t)
    const first = await tokens(BOX, EVERYTHING)
    clock.advance(240_000)
    const { status, body, headers } = await refresh(first.refresh_token, BOX)
    t.equal(status, 200)
    t.match(headers, { 'cache-control': 'no-store', pragma: 'no-cache' })
    t.strictSame(Object.keys(body).sort(), [
      ...['access_token', 'expires_in', 'id_token', 'refresh_token', 'scope', 'token_type']
    ])
    const now = Math.floor(clock() / 1000)
    const expiresIn = Math.floor(now + 300 - clock() / 1000)
    t.match(body, { token_type: 'Bearer', scope: EVERYTHING, expires_in: expiresIn })
    t.not(body.refresh_token, first.refresh_token)
    const [before, after] = [decodeJwt(first.access_token), decodeJwt(body.access_token)]
    t.strictSame(after, { ...before, iat: now, exp: now + 300, jti: after?.jti })
    t.not(after?.jti, before?.jti, 'with a jti of its own')
    t.equal((await introspect(first.access_token)).body.active, true, 'the one before lives on until it expires')
    clock.advance(60_000)
    t.equal((await introspect(first.access_token)).body.active, false)
    t.equal((await userinfo(body.access_token)).status, 200)
  })

  t.test('can go on for as long as the authorization does', async (t) => {
    const { clock, tokens, refresh } = await startOAuthApp(t)
    let { refresh_token } = await tokens(BOX, 'offline_access')
    const seen = new Set<string>()
    for (let day = 0; day < 29; day++) {
      clock.advance(86_400_000)
      const { status, body } = await refresh(refresh_token, BOX)
      t.equal(status, 200, `day ${day}`)
      seen.add(refresh_token)
      refresh_token = body.refresh_token
    }
    t.equal(seen.size, 29)
  })

  t.test('has what the scope asks for, and nothing else', async (t) => {
    const { tokens, refresh } = await startOAuthApp(t)
    const bare = await tokens(BOX, 'offline_access')
    t.notOk('id_token' in bare)
    t.notOk('id_token' in (await refresh(bare.refresh_token, BOX)).body)
    t.notOk('refresh_token' in (await tokens(BOX, 'openid')))
    const without = await tokens(BOX, '')
    t.strictSame(
      ['refresh_token', 'id_token', 'scope'].filter((name) => name in without),
      []
    )
  })
})

t.test('a refresh token that was used before', async (t) => {
  t.test('leads to the current one for 30 seconds, and nothing is revoked', async (t) => {
    const service = await startOAuthApp(t)
    const { clock, tokens, refresh } = service
    const { refresh_token, access_token } = await tokens(BOX, EVERYTHING)
    const { body: next } = await refresh(refresh_token, BOX)
    for (const step of [0, 10_000, 20_000]) {
      clock.advance(step)
      const { status, body } = await refresh(refresh_token, BOX)
      t.equal(status, 200, `+${step}`)
      t.equal(body.refresh_token, next.refresh_token)
      const uses = await usesOf(service, access_token, next.refresh_token, BOX)
      t.strictSame(uses, { ...ALIVE, ownIntrospection: true })
    }
    t.equal((await refresh(next.refresh_token, BOX)).status, 200)
  })

  t.test('revokes the authorization a millisecond later: access, refresh and the row of its user', async (t) => {
    const service = await startOAuthApp(t)
    const { clock, tokens, refresh, call, session } = service
    const { refresh_token, access_token } = await tokens(BOX, EVERYTHING)
    const other = await tokens(BOX, EVERYTHING)
    const { body: next } = await refresh(refresh_token, BOX)
    clock.advance(GRACE_MS + 1)
    invalidGrant(t, await refresh(refresh_token, BOX), 'the replay')
    t.strictSame(await usesOf(service, access_token, next.refresh_token, BOX), { ...DEAD, ownIntrospection: false })
    t.match(await usesOf(service, next.access_token, next.refresh_token, BOX), DEAD)
    invalidGrant(t, await refresh(next.refresh_token, BOX), 'the current one')
    const { data } = (await call('GET', '/auth/clients', { token: await session('ann') })).body
    const row = data.find(({ id }: { id: string }) => id === decodeJwt(access_token).cid)
    t.equal(row.revoked_at, new Date(clock()).toISOString())
    clock.advance(MINUTE_MS)
    invalidGrant(t, await refresh(refresh_token, BOX), 'replayed again')
    const later = (await call('GET', '/auth/clients', { token: await session('ann') })).body.data
    t.equal(later.find(({ id }: { id: string }) => id === row.id).revoked_at, row.revoked_at, 'the first time stays')
    t.match(await usesOf(service, other.access_token, other.refresh_token, BOX), ALIVE, 'and others live on')
  })

  t.test('revokes it as well when it is the one before the last, or the one of weeks ago', async (t) => {
    for (const back of [1, 2, 3, 4, 5, 8]) {
      const service = await startOAuthApp(t)
      const { clock, tokens, refresh } = service
      const { refresh_token, access_token } = await tokens()
      const chain = [refresh_token]
      for (let i = 0; i < back; i++) {
        clock.advance(MINUTE_MS)
        chain.push((await refresh(chain.at(-1) as string)).body.refresh_token)
      }
      clock.advance(back === 8 ? 20 * 86_400_000 : MINUTE_MS)
      invalidGrant(t, await refresh(refresh_token))
      t.strictSame(await usesOf(service, access_token, chain.at(-1) as string, CLI), DEAD, `${back} back`)
    }
  })

  t.test('is refused without a revocation when so many came so fast that it is forgotten', async (t) => {
    const service = await startOAuthApp(t)
    const { tokens, refresh } = service
    const { refresh_token, access_token } = await tokens()
    let current = refresh_token
    for (let i = 0; i < 5; i++) current = (await refresh(current)).body.refresh_token
    invalidGrant(t, await refresh(refresh_token))
    t.strictSame(await usesOf(service, access_token, current, CLI), ALIVE)
    t.equal((await refresh(current)).status, 200)
  })

  t.test('a token that was made up, or is of another service, revokes nothing', async (t) => {
    const service = await startOAuthApp(t)
    const { clock, tokens, refresh } = service
    const { refresh_token, access_token } = await tokens()
    const id = decodeJwt(access_token).cid as string
    clock.advance(MINUTE_MS)
    const foreign = createRefreshTokenTexts(createKeyring([OLD])).first(id, 'G'.repeat(43))[0] as string
    for (const token of [foreign, `grt_${id}.${'A'.repeat(43)}.${'A'.repeat(24)}`, 'grt_', 'x', access_token]) {
      invalidGrant(t, await refresh(token), token.slice(0, 10))
    }
    t.strictSame(await usesOf(service, access_token, refresh_token, CLI), ALIVE)
    t.equal((await refresh(refresh_token)).status, 200)
  })
})

t.test('a refresh token in the hands of another client', async (t) => {
  const strangers: [string, Credentials][] = [
    ['a public one', { client_id: 'mcp' }],
    ['a confidential one', BOX],
    ['a configured public one', TV]
  ]

  for (const [name, stranger] of strangers) {
    t.test(`is neither rotated nor revoked by ${name}`, async (t) => {
      const service = await startOAuthApp(t)
      const { clock, tokens, refresh, revoke } = service
      const { refresh_token, access_token } = await tokens()
      invalidGrant(t, await refresh(refresh_token, stranger))
      t.equal((await revoke(refresh_token, stranger)).status, 200, 'it is told nothing')
      t.equal((await revoke(access_token, stranger)).status, 200)
      t.strictSame(await usesOf(service, access_token, refresh_token, CLI), ALIVE)
      const { body: next } = await refresh(refresh_token)
      clock.advance(GRACE_MS + 1)
      t.equal((await refresh(next.refresh_token)).status, 200, 'it was still the current one')
      invalidGrant(t, await refresh(refresh_token, stranger), 'a replay')
      t.strictSame(await usesOf(service, access_token, next.refresh_token, CLI), ALIVE, 'which proves nothing')
    })
  }

  t.test('or asked for too much, is no use of it', async (t) => {
    const { clock, call, session, tokens, refresh, revoke } = await startOAuthApp(t)
    const row = async () => (await call('GET', '/auth/clients', { token: await session('ann') })).body.data[0]
    const { refresh_token, access_token } = await tokens()
    const collectedAt = new Date(clock()).toISOString()
    clock.advance(MINUTE_MS)
    for (const stranger of [BOX, TV]) {
      await refresh(refresh_token, stranger)
      await revoke(refresh_token, stranger)
      await revoke(access_token, stranger)
    }
    await refresh(refresh_token, CLI, 'admin')
    t.equal((await row()).last_used_at, collectedAt)
    await refresh(refresh_token)
    t.not((await row()).last_used_at, collectedAt, 'a refresh is one')
  })

  t.test('is not told about', async (t) => {
    const { tokens, introspect } = await startOAuthApp(t)
    const { refresh_token } = await tokens(BOX, EVERYTHING)
    t.equal((await introspect(refresh_token, BOX)).body.active, true)
    t.strictSame((await introspect(refresh_token, API)).body, { active: false })
  })
})

t.test('a smaller scope at the refresh', async (t) => {
  const refreshed = async (t: Test, scope: string | undefined) => {
    const service = await startOAuthApp(t)
    const first = await service.tokens(BOX, EVERYTHING)
    return { ...service, first, answer: await service.refresh(first.refresh_token, BOX, scope) }
  }

  t.test('is that of the access token alone: the next refresh has everything again', async (t) => {
    const { answer, refresh, introspect } = await refreshed(t, 'reports.read openid')
    t.equal(answer.status, 200)
    t.equal(answer.body.scope, 'reports.read openid')
    t.equal(decodeJwt(answer.body.access_token).scope, 'reports.read openid')
    t.equal((await introspect(answer.body.access_token)).body.scope, 'reports.read openid')
    t.equal((await introspect(answer.body.refresh_token, BOX)).body.scope, EVERYTHING)
    const { body } = await refresh(answer.body.refresh_token, BOX)
    t.equal(body.scope, EVERYTHING)
    t.equal(decodeJwt(body.access_token).scope, EVERYTHING)
  })

  t.test(
    'without openid there is no ID token and no userinfo, without offline_access still a refresh token',
    async (t) => {
      const { answer, userinfo } = await refreshed(t, 'reports.read')
      t.equal(answer.status, 200)
      t.notOk('id_token' in answer.body)
      t.match(answer.body.refresh_token, /^grt_/)
      t.equal((await userinfo(answer.body.access_token)).status, 403)
    }
  )

  t.test('that is empty is no scope at all, so everything', async (t) => {
    for (const scope of [undefined, '', ' ']) t.equal((await refreshed(t, scope)).answer.body.scope, EVERYTHING)
  })

  t.test('with anything more, or anything that is no scope, is refused, and the token is not used up', async (t) => {
    for (const scope of ['openid admin', 'profile', `${EVERYTHING} email`, 'OPENID', 'a"b', 'open\u00efd']) {
      const { answer, clock, refresh, first } = await refreshed(t, scope)
      t.strictSame([answer.status, answer.body.error], [400, 'invalid_scope'], scope)
      clock.advance(GRACE_MS + 1)
      t.equal((await refresh(first.refresh_token, BOX)).status, 200, 'it is still the current one')
    }
  })

  t.test('does not become more at the next refresh than was approved', async (t) => {
    const service = await startOAuthApp(t)
    const { refresh_token } = await service.tokens(BOX, 'offline_access reports.read')
    const answer = await service.refresh(refresh_token, BOX, 'offline_access reports.read reports.write')
    t.strictSame(
      [answer.status, answer.body.error],
      [400, 'invalid_scope'],
      'what the client may ask for is not enough'
    )
  })
})

t.test('the end of an authorization', async (t) => {
  t.test('no refresh outlives it, and the last access token ends with it', async (t) => {
    const service = await startOAuthApp(t)
    const { clock, tokens, refresh, introspect, call, session } = service
    const row = async () => (await call('GET', '/auth/clients', { token: await session('ann') })).body.data[0]
    const first = await tokens(TV)
    const endsAtMs = Date.parse((await row()).expires_at)
    t.equal(endsAtMs, (Math.floor(clock() / 1000) + 7_200) * 1000)
    t.equal(decodeJwt(first.access_token).exp, endsAtMs / 1000 - 3_600, 'an hour at first')

    let current = first.refresh_token
    let access = first.access_token
    for (const leftMs of [3_601_000, 3_600_000, 3_599_000, 1_800_000, 60_000, 1_000, 1]) {
      clock.advance(endsAtMs - leftMs - clock())
      const { status, body } = await refresh(current, TV)
      t.equal(status, 200, `${leftMs} ms left`)
      const expSeconds = Math.min(Math.floor(clock() / 1000) + 3_600, endsAtMs / 1000)
      t.equal(decodeJwt(body.access_token).exp, expSeconds)
      t.equal(body.expires_in, Math.floor((expSeconds * 1000 - clock()) / 1000), 'as it is told')
      current = body.refresh_token
      access = body.access_token
    }
    t.equal((await row()).expires_at, new Date(endsAtMs).toISOString(), 'nothing has moved it')
    t.equal((await introspect(access)).body.active, true)
    clock.advance(1)
    invalidGrant(t, await refresh(current, TV))
    t.strictSame((await introspect(access)).body, { active: false })
    t.equal((await row()).revoked_at, null, 'which is no revocation')
  })

  t.test(
    'a built-in client’s access token lasts an hour beside a refresh token, and without one as long as it',
    async (t) => {
      const { clock, tokens, refresh, start, poll, approve } = await startOAuthApp(t)
      const ttlOf = (token: string) => {
        const { iat = 0, exp = 0 } = decodeJwt(token)
        return exp - iat
      }
      const { access_token, refresh_token } = await tokens()
      t.equal(ttlOf(access_token), 3_600)
      clock.advance(86_400_000)
      const { body } = await refresh(refresh_token)
      t.equal(ttlOf(body.access_token), 3_600, 'refreshed as well')
      t.equal(ttlOf((await tokens(CLI, 'openid')).access_token), 2_592_000, 'nothing to refresh it with')

      // The dashboard API hands over no refresh token, whatever was asked for.
      const { grant_code, user_code } = await start({}, { scope: 'offline_access' })
      await approve(user_code)
      const { jwt } = (await poll(grant_code)).body
      t.equal(ttlOf(jwt), 2_592_000, 'the JWT of the other dialect')

      const short = await startOAuthApp(t, { CLIENT_TOKEN_TTL_SECONDS: '600' })
      t.equal(ttlOf((await short.tokens()).access_token), 600, 'CLIENT_TOKEN_TTL_SECONDS bounds both')
    }
  )

  t.test('a replay after it revokes nothing any more', async (t) => {
    const service = await startOAuthApp(t)
    const { clock, tokens, refresh, call, session } = service
    const { refresh_token } = await tokens(TV)
    await refresh(refresh_token, TV)
    clock.advance(7_200_000)
    invalidGrant(t, await refresh(refresh_token, TV))
    t.equal((await call('GET', '/auth/clients', { token: await session('ann') })).body.data[0].revoked_at, null)
  })
})

t.test('revocation is one act, whoever does it, in force at the next request', async (t) => {
  type Held = { access: string; refresh: string; rotated: string; id: string }
  const WAYS: Record<string, (service: OAuthApp, held: Held) => Promise<Answer>> = {
    'by the access token': ({ revoke }, { access }) => revoke(access, BOX),
    'by the refresh token': ({ revoke }, { refresh }) => revoke(refresh, BOX),
    'by a refresh token that was rotated a moment ago': ({ revoke }, { rotated }) => revoke(rotated, BOX),
    'by a refresh token that was rotated long ago': ({ revoke, clock }, { rotated }) => {
      clock.advance(2 * MINUTE_MS)
      return revoke(rotated, BOX)
    },
    'by its user': async ({ call, session }, { id }) =>
      call('DELETE', `/auth/clients/${id}`, { token: await session('ann') }),
    'by itself on the dashboard': ({ call }, { id, access }) => call('DELETE', `/auth/clients/${id}`, { token: access })
  }
  for (const [way, act] of Object.entries(WAYS)) {
    t.test(way, async (t) => {
      const service = await startOAuthApp(t)
      const { tokens, redeem, refresh, clock } = service
      const { device_code, refresh_token: rotated, access_token: access } = await tokens(BOX, EVERYTHING)
      const { body } = await refresh(rotated, BOX)
      const held = { access, refresh: body.refresh_token, rotated, id: String(decodeJwt(access).cid) }
      const another = await tokens(BOX, EVERYTHING)
      const uses = () => usesOf(service, held.access, held.refresh, BOX)
      t.strictSame(await uses(), { ...ALIVE, ownIntrospection: true })

      const startedAtMs = clock()
      t.equal((await act(service, held)).status, 200)
      t.strictSame(await uses(), { ...DEAD, ownIntrospection: false })
      t.equal((await service.introspect(body.access_token)).body.active, false, 'all of its access tokens')
      invalidGrant(t, await refresh(held.refresh, BOX))
      invalidGrant(t, await refresh(held.rotated, BOX))
      if (clock() === startedAtMs) {
        t.strictSame((await redeem(device_code, BOX)).body, { error: 'access_denied' }, 'nor is it collected again')
      }
      const again = await act(service, { ...held, access: another.access_token })
      // By then another client would have to do it, which may not.
      const isByItself = way === 'by itself on the dashboard'
      t.equal(again.status, isByItself ? 403 : 200, 'repeating it is no error')
    })
  }
})

t.test('an ID token', async (t) => {
  const ISSUER = 'https://grants.example'
  const service = await startOAuthApp(t, { PUBLIC_URL: ISSUER })
  const { clock, call, tokens, refresh, introspect, userinfo, revoke } = service
  const first = await tokens(BOX, EVERYTHING)

  t.test('says who the user is to the client that asked, signed with the published key', async (t) => {
    const keys = (await call('GET', '/.well-known/jwks.json')).body
    const verify = async (idToken: string): Promise<JWTPayload> => {
      const options = { issuer: ISSUER, audience: 'box', typ: 'JWT', currentDate: new Date(clock()) }
      return (await jwtVerify(idToken, createLocalJWKSet(keys), options)).payload
    }
    const now = Math.floor(clock() / 1000)
    const claims = { iss: ISSUER, sub: 'ann', aud: 'box', iat: now, exp: now + 3_600 }
    t.strictSame(await verify(first.id_token), claims)
    t.strictSame(decodeProtectedHeader(first.id_token), { alg: 'EdDSA', typ: 'JWT', kid: keys.keys[0].kid })
    clock.advance(100_000)
    const { body } = await refresh(first.refresh_token, BOX)
    t.strictSame(await verify(body.id_token), { ...claims, iat: now + 100, exp: now + 3_700 }, 'a fresh one each time')
  })

  t.test('is no access token, anywhere', async (t) => {
    const { id_token, access_token } = await tokens(BOX, EVERYTHING)
    const user_code = (await service.authorize()).user_code
    const asking: [string, Answer][] = [
      ['userinfo', await userinfo(id_token)],
      ['userinfo by POST', await call('POST', '/oauth/userinfo', { token: id_token })],
      ['the list', await call('GET', '/auth/clients', { token: id_token })],
      [
        'a renaming',
        await call('PATCH', `/auth/clients/${decodeJwt(access_token).cid}`, { token: id_token, body: {} })
      ],
      ['a revocation', await call('DELETE', `/auth/clients/${decodeJwt(access_token).cid}`, { token: id_token })],
      ['peek', await call('GET', `/auth/grant/peek?user_code=${user_code}`, { token: id_token })],
      [
        'approve',
        await call('POST', '/auth/grant/approve', { token: id_token, body: { user_code, action: 'approve' } })
      ]
    ]
    for (const [name, { status }] of asking) t.equal(status, 401, name)
    t.strictSame((await introspect(id_token)).body, { active: false })
    t.equal((await revoke(id_token, BOX)).status, 200)
    invalidGrant(t, await refresh(id_token, BOX))
    t.equal((await userinfo(access_token)).status, 200, 'and revoking it revoked nothing')
  })
})

/** `elsewhere` is where the user is blocked. */
function blocksUsers(t: Test, startBoth: (t: Test) => Promise<{ service: OAuthApp; elsewhere: OAuthApp }>): void {
  t.test('what a blocked user has let in is refused, and is as before when they are let be again', async (t) => {
    const { service, elsewhere } = await startBoth(t)
    const { users } = elsewhere.app.core
    const { access_token, refresh_token, device_code } = await service.tokens(BOX, EVERYTHING)
    const uses = () => usesOf(service, access_token, refresh_token, BOX)
    t.strictSame(await uses(), { ...ALIVE, ownIntrospection: true })
    for (let i = 0; i < 2; i++) await users.block('ann', BY)
    t.strictSame(await uses(), { ...DEAD, ownIntrospection: false, revoked: false })
    invalidGrant(t, await service.refresh(refresh_token, BOX))
    t.strictSame((await service.redeem(device_code, BOX)).body, { error: 'access_denied' }, 'nor collected again')
    const other = await service.tokens(BOX, EVERYTHING, 'bob')
    t.equal((await service.introspect(other.access_token)).body.active, true, 'nobody else is meant')
    for (let i = 0; i < 2; i++) await users.unblock('ann', BY)
    t.strictSame(await uses(), { ...ALIVE, ownIntrospection: true })
    t.equal((await service.refresh(refresh_token, BOX)).status, 200, 'it was not used up')
    await users.block('ann', BY)
    t.strictSame(await uses(), { ...DEAD, ownIntrospection: false, revoked: false }, 'and again')
  })

  t.test('a client may give up what it holds of a blocked user', async (t) => {
    const { service, elsewhere } = await startBoth(t)
    const { users } = elsewhere.app.core
    for (const kind of ['access_token', 'refresh_token'] as const) {
      const tokens = await service.tokens(BOX, EVERYTHING)
      await users.block('ann', BY)
      await service.revoke(tokens[kind], BOX)
      await users.unblock('ann', BY)
      t.match(await usesOf(service, tokens.access_token, tokens.refresh_token, BOX), DEAD, kind)
    }
  })

  t.test('503 while it cannot be read whether a user is blocked', async (t) => {
    const { service, elsewhere } = await startBoth(t)
    const { access_token, refresh_token } = await service.tokens(BOX, EVERYTHING)
    const [undecided, approved] = [await service.authorize(BOX), await service.authorize(BOX)]
    await service.approve(approved.user_code)
    const session = await service.session('ann')
    const ask = async () => {
      const answers = [
        await service.introspect(access_token),
        await service.introspect(refresh_token, BOX),
        await service.userinfo(access_token),
        await service.call('GET', '/auth/clients', { token: access_token }),
        await service.refresh(refresh_token, BOX),
        await service.redeem(approved.device_code, BOX),
        await service.approve(undecided.user_code)
      ]
      return answers.map(({ status }) => status)
    }
    const { storage } = service.app
    const { get } = storage.users
    storage.users.get = async () => {
      throw fault('unavailable')
    }
    t.strictSame(await ask(), [503, 503, 503, 503, 503, 503, 503])
    t.equal((await service.call('GET', '/auth/clients', { token: session })).status, 200, 'what does not ask goes on')
    storage.users.get = get
    t.strictSame(await ask(), [200, 200, 200, 200, 200, 200, 200])
    t.equal((await elsewhere.introspect(access_token)).body.active, true)
  })
}

t.test('a blocked user, in memory', async (t) => {
  blocksUsers(t, async (t) => {
    const service = await startOAuthApp(t)
    return { service, elsewhere: service }
  })
})

t.test('over Redis, on several instances', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  let prefixes = 0
  const onePlace = () => ({
    REDIS_URL: redis.url,
    REDIS_PREFIX: `place-${prefixes++}:`,
    PUBLIC_URL: 'https://g.example'
  })

  blocksUsers(t, async (t) => {
    const place = onePlace()
    const service = await startConnectedApp(t, place)
    return { service, elsewhere: await startConnectedApp(t, place, { testClock: service.clock }) }
  })

  t.test('of 100 refreshes with one token one rotates, and nothing is revoked by accident', async (t) => {
    const place = onePlace()
    const [one, two] = [await startConnectedApp(t, place), await startConnectedApp(t, place)]
    const { refresh_token, access_token } = await one.tokens(BOX, EVERYTHING)
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? one : two).refresh(refresh_token, BOX))
    )
    t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
    const told = new Set(answers.map(({ body }) => body.refresh_token))
    t.equal(told.size, 1)
    const [current = ''] = told
    t.match(await usesOf(two, access_token, current, BOX), ALIVE)
    t.equal((await two.refresh(current, BOX)).status, 200)
  })

  t.test('a token made under the old GRANTD_SECRET is good where the new one stands in front', async (t) => {
    const place = onePlace()
    const before = await startConnectedApp(t, { ...place, GRANTD_SECRET: OLD })
    const first = await before.tokens(BOX, EVERYTHING)
    const during = await startConnectedApp(t, { ...place, GRANTD_SECRET: `${NEW},${OLD}` })
    t.match(await usesOf(during, first.access_token, first.refresh_token, BOX), { ...ALIVE, ownIntrospection: true })
    t.equal((await during.redeem(first.device_code, BOX)).body.refresh_token, first.refresh_token, 'collected again')
    const { status, body } = await during.refresh(first.refresh_token, BOX)
    t.equal(status, 200)
    t.equal((await during.refresh(first.refresh_token, BOX)).body.refresh_token, body.refresh_token, 'repeated')
    t.equal((await during.redeem(first.device_code, BOX)).body.refresh_token, body.refresh_token)
    t.equal(createRefreshTokenTexts(createKeyring([NEW])).read(body.refresh_token), decodeJwt(first.access_token).cid)

    const behind = await before.refresh(first.refresh_token, BOX)
    t.equal(behind.status, 503, 'an instance without the new secret cannot tell what follows, and says no more')
    t.ok(Number(behind.headers['retry-after']) >= 1)
    t.match(await usesOf(before, first.access_token, first.refresh_token, BOX), { revoked: false })

    during.clock.advance(GRACE_MS + 1)
    const last = await during.refresh(body.refresh_token, BOX)
    t.equal(last.status, 200)
    during.clock.advance(GRACE_MS + 1)
    invalidGrant(t, await during.refresh(first.refresh_token, BOX), 'a replay from before the rotation is seen')
    t.match(await usesOf(during, first.access_token, last.body.refresh_token, BOX), DEAD)
  })

  t.test('a client that is taken out of the file gets nothing more, and its tokens stop', async (t) => {
    const place = onePlace()
    const withIt = await startConnectedApp(t, place)
    const { secretDigests: client_secret_digests } = withIt.app.core.clients.find('api') ?? {}
    const rest = [{ client_id: 'api', client_secret_digests, grant_types: [] }]
    const withoutIt = await startConnectedApp(t, { ...place, OAUTH_CLIENTS_FILE: clientsFile(t, rest) })

    const held = await withIt.tokens(BOX, EVERYTHING)
    const waiting = await withIt.authorize(BOX, EVERYTHING)
    await withIt.approve(waiting.user_code)
    t.match(await usesOf(withIt, held.access_token, held.refresh_token, BOX), ALIVE)

    for (const answer of [
      await withoutIt.redeem(waiting.device_code, BOX),
      await withoutIt.refresh(held.refresh_token, BOX),
      await withoutIt.revoke(held.refresh_token, BOX),
      await withoutIt.post('/oauth/device_authorization', BOX)
    ]) {
      t.strictSame([answer.status, answer.body.error], [401, 'invalid_client'])
    }
    t.strictSame(
      await withoutIt.app.core.grants.poll(waiting.device_code, tagOf('box'), {
        resources: [],
        takesRefreshToken: true,
        whence: () => BY
      }),
      { kind: 'denied' },
      'the core'
    )
    t.strictSame((await withoutIt.poll(waiting.device_code)).body, { status: 'expired_token' }, 'the dashboard')
    t.match(await usesOf(withoutIt, held.access_token, held.refresh_token, CLI), { ...DEAD, revoked: false })
    const { data } = (await withoutIt.call('GET', '/auth/clients', { token: await withoutIt.session('ann') })).body
    t.strictSame(
      data.map(({ last_used_at }: Record<string, unknown>) => last_used_at !== null).sort(),
      [false, true],
      'its user still sees the one it had, and the approval, which waits'
    )
    t.match(await usesOf(withIt, held.access_token, held.refresh_token, BOX), ALIVE, 'put back, it is as before')
    t.equal((await withIt.redeem(waiting.device_code, BOX)).status, 200)
  })

  t.test('nor does a client known by a URL whose host is off the list', async (t) => {
    const host = await listen(t, (request, response) => {
      const document = { client_id: host.origin + request.url, grant_types: [DEVICE_CODE, 'refresh_token'] }
      answerWith(JSON.stringify(document))(request, response)
    })
    const known = { FOREIGN_ISSUERS_ON_LOOPBACK: 'on', FOREIGN_ISSUER_CA_FILE: authorityFile(t) }
    const place = onePlace()
    const withIt = await startConnectedApp(t, { ...place, ...known, CLIENT_ID_METADATA: `localhost:${host.port}` })
    const withoutIt = await startConnectedApp(t, { ...place, ...known, CLIENT_ID_METADATA: 'tools.example' })
    const tool = { client_id: `${host.origin}/tool.json` }
    const held = await withIt.tokens(tool)
    const waiting = await withIt.authorize(tool)
    await withIt.approve(waiting.user_code)
    for (const answer of [
      await withoutIt.redeem(waiting.device_code, tool),
      await withoutIt.refresh(held.refresh_token, tool),
      await withoutIt.post('/oauth/device_authorization', tool)
    ]) {
      t.strictSame([answer.status, answer.body.error], [401, 'invalid_client'])
    }
    t.strictSame((await withoutIt.introspect(held.access_token)).body, { active: false })
    t.match((await withIt.introspect(held.access_token)).body, { active: true }, 'put back, it is as before')
    t.equal((await withIt.redeem(waiting.device_code, tool)).status, 200, 'over Redis too, whose scripts see its tag')
    t.equal((await withIt.post('/oauth/revoke', { token: held.refresh_token })).status, 200)
    t.strictSame((await withIt.introspect(held.access_token)).body, { active: false })
  })
})

const by = (userId: string) => ({ ...BY, userId, ip: '192.0.2.1' })

for (const engine of ['memory', 'Redis']) {
  t.test(`over ${engine}`, async (t) => {
    const redis = engine === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const service = await startConnectedApp(t, redis ? { REDIS_URL: redis.url } : {})
    // In memory there is one instance.
    const other = redis ? await startConnectedApp(t, { REDIS_URL: redis.url }) : service
    approvingAnew(t, service, other)
    undoing(t, service)
    const { clock } = service
    // Redis ends rows by its own clock.
    revokingAll(t, service, async (ms) => (redis ? age([redis], 'grantd:', clock, ms) : clock.advance(ms)))
    revokingByPossession(t, service, other)
  })
}

/** What one instance has given is revoked on the other, by whoever has it and says nothing of who they are. */
function revokingByPossession(t: Test, { authorize, tokens, redeem, userinfo, refresh }: OAuthApp, other: OAuthApp) {
  const held = (token: string) => other.post('/oauth/revoke', { token })
  const isGood = async (token: string) => (await userinfo(token)).status === 200

  t.test('by possession: the tokens and device codes of a public client, whichever it is', async (t) => {
    for (const client of [CLI, TV]) {
      for (const kind of ['access_token', 'refresh_token', 'device_code'] as const) {
        const set = await tokens(client)
        const { status, body } = await held(set[kind])
        t.strictSame([status, body, await isGood(set.access_token)], [200, {}, false], `${kind} of ${client.client_id}`)
        invalidGrant(t, await refresh(set.refresh_token, client))
      }
      const waiting = await authorize(client, 'openid')
      t.equal((await held(waiting.device_code)).status, 200)
      t.equal((await redeem(waiting.device_code, client)).body.error, 'expired_token', 'before it was decided')
    }
  })

  t.test('by possession: nothing of a confidential client, which is told so', async (t) => {
    const set = await tokens(BOX)
    const waiting = await authorize(BOX, 'openid')
    for (const token of [set.access_token, set.refresh_token, set.device_code, waiting.device_code]) {
      const { status, body } = await held(token)
      t.strictSame([status, body.error], [401, 'invalid_client'])
    }
    t.ok(await isGood(set.access_token))
    t.equal((await redeem(waiting.device_code, BOX)).body.error, 'authorization_pending')
  })

  t.test('by possession: what is no token, and none any more, is answered the same', async (t) => {
    const { access_token } = await tokens(CLI)
    for (const token of [access_token, access_token, 'x', 'A'.repeat(43), `grt_${'x'.repeat(9_000)}`]) {
      t.strictSame([(await held(token)).status, (await held(token)).body], [200, {}])
    }
  })
}

let users = 0
const newUser = () => `user ${users++}`

/** An approval is made on both instances at once, after one whose outcome nobody heard was revoked. */
function approvingAnew(t: Test, { app, start, poll }: OAuthApp, other: OAuthApp) {
  const { grants } = app.storage
  const { decide } = grants
  const approve = (at: OAuthApp['app'], userCode: string, user: string) =>
    at.core.grants.decide(userCode, 'approve', by(user))

  for (const isRevoked of [false, true]) {
    t.test(
      `an approval made anew twice at once has one row, ${isRevoked ? 'revoked meanwhile' : 'in force'}`,
      async (t) => {
        const user = newUser()
        const { grant_code, user_code } = await start()
        grants.decide = async () => {
          throw fault('unavailable')
        }
        await t.rejects(approve(app, user_code, user), { code: 'unavailable' })
        await app.core.authorizations.revokeAll(user, 'owner', BY)
        t.equal((await app.core.authorizations.list(user)).length, 1, 'what never came to stand was revoked')

        // When this one has prepared its row, the other one comes to stand.
        grants.decide = async (...args) => {
          grants.decide = decide
          t.equal((await approve(other.app, user_code, user)).kind, 'decided')
          if (isRevoked) await other.app.core.authorizations.revokeAll(user, 'owner', BY)
          return decide(...args)
        }
        const late = await approve(app, user_code, user)
        t.equal(late.kind, 'decided')
        const rows = await app.core.authorizations.list(user)
        t.equal(rows.length, 2)
        for (const { id, revokedAtMs } of rows) {
          const isTheOne = late.kind === 'decided' && id === late.authorizationId
          t.equal(revokedAtMs !== undefined, isRevoked || !isTheOne, isTheOne ? 'the one that stands' : 'the first one')
        }
        t.equal((await poll(grant_code)).body.status, isRevoked ? 'access_denied' : 'approved')
      }
    )
  }
}

function undoing(t: Test, { app, clock, start, poll, call, tokens, redeem, refresh, userinfo, introspect }: OAuthApp) {
  const { decide, undo } = app.core.grants
  const isGood = async (token: string) => (await call('GET', '/auth/clients', { token })).status === 200
  const revokedOf = async (userId: string) =>
    (await app.core.authorizations.list(userId)).map(({ revokedAtMs }) => revokedAtMs !== undefined)

  t.test('before it was collected: the device is denied, now and later', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    t.strictSame(await undo(user_code, user, BY), { kind: 'undone' })
    t.strictSame(await revokedOf(user), [true], 'it is listed as what it is')
    for (let i = 0; i < 3; i++) t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
  })

  t.test('after it was collected: the token is refused, and cannot be collected again', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    const { jwt } = (await poll(grant_code)).body
    t.equal(await isGood(jwt), true)
    t.strictSame(await undo(user_code, user, BY), { kind: 'undone' })
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
    t.strictSame(await undo(user_code, user, BY), { kind: 'undone' })
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
      const [outcome, ...answers] = await Promise.all([undo(user_code, user, BY), ...polls])
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
    t.strictSame(await undo(user_code, user, BY), { kind: 'undone' })
    const [first] = await app.core.authorizations.list(user)
    clock.advance(MINUTE_MS)
    t.strictSame(await undo(user_code, user, BY), { kind: 'undone' })
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
    await undo(user_code, user, BY)
    await decide(user_code, 'approve', by(user))
    t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
    t.strictSame(await revokedOf(user), [true])
  })

  t.test('by another user it is nothing that could be taken back', async (t) => {
    const user = newUser()
    const { grant_code, user_code } = await start()
    await decide(user_code, 'approve', by(user))
    t.strictSame(await undo(user_code, newUser(), BY), { kind: 'unknown' })
    const { jwt } = (await poll(grant_code)).body
    t.strictSame(await undo(user_code, `${user} `, BY), { kind: 'unknown' })
    t.equal(await isGood(jwt), true)
    t.strictSame(await revokedOf(user), [false])
  })

  t.test('a denial, a grant that waits, one that nobody decided, and no grant at all', async (t) => {
    const user = newUser()
    const [denied, waiting] = [await start(), await start()]
    await decide(denied.user_code, 'deny', by(user))
    t.strictSame(await undo(denied.user_code, user, BY), { kind: 'unknown' })
    t.strictSame((await poll(denied.grant_code)).body, { status: 'access_denied' })
    t.strictSame(await undo(waiting.user_code, user, BY), { kind: 'unknown' })
    t.strictSame((await poll(waiting.grant_code)).body, { status: 'authorization_pending' })
    t.equal((await decide(waiting.user_code, 'deny', by(user))).kind, 'decided', 'which can still be decided')
    const late = await start()
    clock.advance(15 * MINUTE_MS)
    t.strictSame(await undo(late.user_code, user, BY), { kind: 'unknown' })
    for (const code of ['BBBB-BBBB', '', 'x', '__proto__', '\u0000', late.grant_code]) {
      t.strictSame(await undo(code, user, BY), { kind: 'unknown' }, JSON.stringify(code))
    }
    t.strictSame(await revokedOf(user), [], 'and no client is made of any')
  })

  t.test('as long as the grant is remembered, and in any spelling', async (t) => {
    const user = newUser()
    const [one, two] = [await start(), await start()]
    for (const { user_code } of [one, two]) await decide(user_code, 'approve', by(user))
    const { jwt } = (await poll(two.grant_code)).body
    clock.advance(20 * MINUTE_MS - 1)
    t.strictSame(await undo(one.user_code.toLowerCase().replace('-', ' '), user, BY), { kind: 'undone' })
    clock.advance(1)
    t.strictSame(await undo(two.user_code, user, BY), { kind: 'unknown' })
    t.equal(await isGood(jwt), true, 'afterwards it is for the list of clients to revoke')
  })
}

function revokingAll(t: Test, { app, clock, start, poll, call }: OAuthApp, pass: (ms: number) => Promise<void>) {
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
    await revoke(user, newest?.id ?? '', 'owner', BY)
    const revokedAtMs = (await list(user))[0]?.revokedAtMs
    clock.advance(MINUTE_MS)
    t.equal(await revokeAll(user, 'owner', BY), 2, 'one had been revoked already')
    t.strictSame(await areGood([...mine, ...theirs]), [false, false, false, true])
    t.equal((await list(user)).find(({ id }) => id === newest?.id)?.revokedAtMs, revokedAtMs, 'at the time it was')
    t.equal(await revokeAll(user, 'owner', BY), 0, 'and a second time none')
  })

  t.test('none, and only expired ones', async (t) => {
    t.equal(await revokeAll(newUser(), 'owner', BY), 0)
    const user = newUser()
    await collect(user)
    await pass(31 * 24 * 60 * MINUTE_MS)
    t.equal(await revokeAll(user, 'owner', BY), 0)
    t.equal((await list(user))[0]?.revokedAtMs, undefined, 'what has expired was not revoked')
  })

  t.test('many at once', async (t) => {
    const user = newUser()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => collect(user)))
    const counts = await Promise.all([revokeAll(user, 'owner', BY), revokeAll(user, 'owner', BY)])
    t.ok(counts.every((count) => count <= 50) && counts.some((count) => count === 50), `${counts}`)
    t.notOk((await areGood(tokens)).includes(true))
  })
}
