/**
 * Session JWTs of a dashboard name the user. They are verified by a secret or by the keys that the dashboard publishes.
 */
import { createHmac, KeyObject, sign, type webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { refused } from '../routes/expectations.js'
import { startApp } from '../support/app.js'
import { forge } from '../support/forge.js'
import { freePort } from '../support/ports.js'
import { providersFile } from '../support/sign-in.js'
import { DASHBOARD_SECRET, respelt, sessionOf } from '../support/tokens.js'

const INVALID = 'The jwt is not valid.'
const ISSUER = 'https://dashboard.example.com'
const AUDIENCE = 'grantd'
const quick = { SIGNING_ALG: 'EdDSA', LIMITS: 'off' }

interface Signer {
  alg: string
  kid: string
  jwk: JWK
  privateKey: Parameters<SignJWT['sign']>[0]
  spki: string
}

interface SessionParts {
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  expires?: string | number
}

async function newSigner(alg: string, kid = `key-${alg}`): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  return { alg, kid, jwk, privateKey, spki: await exportSPKI(publicKey) }
}

/** Earlier than every clock of these tests, which stand still while real time goes on. */
const ISSUED_AT = Math.floor(Date.now() / 1000)

/** Signs a session for ten minutes. An undefined claim or member of the header is left out. */
const sessionBy = (
  { alg, kid, privateKey }: Signer,
  { claims = {}, header = {}, expires = '10m' as string | number }: SessionParts = {}
): Promise<string> =>
  new SignJWT({ sub: 'ann', iss: ISSUER, aud: AUDIENCE, iat: ISSUED_AT, ...claims })
    .setProtectedHeader({ alg, kid, ...header } as JWTHeaderParameters)
    .setExpirationTime(expires)
    .sign(privateKey)

/** Starts a key server with an answer that the test chooses. It counts requests. */
async function keyServer(t: Test, ...signers: Signer[]) {
  const state = {
    fetched: 0,
    status: 200,
    body: JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }) as string | Buffer,
    headers: {} as Record<string, string>,
    /** The headers of the latest request. */
    asked: {} as IncomingHttpHeaders,
    publish: (...next: Signer[]) => {
      state.body = JSON.stringify({ keys: next.map(({ jwk }) => jwk) })
    }
  }
  const server = createServer((request, response) => {
    state.fetched += 1
    state.asked = request.headers
    response.writeHead(state.status, { 'content-type': 'application/json', ...state.headers }).end(state.body)
  }).listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  t.teardown(stop)
  return { url: `http://127.0.0.1:${port}/keys`, state, stop }
}

const expected = { DASHBOARD_JWT_ISSUER: ISSUER, DASHBOARD_JWT_AUDIENCE: AUDIENCE }
const withKeys = (url: string) => ({ ...quick, ...expected, DASHBOARD_JWT_SECRET: '', DASHBOARD_JWKS_URL: url })
const hs256 = (text: string, key: string | Buffer) => createHmac('sha256', key).update(text).digest('base64url')
const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const inTenMinutes = () => Math.floor(Date.now() / 1000) + 600

t.test('DASHBOARD_JWT_SECRET', async (t) => {
  const { call, clock } = await startApp(t, quick)
  const ask = (token: string) => call('GET', '/auth/clients', { token })

  t.test('200 HS256 under this secret', async (t) => {
    t.strictSame((await ask(await sessionOf('ann'))).body, { data: [] })
    t.equal((await ask(await sessionOf('ann', { claims: { iss: 'any', aud: ['one', 'two'], cid: 'x' } }))).status, 200)
  })

  t.test('401 nothing but HS256', async (t) => {
    for (const alg of ['HS384', 'HS512']) {
      const token = await new SignJWT({})
        .setProtectedHeader({ alg })
        .setSubject('ann')
        .setExpirationTime('5m')
        .sign(new TextEncoder().encode(DASHBOARD_SECRET))
      refused(t, await ask(token), 401, INVALID, alg)
    }
    for (const alg of ['RS256', 'ES256', 'EdDSA', 'Ed25519', 'PS256']) {
      refused(t, await ask(await sessionBy(await newSigner(alg))), 401, INVALID, alg)
    }
    refused(t, await ask(`${b64({ alg: 'none' })}.${b64({ sub: 'ann', exp: inTenMinutes() })}.`), 401, INVALID, 'none')
  })

  t.test('401 another secret, and what looks like this one', async (t) => {
    for (const secret of [
      `${DASHBOARD_SECRET} `,
      DASHBOARD_SECRET.toUpperCase(),
      DASHBOARD_SECRET.slice(1),
      'x'.repeat(40)
    ]) {
      refused(t, await ask(await sessionOf('ann', { secret })), 401, INVALID, secret)
    }
  })

  t.test('401 another spelling of the same bytes', async (t) => {
    for (const token of respelt(await sessionOf('ann'))) refused(t, await ask(token), 401, INVALID, token)
  })

  t.test('401 from the second it expires', async (t) => {
    const token = await sessionOf('ann', { expires: Math.floor(clock() / 1000) + 10 })
    clock.advance(9_000)
    t.equal((await ask(token)).status, 200)
    clock.advance(1_000)
    refused(t, await ask(token), 401, INVALID)
  })
})

t.test('a list of secrets, beside published keys, or none at all', async (t) => {
  const NEXT = 'the secret that the dashboard signs with next'

  t.test('200 each secret of the list, and 401 one that is in it no more', async (t) => {
    const { call } = await startApp(t, { ...quick, DASHBOARD_JWT_SECRET: `${DASHBOARD_SECRET}, ${NEXT}` })
    for (const secret of [DASHBOARD_SECRET, NEXT]) {
      t.equal((await call('GET', '/auth/clients', { token: await sessionOf('ann', { secret }) })).status, 200, secret)
    }
    const later = await startApp(t, { ...quick, DASHBOARD_JWT_SECRET: NEXT })
    refused(t, await later.call('GET', '/auth/clients', { token: await sessionOf('ann') }), 401, INVALID)
    const both = `${DASHBOARD_SECRET},${NEXT}`
    refused(t, await call('GET', '/auth/clients', { token: await sessionOf('ann', { secret: both }) }), 401, INVALID)
  })

  t.test('200 by a secret and by a published key, each for its own algorithms', async (t) => {
    const signer = await newSigner('ES256')
    const { url, state, stop } = await keyServer(t, signer)
    const both = { ...withKeys(url), DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
    const { call } = await startApp(t, both)
    const ask = (token: string) => call('GET', '/auth/clients', { token })
    const claims = { iss: ISSUER, aud: AUDIENCE }
    t.equal((await ask(await sessionOf('ann', { claims }))).status, 200)
    t.equal(state.fetched, 0, 'a secret needs no key')
    t.equal((await ask(await sessionBy(signer))).status, 200)
    refused(t, await ask(await sessionOf('ann')), 401, INVALID, 'issuer and audience hold for both')
    const secret = signer.spki
    refused(t, await ask(await sessionOf('ann', { claims, secret })), 401, INVALID, 'a public key is no secret')
    await stop()
    t.equal((await ask(await sessionOf('ann', { claims }))).status, 200, 'nor does it wait for one that is away')
  })

  t.test('401 every session where people sign in at providers and there is no dashboard', async (t) => {
    const provider = { id: 'acme', name: 'Acme', client_id: 'grantd', issuer: 'https://acme.example' }
    const variables = { ...quick, DASHBOARD_JWT_SECRET: '', PROVIDERS_FILE: providersFile(t, [provider]) }
    const { call } = await startApp(t, variables)
    const empty = await sessionOf('ann', { secret: ' ' })
    for (const token of [await sessionOf('ann'), empty, await sessionBy(await newSigner('ES256')), 'x.y.z', 'x']) {
      refused(t, await call('GET', '/auth/clients', { token }), 401, INVALID)
    }
    refused(t, await call('GET', '/auth/clients'), 401, 'No jwt provided!')
  })
})

t.test('issuer and audience are enforced where they are configured', async (t) => {
  for (const mode of ['secret', 'keys']) {
    t.test(mode, async (t) => {
      const signer = await newSigner('ES256')
      const { url } = await keyServer(t, signer)
      const variables = mode === 'secret' ? quick : withKeys(url)
      const { call } = await startApp(t, { ...variables, ...expected })
      const rows: [claims: Record<string, unknown>, status: number][] = [
        [{ iss: ISSUER, aud: AUDIENCE }, 200],
        [{ iss: ISSUER, aud: ['other', AUDIENCE] }, 200],
        [{ aud: AUDIENCE }, 401],
        [{ iss: ISSUER }, 401],
        [{}, 401],
        [{ iss: `${ISSUER}/`, aud: AUDIENCE }, 401],
        [{ iss: ISSUER.toUpperCase(), aud: AUDIENCE }, 401],
        [{ iss: ISSUER, aud: 'other' }, 401],
        [{ iss: ISSUER, aud: [] }, 401],
        [{ iss: ISSUER, aud: `${AUDIENCE} ` }, 401]
      ]
      for (const [claims, status] of rows) {
        const none = { iss: undefined, aud: undefined }
        const token =
          mode === 'secret'
            ? await sessionOf('ann', { claims })
            : await sessionBy(signer, { claims: { ...none, ...claims } })
        t.equal((await call('GET', '/auth/clients', { token })).status, status, JSON.stringify(claims))
      }
    })
  }
})

t.test('DASHBOARD_JWKS_URL', async (t) => {
  const signers = await Promise.all(['RS256', 'ES256', 'EdDSA', 'Ed25519'].map((alg) => newSigner(alg)))

  t.test('200 all algorithms, with the keys fetched once', async (t) => {
    const { url, state } = await keyServer(t, ...signers)
    const { call } = await startApp(t, withKeys(url))
    t.equal(state.fetched, 0, 'not before they are needed')
    const tokens = await Promise.all(Array.from({ length: 32 }, (_, i) => sessionBy(signers[i % 4] as Signer)))
    const answers = await Promise.all(tokens.map((token) => call('GET', '/auth/clients', { token })))
    for (const [i, { status }] of answers.entries()) t.equal(status, 200, (signers[i % 4] as Signer).alg)
    for (const token of tokens) await call('GET', '/auth/clients', { token })
    t.equal(state.fetched, 1)
  })

  t.test('the whole way with a session of this kind', async (t) => {
    const { url } = await keyServer(t, ...signers)
    const { call, start, poll } = await startApp(t, withKeys(url))
    const token = await sessionBy(signers[0] as Signer)
    const { user_code, grant_code } = await start()
    t.equal((await call('GET', `/auth/grant/peek?user_code=${user_code}`, { token })).status, 200)
    t.equal((await call('POST', '/auth/grant/approve', { token, body: { user_code, action: 'approve' } })).status, 200)
    const { jwt } = (await poll(grant_code)).body
    t.equal((await call('GET', '/auth/clients', { token: jwt })).body.data.length, 1)
  })

  t.test('an unknown kid fetches again, at most once a minute', async (t) => {
    const [first, second] = [await newSigner('ES256', 'first'), await newSigner('ES256', 'second')]
    const { url, state } = await keyServer(t, first)
    const { call, clock } = await startApp(t, withKeys(url))
    const ask = async (signer: Signer) =>
      call('GET', '/auth/clients', { token: await sessionBy(signer, { expires: '23h' }) })
    const wait = clock.advance
    t.equal((await ask(first)).status, 200)
    state.publish(first, second)
    wait(59_000)
    for (let i = 0; i < 20; i++) refused(t, await ask(second), 401, INVALID)
    t.equal(state.fetched, 1, 'not within a minute of the last time')
    wait(2_000)
    t.equal((await ask(second)).status, 200)
    t.equal(state.fetched, 2)
    const stranger = await newSigner('ES256', 'stranger')
    for (let minute = 1; minute <= 3; minute++) {
      wait(61_000)
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(stranger)))
      for (const answer of answers) refused(t, answer, 401, INVALID)
      t.equal(state.fetched, 2 + minute, `minute ${minute}`)
    }
    wait(61_000)
    state.publish(second)
    wait(600_000)
    refused(t, await ask(first), 401, INVALID, 'a key that was taken away')
    t.equal((await ask(second)).status, 200)
  })

  t.test('503 with Retry-After while the keys cannot be had, and never 401', async (t) => {
    const { url, state, stop } = await keyServer(t, ...signers)
    const { call, clock } = await startApp(t, withKeys(url))
    const known = await sessionBy(signers[1] as Signer)
    const away = async (about: string, token = known) => {
      const answer = await call('GET', '/auth/clients', { token })
      refused(t, answer, 503, 'Service Unavailable. Please try again.', about)
      t.match(answer.headers['retry-after'], /^[1-9]\d*$/, about)
    }
    for (const status of [500, 404, 302, 204]) {
      state.status = status
      await away(`status ${status}`)
    }
    state.status = 200
    for (const body of ['', '<html>', '{}', '[]', 'null', '{"keys":{}}', '{"keys":[1]}']) {
      state.body = body
      await away(`body ${body}`)
    }
    state.publish(...signers)
    t.equal((await call('GET', '/auth/clients', { token: known })).status, 200, 'back at once')
    await stop()
    clock.advance(61_000)
    const unknown = await sessionBy(await newSigner('ES256', 'another'))
    for (let i = 0; i < 2; i++) await away('whether there is such a key by now, nobody knows', unknown)
    t.equal((await call('GET', '/auth/clients', { token: known })).status, 200, 'what is known is known')
    refused(t, await call('GET', '/auth/clients', { token: 'x.y.z' }), 401, INVALID, 'no JWT at all')
  })

  t.test('503 when nobody listens there, and the rest goes on', async (t) => {
    const { url, stop } = await keyServer(t, ...signers)
    await stop()
    const { call, start, poll } = await startApp(t, withKeys(url))
    const token = await sessionBy(signers[1] as Signer)
    const answer = await call('GET', '/auth/clients', { token })
    refused(t, answer, 503, 'Service Unavailable. Please try again.')
    t.ok(answer.headers['retry-after'])
    t.equal((await poll((await start()).grant_code)).body.status, 'authorization_pending')
    t.equal((await call('GET', '/readyz')).status, 200)
  })

  t.test('401 every confusion of algorithms and keys', async (t) => {
    const { url, state } = await keyServer(t, ...signers)
    const { call } = await startApp(t, withKeys(url))
    const ask = (token: string) => call('GET', '/auth/clients', { token })
    const good = await sessionBy(signers[0] as Signer)
    t.equal((await ask(good)).status, 200)
    for (const token of respelt(good)) refused(t, await ask(token), 401, INVALID, 'another spelling')
    const payload = b64({ sub: 'ann', iss: ISSUER, aud: AUDIENCE, exp: inTenMinutes() })
    for (const { jwk, kid, spki } of signers) {
      const der = Buffer.from(spki.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
      const keys = [
        spki,
        spki.trim(),
        `\n${spki}`,
        ` ${spki}`,
        JSON.stringify(jwk),
        der,
        der.toString('base64'),
        '',
        kid,
        DASHBOARD_SECRET
      ]
      for (const key of keys) {
        for (const header of [{ alg: 'HS256', kid }, { alg: 'HS256' }]) {
          const text = `${b64(header)}.${payload}`
          refused(t, await ask(`${text}.${hs256(text, key)}`), 401, INVALID, `HS256 over ${String(key).slice(0, 12)}`)
        }
      }
      for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
        refused(t, await ask(`${b64({ alg, kid })}.${payload}.`), 401, INVALID, alg)
      }
    }
    for (const one of signers) {
      for (const other of signers) {
        if (one === other) continue
        const token = await sessionBy(one, { header: { kid: other.kid } })
        refused(t, await ask(token), 401, INVALID, `${one.alg} under the name of ${other.alg}`)
      }
    }
    const stranger = await newSigner('ES256')
    refused(t, await ask(await sessionBy(stranger)), 401, INVALID, 'another key of the same name')
    const own = { jwk: stranger.jwk, jku: url, x5u: url }
    refused(
      t,
      await ask(await sessionBy(stranger, { header: { ...own, kid: 'own' } })),
      401,
      INVALID,
      'a key brought along'
    )
    for (const kid of ['', '__proto__', 'constructor', 'x'.repeat(5_000)]) {
      refused(t, await ask(await sessionBy(stranger, { header: { kid } })), 401, INVALID, `kid ${kid.slice(0, 12)}`)
    }
    const strong = await newSigner('RS512', 'strong')
    state.publish(...signers, strong)
    refused(t, await ask(await sessionBy(strong)), 401, INVALID, 'an algorithm that is not on the list')
    refused(t, await ask(await sessionOf('ann')), 401, INVALID, 'a session of the other kind')
    t.ok(state.fetched <= 2, `${state.fetched} fetches`)
  })

  t.test('a session says that it is one, for here and for now', async (t) => {
    const { url } = await keyServer(t, ...signers)
    const { call, clock } = await startApp(t, withKeys(url))
    const [signer] = signers as [Signer]
    const now = Math.floor(clock() / 1000)
    const day = 86_400
    const bySigner = (text: Buffer) => sign('sha256', text, KeyObject.from(signer.privateKey as webcrypto.CryptoKey))
    type Row = [why: string, parts: SessionParts, status: number]
    const typed = (status: number, ...typs: unknown[]): Row[] =>
      typs.map((typ) => [`typ ${JSON.stringify(typ)}`, { header: { typ } }, status])
    const rows: Row[] = [
      ['as it is', {}, 200],
      // RFC 7515 §4.1.9: upper and lower case are one, and "application/" may be left out.
      ...typed(200, undefined, 'JWT', 'jwt', 'Jwt', 'application/jwt', 'application/JWT'),
      // RFC 9068 §2.1, OpenID Connect Back-Channel Logout 1.0 §2.4, RFC 8417 §2.3, RFC 9449 §4.2, and others like them.
      ...typed(401, 'at+jwt', 'AT+JWT', 'application/at+jwt', 'logout+jwt', 'secevent+jwt', 'application/secevent+jwt'),
      ...typed(
        401,
        'dpop+jwt',
        'oauth-authz-req+jwt',
        'token-introspection+jwt',
        'client-authentication+jwt',
        'kb+jwt'
      ),
      ...typed(401, '', ' JWT', 'JWT ', 'JOSE', 'text/jwt', 'application/', 'xjwt', 'jwt+x', 7, null, ['JWT'], {}),
      [
        'a logout token of type JWT',
        { claims: { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } } },
        401
      ],
      ['an ID token for another application', { claims: { aud: 'shop' } }, 401],
      ['a token of a neighbour', { claims: { iss: 'https://shop.example.com' } }, 401],
      ['no sub', { claims: { sub: undefined } }, 401],
      ['a long sub', { claims: { sub: 'x'.repeat(256) } }, 401],
      ['an end 29 s ago', { expires: now - 29 }, 200],
      ['an end 30 s ago', { expires: now - 30 }, 401],
      ['an end in a day', { expires: now + day + 30 }, 200],
      ['an end in more than a day', { expires: now + day + 31 }, 401],
      ['an end in ten years', { expires: now + 3_650 * day }, 401],
      ['an end that is a text', { claims: { exp: `${now + 60}` } }, 401],
      ['a beginning in 5 s', { claims: { nbf: now + 5 } }, 200],
      ['a beginning in 30 s', { claims: { nbf: now + 30 } }, 200],
      ['a beginning in 31 s', { claims: { nbf: now + 31 } }, 401],
      ['issued in 30 s', { claims: { iat: now + 30 } }, 200],
      ['issued in 31 s', { claims: { iat: now + 31 } }, 401],
      ['issued in milliseconds', { claims: { iat: now * 1_000 } }, 401],
      ['issued as a text', { claims: { iat: `${now}` } }, 401],
      ['issued long ago', { claims: { iat: now - 3 * day } }, 200],
      ['not saying when it was issued', { claims: { iat: undefined } }, 200]
    ]
    for (const [why, { expires = now + 600, ...parts }, status] of rows) {
      const claims = { exp: expires, ...parts.claims }
      const token = forge(
        { alg: signer.alg, kid: signer.kid, ...parts.header },
        { sub: 'ann', iss: ISSUER, aud: AUDIENCE, iat: now, ...claims },
        bySigner
      )
      const answer = await call('GET', '/auth/clients', { token })
      if (status === 200) t.equal(answer.status, 200, why)
      else refused(t, answer, status, INVALID, why)
    }
    const forever = `${JSON.stringify({ sub: 'ann', iss: ISSUER, aud: AUDIENCE }).slice(0, -1)},"exp":1e999}`
    const endless = forge({ alg: signer.alg, kid: signer.kid }, forever, bySigner)
    refused(t, await call('GET', '/auth/clients', { token: endless }), 401, INVALID, 'an end beyond all numbers')
    const noEnd = forge({ alg: signer.alg, kid: signer.kid }, { sub: 'ann', iss: ISSUER, aud: AUDIENCE }, bySigner)
    refused(t, await call('GET', '/auth/clients', { token: noEnd }), 401, INVALID, 'no end')
  })

  t.test('DASHBOARD_JWT_TTL_SECONDS says how far ahead exp may be', async (t) => {
    const { url } = await keyServer(t, ...signers)
    const { call, clock } = await startApp(t, { ...withKeys(url), DASHBOARD_JWT_TTL_SECONDS: '604800' })
    const now = Math.floor(clock() / 1000)
    for (const [ahead, status] of [
      [604_830, 200],
      [604_831, 401]
    ] as const) {
      const token = await sessionBy(signers[1] as Signer, { expires: now + ahead })
      t.equal((await call('GET', '/auth/clients', { token })).status, status, `${ahead} s`)
    }
  })

  t.test('keys are tried one after the other, and asked for again when none verifies', async (t) => {
    const [one, two] = [await newSigner('ES256', 'one'), await newSigner('ES256', 'one')]
    const nameless = (signer: Signer): Signer => {
      const { kid: _, ...jwk } = signer.jwk
      return { ...signer, jwk }
    }
    const rows: [why: string, before: Signer[], after: Signer[], tokenKid: string | undefined][] = [
      ['the same kid', [one], [two], 'one'],
      ['two keys of one kid', [one], [one, two], 'one'],
      ['a kid on the keys alone', [one], [one, two], undefined],
      ['a kid in the token alone', [nameless(one)], [nameless(one), nameless(two)], 'one'],
      ['no kid at all', [nameless(one)], [nameless(two)], undefined]
    ]
    for (const [why, before, after, kid] of rows) {
      const { url, state } = await keyServer(t, ...before)
      const { call, clock } = await startApp(t, withKeys(url))
      const ask = async (signer: Signer) =>
        call('GET', '/auth/clients', { token: await sessionBy(signer, { header: { kid }, expires: '23h' }) })
      t.equal((await ask(one)).status, 200, `${why}: the first`)
      state.publish(...after)
      for (let i = 0; i < 5; i++) refused(t, await ask(two), 401, INVALID, `${why}: within the minute`)
      t.equal(state.fetched, 1)
      clock.advance(60_000)
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(two)))
      t.ok(
        answers.every(({ status }) => status === 200),
        `${why}: after it`
      )
      t.equal((await ask(one)).status, after.some(({ privateKey }) => privateKey === one.privateKey) ? 200 : 401, why)
      t.equal(state.fetched, 2, 'asked once more')
    }
  })

  t.test('what stands around a good key, or over the answer, is no matter', async (t) => {
    const [rsa] = signers as [Signer]
    const set = JSON.stringify({ keys: [null, 7, {}, { kty: 'RSA', kid: rsa.kid }, rsa.jwk] })
    const rows: [why: string, body: string | Buffer, headers: Record<string, string>][] = [
      ['strange keys', set, {}],
      ['a byte order mark', `\ufeff${set}`, {}],
      ['gzip', gzipSync(set), { 'content-encoding': 'gzip' }]
    ]
    for (const [why, body, headers] of rows) {
      const { url, state } = await keyServer(t)
      Object.assign(state, { body, headers })
      const { call } = await startApp(t, withKeys(url))
      t.equal((await call('GET', '/auth/clients', { token: await sessionBy(rsa) })).status, 200, why)
      t.strictSame(
        [state.asked.accept, state.asked['accept-encoding']],
        ['application/jwk-set+json, application/json', 'identity']
      )
    }
  })

  t.test('a session of 200 groups, up to 16 KiB', async (t) => {
    const { url } = await keyServer(t, ...signers)
    const { app, call } = await startApp(t, withKeys(url))
    const port = await freePort()
    await app.listen({ port, host: '127.0.0.1' })
    const [signer] = signers as [Signer]
    const groups = Array.from({ length: 200 }, (_, i) => `${i}`.padStart(8, '0').concat('-0000-4000-8000-000000000000'))
    const many = await sessionBy(signer, { claims: { groups } })
    t.ok(many.length > 10_000, `${many.length} characters`)
    const { length } = await sessionBy(signer, { claims: { groups, pad: '' } })
    const longest = await sessionBy(signer, {
      claims: { groups, pad: 'x'.repeat(Math.floor(((16_384 - length) * 3) / 4) - 2) }
    })
    t.ok(longest.length <= 16_384 && longest.length > 16_374, `${longest.length} characters`)
    for (const token of [many, longest]) {
      const headers = { authorization: `Bearer ${token}` }
      t.equal((await fetch(`http://127.0.0.1:${port}/api/v0/auth/clients`, { headers })).status, 200, 'over a socket')
    }
    const tooLong = await sessionBy(signer, { claims: { groups, pad: 'x'.repeat(9_000) } })
    refused(t, await call('GET', '/auth/clients', { token: tooLong }), 401, INVALID, 'more than 16 KiB')
  })
})
