import t, { type Test } from 'tap'
import { en } from '../../../src/routes/pages/texts/en.js'
import { texts } from '../../../src/routes/pages/texts/languages.js'
import { type Answer, startApp, type TestApp } from '../../support/app.js'
import { providersFile } from '../../support/sign-in.js'
import { CODE_COOKIE, createVisitor, signedIn, VISITOR_COOKIE, type Visitor } from '../../support/visitor.js'
import { goesTo, invalidCode, limited, refused, shows } from './expectations.js'

const { start, device, consent, login } = en
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
const withoutSignIn = { ...freely, HOST: '0.0.0.0', PUBLIC_URL: 'https://grants.example' }
/** The Accept header that browsers send. */
const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8' }
const UNKNOWN = 'BBBB-BBBB'

/** An upstream of the operator. With one there is no demo sign-in. */
const provider = { id: 'acme', name: 'Acme', client_id: 'grantd', issuer: 'https://acme.example' }

t.test('GET /', async (t) => {
  const service = await startApp(t, freely)

  t.test('200 what this is, and a place for the code, for somebody who is not signed in', async (t) => {
    const page = await createVisitor(service).get('/')
    shows(t, page, 200, start.title, start.intro('grantd'), start.codeTitle, start.codeSignIn)
    t.match(page.body, /<form method="post" action="\/device"/)
    t.match(page.body, /<input class="code" name="user_code" required/)
    t.strictSame(
      page.setCookies.map(({ name }) => name),
      [VISITOR_COOKIE]
    )
    t.notMatch(page.body, /<nav/)
  })

  t.test('200 the same with the navigation for whoever is signed in, and looking changes nothing', async (t) => {
    const page = await (await signedIn(service)).get('/')
    shows(t, page, 200, start.title, start.codeTitle, en.signedInAs('ann'))
    t.notOk(page.text.includes(start.codeSignIn))
    t.strictSame(page.setCookies, [])
  })

  t.test('200 a developer who tries it out is told what to do next, and nobody else is', async (t) => {
    const PROVIDERS_FILE = providersFile(t, [provider])
    const real = await startApp(t, { ...freely, PROVIDERS_FILE, SERVICE_NAME: 'Acme Films' })
    const page = await createVisitor(service).get('/')
    shows(t, page, 200, start.title, start.developerTitle, `${start.demo} npm run demo`)
    for (const path of ['/docs', '/account/clients']) t.match(page.body, `<a href="${path}">`)
    const other = await createVisitor(real).get('/')
    shows(t, other, 200, start.title, start.intro('Acme Films'), start.noCode, en.result.manage)
    t.notOk(other.text.includes(start.developerTitle) || /\/docs|npm run/.test(other.body))
  })

  t.test(
    '200 the documentation is linked where it is, under the path of PUBLIC_URL or taken away from it',
    async (t) => {
      const service = await startApp(t, { ...freely, PUBLIC_URL: 'http://localhost:3333/in/here' })
      const direct = await createVisitor(service).get('/')
      t.match(direct.body, '<a href="/docs">')
      t.equal((await service.call('GET', '/docs')).status, 200)
      t.match((await service.call('GET', '/')).body, '<a href="/in/here/docs">', 'a proxy takes the path away again')
    }
  )

  t.test('200 a stranger who was on the way elsewhere still gets there', async (t) => {
    const stranger = createVisitor(service)
    await stranger.get('/account/clients')
    await stranger.get('/')
    await stranger.get('/login')
    goesTo(t, await stranger.post('/login', { name: 'ann' }), '/account/clients')
  })
})

t.test('a code that is typed before signing in', async (t) => {
  const service = await startApp(t, freely)
  const type = async (user_code: string): Promise<Visitor> => {
    const stranger = createVisitor(service)
    await stranger.get('/')
    goesTo(t, await stranger.post('/device', { user_code }), '/login')
    return stranger
  }

  t.test('200 it survives signing in, and leads to the question', async (t) => {
    const { grant_code, user_code } = await service.start()
    const stranger = await type(` ${user_code.toLowerCase().replace('-', ' ')}`)
    shows(t, await stranger.get('/login'), 200, login.title, login.goingTo.consent)
    t.notOk(stranger.shown.body.includes(user_code), 'it is not shown before')
    t.notOk(
      JSON.stringify(stranger.pages.map(({ headers }) => headers)).includes(user_code),
      'nor to be read in a cookie'
    )
    const question = await stranger.follow(stranger.post('/login', { name: 'ann' }))
    shows(t, question, 200, consent.title, user_code)
    t.notOk(question.text.includes(consent.warning.linked), 'no link filled it in')
    shows(t, await stranger.get('/device/confirm'), 200, consent.title)
    goesTo(t, await stranger.post('/device/confirm', { action: 'approve', same: 'yes' }), '/device/done')
    t.equal((await service.poll(grant_code)).body.status, 'approved')
  })

  t.test('400 what leads nowhere is told after it, as everywhere', async (t) => {
    const stranger = await type(UNKNOWN)
    const page = await stranger.follow(stranger.post('/login', { name: 'ann' }))
    invalidCode(t, page)
    t.equal(stranger.cookies.get(CODE_COOKIE), undefined)
    goesTo(t, await stranger.get('/device/confirm'), '/device')
  })

  t.test('400 what cannot be a code is told at once', async (t) => {
    for (const user_code of ['', 'AEIO-UAEI', 'BCDF-GHJ', '<b>', 'B'.repeat(65), [UNKNOWN, UNKNOWN], undefined]) {
      const stranger = createVisitor(service)
      await stranger.get('/')
      invalidCode(t, await stranger.post('/device', { user_code }))
      t.equal(stranger.cookies.get(CODE_COOKIE), undefined)
      goesTo(t, await stranger.post('/device', { user_code: UNKNOWN }), '/login', 'and can be corrected')
    }
  })

  t.test('200 one that a link filled in before stays one of a link', async (t) => {
    const { user_code } = await service.start()
    const stranger = createVisitor(service)
    await stranger.get(`/device?code=${user_code}`)
    await stranger.get('/')
    goesTo(t, await stranger.post('/device', { user_code }), '/login')
    await stranger.get('/login')
    const form = await stranger.follow(stranger.post('/login', { name: 'ann' }))
    shows(t, form, 200, device.title, device.linked)
    shows(t, await stranger.follow(stranger.post('/device', { user_code })), 200, consent.title, consent.warning.linked)
  })

  t.test('303 a form that is not this visitor’s keeps nothing', async (t) => {
    const { user_code } = await service.start()
    const [stranger, other] = [createVisitor(service), createVisitor(service)]
    await stranger.get('/')
    await other.get('/')
    for (const csrf of [undefined, '', 'x', other.hidden('csrf')]) {
      goesTo(t, await stranger.post('/device', { user_code, csrf }), '/login')
    }
    const crossing = { headers: { 'sec-fetch-site': 'cross-site' } }
    await stranger.get('/')
    goesTo(t, await stranger.post('/device', { user_code }, crossing), '/login')
    t.equal(stranger.cookies.get(CODE_COOKIE), undefined)
  })

  t.test('429 the look after signing in counts as a guess', async (t) => {
    const service = await startApp(t, { SIGNING_ALG: 'EdDSA', LIMIT_MISSES_PER_USER: '2' })
    const ann = await signedIn(service)
    for (let i = 0; i < 2; i++) invalidCode(t, await ann.enter(UNKNOWN))
    const stranger = createVisitor(service)
    await stranger.get('/')
    await stranger.post('/device', { user_code: UNKNOWN })
    await stranger.get('/login')
    limited(t, await stranger.follow(stranger.post('/login', { name: 'ann' })), 900)
    t.match(stranger.shown.text, 'Try again in 15 minutes.')
  })
})

t.test('GET a path that leads nowhere', async (t) => {
  const service = await startApp(t, freely)
  const paths = ['/nowhere', '/wp-login.php', '/a/b?c=canary', '/%3Ccanary%3E', '/docs/nowhere', '/devices']

  t.test('404 a page for browsers, like all others', async (t) => {
    for (const visitor of [createVisitor(service), await signedIn(service)]) {
      for (const path of paths) {
        const page = await visitor.get(path, { headers: BROWSER })
        refused(t, page, 404, 'notFound')
        t.notMatch(page.body, /canary/)
        t.match(page.body, '<a href="/">', 'which leads back to the start')
        t.equal(/<nav/.test(page.body), visitor.cookies.names().length > 0, 'as who they are')
        t.strictSame(page.setCookies, [])
      }
    }
    refused(t, await createVisitor(service).get('/nowhere', { headers: BROWSER, method: 'POST' }), 404, 'notFound')
    const german = { ...BROWSER, 'accept-language': 'de' }
    const page = await createVisitor(service).get('/nowhere', { headers: german })
    t.ok(page.text.includes(texts.de.error.notFound))
  })

  t.test('400 a page for browsers where the path cannot be decoded, and JSON for programs', async (t) => {
    const base = '/in/here'
    const beneath = await startApp(t, { ...freely, PUBLIC_URL: `http://localhost:3333${base}` })
    for (const [at, path] of [
      ...['/%zz', '/%c0%ae', '/a/%', '/docs/%zz', '/login/%zz', '/%25%zz?c=canary'].map(
        (path) => [service, path] as const
      ),
      [beneath, `${base}/%zz`]
    ] as const) {
      for (const visitor of [createVisitor(at), await signedIn(at)]) {
        const page = await visitor.get(path, { headers: BROWSER })
        refused(t, page, 400, 'badRequest')
        t.notMatch(page.body, /canary/)
        t.match(page.body, `<a href="${at === beneath ? base : ''}/">`)
        t.equal(/<nav/.test(page.body), visitor.cookies.names().length > 0, 'as who they are')
      }
      isUnreadable(t, await at.call('GET', path), path)
    }
    refused(t, await createVisitor(service).get('/%zz', { headers: BROWSER, method: 'POST' }), 400, 'badRequest')
  })

  t.test('400 JSON below every API, and where there are no pages', async (t) => {
    for (const path of ['/api/%zz', '/oauth/%zz', '/api/v0%zz']) {
      isUnreadable(t, await service.call('GET', path, { headers: BROWSER }), path)
    }
    for (const path of ['/api/v0/auth/clients/%zz', '/admin/v0/users/%zz', '/api/v0/%']) {
      isJson(t, await service.call('GET', path, { headers: BROWSER }), path)
    }
    const { status, body } = await service.call('GET', '/v1/providers/%zz', { headers: BROWSER })
    t.same([status, body], [400, { code: 'bad_request', message: 'The request cannot be read.' }])
    const bare = await startApp(t, withoutSignIn)
    isUnreadable(t, await bare.call('GET', '/%zz', { headers: BROWSER }), 'without pages')
  })

  t.test('404 JSON for programs, without what only pages carry', async (t) => {
    for (const accept of [undefined, '*/*', 'application/json', 'application/json, text/plain, */*', 'text/css', '']) {
      for (const path of paths)
        isJson(t, await service.call('GET', path, { headers: { ...(accept && { accept }) } }), path)
    }
    const both = { accept: 'application/json, text/html;q=0.9' }
    isJson(t, await service.call('GET', '/nowhere', { headers: both }), 'which prefers it')
  })

  t.test('404 JSON below every API, whoever asks', async (t) => {
    const below = ['/api/v0/nowhere', '/api/nowhere', '/oauth/nowhere', '/v1/nowhere', '/.well-known/nowhere']
    for (const path of [...below, '/some-issuer/.well-known/nowhere', '/api', '/oauth?x', '/v1']) {
      isJson(t, await service.call('GET', path, { headers: BROWSER }), path)
    }
  })

  t.test('404 JSON for a file that the documentation has not', async (t) => {
    const { status, body } = await service.call('GET', '/docs/static/nowhere', { headers: BROWSER })
    t.same([status, body], [404, { error: 'Not Found' }])
  })

  t.test('404 under the path of PUBLIC_URL as well', async (t) => {
    const service = await startApp(t, { ...freely, PUBLIC_URL: 'http://localhost:3333/in/here' })
    const page = await createVisitor(service).get('/nowhere', { headers: BROWSER })
    refused(t, page, 404, 'notFound')
    t.match(page.body, '<a href="/in/here/">')
    isJson(t, await service.call('GET', '/in/here/oauth/nowhere', { headers: BROWSER }), 'its API')
  })

  t.test('404 JSON where there are no pages', async (t) => {
    const service = await startApp(t, withoutSignIn)
    for (const path of paths) isJson(t, await service.call('GET', path, { headers: BROWSER }), path)
  })
})

const isUnreadable = (t: Test, answer: Answer, about: string) => {
  isJson(t, answer, about, 400)
  t.same(answer.body, { error: 'The request cannot be read.' }, about)
}

function isJson(t: Test, { status, body, headers }: Answer, about: string, expected = 404) {
  t.equal(status, expected, about)
  t.match(headers['content-type'], /^application\/json/, about)
  t.type(body, 'object', about)
  const ofPages = ['content-security-policy', 'x-frame-options', 'referrer-policy', 'set-cookie']
  t.strictSame(
    ofPages.filter((name) => name in headers),
    [],
    about
  )
  t.equal(headers['cache-control'], 'no-store', about)
}

t.test('GET / where there are no pages', async (t) => {
  const service = await startApp(t, { ...withoutSignIn, VERIFICATION_URI: 'https://films.example/device' })
  const documentation = 'https://grants.example/docs'

  t.test('200 says to programs where things are', async (t) => {
    for (const accept of ['*/*', 'application/json']) {
      const { status, body } = await service.call('GET', '/', { headers: { accept } })
      t.equal(status, 200)
      t.match(body, { verification_uri: 'https://films.example/device', documentation })
      t.equal(body.openapi, 'https://grants.example/openapi.json')
    }
  })

  t.test('200 and to people, in plain text', async (t) => {
    const { status, body, headers } = await service.call('GET', '/', { headers: BROWSER })
    t.strictSame([status, headers['content-type']], [200, 'text/plain; charset=utf-8'])
    t.match(body, 'https://films.example/device')
    t.match(body, documentation)
  })
})

t.test('GET /favicon.ico', async (t) => {
  const service = await startApp(t, freely)
  t.test('200 the icon, for a day', async (t) => {
    const page = await createVisitor(service).get('/favicon.ico')
    t.strictSame([page.status, page.headers['content-type']], [200, 'image/svg+xml'])
    t.equal(page.headers['cache-control'], 'public, max-age=86400')
    t.match(page.body, /^<svg/)
    t.strictSame(page.setCookies, [])
  })
})

t.test('the foot of every page', async (t) => {
  const footOf = async (service: TestApp) => {
    const { body } = await createVisitor(service).get('/login')
    return /<footer>(.*)<\/footer>/.exec(body)?.[1] ?? ''
  }
  t.test('names the version where the service is tried out, and nowhere else', async (t) => {
    t.match(await footOf(await startApp(t, freely)), /grantd \d+\.\d+\.\d+/)
    const PROVIDERS_FILE = providersFile(t, [provider])
    const foot = await footOf(await startApp(t, { ...freely, PROVIDERS_FILE }))
    t.match(foot, en.about)
    t.notMatch(foot, /\d/)
  })
})
