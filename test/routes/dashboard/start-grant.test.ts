import t from 'tap'
import { startApp } from '../../support/app.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const url = '/auth/grant/code'
const LIMITS: Record<string, number> = { name: 255, version: 64, hostname: 255, os: 64 }
const TYPES = ['cli', 'mcp', 'demo', 'ide-plugin', 'other']

t.test('200', async (t) => {
  const { app, clock, call, start, poll } = await startApp(t, {
    LIMITS: 'off',
    VERIFICATION_URI: 'https://app.example.com/activate'
  })
  const peek = (user_code: string) => call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann' })

  t.test('200 answers with exactly the six fields, and is not to be kept', async (t) => {
    const answer = await call('POST', url, { body: { client_type: 'cli' } })
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
      const { status, body } = await call('POST', url, { body: { client_type } })
      t.equal(status, 200)
      t.equal((await peek(body.user_code)).body.client_type, client_type)
    })
  }

  for (const [field, limit] of Object.entries(LIMITS)) {
    t.test(`200 client_metadata.${field} of 0, 1 and ${limit} characters, of any kind`, async (t) => {
      for (const text of ['', 'x', 'x'.repeat(limit), '😀'.repeat(limit), 'ü\u0000\u202e\n"\\<b>']) {
        const { status, body } = await call('POST', url, {
          body: { client_type: 'cli', client_metadata: { [field]: text } }
        })
        t.equal(status, 200, `${text.length}`)
        t.strictSame((await peek(body.user_code)).body.client_metadata, { [field]: text })
      }
    })
  }

  t.test('200 other keys are accepted and dropped', async (t) => {
    const { status, body } = await call('POST', url, {
      body: {
        client_type: 'cli',
        client_metadata: { name: 'acme', extra: { deep: [1] }, toString: 'x', arch: 'x'.repeat(5000) },
        user_code: 'BBBB-BBBB',
        grant_code: 'chosen',
        verification_uri: 'https://evil.example',
        scope: 'admin'
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
      const { status } = await call('POST', url, { body: { client_type: 'cli' }, headers: { authorization } })
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
    const { body } = await call('POST', url, { body: { client_type: 'cli' }, headers })
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
        url: `/api/v0${url}`,
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
  const { body } = await call('POST', url, { body: { client_type: 'mcp', client_metadata: {} } })
  t.equal(body.expires_in, 60)
  t.equal(body.interval, 1)
  t.equal(body.verification_uri, 'https://grants.example.com/device')
  clock.advance(60_000)
  t.strictSame((await poll(body.grant_code)).body, { status: 'expired_token' })
})

t.test('4xx', async (t) => {
  const { app, call } = await startApp(t, { LIMITS: 'off' })
  const send = (payload: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    app.inject({ method: 'POST', url: `/api/v0${url}`, headers, payload })

  t.test('400 client_type must be one of the five', async (t) => {
    refused(t, await call('POST', url, { body: {} }), 400, 'client_type is missing.')
    for (const client_type of [null, '', 'CLI', ' cli', 'cli\u0000', 'device', 5, true, ['cli'], {}]) {
      const answer = await call('POST', url, { body: { client_type } })
      refused(t, answer, 400, /^client_type /, JSON.stringify(client_type))
    }
  })

  t.test('400 client_metadata must be an object', async (t) => {
    for (const client_metadata of [null, 'x', 5, true, ['x']]) {
      const answer = await call('POST', url, { body: { client_type: 'cli', client_metadata } })
      refused(t, answer, 400, /^client_metadata must be object/, JSON.stringify(client_metadata))
    }
  })

  for (const [field, limit] of Object.entries(LIMITS)) {
    t.test(`400 client_metadata.${field} is no text, or longer than ${limit}`, async (t) => {
      for (const value of ['x'.repeat(limit + 1), '😀'.repeat(limit + 1), null, 5, false, ['x'], { a: 1 }]) {
        const answer = await call('POST', url, { body: { client_type: 'cli', client_metadata: { [field]: value } } })
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
  const begin = () => call('POST', url, { body: { client_type: 'cli' } })
  for (let i = 0; i < 30; i++) t.equal((await begin()).status, 200)
  clock.advance(1_000)
  const answer = await begin()
  refused(t, answer, 429, 'Too many requests. Please try again later.')
  t.equal(answer.headers['retry-after'], '59')
  clock.advance(59_000)
  t.equal((await begin()).status, 200)
})
