/**
 * Session JWTs of a dashboard name the user. They are verified by a secret or by the keys that the dashboard publishes.
 */
import { createHmac, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { refused } from '../routes/expectations.js'
import { startApp } from '../support/app.js'
import { freePort } from '../support/ports.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'

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

async function newSigner(alg: string, kid = `key-${alg}`): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  return { alg, kid, jwk, privateKey, spki: await exportSPKI(publicKey) }
}

const sessionBy = (
  { alg, kid, privateKey }: Signer,
  { claims = {}, header = {}, expires = '10m' as string | number } = {}
): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg, kid, ...header })
    .setSubject('ann')
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(privateKey)

/** Starts a key server with an answer that the test chooses. It counts requests. */
async function keyServer(t: Test, ...signers: Signer[]) {
  const state = {
    fetched: 0,
    status: 200,
    body: JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }),
    publish: (...next: Signer[]) => {
      state.body = JSON.stringify({ keys: next.map(({ jwk }) => jwk) })
    }
  }
  const server = createServer((_request, response) => {
    state.fetched += 1
    response.writeHead(state.status, { 'content-type': 'application/json' }).end(state.body)
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

/** Moves Date.now for the rest of the test, because the JWT library reads it. */
function turnableDate(t: Test): (ms: number) => void {
  const realNow = Date.now
  let offsetMs = 0
  t.teardown(() => {
    Date.now = realNow
  })
  Date.now = () => realNow() + offsetMs
  return (ms) => {
    offsetMs += ms
  }
}

const withKeys = (url: string) => ({ ...quick, DASHBOARD_JWT_SECRET: '', DASHBOARD_JWKS_URL: url })
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
    for (const alg of ['RS256', 'ES256', 'EdDSA', 'PS256']) {
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

  t.test('401 from the second it expires', async (t) => {
    const token = await sessionOf('ann', { expires: Math.floor(clock() / 1000) + 10 })
    clock.advance(9_000)
    t.equal((await ask(token)).status, 200)
    clock.advance(1_000)
    refused(t, await ask(token), 401, INVALID)
  })
})

t.test('issuer and audience are enforced where they are configured', async (t) => {
  for (const mode of ['secret', 'keys']) {
    t.test(mode, async (t) => {
      const signer = await newSigner('ES256')
      const { url } = await keyServer(t, signer)
      const variables = mode === 'secret' ? quick : withKeys(url)
      const expected = { DASHBOARD_JWT_ISSUER: ISSUER, DASHBOARD_JWT_AUDIENCE: AUDIENCE }
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
        const token = mode === 'secret' ? await sessionOf('ann', { claims }) : await sessionBy(signer, { claims })
        t.equal((await call('GET', '/auth/clients', { token })).status, status, JSON.stringify(claims))
      }
    })
  }
})

t.test('DASHBOARD_JWKS_URL', async (t) => {
  const signers = await Promise.all(['RS256', 'ES256', 'EdDSA'].map((alg) => newSigner(alg)))

  t.test('200 all three algorithms, with the keys fetched once', async (t) => {
    const { url, state } = await keyServer(t, ...signers)
    const { call } = await startApp(t, withKeys(url))
    t.equal(state.fetched, 0, 'not before they are needed')
    const tokens = await Promise.all(Array.from({ length: 30 }, (_, i) => sessionBy(signers[i % 3] as Signer)))
    const answers = await Promise.all(tokens.map((token) => call('GET', '/auth/clients', { token })))
    t.ok(answers.every(({ status }) => status === 200))
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
    const turn = turnableDate(t)
    const [first, second] = [await newSigner('ES256', 'first'), await newSigner('ES256', 'second')]
    const { url, state } = await keyServer(t, first)
    const { call, clock } = await startApp(t, withKeys(url))
    const ask = async (signer: Signer) =>
      call('GET', '/auth/clients', { token: await sessionBy(signer, { expires: '1d' }) })
    const wait = (ms: number) => {
      turn(ms)
      clock.advance(ms)
    }
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
    const { call } = await startApp(t, withKeys(url))
    const token = await sessionBy(signers[1] as Signer)
    const away = async (about: string) => {
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
    t.equal((await call('GET', '/auth/clients', { token })).status, 200, 'back at once')
    await stop()
    t.equal((await call('GET', '/auth/clients', { token })).status, 200, 'what is known is known')
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
    t.equal((await ask(await sessionBy(signers[0] as Signer))).status, 200)
    const payload = b64({ sub: 'ann', exp: inTenMinutes() })
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

  t.test('401 sessions without sub or exp, or past it', async (t) => {
    const { url } = await keyServer(t, ...signers)
    const { call } = await startApp(t, withKeys(url))
    const [signer] = signers as [Signer]
    const sign = (build: (jwt: SignJWT) => SignJWT) =>
      build(new SignJWT({}).setProtectedHeader({ alg: signer.alg, kid: signer.kid })).sign(
        signer.privateKey as KeyObject
      )
    const past = Math.floor(Date.now() / 1000) - 1
    for (const [about, token] of [
      ['no sub', await sign((jwt) => jwt.setExpirationTime('5m'))],
      ['no exp', await sign((jwt) => jwt.setSubject('ann'))],
      ['past', await sign((jwt) => jwt.setSubject('ann').setExpirationTime(past))],
      ['not yet', await sign((jwt) => jwt.setSubject('ann').setExpirationTime('9m').setNotBefore('5m'))],
      ['a long sub', await sign((jwt) => jwt.setSubject('x'.repeat(256)).setExpirationTime('5m'))]
    ] as const) {
      refused(t, await call('GET', '/auth/clients', { token }), 401, INVALID, about)
    }
  })
})
