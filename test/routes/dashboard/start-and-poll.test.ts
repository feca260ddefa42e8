/** POST /auth/grant/code starts a grant, and POST /auth/grant/token polls it. */
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { startApp } from '../../support/app.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const START = '/auth/grant/code'
const POLL = '/auth/grant/token'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const LIMITS: Record<string, number> = { name: 255, version: 64, hostname: 255, os: 64 }
const TYPES = ['cli', 'mcp', 'demo', 'ide-plugin', 'other']

t.test('200 start', async (t) => {
  const { app, clock, call, start, poll } = await startApp(t, {
    LIMITS: 'off',
    VERIFICATION_URI: 'https://app.example.com/activate'
  })
  const peek = (user_code: string) => call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann' })

  t.test('200 answers with exactly the six fields, and is not to be kept', async (t) => {
    const answer = await call('POST', START, { body: { client_type: 'cli' } })
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    const { grant_code, user_code, ...rest } = answer.body
    t.match(grant_code, /^[A-Za-z0-9_-]{43}$/, '256 bits as base64url')
    t.match(user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    t.strictSame(rest, {
      verification_uri: 'https://app.example.com/activate',
      verification_uri_complete: `https://app.example.com/activate?code=${user_code}`,
      expires_in: 900,
      interval: 5
    })
  })

  for (const client_type of TYPES) {
    t.test(`200 client_type ${client_type}`, async (t) => {
      const { status, body } = await call('POST', START, { body: { client_type } })
      t.equal(status, 200)
      t.equal((await peek(body.user_code)).body.client_type, client_type)
    })
  }

  t.test('200 null is the same as nothing, for client_metadata and its members', async (t) => {
    const members = Object.fromEntries(Object.keys(LIMITS).map((field) => [field, null]))
    for (const client_metadata of [null, members, { ...members, other: null }]) {
      const { status, body } = await call('POST', START, { body: { client_type: 'cli', client_metadata } })
      t.equal(status, 200)
      t.strictSame((await peek(body.user_code)).body, { client_type: 'cli', client_metadata: {} })
    }
    const client_metadata = { ...members, name: 'acme', version: '' }
    const { body } = await call('POST', START, { body: { client_type: 'cli', client_metadata } })
    t.strictSame((await peek(body.user_code)).body.client_metadata, { name: 'acme', version: '' })
  })

  for (const [field, limit] of Object.entries(LIMITS)) {
    t.test(`200 client_metadata.${field} of 0, 1 and ${limit} characters, of any kind`, async (t) => {
      for (const text of ['', 'x', 'x'.repeat(limit), '😀'.repeat(limit), 'ü\u0000\u202e\n"\\<b>']) {
        const { status, body } = await call('POST', START, {
          body: { client_type: 'cli', client_metadata: { [field]: text } }
        })
        t.equal(status, 200, `${text.length}`)
        t.strictSame((await peek(body.user_code)).body.client_metadata, { [field]: text })
      }
    })
  }

  t.test('200 other keys are accepted and dropped', async (t) => {
    const { status, body } = await call('POST', START, {
      body: {
        client_type: 'cli',
        client_metadata: { name: 'acme', extra: { deep: [1] }, toString: 'x', arch: 'x'.repeat(5000) },
        user_code: 'BBBB-BBBB',
        grant_code: 'chosen',
        verification_uri: 'https://evil.example'
      }
    })
    t.equal(status, 200)
    t.not(body.user_code, 'BBBB-BBBB')
    t.not(body.grant_code, 'chosen')
    t.equal(body.verification_uri, 'https://app.example.com/activate')
    t.strictSame((await peek(body.user_code)).body, { client_type: 'cli', client_metadata: { name: 'acme' } })
  })

  t.test('200 is public: no token is looked at', async (t) => {
    for (const authorization of ['Bearer x', 'Basic eDp5', 'Bearer', '']) {
      const { status } = await call('POST', START, { body: { client_type: 'cli' }, headers: { authorization } })
      t.equal(status, 200, authorization)
    }
  })

  t.test('200 every grant has codes of its own', async (t) => {
    const grants = await Promise.all(Array.from({ length: 300 }, () => start()))
    t.equal(new Set(grants.map(({ grant_code }) => grant_code)).size, 300)
    t.equal(new Set(grants.map(({ user_code }) => user_code)).size, 300)
  })

  t.test('200 names the configured page, whatever Host says', async (t) => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'javascript' }
    const { body } = await call('POST', START, { body: { client_type: 'cli' }, headers })
    t.equal(body.verification_uri, 'https://app.example.com/activate')
  })

  t.test('200 charset and spelling of the content type do not matter', async (t) => {
    const types = [
      'application/json; charset=utf-8',
      'APPLICATION/JSON',
      'application/json;charset=UTF-8',
      'application/json ;'
    ]
    for (const type of types) {
      const headers = { 'content-type': type }
      const { statusCode } = await app.inject({
        method: 'POST',
        url: `/api/v0${START}`,
        headers,
        payload: '{"client_type":"cli"}'
      })
      t.equal(statusCode, 200, type)
    }
  })

  t.test('200 both codes live for fifteen minutes, to the millisecond', async (t) => {
    const { grant_code, user_code } = await start()
    const token = await sessionOf('ann', { expires: '1d' })
    const look = async () => (await call('GET', `/auth/grant/peek?user_code=${user_code}`, { token })).status
    clock.advance(900_000 - 1)
    t.equal(await look(), 200)
    t.strictSame((await poll(grant_code)).body, { status: 'authorization_pending' })
    clock.advance(1)
    t.equal(await look(), 404)
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
  })
})

t.test('200 life and pace are configured', async (t) => {
  const { call, clock, poll } = await startApp(t, {
    GRANT_TTL_SECONDS: '60',
    POLL_INTERVAL_SECONDS: '1',
    PUBLIC_URL: 'https://grants.example.com/'
  })
  const { body } = await call('POST', START, { body: { client_type: 'mcp', client_metadata: {} } })
  t.equal(body.expires_in, 60)
  t.equal(body.interval, 1)
  t.equal(body.verification_uri, 'https://grants.example.com/device')
  clock.advance(60_000)
  t.strictSame((await poll(body.grant_code)).body, { status: 'expired_token' })
})

t.test('4xx start', async (t) => {
  const { app, call } = await startApp(t, { LIMITS: 'off' })
  const send = (payload: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    app.inject({ method: 'POST', url: `/api/v0${START}`, headers, payload })

  t.test('400 client_type must be one of the five', async (t) => {
    refused(t, await call('POST', START, { body: {} }), 400, 'client_type is missing.')
    for (const client_type of [null, '', 'CLI', ' cli', 'cli\u0000', 'device', 5, true, ['cli'], {}]) {
      const answer = await call('POST', START, { body: { client_type } })
      refused(t, answer, 400, /^client_type /, JSON.stringify(client_type))
    }
  })

  t.test('400 client_metadata must be an object', async (t) => {
    for (const client_metadata of ['x', 5, true, ['x']]) {
      const answer = await call('POST', START, { body: { client_type: 'cli', client_metadata } })
      refused(t, answer, 400, /^client_metadata must be object/, JSON.stringify(client_metadata))
    }
  })

  for (const [field, limit] of Object.entries(LIMITS)) {
    t.test(`400 client_metadata.${field} is no text, or longer than ${limit}`, async (t) => {
      for (const value of ['x'.repeat(limit + 1), '😀'.repeat(limit + 1), 5, false, ['x'], { a: 1 }]) {
        const answer = await call('POST', START, { body: { client_type: 'cli', client_metadata: { [field]: value } } })
        refused(t, answer, 400, new RegExp(`^client_metadata\\.${field} must `), typeof value)
      }
    })
  }

  t.test('400 the body must be an object', async (t) => {
    for (const payload of ['', 'null', '[]', '"cli"', '5', 'true', '{', '{"client_type":"cli"} x', "{'a':1}"]) {
      const answer = await send(payload)
      refused(t, { status: answer.statusCode, body: answer.json(), headers: answer.headers }, 400, undefined, payload)
    }
  })

  t.test('413 at 16 KiB and one byte, 200 at 16 KiB', async (t) => {
    const frame = '{"client_type":"cli","padding":""}'
    const fitting = frame.replace('""', `"${'x'.repeat(16_384 - frame.length)}"`)
    t.equal(fitting.length, 16_384)
    t.equal((await send(fitting)).statusCode, 200)
    const answer = await send(`${fitting} `)
    refused(
      t,
      { status: answer.statusCode, body: answer.json(), headers: answer.headers },
      413,
      'The body is too large.'
    )
  })

  t.test('415 anything but application/json', async (t) => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonx',
      'text/json',
      'multipart/form-data; boundary=x'
    ]) {
      const answer = await send('{"client_type":"cli"}', { 'content-type': type })
      const sentence = 'The body must be application/json.'
      refused(t, { status: answer.statusCode, body: answer.json(), headers: answer.headers }, 415, sentence, type)
    }
  })
})

t.test('429 the 31st start of a minute from one address', async (t) => {
  const { call, clock } = await startApp(t)
  const begin = () => call('POST', START, { body: { client_type: 'cli' } })
  for (let i = 0; i < 30; i++) t.equal((await begin()).status, 200)
  clock.advance(1_000)
  const answer = await begin()
  refused(t, answer, 429, 'Too many requests. Please try again later.')
  t.equal(answer.headers['retry-after'], '59')
  clock.advance(59_000)
  t.equal((await begin()).status, 200)
})

t.test('200 authorization_pending has a status and nothing else', async (t) => {
  const { start, poll } = await startApp(t)
  const answer = await poll((await start()).grant_code)
  t.equal(answer.status, 200)
  apiHeaders(t, answer)
  t.notOk('retry-after' in answer.headers)
  t.strictSame(answer.body, { status: 'authorization_pending' })
})

t.test('200 slow_down', async (t) => {
  const { clock, start, poll, call } = await startApp(t)

  t.test('200 slow_down names the new pace, in the body and as Retry-After', async (t) => {
    const { grant_code } = await start()
    for (let i = 0; i < 2; i++) await poll(grant_code)
    for (const interval of [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60, 60]) {
      const answer = await poll(grant_code)
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
      t.strictSame(answer.body, { status: 'slow_down', interval })
      t.equal(answer.headers['retry-after'], `${interval}`)
    }
  })

  t.test('200 the interval never shrinks, and keeping to it is enough', async (t) => {
    const { grant_code } = await start()
    for (let i = 0; i < 2; i++) await poll(grant_code)
    t.equal((await poll(grant_code)).body.interval, 10)
    for (let i = 0; i < 5; i++) {
      clock.advance(10_000)
      t.strictSame((await poll(grant_code)).body, { status: 'authorization_pending' }, 'after 10 s')
    }
    clock.advance(5_000)
    t.strictSame((await poll(grant_code)).body, { status: 'slow_down', interval: 15 }, 'the first pace is gone')
  })

  t.test('200 a tenth early is in time, more is not', async (t) => {
    for (const [early, status] of [
      [500, 'authorization_pending'],
      [501, 'slow_down']
    ] as const) {
      const { grant_code } = await start()
      await poll(grant_code)
      clock.advance(5_000 - early)
      t.equal((await poll(grant_code)).body.status, status, `${early} ms early`)
    }
  })

  t.test('200 a refused poll starts the pause again', async (t) => {
    const { grant_code } = await start()
    await poll(grant_code)
    clock.advance(3_000)
    t.equal((await poll(grant_code)).body.status, 'slow_down')
    clock.advance(8_999)
    t.equal((await poll(grant_code)).body.status, 'slow_down')
  })

  t.test('200 the pace of one grant is no matter of another', async (t) => {
    const [one, two] = [await start(), await start()]
    await poll(one.grant_code)
    t.equal((await poll(two.grant_code)).body.status, 'authorization_pending')
  })

  t.test('200 a decision is heard at once, whatever the pace', async (t) => {
    const { grant_code, user_code } = await start()
    await poll(grant_code)
    await poll(grant_code)
    const body = { user_code, action: 'deny' }
    await call('POST', '/auth/grant/approve', { user: 'ann', body })
    t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
  })
})

t.test('200 approved', async (t) => {
  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    t.test(`200 the JWT is what it should be, signed with ${alg}`, async (t) => {
      const { clock, call, start, poll, decide } = await startApp(t, {
        SIGNING_ALG: alg,
        PUBLIC_URL: 'https://grants.example.com'
      })
      const { grant_code, user_code } = await start({ name: 'acme', hostname: 'build-7' })
      await decide(user_code, 'ann')
      const answer = await poll(grant_code)
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
      t.strictSame(Object.keys(answer.body).sort(), ['jwt', 'status', 'token_type'])
      t.equal(answer.body.status, 'approved')
      t.equal(answer.body.token_type, 'bearer')

      const { jwt } = answer.body
      const keys = (await call('GET', '/.well-known/jwks.json')).body
      const { payload, protectedHeader } = await jwtVerify(jwt, createLocalJWKSet(keys), {
        issuer: 'https://grants.example.com',
        audience: 'https://grants.example.com',
        typ: 'at+jwt',
        algorithms: [alg]
      })
      t.strictSame(protectedHeader, { alg, typ: 'at+jwt', kid: keys.keys[0].kid })
      const { iat = 0, exp = 0, cid, jti, ...rest } = payload
      for (const id of [jti, cid]) t.match(id, UUID)
      t.not(jti, cid, 'the token has a name of its own')
      t.strictSame(rest, {
        iss: 'https://grants.example.com',
        sub: 'ann',
        aud: 'https://grants.example.com',
        client_id: 'cli',
        client_type: 'cli',
        scope: ''
      })
      t.equal(iat, Math.floor(clock() / 1000))
      t.equal(exp - iat, 30 * 86_400, 'thirty days')
      const [client] = (await call('GET', '/auth/clients', { token: jwt })).body.data
      t.equal(client.id, cid, 'cid is the id of the authorized client')
    })
  }

  t.test('200 again within 30 s, the same authorization; then expired_token', async (t) => {
    const { clock, call, start, poll, decide } = await startApp(t, { SIGNING_ALG: 'EdDSA' })
    const { grant_code, user_code } = await start()
    await decide(user_code, 'ann')
    clock.advance(5_000)
    const { jti, ...first } = decodeJwt((await poll(grant_code)).body.jwt)
    const jtis = new Set([jti])
    for (const step of [0, 1, 14_999, 15_000]) {
      clock.advance(step)
      const { body } = await poll(grant_code)
      t.equal(body.status, 'approved', `+${step}`)
      const { jti, ...again } = decodeJwt(body.jwt)
      t.strictSame(again, first, 'the same claims')
      jtis.add(jti)
    }
    t.equal(jtis.size, 5, 'but for the jti, which each token has of its own')
    clock.advance(1)
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
    clock.advance(60_000)
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
    t.equal((await call('GET', '/auth/clients', { user: 'ann' })).body.data.length, 1, 'one client came of it')
  })

  t.test('200 however many poll at once, there is one authorization', async (t) => {
    const { call, start, poll, decide } = await startApp(t, { SIGNING_ALG: 'EdDSA' })
    const { grant_code, user_code } = await start()
    await decide(user_code, 'ann')
    const answers = await Promise.all(Array.from({ length: 50 }, () => poll(grant_code)))
    const ids = new Set(answers.map(({ body }) => decodeJwt(body.jwt).cid))
    t.equal(ids.size, 1)
    t.equal((await call('GET', '/auth/clients', { user: 'ann' })).body.data.length, 1)
  })

  t.test('200 an approval can be collected after the fifteen minutes, for five more', async (t) => {
    const { clock, start, poll, decide } = await startApp(t, { SIGNING_ALG: 'EdDSA' })
    const [early, late] = [await start(), await start()]
    await decide(early.user_code, 'ann')
    await decide(late.user_code, 'ann')
    clock.advance(1_200_000 - 1)
    t.equal((await poll(early.grant_code)).body.status, 'approved')
    clock.advance(1)
    t.strictSame((await poll(late.grant_code)).body, { status: 'expired_token' })
    clock.advance(29_999)
    t.equal((await poll(early.grant_code)).body.status, 'approved', 'the 30 s are kept')
  })

  t.test('200 access_denied when the client is revoked before it is collected again', async (t) => {
    const { call, start, poll, decide } = await startApp(t, { SIGNING_ALG: 'EdDSA' })
    const { grant_code, user_code } = await start()
    await decide(user_code, 'ann')
    const { cid } = decodeJwt((await poll(grant_code)).body.jwt)
    t.equal((await call('DELETE', `/auth/clients/${cid}`, { user: 'ann' })).status, 200)
    t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
  })

  t.test('200 the life of the JWT is configured', async (t) => {
    const { collect } = await startApp(t, { SIGNING_ALG: 'ES256', CLIENT_TOKEN_TTL_SECONDS: '60' })
    const token = await collect('ann')
    const { iat = 0, exp = 0 } = decodeJwt(token)
    t.equal(exp - iat, 60)
    t.equal(decodeProtectedHeader(token).alg, 'ES256')
  })
})

t.test('200 access_denied on every poll until the record goes', async (t) => {
  const { clock, start, poll, decide } = await startApp(t)
  const { grant_code, user_code } = await start()
  await decide(user_code, 'ann', 'deny')
  for (const step of [0, 0, 900_000, 299_999]) {
    clock.advance(step)
    const answer = await poll(grant_code)
    t.equal(answer.status, 200)
    t.strictSame(answer.body, { status: 'access_denied' }, `+${step}`)
  }
  clock.advance(1)
  t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
})

t.test('200 expired_token', async (t) => {
  const { clock, call, start, poll } = await startApp(t)

  t.test('200 expired_token for a code nobody was given, of any kind', async (t) => {
    for (const code of [
      'x',
      'A'.repeat(43),
      'A'.repeat(128),
      '😀'.repeat(128),
      '\u0000',
      ' ',
      '__proto__',
      '*',
      '{}'
    ]) {
      const answer = await poll(code)
      t.equal(answer.status, 200, code)
      apiHeaders(t, answer)
      t.strictSame(answer.body, { status: 'expired_token' }, code)
    }
  })

  t.test('200 expired_token for a code that is nearly right', async (t) => {
    const { grant_code, user_code } = await start()
    const last = grant_code.at(-1) as string
    const sibling = String.fromCharCode(last.charCodeAt(0) + 1)
    for (const code of [
      `${grant_code}=`,
      ` ${grant_code}`,
      `${grant_code}\n`,
      grant_code.slice(0, 42),
      grant_code.slice(0, -1) + sibling,
      grant_code.toLowerCase(),
      user_code
    ]) {
      t.strictSame((await poll(code)).body, { status: 'expired_token' }, code)
    }
    t.strictSame((await poll(grant_code)).body, { status: 'authorization_pending' })
  })

  t.test('200 expired_token once nobody has decided in time, and no decision comes after', async (t) => {
    const { grant_code, user_code } = await start()
    clock.advance(900_000)
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
    const token = await sessionOf('ann', { expires: '1d' })
    const body = { user_code, action: 'approve' }
    refused(t, await call('POST', '/auth/grant/approve', { token, body }), 404, 'Unknown or expired user_code.')
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
  })
})

t.test('400 grant_code must be a text of 1 to 128 characters', async (t) => {
  const { call } = await startApp(t)
  refused(t, await call('POST', POLL, { body: {} }), 400, 'grant_code is missing.')
  for (const grant_code of ['', 'x'.repeat(129), null, 5, true, ['x'], { code: 'x' }]) {
    refused(t, await call('POST', POLL, { body: { grant_code } }), 400, /^grant_code must /, typeof grant_code)
  }
  for (const body of [null, [], 'x', 5]) refused(t, await call('POST', POLL, { body }), 400, /^The body must be object/)
})

t.test('405 with what is allowed', async (t) => {
  const { call } = await startApp(t)
  for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
    const answer = await call(method, POLL)
    refused(t, answer, 405, 'Method Not Allowed', method)
    t.equal(answer.headers.allow, 'POST')
  }
})
