import t, { type Test } from 'tap'
import { startApp } from '../../support/app.js'
import { sessionOf } from '../../support/tokens.js'

const HOME = 'https://app.example.com'
const OTHER = 'http://localhost:5173'
const STRANGERS = [
  'https://evil.example',
  'null',
  `${HOME}.evil.example`,
  'http://app.example.com',
  `${HOME}:8443`,
  'https://APP.example.com'
]
const ID = '00000000-0000-4000-8000-000000000000'

const FOR_PAGES = [
  ['GET', '/api/v0/auth/grant/peek?user_code=BBBBBBBB'],
  ['POST', '/api/v0/auth/grant/approve'],
  ['GET', '/api/v0/auth/clients'],
  ['PATCH', `/api/v0/auth/clients/${ID}`],
  ['DELETE', `/api/v0/auth/clients/${ID}`]
] as const
const FOR_PROGRAMS = [
  ['POST', '/api/v0/auth/grant/code'],
  ['POST', '/api/v0/auth/grant/token'],
  ['GET', '/healthz'],
  ['GET', '/metrics'],
  ['GET', '/openapi.json'],
  ['GET', '/api/v0/unknown'],
  ['GET', '/']
] as const

const corsHeaders = (headers: Record<string, unknown>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'))

async function asking(t: Test, variables: Record<string, string>) {
  const { app } = await startApp(t, { LIMITS: 'off', ...variables })
  const authorization = `Bearer ${await sessionOf('ann')}`
  return {
    preflight: (origin: string, method: string, url: string) =>
      app.inject({
        method: 'OPTIONS',
        url,
        headers: {
          origin,
          'access-control-request-method': method,
          'access-control-request-headers': 'authorization,content-type'
        }
      }),
    send: (origin: string, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string) =>
      app.inject({ method, url, headers: { origin, authorization } })
  }
}

t.test('none at all by default', async (t) => {
  const { preflight, send } = await asking(t, {})
  for (const [method, url] of [...FOR_PAGES, ...FOR_PROGRAMS]) {
    for (const origin of [HOME, 'null']) {
      const [asked, answered] = [await preflight(origin, method, url), await send(origin, method, url)]
      t.strictSame(corsHeaders(asked.headers), [], `OPTIONS ${url}`)
      t.strictSame(corsHeaders(answered.headers), [], `${method} ${url}`)
      t.ok(asked.statusCode === 405 || asked.statusCode === 404, `OPTIONS ${url}: ${asked.statusCode}`)
    }
  }
})

t.test('CORS_ORIGINS', async (t) => {
  const { preflight, send } = await asking(t, { CORS_ORIGINS: `${HOME}, ${OTHER}` })

  t.test('204 lets pages of these origins ask, without credentials', async (t) => {
    for (const [method, url] of FOR_PAGES) {
      for (const origin of [HOME, OTHER]) {
        const { statusCode, headers } = await preflight(origin, method, url)
        t.equal(statusCode, 204, `${method} ${url}`)
        t.equal(headers['access-control-allow-origin'], origin)
        t.equal(headers['access-control-allow-credentials'], undefined)
        t.ok(String(headers['access-control-allow-methods']).split(/, */).includes(method))
        t.strictSame(String(headers['access-control-allow-headers']).split(/, */), ['authorization', 'content-type'])
        t.match(headers.vary, /Origin/i)
      }
    }
  })

  t.test('every answer names the origin, refusals too, and what a page may read of it', async (t) => {
    for (const [method, url] of FOR_PAGES) {
      const { headers } = await send(HOME, method, url)
      t.equal(headers['access-control-allow-origin'], HOME, `${method} ${url}`)
      t.equal(headers['access-control-allow-credentials'], undefined)
      t.strictSame(String(headers['access-control-expose-headers']).split(/, */), ['retry-after', 'x-request-id'])
      t.match(headers.vary, /Origin/i)
      t.equal(headers['cache-control'], 'no-store')
    }
  })

  t.test('strangers are told nothing', async (t) => {
    for (const [method, url] of FOR_PAGES) {
      for (const origin of STRANGERS) {
        const [asked, answered] = [await preflight(origin, method, url), await send(origin, method, url)]
        for (const { headers } of [asked, answered]) {
          t.equal(headers['access-control-allow-origin'], undefined, `${origin} ${method} ${url}`)
          t.equal(headers['access-control-allow-credentials'], undefined)
        }
      }
    }
  })

  t.test('never on what programs call, nor elsewhere', async (t) => {
    for (const [method, url] of FOR_PROGRAMS) {
      const [asked, answered] = [await preflight(HOME, method, url), await send(HOME, method, url)]
      t.strictSame(corsHeaders(asked.headers), [], `OPTIONS ${url}`)
      t.strictSame(corsHeaders(answered.headers), [], `${method} ${url}`)
      t.ok(asked.statusCode === 405 || asked.statusCode === 404, `OPTIONS ${url}: ${asked.statusCode}`)
    }
  })
})
