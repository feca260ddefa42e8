/**
 * Checks the headers and cookies of every answer of the pages, which protect them from framing, sniffing, caching and
 * scripts.
 */
import type { RouteOptions } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { pageHeaders } from '../routes/pages/expectations.js'
import { startApp, type TestApp } from '../support/app.js'
import { startIdentityProvider } from '../support/oidc-upstream.js'
import { startRedis } from '../support/redis-server.js'
import { providersFile } from '../support/sign-in.js'
import {
  CODE_COOKIE,
  createVisitor,
  faultOf,
  type Page,
  SESSION_COOKIE,
  signedIn,
  VISITOR_COOKIE,
  type VisitOptions,
  type Visitor
} from '../support/visitor.js'

const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
const publicUrl = 'http://localhost:3333'
const APPROVE = { action: 'approve', same: 'yes' }
const FORM = 'application/x-www-form-urlencoded'

const cookiesOf = (pages: readonly Page[]) => pages.flatMap(({ setCookies }) => setCookies)

interface Route {
  method: string
  url: string
}

/** Returns every route of the pages that a service of these variables has, with an id where its path needs one. */
async function pageRoutes(t: Test, variables: Record<string, string> = {}): Promise<Route[]> {
  const app = buildApp(loadConfig({ SIGNING_ALG: 'EdDSA', ...variables }), { logger: false })
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    routes.push(route)
  })
  t.teardown(() => app.close())
  await app.ready()
  return routes
    .filter(({ config }) => config?.page)
    .flatMap(({ method, url }) =>
      [method].flat().map((one) => ({ method: one, url: url.replace(/:id|:user|\*/g, 'x') }))
    )
}

t.test('what every answer of the pages carries, whatever its status', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const acme = await startIdentityProvider(t, { publicUrl })
  const variables = {
    REDIS_URL: redis.url,
    PROVIDERS_FILE: providersFile(t, [acme.entry()]),
    ADMINS: 'identity:acme:ann'
  }
  const demo = await startApp(t, { ...freely, SESSION_IDLE_SECONDS: '86400' })
  const real = await startApp(t, {
    SIGNING_ALG: 'EdDSA',
    ...variables,
    LIMIT_PEEK_PER_MINUTE: '20',
    LIMIT_SIGN_IN_PER_MINUTE: '10000',
    LIMIT_ACCOUNT_PER_MINUTE: '10000',
    LIMIT_PAGES_PER_MINUTE: '100000'
  })
  const statuses = new Map<string, Set<number>>()
  const answers: Page[] = []
  let assets = 0

  // Where people sign in by name there are no admins, and where there are, nobody signs in by name.
  const { PROVIDERS_FILE, ADMINS } = variables
  const isOfAdmins = ({ url }: Route) => url.startsWith('/admin')
  const ofAdmins = (await pageRoutes(t, { PROVIDERS_FILE, ADMINS })).filter(isOfAdmins)
  t.ok(ofAdmins.length > 50, `${ofAdmins.length} routes of admins`)
  const routes = [...(await pageRoutes(t)), ...ofAdmins]
  t.ok(routes.length > 100, `${routes.length} routes`)

  const look = async (visitor: Visitor, method: string, url: string, options: VisitOptions = {}) => {
    const page = await visitor.get(url, { ...options, method: method as 'GET' })
    answers.push(page)
    const about = `${method} ${url} ${page.status}`
    const seen = statuses.get(url) ?? new Set()
    statuses.set(url, seen.add(page.status))
    const isIcon = url === '/favicon.ico'
    if ((url.startsWith('/assets/') || isIcon) && page.status === 200) {
      assets += 1
      // Only a URL with a digest of its content may be cached for ever.
      const kept = isIcon ? 'public, max-age=86400' : 'public, max-age=31536000, immutable'
      t.equal(page.headers['cache-control'], kept, about)
      pageHeaders(t, { headers: { ...page.headers, 'cache-control': 'no-store' } }, about)
      t.match(page.headers['content-type'], /^(text\/css; charset=utf-8|image\/svg\+xml)$/, about)
      t.strictSame(page.setCookies, [])
      return
    }
    pageHeaders(t, page, about)
    const type = page.headers['content-type']
    t.ok(page.location !== undefined ? type === undefined : type === 'text/html; charset=utf-8', about)
    const links = [...page.body.matchAll(/ (?:href|action|src)="([^"]*)"/g)].map(([, link = '']) => link)
    t.ok(
      links.every((link) => /^(\/(?!\/)|#content$)/.test(link)),
      `${about}: nothing leads or loads from elsewhere`
    )
    t.notMatch(page.body, /<script|<style|<iframe|<meta http-equiv| on\w+=| style=|javascript:|data:/i, about)
  }

  await t.test('for strangers and for whoever is signed in, by every method, with every kind of body', async () => {
    const ann = createVisitor(real)
    await ann.signInAt('acme', 'ann')
    const tokens = [await signedIn(demo), ann].map(({ cookies }) => cookies.get(SESSION_COOKIE) ?? '')
    /** Whoever is signed in, in a browser that brings nothing else. */
    const visitorOf = (service: TestApp) => {
      const visitor = createVisitor(service)
      visitor.cookies.set(SESSION_COOKIE, tokens[service === demo ? 0 : 1] ?? '')
      return visitor
    }
    const kinds: VisitOptions[] = [
      {},
      { payload: 'x'.repeat(17_000), headers: { 'content-type': FORM } },
      { payload: 'x', headers: { 'content-type': 'text/plain' } },
      { payload: '{', headers: { 'content-type': 'application/json' } },
      { payload: Buffer.from([0x78, 0xff]), headers: { 'content-type': FORM } }
    ]
    for (const { method, url } of routes) {
      for (const service of isOfAdmins({ method, url }) ? [real] : [demo, real]) {
        for (const kind of method === 'GET' || method === 'HEAD' ? [{}] : kinds) {
          await look(createVisitor(service), method, url, kind)
          await look(visitorOf(service), method, url, kind)
        }
      }
      for (const path of [
        '/device?code=BBBBBBBB',
        '/device/nowhere',
        '/login/acme',
        '/login/acme/callback?state=x&code=x'
      ])
        if (url === '/device') await look(createVisitor(real), 'GET', path)
    }
    for (const service of [demo, real]) {
      t.equal((await visitorOf(service).get('/logout')).status, 200, 'and nothing of it has ended the session')
    }
  })

  await t.test('through the whole of a flow, well gone and badly', async (t) => {
    const { user_code } = await demo.start({ name: 'Tool' })
    const ann = await signedIn(demo)
    await ann.enter(user_code)
    await ann.post('/device/confirm', { action: 'approve' })
    await ann.follow(ann.post('/device/confirm', APPROVE))
    await ann.follow(ann.post('/device/undo'))
    await ann.get('/account/clients')
    await ann.follow(ann.post('/account/clients/revoke-all'))
    await ann.get('/account/connections')
    await ann.get('/logout')
    await ann.follow(ann.post('/logout'))
    await ann.post('/login', { name: '' })
    answers.push(...ann.pages)
    for (const page of ann.pages) pageHeaders(t, page, `${page.method} ${page.url} ${page.status}`)
    t.ok(ann.pages.length >= 18, `${ann.pages.length} answers`)
  })

  await t.test('refused before any hook of the pages has seen the request', async (t) => {
    const accept = 'text/html'
    const noHost = { accept, host: 'a b' }
    const empty = { accept, 'content-length': '0' }
    const { heldPolls } = demo.app.core
    const { count } = heldPolls
    const rows: [method: string, url: string, headers: Record<string, string>, status: number][] = [
      ['GET', '/device', noHost, 400],
      ['POST', '/device', noHost, 400],
      ['GET', '/assets/x.css', noHost, 400],
      ['GET', '/nowhere', noHost, 400],
      ['GET', '/%zz', { accept }, 400],
      ['GET', '/%zz', noHost, 400],
      ['QUERY', '/device', empty, 405],
      ['TRACE', '/device', { accept }, 405],
      ['QUERY', '/nowhere', empty, 400],
      ['PROPFIND', '/device', { accept }, 404]
    ]
    for (const [method, url, headers, status] of rows) {
      await look(createVisitor(demo), method, url, { headers })
      t.equal(answers.at(-1)?.status, status, `${method} ${url}`)
    }
    // As if so many requests were under way.
    heldPolls.count = () => -10_000
    for (const url of ['/device', '/nowhere', '/assets/x.css']) {
      await look(createVisitor(demo), 'GET', url, { headers: { accept } })
      t.equal(answers.at(-1)?.status, 503, url)
    }
    for (const url of ['/oauth/token', '/oauth/nowhere', '/nowhere']) await isForPrograms('GET', url, {}, 503)
    heldPolls.count = count

    for (const url of ['/oauth/token', '/api/v0/auth/clients', '/v1/providers', '/admin/v0/users', '/oauth/nowhere']) {
      await isForPrograms('GET', url, noHost, 400)
      await isForPrograms('QUERY', url, empty, url.endsWith('nowhere') ? 400 : 405)
      await isForPrograms('TRACE', url, { accept }, url.endsWith('nowhere') ? 404 : 405)
      await isForPrograms('PROPFIND', url, { accept }, 404)
    }
    await isForPrograms('QUERY', '/nowhere', { 'content-length': '0' }, 400)

    /** Programs are told in JSON, and nothing of what protects pages. */
    async function isForPrograms(method: string, url: string, headers: Record<string, string>, status: number) {
      const answer = await createVisitor(demo).get(url, { method: method as 'GET', headers })
      t.equal(answer.status, status, `${method} ${url}`)
      t.match(answer.headers['content-type'], /^application\/json/, `${method} ${url}`)
      t.type(JSON.parse(answer.body).code ?? JSON.parse(answer.body).error, 'string')
      t.notOk('content-security-policy' in answer.headers)
    }
  })

  await t.test('429, 500 and 503', async (t) => {
    const ann = createVisitor(real)
    await ann.signInAt('acme', 'ann')
    for (let i = 0; i < 30; i++) await look(ann, 'GET', '/device/confirm')
    for (let i = 0; i < 30; i++) await look(createVisitor(real), 'POST', '/device')
    const { page } = real.app.core.authorizations
    real.app.core.authorizations.page = async () => {
      throw new TypeError('page is broken, says <script>')
    }
    await look(ann, 'GET', '/account/clients')
    real.app.core.authorizations.page = page
    await redis.kill()
    for (const { method, url } of routes.filter(({ method }) => method === 'GET' || method === 'POST')) {
      await look(ann, method, url)
    }
    const seen = new Set([...statuses.values()].flatMap((set) => [...set]))
    t.strictSame(
      [...seen].sort((a, b) => a - b),
      [200, 303, 400, 403, 404, 405, 413, 415, 429, 500, 503]
    )
    t.ok(answers.filter(({ status }) => status === 503).length > 10)
    t.notMatch(answers.find(({ status }) => status === 500)?.body, /broken/)
  })

  t.equal(assets, 27, 'the style sheet and the icon, by both of its names, for everybody, also while Redis is away')
  t.ok(answers.length > 1_000, `${answers.length} answers`)

  await t.test('every cookie is out of reach of scripts, neighbours and other sites', async (t) => {
    const cookies = cookiesOf(answers)
    for (const cookie of cookies) t.equal(faultOf(cookie), undefined, cookie.name)
    t.strictSame([...new Set(cookies.map(({ name }) => name))].sort(), [CODE_COOKIE, SESSION_COOKIE, VISITOR_COOKIE])
    t.ok(cookies.length > 50, `${cookies.length} cookies`)
    const header = (name: string, value: string, ...attributes: string[]) =>
      faultOf({ name, value, attributes: new Map(attributes.map((one) => one.split('=') as [string, string])) })
    const good = ['path=/', 'httponly=', 'secure=', 'samesite=Lax']
    t.equal(header(SESSION_COOKIE, 'x', ...good, 'max-age=43200'), undefined)
    for (const [name, ...attributes] of [
      ['grantd-session', ...good, 'max-age=60'],
      [SESSION_COOKIE, ...good],
      [SESSION_COOKIE, ...good, 'max-age=43201'],
      [SESSION_COOKIE, ...good, 'max-age=60', 'domain=localhost'],
      [SESSION_COOKIE, ...good.slice(1), 'max-age=60'],
      [SESSION_COOKIE, ...good.slice(1), 'path=/device', 'max-age=60'],
      [SESSION_COOKIE, ...good.slice(0, 3), 'samesite=None', 'max-age=60'],
      [SESSION_COOKIE, ...good.filter((one) => one !== 'secure='), 'max-age=60'],
      [SESSION_COOKIE, ...good.filter((one) => one !== 'httponly='), 'max-age=60']
    ] as [string, ...string[]][]) {
      t.type(header(name, 'x', ...attributes), 'string', `${name} ${attributes.join(' ')}`)
    }
  })
})
