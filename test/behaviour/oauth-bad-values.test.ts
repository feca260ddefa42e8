/**
 * Checks what the OAuth surface does with wrong values in well-formed requests: scopes, grant types, codes and tokens
 * that are foreign, forged, expired or revoked. It refuses correctly and does nothing else; see
 * test/support/oauth-refusals.ts.
 */
import { createPublicKey, generateKeyPairSync, sign as signWith } from 'node:crypto'
import type { InjectOptions } from 'fastify'
import { decodeJwt } from 'jose'
import t from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { createKeys } from '../../src/storage/redis/keys.js'
import { effortOf } from '../support/effort.js'
import { base64url, forge, hmac } from '../support/forge.js'
import {
  API,
  BAD_DEVICE_CODE,
  BAD_REFRESH_TOKEN,
  BAD_TOKEN,
  BOX,
  BOX_SECRET,
  basic,
  CANARY,
  form,
  IC,
  IR,
  IS,
  ISSUER,
  type Json,
  json,
  LAMP,
  lastingSession,
  NO_TOKEN,
  ONCE,
  PATHS,
  type Parameters,
  SMALL_SCOPE,
  setUp,
  TOO_LARGE,
  TV,
  UG,
  without
} from '../support/oauth-refusals.js'
import { snapshot } from '../support/snapshot.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'

t.test('scopes that are asked for', async (t) => {
  const { app, startGrant, decide, redeem, refuses, post } = await setUp(t)
  const many = Array.from({ length: 51 }, (_, i) => `s${i}`)
  const bad = [
    'admin',
    'profile admin',
    CANARY,
    'email',
    'OpenID',
    'openid\tprofile',
    'openid\nprofile',
    'openid\u00a0profile',
    'openid,profile',
    'openid+profile%20',
    '"',
    '"openid"',
    '\\',
    'é',
    '\u007f',
    '\u0000',
    'openid\u0000',
    'openid %zz',
    many.join(' '),
    Array.from({ length: 51 }, () => 'openid').join(' '),
    '__proto__',
    'constructor',
    'length'
  ]
  for (const scope of bad) {
    const about = encodeURIComponent(scope).slice(0, 40)
    await refuses(t, form(PATHS.authorizeDevice, { ...TV, scope }), IS, about)
    await refuses(t, json(PATHS.authorizeDevice, { ...TV, scope }), IS, `${about}, JSON`)
  }
  t.equal((await app.inject(form(PATHS.authorizeDevice, 'client_id=tv&scope=openid%'))).statusCode, 400, 'openid%')

  t.test('200 none, an empty one, one with words or spaces twice', async (t) => {
    const good: Record<string, string | undefined> = {
      '': undefined,
      ' ': undefined,
      'openid openid': 'openid',
      ' openid  profile ': 'openid profile',
      'profile openid profile': 'profile openid',
      [Array.from({ length: 50 }, () => 'openid').join(' ')]: 'openid'
    }
    for (const [scope, granted] of Object.entries(good)) {
      const { device_code, user_code } = await startGrant(TV, scope)
      await decide(user_code, 'ann')
      t.equal((await redeem(TV, device_code)).body.scope, granted, `"${scope.slice(0, 30)}"`)
    }
    t.equal((await post(PATHS.authorizeDevice, TV)).status, 200, 'none at all')
  })

  t.test('200 what a client says of itself, or wishes for, changes nothing', async (t) => {
    const wishes = {
      user_code: 'BBBB-BBBB',
      device_code: CANARY,
      verification_uri: 'https://evil.example',
      interval: '0',
      expires_in: '999999',
      resource: 'https://evil.example#f',
      audience: CANARY,
      redirect_uri: 'https://evil.example',
      code_challenge_method: 'plain'
    }
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const { status, body } = await post(PATHS.authorizeDevice, { ...TV, ...wishes }, headers)
    t.equal(status, 200)
    t.strictSame(
      [body.verification_uri, body.verification_uri_complete, body.interval, body.expires_in],
      [`${ISSUER}/device`, `${ISSUER}/device?code=${body.user_code}`, 5, 900]
    )
    t.not(body.user_code, wishes.user_code)
    t.match(body.device_code, /^[\w-]{43}$/)
  })
})

t.test('grant types', async (t) => {
  const { startGrant, authorize, decide, redeem, refresh, refuses } = await setUp(t)
  const { device_code, user_code } = await startGrant(BOX)
  await decide(user_code, 'ann')
  const { refresh_token } = await authorize(BOX, 'ann', 'offline_access')
  const rest = { ...BOX, device_code, refresh_token }
  for (const grant_type of [
    'device_code',
    `${DEVICE_CODE_GRANT} `,
    ` ${DEVICE_CODE_GRANT}`,
    DEVICE_CODE_GRANT.toUpperCase(),
    `${DEVICE_CODE_GRANT}\u0000`,
    `${DEVICE_CODE_GRANT}/`,
    encodeURIComponent(DEVICE_CODE_GRANT),
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:saml2-bearer',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'authorization_code',
    'client_credentials',
    'password',
    'implicit',
    'Refresh_Token',
    'refresh_token ',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '0',
    ' ',
    CANARY
  ]) {
    const about = encodeURIComponent(grant_type)
    await refuses(t, form(PATHS.requestToken, { ...rest, grant_type }), UG, about)
    await refuses(t, json(PATHS.requestToken, { ...rest, grant_type }), UG, `${about}, JSON`)
    const known = { ...TV, device_code, refresh_token, grant_type }
    await refuses(t, form(PATHS.requestToken, known), UG, `${about}, a public client`)
    const unknown = { ...rest, grant_type, client_id: CANARY }
    await refuses(t, form(PATHS.requestToken, unknown), IC, `${about}: who asks comes first`)
  }
  t.test('400 each with what belongs to the other', async (t) => {
    const missing = (name: string) => ({ ...IR, sentence: `${name} is missing.` })
    const codeOnly = { ...BOX, grant_type: 'refresh_token', device_code }
    await refuses(t, form(PATHS.requestToken, codeOnly), missing('refresh_token'), 'a device code alone')
    const tokenOnly = { ...BOX, grant_type: DEVICE_CODE_GRANT, refresh_token }
    await refuses(t, form(PATHS.requestToken, tokenOnly), missing('device_code'), 'a refresh token alone')
    const swapped = { ...BOX, device_code: refresh_token, refresh_token: device_code }
    const asCode = { ...swapped, grant_type: DEVICE_CODE_GRANT }
    await refuses(t, form(PATHS.requestToken, asCode), BAD_DEVICE_CODE, 'a refresh token as device code')
    const asToken = { ...swapped, grant_type: 'refresh_token' }
    await refuses(t, form(PATHS.requestToken, asToken), BAD_REFRESH_TOKEN, 'a device code as refresh token')
  })
  t.test('what was good is still good', async (t) => {
    t.equal((await redeem(BOX, device_code)).status, 200, 'the code')
    t.equal((await refresh(BOX, refresh_token)).status, 200, 'the refresh token')
  })
})

t.test('device codes', async (t) => {
  const { app, clock, redis, call, poll, startGrant, decide, redeem, post, refuses, askInVain } = await setUp(t)
  const expired = await startGrant(BOX, 'openid')
  const spent = await startGrant(BOX, 'openid')
  await decide(spent.user_code, 'ann')
  await redeem(BOX, spent.device_code)
  clock.advance(900_000)
  const [pending, approved, denied] = [
    await startGrant(BOX, 'openid'),
    await startGrant(BOX, 'openid'),
    await startGrant(BOX)
  ]
  await decide(approved.user_code, 'ann')
  await decide(denied.user_code, 'ann', 'deny')
  await redeem(BOX, pending.device_code)
  const codes = { pending, approved, denied, expired, spent, unknown: { device_code: base64url('x'.repeat(32)) } }
  const others: Parameters[] = [LAMP, TV, { client_id: 'cli' }, ONCE]
  const poller = (client: Parameters, device_code: string, more: Parameters = {}) =>
    form(PATHS.requestToken, { ...client, grant_type: DEVICE_CODE_GRANT, device_code, ...more })

  t.test('400 invalid_grant to another client, the same bytes in every state', async (t) => {
    const bodies = new Set<string>()
    for (const [state, { device_code }] of Object.entries(codes)) {
      for (const client of others) {
        for (const headers of [{}, { prefer: 'wait=5' }]) {
          const request = poller(client, device_code)
          const answer = { ...request, headers: { ...request.headers, ...headers } }
          bodies.add(await refuses(t, answer, BAD_DEVICE_CODE, `${client.client_id}, ${state}`))
        }
        const headers = { authorization: basic(client.client_id ?? '', client.client_secret ?? '') }
        const byBasic = form(PATHS.requestToken, { grant_type: DEVICE_CODE_GRANT, device_code }, headers)
        bodies.add(await refuses(t, byBasic, BAD_DEVICE_CODE, `${client.client_id} by Basic, ${state}`))
      }
    }
    t.equal(bodies.size, 1, [...bodies].join(', '))
  })

  t.test('the dashboard API knows none of them', async (t) => {
    for (const [state, { device_code }] of Object.entries(codes)) {
      const before = await snapshot(redis)
      t.strictSame((await poll(device_code)).body, { status: 'expired_token' }, state)
      t.strictSame(await snapshot(redis), before, `${state}: nothing changed`)
    }
  })

  t.test('400 what is no code of anybody, though it looks like one', async (t) => {
    const code = approved.device_code
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const sameBits = [1, 2, 3].map((bits) => code.slice(0, -1) + alphabet[alphabet.indexOf(code.slice(-1)) ^ bits])
    t.ok(
      sameBits.every((text) => Buffer.from(text, 'base64url').equals(Buffer.from(code, 'base64url'))),
      'the same bytes in other letters'
    )
    const grantKey = createKeys('grantd:').grant(digestOf(code))
    t.equal(await redis.client.exists(grantKey), 1, 'the digest is what is kept')
    const wrong: Parameters = {
      '42 characters': code.slice(1),
      '44 characters': `${code}A`,
      padded: `${code}=`,
      'a space before': ` ${code}`,
      'a space after': `${code} `,
      'a line end': `${code}\n`,
      NUL: `${code}\u0000`,
      'in capitals': code.toUpperCase(),
      reversed: [...code].reverse().join(''),
      'its digest': digestOf(code),
      'its digest in hex': Buffer.from(digestOf(code), 'base64url').toString('hex'),
      'the key of the grant': createKeys('grantd:').grant(digestOf(code)),
      'its user code': approved.user_code,
      base64: Buffer.from(code, 'base64url').toString('base64'),
      wildcards: '*'.repeat(43),
      'a path': '../'.repeat(14)
    }
    for (const [i, text] of sameBits.entries()) wrong[`the same bytes ${i}`] = text
    for (const [about, text] of Object.entries(wrong)) await refuses(t, poller(BOX, text), BAD_DEVICE_CODE, about)
    const own = (await call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })).body
    await refuses(t, poller(BOX, own.grant_code), BAD_DEVICE_CODE, 'a grant of the dashboard API')
    const twice = { ...IR, sentence: 'device_code is there more than once.' }
    const both = `${new URLSearchParams({ ...BOX, grant_type: DEVICE_CODE_GRANT })}&device_code=${code}&device_code=${code}`
    await refuses(t, form(PATHS.requestToken, both), twice, 'twice')
    const megabyte = poller(BOX, 'x'.repeat(1 << 20))
    await refuses(t, megabyte, TOO_LARGE, 'a megabyte')
  })

  t.test('400 whatever is preferred besides, and none of it is slow', async (t) => {
    for (const prefer of [
      'wait',
      'wait=',
      'wait=x',
      'wait=0',
      'wait=-1',
      'wait=1e1',
      'wait=5.5',
      'wait=99999999999999999999',
      'wait="5',
      'wait=5 x',
      'wait=\u0661',
      'wait=x, wait=5',
      'respond-async, "',
      `${CANARY}=${CANARY}`,
      ',,,',
      '"'
    ]) {
      const { url, payload, headers } = poller(BOX, codes.unknown.device_code)
      const request = { method: 'POST' as const, url, payload, headers: { ...headers, prefer } } as InjectOptions
      await refuses(t, request, BAD_DEVICE_CODE, `prefer: ${encodeURIComponent(prefer)}`)
    }
    for (const prefer of [
      '"'.repeat(15_000),
      ','.repeat(15_000),
      `"${'\\"'.repeat(7_400)}`,
      `"${'\\"x,'.repeat(3_700)}`
    ]) {
      const request = poller({ client_id: 'cli' }, CANARY)
      const effort = await effortOf(async () => {
        const { statusCode } = await app.inject({ ...request, headers: { ...request.headers, prefer } })
        t.equal(statusCode, 400)
      })
      t.ok(effort < 4, `15 KB of ${prefer.slice(0, 5)}: ${effort.toFixed(2)}`)
    }
  })

  t.test('400 each state by its own name to its own client, and a query counts for nothing', async (t) => {
    const names = { denied: 'access_denied', expired: 'expired_token', unknown: 'invalid_grant' } as const
    for (const [state, error] of Object.entries(names)) {
      const { device_code } = codes[state as keyof typeof names]
      await refuses(t, poller(BOX, device_code), { status: 400, error }, state)
      const query = { ...poller(BOX, device_code), url: `${PATHS.requestToken}?device_code=${approved.device_code}` }
      await refuses(t, query, { status: 400, error }, `${state}, another code in the query`)
    }
    clock.advance(31_000)
    await refuses(t, poller(BOX, spent.device_code), BAD_DEVICE_CODE, 'spent')
    t.equal((await redeem(BOX, pending.device_code)).body.error, 'authorization_pending')
    t.strictSame((await redeem(BOX, pending.device_code)).body, { error: 'slow_down', interval: 10 })
  })

  t.test('200 the code is still good, and brings what was approved and no more', async (t) => {
    const wishes = { scope: 'openid profile email admin', audience: CANARY, resource: CANARY, client_type: 'mcp' }
    const { status, body } = await post(PATHS.requestToken, {
      ...BOX,
      ...wishes,
      grant_type: DEVICE_CODE_GRANT,
      device_code: approved.device_code
    })
    t.equal(status, 200)
    const { scope, aud, client_type } = decodeJwt(body.access_token)
    t.strictSame([body.scope, scope, aud, client_type], ['openid', 'openid', ISSUER, 'other'])
    for (const client of others) {
      const { device_code } = approved
      await refuses(t, poller(client, device_code), BAD_DEVICE_CODE, `collected a moment ago, ${client.client_id}`)
    }
    const again = await askInVain(t, poller(BOX, approved.device_code), 'once more')
    t.equal(
      decodeJwt(again.json().access_token).jti,
      decodeJwt(body.access_token).jti,
      'to its own client it is repeated'
    )
  })
})

/** Replaces one character by the next of base64url, so that the text differs in one place. */
const flipped = (text: string, at: number) =>
  `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${at === -1 ? '' : text.slice(at + 1)}`

t.test('refresh tokens', async (t) => {
  const { app, call, clock, authorize, use, refresh, post, refuses, redis } = await setUp(t)
  const scope = 'openid offline_access'
  const lamp = await authorize(LAMP, 'ann', scope)
  const revoked = await authorize(BOX, 'ann', scope)
  await call('DELETE', `/auth/clients/${revoked.id}`, { token: await lastingSession('ann') })
  const byToken = await authorize(BOX, 'ann', scope)
  await post(PATHS.revokeToken, { ...BOX, token: byToken.access_token })
  clock.advance(3_600_000)
  const box = await authorize(BOX, 'ann', scope)
  const other = await authorize(BOX, 'bob', scope)
  const withoutRefresh = await authorize(BOX, 'ann', 'openid')
  const stranger = await authorize(TV, 'ann', scope)
  const old = box.refresh_token
  const current = (await refresh(BOX, old)).body.refresh_token as string
  for (const { access_token } of [box, other, withoutRefresh, stranger]) await use(access_token)
  const refresher = (client: Parameters, refresh_token: string, more: Parameters = {}) =>
    form(PATHS.requestToken, { ...client, grant_type: 'refresh_token', refresh_token, ...more })
  const [head = '', secret = '', seal = ''] = current.split('.')
  const [otherHead = '', otherSecret = '', otherSeal = ''] = other.refresh_token.split('.')

  t.test('400 what is no refresh token, or of another client, or not good any more', async (t) => {
    const wrong: Parameters = {
      garbage: CANARY,
      'the beginning alone': 'grt_',
      'an id alone': head,
      'no seal': `${head}.${secret}`,
      'an empty seal': `${head}.${secret}.`,
      'the right form and a seal that is made up': `${head}.${secret}.${'A'.repeat(24)}`,
      'one letter of the seal': `${head}.${secret}.${flipped(seal, 5)}`,
      'one letter of the secret': `${head}.${flipped(secret, 5)}.${seal}`,
      'the seal of another family': `${head}.${secret}.${otherSeal}`,
      'the secret of another family': `${head}.${otherSecret}.${seal}`,
      'the secret and seal of another family': `${head}.${otherSecret}.${otherSeal}`,
      'the id of another family': `${otherHead}.${secret}.${seal}`,
      'an id that is not there': `grt_00000000-0000-4000-8000-000000000000.${secret}.${seal}`,
      'in capitals': current.toUpperCase(),
      'a space before': ` ${current}`,
      'a space after': `${current} `,
      'a line end': `${current}\n`,
      NUL: `${current}\u0000`,
      padded: `${current}=`,
      'one part more': `${current}.x`,
      'of another client': stranger.refresh_token,
      'of another client, confidential, and expired': lamp.refresh_token,
      'of a client that its user has revoked': revoked.refresh_token,
      'of a client that has revoked itself': byToken.refresh_token,
      'the id of the authorization': box.id,
      'the digest of the token': digestOf(current),
      '8,192 characters': 'x'.repeat(8_192)
    }
    for (const [about, token] of Object.entries(wrong)) {
      await refuses(t, refresher(BOX, token), BAD_REFRESH_TOKEN, about)
      await refuses(t, refresher(BOX, token, { scope: 'openid' }), BAD_REFRESH_TOKEN, `${about}, less of it`)
    }
    await refuses(t, refresher(LAMP, lamp.refresh_token), BAD_REFRESH_TOKEN, 'expired, by its own client')
  })

  t.test('400 an access token or an ID token in its place', async (t) => {
    for (const token of [box.access_token, withoutRefresh.access_token, box.id_token]) {
      await refuses(t, refresher(BOX, token ?? ''), BAD_REFRESH_TOKEN, 'a token of another kind')
    }
  })

  t.test('400 to another client, whether it is current or was rotated', async (t) => {
    for (const token of [current, old]) {
      for (const client of [LAMP, TV, { client_id: 'cli' }] as Parameters[]) {
        await refuses(t, refresher(client, token), BAD_REFRESH_TOKEN, `${client.client_id}`)
      }
    }
  })

  t.test('400 invalid_scope for more than was granted, and the token is not rotated', async (t) => {
    for (const scope of [
      'openid profile',
      'email',
      'openid offline_access admin',
      CANARY,
      'openid\tprofile',
      '"',
      '\\',
      'é',
      '__proto__',
      Array.from({ length: 51 }, () => 'openid').join(' ')
    ]) {
      for (const token of [current, old])
        await refuses(t, refresher(BOX, token, { scope }), IS, encodeURIComponent(scope))
    }
  })

  t.test('200 the current one is still current, an empty scope is none, and less may be asked for', async (t) => {
    const before = (await snapshot(redis)).size
    for (const [wanted, granted] of [
      ['', scope],
      ['openid', 'openid'],
      ['offline_access openid openid', 'offline_access openid']
    ]) {
      const { status, body } = await refresh(BOX, current, { scope: wanted ?? '' })
      t.strictSame([status, body.scope], [200, granted], `"${wanted}"`)
    }
    t.equal((await snapshot(redis)).size, before)
    t.equal((await app.inject('/readyz')).statusCode, 200)
  })
})

t.test('a refused request leaves no trace, not even a time of last use', async (t) => {
  const { call, clock, authorize, refuses, ignores } = await setUp(t)
  const { access_token, refresh_token } = await authorize(BOX, 'ann', 'openid offline_access')
  clock.advance(120_000)
  const lastUse = async () => (await call('GET', '/auth/clients', { user: 'ann' })).body.data[0].last_used_at
  const refresher = (client: Parameters, more: Parameters = {}) =>
    form(PATHS.requestToken, { ...client, grant_type: 'refresh_token', refresh_token, ...more })

  t.test('of a refresh token that somebody else has got hold of', async (t) => {
    await refuses(t, refresher(LAMP), BAD_REFRESH_TOKEN, 'by another client')
    t.equal(await lastUse(), null, 'it was never used')
  })
  t.test('of a revocation by somebody else', async (t) => {
    const before = await lastUse()
    clock.advance(120_000)
    await ignores(t, form(PATHS.revokeToken, { ...LAMP, token: refresh_token }), 'with the refresh token')
    await ignores(t, form(PATHS.revokeToken, { ...LAMP, token: access_token }), 'with the access token')
    t.equal(await lastUse(), before)
  })
  t.test('of a scope that was not granted', async (t) => {
    const before = await lastUse()
    clock.advance(120_000)
    await refuses(t, refresher(BOX, { scope: 'email' }), IS, 'by its own client')
    t.equal(await lastUse(), before)
  })
})

t.test('tokens at introspect, revoke and userinfo', async (t) => {
  const { app, call, clock, authorize, use, refresh, startGrant, decide, redeem, refuses, ignores, asked, askInVain } =
    await setUp(t)
  const scope = 'openid offline_access'
  const short = await authorize(LAMP, 'ann', scope)
  clock.advance(3_600_000)
  const box = await authorize(BOX, 'ann', scope)
  const tv = await authorize(TV, 'bob', scope)
  const plain = await authorize(BOX, 'ann', 'profile')
  const revoked = await authorize(BOX, 'ann', scope)
  await call('DELETE', `/auth/clients/${revoked.id}`, { token: await lastingSession('ann') })
  const rotated = await authorize(BOX, 'ann', scope)
  await refresh(BOX, rotated.refresh_token)
  const good = box.access_token
  for (const { access_token } of [box, tv, plain, rotated]) await use(access_token)
  const pending = await startGrant(LAMP)
  const session = await lastingSession('ann')

  const key = app.core.signingKeys.current()
  if (!key) throw new Error('no signing key')
  const signed =
    (privateKey: Parameters[string] | ReturnType<typeof generateKeyPairSync>['privateKey']) => (text: Buffer) =>
      signWith('sha256', text, { key: privateKey as string, dsaEncoding: 'ieee-p1363' })
  const ours = signed(key.privateKey)
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const theirs = signed(foreign.privateKey as unknown as string)
  const [headerPart = '', payloadPart = '', signature = ''] = good.split('.')
  const header: Json = JSON.parse(Buffer.from(headerPart, 'base64url').toString())
  const claims: Json = JSON.parse(Buffer.from(payloadPart, 'base64url').toString())
  const nowS = Math.floor(clock() / 1000)
  const pem = key.publicKey
  const spki = createPublicKey(pem).export({ format: 'der', type: 'spki' })
  const jwk = createPublicKey(pem).export({ format: 'jwk' })
  const uuid = '00000000-0000-4000-8000-000000000000'

  t.test('200 what is forged the right way is good: the forger works', async (t) => {
    for (const typ of ['at+jwt', 'AT+JWT']) {
      const token = forge({ ...header, typ }, claims, ours)
      const answer = await askInVain(t, form(PATHS.introspectToken, { ...API, token }), typ)
      t.equal(answer.json().active, true, typ)
      const headers = { authorization: `Bearer ${token}` }
      t.equal((await app.inject({ url: PATHS.userinfo, headers })).statusCode, 200, typ)
    }
  })

  const tokens: Parameters = {
    'no token at all': CANARY,
    'three words': `${CANARY}.y.z`,
    dots: '..',
    null: 'null',
    'a session of the dashboard': session,
    'a session signed with our key': forge({ alg: 'ES256', kid: key.kid }, { sub: 'ann', exp: nowS + 600 }, ours),
    'an ID token': box.id_token,
    'an ID token of another client': tv.id_token,
    'an expired token': short.access_token,
    'a token whose user has revoked the client': revoked.access_token,
    'a device code of another client': pending.device_code,
    'a user code': pending.user_code,
    'the id of an authorization': box.id,
    'two parts': `${headerPart}.${payloadPart}`,
    'four parts': `${good}.x`,
    'five parts': `${good}.x.y`,
    'no signature': `${headerPart}.${payloadPart}.`,
    padded: `${good}=`,
    'another signature': `${headerPart}.${payloadPart}.${base64url(CANARY)}`,
    'a DER signature': forge(header, claims, (text) => signWith('sha256', text, key.privateKey)),
    'a signature of zeros': forge(header, claims, () => Buffer.alloc(64)),
    'another payload under our signature': `${headerPart}.${base64url({ ...claims, sub: 'bob' })}.${signature}`,
    'a wrong key': forge(header, claims, theirs),
    'a wrong key of its own name': forge({ ...header, kid: CANARY }, claims, theirs),
    'a wrong key brought along': forge(
      {
        ...header,
        jwk: foreign.publicKey.export({ format: 'jwk' }),
        jku: 'http://127.0.0.1:1/',
        x5u: 'http://127.0.0.1:1/'
      },
      claims,
      theirs
    ),
    'no kid': forge(without(header, 'kid'), claims, ours),
    'a kid that is a list': forge({ ...header, kid: [key.kid] }, claims, ours),
    'a kid of a prototype': forge({ ...header, kid: '__proto__' }, claims, ours),
    'typ JWT': forge({ ...header, typ: 'JWT' }, claims, ours),
    'no typ': forge(without(header, 'typ'), claims, ours),
    'crit unknown': forge({ ...header, crit: ['x'], x: 1 }, claims, ours),
    'b64 false': forge({ ...header, crit: ['b64'], b64: false }, claims, ours),
    'an authorization that is not there': forge(header, { ...claims, cid: uuid, jti: uuid }, ours),
    'an authorization of somebody else': forge(header, { ...claims, sub: 'bob' }, ours),
    'two names of the authorization': forge(header, { ...claims, jti: uuid }, ours),
    'a client nobody knows': forge(header, { ...claims, client_id: CANARY }, ours),
    'a client of a prototype': forge(header, { ...claims, client_id: '__proto__' }, ours),
    'another issuer': forge(header, { ...claims, iss: 'https://elsewhere.example' }, ours),
    'the issuer and a slash': forge(header, { ...claims, iss: `${ISSUER}/` }, ours),
    'another audience': forge(header, { ...claims, aud: 'https://elsewhere.example' }, ours),
    'expired a second ago': forge(header, { ...claims, exp: nowS - 1 }, ours),
    'expired this second': forge(header, { ...claims, exp: nowS }, ours),
    'exp a text': forge(header, { ...claims, exp: `${nowS + 600}` }, ours),
    'not yet': forge(header, { ...claims, nbf: nowS + 600 }, ours),
    'scope a list': forge(header, { ...claims, scope: ['openid'] }, ours),
    'payload an array': forge(header, [claims], ours),
    'payload null': forge(header, 'null', ours),
    'a payload of half a pair': forge(header, JSON.stringify(claims).replace('"ann"', '"\\ud800"'), ours),
    'header null': forge('null', claims, ours),
    'header no JSON': forge(CANARY, claims, ours)
  }
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'ES384', 'RS256', 'es256']) {
    tokens[`alg "${alg}"`] = forge({ ...header, alg }, claims, () => '')
    tokens[`alg "${alg}" with our signature`] = forge({ ...header, alg }, claims, ours)
  }
  const secrets: Record<string, string | Buffer> = {
    'the public key': pem,
    'the public key, trimmed': pem.trim(),
    'the public key after a newline': `\n${pem}`,
    'the public key in DER': spki,
    'the public key as JWK': JSON.stringify(jwk),
    'the kid': key.kid,
    nothing: '',
    'the secret of the dashboard': DASHBOARD_SECRET
  }
  for (const [about, secret] of Object.entries(secrets)) {
    tokens[`HS256 over ${about}`] = forge({ ...header, alg: 'HS256' }, claims, hmac(secret))
  }
  for (const name of ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_id', 'client_type', 'scope']) {
    tokens[`without ${name}`] = forge(header, without(claims, name), ours)
    for (const value of [null, {}, 5.5e300, true]) {
      if ((name === 'iat' || name === 'exp') && typeof value === 'number') continue
      tokens[`${name} ${JSON.stringify(value)}`] = forge(header, { ...claims, [name]: value }, ours)
    }
  }
  const bytes = Buffer.from(signature, 'base64url')
  for (let at = 0; at < 64; at += 7) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
    tokens[`a bit of byte ${at} flipped`] = `${headerPart}.${payloadPart}.${changed.toString('base64url')}`
  }
  const refreshTokens: Parameters = {
    'a refresh token, rotated': rotated.refresh_token,
    'a refresh token, revoked': revoked.refresh_token,
    'a refresh token, expired': short.refresh_token,
    'a refresh token whose seal is made up': `${(box.refresh_token).slice(0, -24)}${'A'.repeat(24)}`,
    'a refresh token of another client': tv.refresh_token,
    'no refresh token': `grt_${CANARY}`
  }

  t.test('200 {"active":false} to whoever introspects any of them, whatever the hint', async (t) => {
    t.ok(Object.keys(tokens).length >= 110, `${Object.keys(tokens).length} tokens`)
    for (const [about, token] of Object.entries({ ...tokens, ...refreshTokens })) {
      await ignores(t, form(PATHS.introspectToken, { ...BOX, token }), about)
      await ignores(t, json(PATHS.introspectToken, { ...API, token }), `${about}, a resource server`)
    }
    for (const token_type_hint of ['refresh_token', 'access_token', CANARY, '', '__proto__']) {
      await ignores(t, form(PATHS.introspectToken, { ...API, token: session, token_type_hint }), token_type_hint)
    }
    const own = { ...API, token: box.refresh_token }
    await ignores(t, form(PATHS.introspectToken, own), 'a current refresh token, which only its client may ask about')
  })

  t.test('200 to whoever revokes any of them, and nothing is revoked', async (t) => {
    const all = { ...tokens, ...without(without(refreshTokens, 'a refresh token, rotated'), 'x') }
    for (const [about, token] of Object.entries(all)) {
      await ignores(t, form(PATHS.revokeToken, { ...BOX, token }), about)
      await ignores(
        t,
        form(PATHS.revokeToken, { ...TV, token: about === 'a refresh token of another client' ? 'x' : token }),
        `${about}, a public client`
      )
    }
    for (const token of [good, box.refresh_token, rotated.refresh_token]) {
      for (const client of [LAMP, TV, API, ONCE, { client_id: 'cli' }] as Parameters[]) {
        for (const token_type_hint of ['', 'refresh_token', 'access_token', CANARY]) {
          const request = form(PATHS.revokeToken, { ...client, token, token_type_hint })
          await ignores(t, request, `good, but not of ${client.client_id}`)
        }
      }
    }
  })

  const info = (headers: Parameters, more: InjectOptions = {}): InjectOptions[] =>
    (['GET', 'POST'] as const).map((method) => ({ method, url: PATHS.userinfo, headers, ...more }))

  t.test('401 invalid_token at userinfo', async (t) => {
    for (const [about, token] of Object.entries({ ...tokens, ...refreshTokens, refresh: box.refresh_token })) {
      for (const request of info({ authorization: `Bearer ${token}` })) {
        await refuses(t, request, BAD_TOKEN, `${about}, ${request.method}`)
      }
    }
    const odd = ['undefined', '[object', '""', 'x,y', `${good},${good}`, `"${good}"`, 'x'.repeat(9_000)]
    for (const text of odd) {
      for (const request of info({ authorization: `Bearer ${text}` })) {
        await refuses(t, request, BAD_TOKEN, `${text.slice(0, 20)}, ${request.method}`)
      }
    }
  })

  t.test('401 without an error to whoever brings no token, or not in the Authorization header', async (t) => {
    for (const request of info({})) await refuses(t, request, NO_TOKEN, `nothing, ${request.method}`)
    for (const authorization of [
      '',
      'Bearer',
      'Bearer    ',
      good,
      `Basic ${good}`,
      basic('box', BOX_SECRET),
      `DPoP ${good}`,
      `Token ${CANARY}`,
      `Bearer:${good}`,
      `Bearer=${good}`,
      `Bearer\u00a0${good}`,
      `Bearer ${good}\u00a0`,
      `Bearer ${good} ${good}`,
      `Bearer ${good}, Bearer ${good}`
    ]) {
      for (const request of info({ authorization })) {
        await refuses(t, request, NO_TOKEN, `"${authorization.slice(0, 20)}", ${request.method}`)
      }
    }
    const url = `${PATHS.userinfo}?access_token=${good}`
    for (const request of info({ cookie: `access_token=${good}` }, { url })) {
      await refuses(t, request, NO_TOKEN, `in the query, ${request.method}`)
    }
    await refuses(t, form(PATHS.userinfo, { access_token: good }), NO_TOKEN, 'in a form')
    await refuses(t, json(PATHS.userinfo, { access_token: good }), NO_TOKEN, 'in JSON')
    await refuses(t, form(PATHS.userinfo, BOX), NO_TOKEN, 'a client')
  })

  t.test('403 insufficient_scope at userinfo without openid', async (t) => {
    const narrower = (await refresh(TV, tv.refresh_token, { scope: 'offline_access' })).body.access_token
    for (const token of [plain.access_token, narrower, forge(header, { ...claims, scope: 'openid2 OpenID' }, ours)]) {
      for (const request of info({ authorization: `Bearer ${token}` })) {
        await refuses(t, request, SMALL_SCOPE, `${request.method}`)
      }
    }
  })

  t.test('what was good is still good', async (t) => {
    t.ok(asked() >= 900, `${asked()} requests`)
    for (const request of info({ authorization: `bearer ${good}` })) {
      const answer = await askInVain(t, request, `${request.method}`)
      t.strictSame(answer.json(), { sub: 'ann' }, `${request.method}`)
    }
    for (const token of [good, box.refresh_token]) {
      const answer = await askInVain(t, form(PATHS.introspectToken, { ...BOX, token }), 'introspected')
      t.equal(answer.json().active, true)
    }
    await decide(pending.user_code, 'ann')
    t.equal((await redeem(LAMP, pending.device_code)).status, 200)
    // A valid revocation succeeds, which shows that the refused ones failed for their own reason.
    const right = await app.inject(form(PATHS.revokeToken, { ...BOX, token: good }))
    t.strictSame([right.statusCode, right.body], [200, ''])
    await ignores(t, form(PATHS.introspectToken, { ...BOX, token: good }), 'revoked by its own client')
    await ignores(t, form(PATHS.introspectToken, { ...BOX, token: box.refresh_token }), 'its refresh token as well')
  })
})
