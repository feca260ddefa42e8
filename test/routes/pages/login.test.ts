import t, { type Test } from 'tap'
import { en } from '../../../src/routes/pages/texts/en.js'
import { LANGUAGES, texts } from '../../../src/routes/pages/texts/languages.js'
import { startApp } from '../../support/app.js'
import { type IdentityProvider, startIdentityProvider, TOKEN_ENDPOINT } from '../../support/oidc-upstream.js'
import { startPlainProvider } from '../../support/plain-upstream.js'
import { providersFile } from '../../support/sign-in.js'
import { json } from '../../support/upstream-gate.js'
import { createVisitor, SESSION_COOKIE, signedIn, VISITOR_COOKIE, type Visitor } from '../../support/visitor.js'
import { goesTo, limited, pageHeaders, refused, shows } from './expectations.js'

const { device, login, logout, error } = en
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
const FORM = 'application/x-www-form-urlencoded'
const publicUrl = 'http://localhost:3333'
const MINUTE_MS = 60_000

/** Starts the pages with two upstreams for sign-in and one that can only be connected. */
async function startProviders(t: Test, variables: Record<string, string> = freely) {
  const [acme, hub, store] = [
    await startIdentityProvider(t, { publicUrl }),
    await startPlainProvider(t, { publicUrl }),
    await startPlainProvider(t, { publicUrl, id: 'store' })
  ]
  const entries = [acme.entry(), hub.entry(), store.entry({ sign_in: false })]
  return { acme, hub, service: await startApp(t, { ...variables, PROVIDERS_FILE: providersFile(t, entries) }) }
}

const isSignedIn = async (visitor: Visitor) => (await visitor.get('/device')).status === 200

t.test('GET /login', async (t) => {
  const service = await startApp(t, freely)

  t.test('200 the demo sign-in says what it is', async (t) => {
    const stranger = createVisitor(service)
    const page = await stranger.get('/login')
    shows(t, page, 200, login.title, login.demoTitle, login.demo)
    t.match(page.body, /<form method="post" action="\/login"/)
    t.strictSame(stranger.cookies.names(), [VISITOR_COOKIE])
    t.notMatch(page.body, /<nav|value="ann"/, 'nobody is signed in')
  })

  t.test('200 the providers that sign people in are links, and there is no demo beside them', async (t) => {
    const { service } = await startProviders(t)
    const page = await createVisitor(service).get('/login')
    shows(t, page, 200, login.title, login.with('The acme'), login.with('The hub'))
    const links = [...page.body.matchAll(/<a class="button primary" href="([^"]*)"/g)].map(([, path]) => path)
    t.strictSame(links, ['/login/acme', '/login/hub'])
    t.notMatch(page.body, /<form|The store/)
    t.notOk(page.text.includes(login.demoTitle))
  })

  t.test('303 whoever is signed in goes on at once', async (t) => {
    const ann = await signedIn(service)
    goesTo(t, await ann.get('/login'), '/device')
    goesTo(t, await ann.get('/login?done=signed-out'), '/device')
  })

  t.test('200 what was done is one of a few words', async (t) => {
    shows(t, await createVisitor(service).get('/login?done=signed-out'), 200, login.title, login.signedOut)
    for (const query of ['done=', 'done=x', 'done=__proto__', 'done=signed-out&done=signed-out', 'done[]=signed-out']) {
      const { text } = await createVisitor(service).get(`/login?${query}`)
      t.notOk(text.includes(login.signedOut), query)
    }
  })

  t.test('303 whoever was on their way is told where they are going, and goes on there', async (t) => {
    const { clients, connections, device, consent } = login.goingTo
    shows(t, await createVisitor(service).get('/login'), 200, login.title, device)
    for (const [path, sentence] of [
      ['/account/clients', clients],
      ['/account/connections', connections],
      ['/device', device],
      ['/device/confirm', consent]
    ] as const) {
      const visitor = createVisitor(service)
      goesTo(t, await visitor.get(path), '/login')
      // A reload and a rejected name do not lose the destination.
      for (let i = 0; i < 2; i++) shows(t, await visitor.get('/login'), 200, login.title, sentence)
      shows(t, await visitor.post('/login', { name: '' }), 400, login.title)
      goesTo(t, await visitor.post('/login', { name: 'ann' }), path)
    }
  })
})

t.test('POST /login', async (t) => {
  const service = await startApp(t, freely)

  t.test('303 signs in whoever types a name', async (t) => {
    for (const name of ['ann', ' ann ', 'Zoë Müller', '名前', '<b>', 'a'.repeat(64), 'x@y.example', '__proto__', '…']) {
      const visitor = createVisitor(service)
      await visitor.get('/login')
      goesTo(t, await visitor.post('/login', { name }), '/device', name)
      t.strictSame(visitor.cookies.names(), [SESSION_COOKIE], 'the visitor is none any more')
      t.match(visitor.cookies.get(SESSION_COOKIE), /^[\w-]{43}$/)
      shows(t, await visitor.get('/device'), 200, device.title, en.signedInAs(name.trim()))
    }
  })

  t.test('400 a name that could not be read', async (t) => {
    const odd = ['\u0000', 'a\u0000', 'a\nb', '\u202eann', 'a\u200bb', '\ufeff', 'a\u2028b', '\ue000', '\u{e0041}']
    for (const name of ['', ' ', '\u3000', 'a'.repeat(65), ...odd, ['ann', 'bob'], undefined]) {
      const visitor = createVisitor(service)
      await visitor.get('/login')
      const page = await visitor.post('/login', { name })
      shows(t, page, 400, login.title, login.demoInvalid)
      t.equal(visitor.cookies.get(SESSION_COOKIE), undefined, encodeURIComponent(`${name}`))
      t.match(page.body, /name="name" required/, 'and nothing of it is repeated')
    }
  })

  t.test('303 every sign-in is another session, and ends the one before', async (t) => {
    const ann = createVisitor(service)
    const tokens = new Set<string>()
    for (const name of ['ann', 'ann', 'bob']) {
      const before = createVisitor(service)
      before.cookies.set(SESSION_COOKIE, ann.cookies.get(SESSION_COOKIE) ?? 'none')
      // /login does not ask a user who is signed in, but a form from before still works.
      await ann.get('/login')
      if (tokens.size > 0) await ann.get('/logout')
      goesTo(t, await ann.post('/login', { name }), '/device')
      tokens.add(ann.cookies.get(SESSION_COOKIE) ?? '')
      t.equal(await isSignedIn(before), false)
    }
    t.equal(tokens.size, 3)
  })

  t.test('403 without the token of the visitor who was shown the form', async (t) => {
    const [visitor, other] = [createVisitor(service), createVisitor(service)]
    await other.get('/login')
    refused(t, await visitor.post('/login', { name: 'ann', csrf: other.hidden('csrf') }), 403, 'lostCookies')
    for (const csrf of [undefined, '', 'x', other.hidden('csrf'), [other.hidden('csrf'), 'x']]) {
      await visitor.get('/login')
      refused(t, await visitor.post('/login', { name: 'ann', csrf }), 403, 'form')
    }
    t.equal(visitor.cookies.get(SESSION_COOKIE), undefined)
  })

  t.test('403 a browser that kept no cookie of an http address is told so, and nobody else is', async (t) => {
    const none = { cookie: undefined }
    const sent = async (at: typeof service, headers: Record<string, string | undefined>) => {
      const visitor = createVisitor(at)
      await visitor.get('/login')
      return visitor.post('/login', { name: 'ann' }, { headers })
    }
    refused(t, await sent(service, none), 403, 'lostCookies')
    refused(t, await sent(service, { ...none, 'sec-fetch-site': undefined }), 403, 'lostCookies')
    refused(t, await sent(service, { cookie: 'theme=dark' }), 403, 'lostCookies')
    refused(t, await sent(service, { cookie: `${VISITOR_COOKIE}=x` }), 403, 'form')
    refused(t, await sent(service, { ...none, 'sec-fetch-site': 'cross-site' }), 403, 'form')
    const secure = await startApp(t, { ...freely, PUBLIC_URL: 'https://localhost:3333' })
    refused(t, await sent(secure, none), 403, 'form')
    const visitor = createVisitor(service)
    await visitor.get('/login')
    refused(t, await visitor.post('/login', { name: 'ann', csrf: undefined }, { headers: none }), 403, 'form')
  })

  t.test('405 where people sign in at providers', async (t) => {
    const { service } = await startProviders(t)
    const visitor = createVisitor(service)
    await visitor.get('/login')
    const page = await visitor.post('/login', { name: 'ann' })
    refused(t, page, 405, 'method')
    t.equal(page.headers.allow, 'GET, HEAD')
    t.equal(visitor.cookies.get(SESSION_COOKIE), undefined)
  })

  t.test('413 and 415', async (t) => {
    const visitor = createVisitor(service)
    await visitor.get('/login')
    const [csrf, payload] = [visitor.hidden('csrf'), `csrf=${visitor.hidden('csrf')}&name=ann`]
    refused(t, await visitor.post('/login', { csrf, name: 'x'.repeat(16 * 1024) }), 413, 'badRequest')
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', `${FORM}; charset=latin1`]) {
      refused(t, await visitor.post('/login', {}, { payload, headers: { 'content-type': type } }), 415, 'badRequest')
    }
    const named = JSON.stringify({ csrf, name: 'ann' })
    const headers = { 'content-type': 'application/json' }
    refused(t, await visitor.post('/login', {}, { payload: named, headers }), 415, 'badRequest')
    t.equal(visitor.cookies.get(SESSION_COOKIE), undefined)
  })
})

t.test('GET /login/{provider}', async (t) => {
  const { acme, service } = await startProviders(t)

  t.test('303 to the provider, with what binds its answer to this browser', async (t) => {
    const visitor = createVisitor(service)
    await visitor.get('/login')
    const page = await visitor.get('/login/acme')
    t.equal(page.status, 303)
    pageHeaders(t, page)
    const url = new URL(page.location ?? '')
    t.equal(url.origin + url.pathname, `${acme.origin}/auth`)
    const { state, nonce, code_challenge, ...rest } = Object.fromEntries(url.searchParams)
    t.strictSame(rest, {
      client_id: 'grantd',
      scope: 'openid profile email',
      redirect_uri: `${publicUrl}/login/acme/callback`,
      response_type: 'code',
      code_challenge_method: 'S256'
    })
    for (const value of [state, nonce, code_challenge]) t.match(value, /^[\w-]{43}$/)
    t.strictSame(
      page.setCookies.map(({ name }) => name),
      [VISITOR_COOKIE]
    )
    t.notMatch(page.setCookies[0]?.value, new RegExp(`${state}|${nonce}`), 'sealed')
    const again = new URL((await visitor.get('/login/acme')).location ?? '')
    t.not(again.searchParams.get('state'), state, 'another one each time')
  })

  t.test('303 whoever signed in too long ago is to prove who they are', async (t) => {
    const { service } = await startProviders(t, { ...freely, CONSENT_MAX_AUTH_AGE_SECONDS: '60' })
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    service.clock.advance(MINUTE_MS + 1)
    goesTo(t, await ann.get('/device/confirm'), '/login')
    shows(t, await ann.get('/login'), 200, login.title, login.again)
    const { searchParams } = new URL((await ann.get('/login/acme')).location ?? '')
    t.strictSame([searchParams.get('prompt'), searchParams.get('max_age')], ['login', '0'])
  })

  t.test('303 back to the page when another site sends somebody here', async (t) => {
    for (const site of ['cross-site', 'same-site']) {
      const visitor = createVisitor(service)
      const page = await visitor.get('/login/acme', { headers: { 'sec-fetch-site': site } })
      goesTo(t, page, '/login', site)
      t.strictSame(page.setCookies, [], 'and nothing has begun')
    }
    for (const site of ['same-origin', 'none', undefined]) {
      const { location } = await createVisitor(service).get('/login/acme', { headers: { 'sec-fetch-site': site } })
      t.match(location, `${acme.origin}/auth?`, `${site}`)
    }
  })

  t.test('404 where there is no such provider, or none that signs in', async (t) => {
    for (const id of ['store', 'nobody', 'Acme', '__proto__', 'acme%2f', 'a'.repeat(5_000), '%00', '..%2facme']) {
      refused(t, await createVisitor(service).get(`/login/${id}`), 404, 'notFound')
    }
  })

  t.test('503 while the provider cannot be asked', async (t) => {
    const { acme, service } = await startProviders(t)
    await acme.down()
    const page = await createVisitor(service).get('/login/acme')
    refused(t, page, 503, 'unavailable')
    t.match(page.headers['retry-after'], /^[2-4]$/)
    await acme.up()
    t.equal((await createVisitor(service).get('/login/acme')).status, 303)
  })
})

t.test('GET /login/{provider}/callback', async (t) => {
  const { acme, service } = await startProviders(t)
  const { signInFailed } = error
  /** Visits the upstream. Returns the visitor, and the path that the upstream redirects to. */
  const returning = async (login = 'ann', id = 'acme') => {
    const visitor = createVisitor(service)
    await visitor.get('/login')
    return { visitor, back: await visitor.visitProvider(`/login/${id}`, login) }
  }

  for (const id of ['acme', 'hub']) {
    t.test(`303 signed in, at ${id}`, async (t) => {
      const { visitor, back } = await returning('ann', id)
      goesTo(t, await visitor.get(back, { headers: { 'sec-fetch-site': 'cross-site' } }), '/device')
      t.strictSame(
        visitor.cookies.names().sort(),
        [SESSION_COOKIE, VISITOR_COOKIE],
        'which knows where this callback led'
      )
      shows(
        t,
        await visitor.get('/device'),
        200,
        device.title,
        en.signedInAs(`ann ${id === 'acme' ? 'at' : 'of'} ${id}`)
      )
    })
  }

  t.test('303 whatever else comes with it, a second question mark too', async (t) => {
    for (const more of ['session_state=a?b', 'x=?&y=??', 'error_description=', 'authuser=0&prompt=none&scope=openid']) {
      const { visitor, back } = await returning()
      goesTo(t, await visitor.get(back.replace('?', `?${more}&`)), '/device', more)
    }
  })

  t.test('303 goes on where they were going, and ends the session that was there', async (t) => {
    const visitor = createVisitor(service)
    goesTo(t, await visitor.get('/account/clients'), '/login')
    goesTo(t, await visitor.get(await visitor.visitProvider('/login/acme', 'ann')), '/account/clients')
    const before = createVisitor(service)
    before.cookies.set(SESSION_COOKIE, visitor.cookies.get(SESSION_COOKIE) ?? '')
    t.equal(await isSignedIn(before), true)
    goesTo(t, await visitor.get(await visitor.visitProvider('/login/hub', 'bob')), '/device')
    t.equal(await isSignedIn(before), false)
    t.equal(await isSignedIn(visitor), true)
  })

  t.test('400 an answer counts once, in the browser that began, at the provider it began with', async (t) => {
    const { visitor, back } = await returning()
    const stranger = createVisitor(service)
    shows(t, await stranger.get(back), 400, error.title, signInFailed.invalid)
    await stranger.get('/login')
    shows(t, await stranger.get(back), 400, error.title, signInFailed.invalid)
    await stranger.get('/login/acme')
    shows(t, await stranger.get(back), 400, error.title, signInFailed.invalid)
    t.strictSame(stranger.cookies.get(SESSION_COOKIE), undefined)
    shows(t, await visitor.get(back.replace('acme', 'hub')), 400, error.title, signInFailed.invalid)
    goesTo(t, await visitor.get(back), '/device', 'what came from elsewhere did not use it up')
    const [session, asked] = [visitor.cookies.get(SESSION_COOKIE), acme.count(TOKEN_ENDPOINT)]
    goesTo(t, await visitor.get(back), '/device', 'loaded again it leads on')
    t.equal(visitor.cookies.get(SESSION_COOKIE), session, 'in the same session')
    t.equal(acme.count(TOKEN_ENDPOINT), asked, 'and nobody is asked')
    t.equal(await isSignedIn(visitor), true)
  })

  t.test('303 a callback that is loaded again leads where it led, whoever is there by then', async (t) => {
    const visitor = createVisitor(service)
    await visitor.get('/account/clients')
    const back = await visitor.visitProvider('/login/acme', 'ann')
    for (let i = 0; i < 3; i++) goesTo(t, await visitor.get(back), '/account/clients')
    const other = await visitor.visitProvider('/login/hub', 'bob')
    goesTo(t, await visitor.get(other), '/device')
    goesTo(t, await visitor.get(back), '/account/clients', 'after another sign-in as well')
    visitor.cookies.delete(SESSION_COOKIE)
    goesTo(t, await visitor.get(back), '/login', 'and to sign in once the session is over')
  })

  for (const order of ['the first tab first', 'the second tab first']) {
    t.test(`303 two tabs at once, each to where it was going: ${order}`, async (t) => {
      const visitor = createVisitor(service)
      await visitor.get('/account/clients')
      const first = { back: await visitor.visitProvider('/login/acme', 'ann'), to: '/account/clients' }
      await visitor.get('/account/connections')
      const second = { back: await visitor.visitProvider('/login/acme', 'ann'), to: '/account/connections' }
      const tabs = order.startsWith('the first') ? [first, second] : [second, first]
      for (const { back, to } of tabs) {
        goesTo(t, await visitor.get(back), to)
        t.equal(await isSignedIn(visitor), true)
      }
      for (const { back, to } of tabs) goesTo(t, await visitor.get(back), to, 'and loaded again')
    })
  }

  t.test('303 of many that were begun the last five count, and fit into the cookie', async (t) => {
    const visitor = createVisitor(service)
    await visitor.get('/login')
    const backs: string[] = []
    for (let i = 0; i < 6; i++) backs.push(await visitor.visitProvider(i % 2 ? '/login/hub' : '/login/acme', 'ann'))
    const [oldest = '', ...last] = backs
    shows(t, await visitor.get(oldest), 400, error.title, signInFailed.invalid)
    for (const back of last.reverse()) goesTo(t, await visitor.get(back), '/device')
  })

  t.test('400 a stray callback spoils nothing and asks nobody, for whoever is under way or signed in', async (t) => {
    const [{ visitor, back }, honest] = [await returning(), await returning('bob')]
    const arrived = createVisitor(service)
    await arrived.signInAt('acme', 'cat')
    const asked = acme.requests.length
    for (const query of ['code=x&state=x', 'state=x&error=access_denied', 'code=x', 'state=', '', 'state=x&state=y']) {
      for (const one of [visitor, arrived]) {
        const page = await one.get(`/login/acme/callback?${query}`)
        shows(t, page, 400, error.title, signInFailed.invalid)
        t.strictSame(page.setCookies, [], query)
      }
    }
    t.equal(acme.requests.length, asked)
    goesTo(t, await honest.visitor.get(honest.back), '/device', 'nor for anybody else')
    goesTo(t, await visitor.get(back), '/device')
    t.equal(await isSignedIn(arrived), true)
  })

  t.test('303 HEAD begins, finishes and asks nothing', async (t) => {
    const { visitor, back } = await returning()
    const asked = acme.requests.length
    for (const path of ['/login/acme', back]) {
      const page = await visitor.get(path, { method: 'HEAD' })
      goesTo(t, page, '/login', path)
      t.strictSame([page.body, page.setCookies], ['', []])
    }
    t.equal(acme.requests.length, asked)
    t.equal(visitor.cookies.get(SESSION_COOKIE), undefined)
    goesTo(t, await visitor.get(back), '/device', 'the answer is still good')
    const session = visitor.cookies.get(SESSION_COOKIE)
    await visitor.get(back, { method: 'HEAD' })
    t.equal(visitor.cookies.get(SESSION_COOKIE), session)
  })

  t.test('400 an answer that was changed', async (t) => {
    const { visitor: other, back: theirs } = await returning('bob')
    const stateOf = (path: string) => new URLSearchParams(path.split('?')[1]).get('state') ?? ''
    const codeOf = (path: string) => new URLSearchParams(path.split('?')[1]).get('code') ?? ''
    const changes: ((back: string) => string)[] = [
      () => '/login/acme/callback',
      () => '/login/acme/callback?',
      (back) => back.replace(/state=[^&]*/, ''),
      (back) => back.replace(/state=[^&]*/, 'state='),
      (back) => back.replace(/state=[^&]*/, `state=${stateOf(theirs)}`),
      (back) => back.replace(/code=[^&]*/, ''),
      (back) => back.replace(/code=[^&]*/, 'code='),
      (back) => back.replace(/code=[^&]*/, 'code=x'),
      (back) => back.replace(/code=[^&]*/, `code=${codeOf(theirs)}`),
      (back) => `${back}&code=${codeOf(theirs)}`,
      (back) => `${back}&state=${stateOf(theirs)}`,
      (back) => `${back}&error=access_denied`,
      (back) => back.replace(/iss=[^&]*/, ''),
      (back) => back.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.example'),
      (back) => `/login/acme/callback?state=${stateOf(back)}&error=%3Cscript%3Ealert(1)%3C%2Fscript%3E`,
      (back) => `/login/acme/callback?state=${stateOf(back)}&error=x&error_description=canary&error_uri=//canary`
    ]
    for (const change of changes) {
      const { visitor, back } = await returning()
      const page = await visitor.get(change(back))
      shows(t, page, 400, error.title, signInFailed.invalid, login.title)
      t.notMatch(page.body, /canary|<script|evil/, `${change}`)
      t.equal(visitor.cookies.get(SESSION_COOKIE), undefined, 'nobody is signed in')
      const states = new URLSearchParams(change(back).split('?')[1]).getAll('state')
      const isOver = states.length === 1 && states[0] === stateOf(back)
      const again = await visitor.get(back)
      if (isOver) shows(t, again, 400, error.title, signInFailed.invalid)
      else goesTo(t, again, '/device', `${change}: without its state it was no answer to this attempt`)
    }
    goesTo(t, await other.get(theirs), '/device', 'nobody used up what was theirs')
  })

  t.test('303 what a browser says is not the word of the provider: nobody can have it left alone', async (t) => {
    const made = ['code=', 'error=', 'error=server_error', 'error=temporarily_unavailable', 'code=x&id_token=y']
    const { acme, service } = await startProviders(t)
    const visitors = await Promise.all(
      made.map(async (answer) => {
        const visitor = createVisitor(service)
        await visitor.get('/login')
        const { location = '' } = await visitor.get('/login/acme')
        const iss = `iss=${encodeURIComponent(acme.origin)}`
        return {
          visitor,
          back: `/login/acme/callback?state=${new URL(location).searchParams.get('state')}&${answer}&${iss}`
        }
      })
    )
    for (const { visitor, back } of visitors) t.ok([400, 503].includes((await visitor.get(back)).status), back)
    t.equal((await createVisitor(service).get('/login/acme')).status, 303)
  })

  t.test('400 whoever cancels is told so, and can try again', async (t) => {
    const visitor = createVisitor(service)
    await visitor.get('/account/clients')
    const page = await visitor.get(await visitor.visitProvider('/login/acme', 'ann', 'refuse'))
    shows(t, page, 400, error.title, signInFailed.denied, login.title)
    t.match(page.body, /<a href="\/login">/)
    await visitor.get('/login')
    goesTo(t, await visitor.get(await visitor.visitProvider('/login/acme', 'ann')), '/account/clients', 'as intended')
  })

  t.test('400 a quarter of an hour later', async (t) => {
    const [{ visitor: quick, back: soon }, { visitor: slow, back: late }] = [await returning(), await returning()]
    service.clock.advance(15 * MINUTE_MS - 1)
    // The upstream has its own clock, by which its answer is fresh.
    t.not((await quick.get(soon)).status, 400)
    service.clock.advance(1)
    const cookie = slow.cookies.get(VISITOR_COOKIE)
    t.equal(cookie, undefined, 'the browser has forgotten')
    shows(t, await slow.get(late), 400, error.title, signInFailed.invalid)
    service.clock.advance(-15 * MINUTE_MS)
  })

  t.test('400 a cookie that was kept for longer than it was meant to', async (t) => {
    const { visitor, back } = await returning()
    visitor.cookies.set(VISITOR_COOKIE, visitor.cookies.get(VISITOR_COOKIE) ?? '')
    service.clock.advance(15 * MINUTE_MS)
    shows(t, await visitor.get(back), 400, error.title, signInFailed.invalid)
    service.clock.advance(-15 * MINUTE_MS)
  })

  t.test('400 for a provider there is not', async (t) => {
    const { visitor, back } = await returning()
    const nowhere = await visitor.get(back.replace('acme', 'nobody'))
    shows(t, nowhere, 400, error.title, signInFailed.invalid)
  })

  t.test('503 while the provider cannot be asked: nobody is signed in, and it can be begun again', async (t) => {
    const { visitor, back } = await returning()
    acme.at(TOKEN_ENDPOINT, json({ error: 'temporarily_unavailable' }, 503, { 'retry-after': '7' }))
    const page = await visitor.get(back)
    refused(t, page, 503, 'unavailable')
    t.equal(page.headers['retry-after'], '7')
    acme.at(TOKEN_ENDPOINT)
    t.equal(visitor.cookies.get(SESSION_COOKIE), undefined)
    service.clock.advance(8_000)
    goesTo(t, await visitor.get(back), '/device', 'the callback is good as soon as the provider is')
    await visitor.get('/logout')
    await visitor.post('/logout')
    await visitor.get('/login')
    goesTo(t, await visitor.get(await visitor.visitProvider('/login/acme', 'ann')), '/device')
    service.clock.advance(-8_000)
  })
})

t.test('GET and POST /logout', async (t) => {
  const service = await startApp(t, freely)

  t.test('200 asks first, whatever the link says', async (t) => {
    const ann = await signedIn(service)
    for (const path of ['/logout', '/logout?yes=1', '/logout?csrf=x&done=signed-out']) {
      shows(t, await ann.get(path), 200, logout.title, logout.intro)
    }
    t.equal(await isSignedIn(ann), true)
  })

  t.test('303 ends the session here and in the store, and forgets everything', async (t) => {
    const { user_code } = await service.start()
    const ann = await signedIn(service)
    const token = ann.cookies.get(SESSION_COOKIE) ?? ''
    await ann.enter(user_code)
    await ann.get('/logout')
    const page = await ann.post('/logout')
    goesTo(t, page, '/login?done=signed-out')
    t.equal(page.setCookies.length, 3)
    t.strictSame(ann.cookies.names(), [])
    shows(t, await ann.follow(page), 200, login.title, login.signedOut)
    const old = createVisitor(service)
    old.cookies.set(SESSION_COOKIE, token)
    goesTo(t, await old.get('/device'), '/login')
  })

  t.test('303 to sign in for whoever is not', async (t) => {
    goesTo(t, await createVisitor(service).get('/logout'), '/login')
    goesTo(t, await createVisitor(service).post('/logout'), '/login')
  })

  t.test('403 without the token of this session', async (t) => {
    const ann = await signedIn(service)
    for (const csrf of [undefined, '', 'x']) {
      await ann.get('/logout')
      refused(t, await ann.post('/logout', { csrf }), 403, 'form')
    }
    t.equal(await isSignedIn(ann), true)
  })

  t.test('405, 413 and 415', async (t) => {
    const ann = await signedIn(service)
    const routes = { '/login': 'GET, POST, HEAD', '/login/acme': 'GET, HEAD', '/login/acme/callback': 'GET, HEAD' }
    for (const [path, allow] of Object.entries({ ...routes, '/logout': 'GET, POST, HEAD' })) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
        if (allow.includes(method)) continue
        const page = await ann.get(path, { method })
        refused(t, page, 405, 'method')
        t.equal(page.headers.allow, allow, `${method} ${path}`)
      }
    }
    await ann.get('/logout')
    const payload = `csrf=${ann.hidden('csrf')}`
    refused(t, await ann.post('/logout', {}, { payload: `${payload}&x=${'x'.repeat(17_000)}` }), 413, 'badRequest')
    const headers = { 'content-type': 'text/plain' }
    refused(t, await ann.post('/logout', {}, { payload, headers }), 415, 'badRequest')
    t.equal(await isSignedIn(ann), true)
  })

  t.test('404 below, for whoever strays there', async (t) => {
    for (const path of ['/login/acme/callback/x', '/login/acme/x', '/logout/x', '/login/']) {
      refused(t, await createVisitor(service).get(path), 404, 'notFound')
    }
  })
})

t.test('429 more sign-ins in a minute than one address may begin or finish', async (t) => {
  const few = { SIGNING_ALG: 'EdDSA', TRUST_PROXY: '127.0.0.1', LIMIT_SIGN_IN_PER_MINUTE: '2' }
  const from = (i: number) => ({ headers: { 'x-forwarded-for': `203.0.113.${i}` } })

  t.test('by name', async (t) => {
    const service = await startApp(t, few)
    for (let i = 0; i < 3; i++) {
      const visitor = createVisitor(service)
      await visitor.get('/login')
      const page = await visitor.post('/login', { name: 'ann' }, from(1))
      if (i < 2) goesTo(t, page, '/device')
      else limited(t, page, 60)
    }
    const visitor = createVisitor(service)
    await visitor.get('/login')
    goesTo(t, await visitor.post('/login', { name: 'ann' }, from(2)), '/device', 'from another address')
  })

  t.test('at a provider: as many can be finished as were begun', async (t) => {
    const { service } = await startProviders(t, few)
    const [visitors, other] = [[createVisitor(service), createVisitor(service)], createVisitor(service)]
    const backs: string[] = []
    for (const visitor of visitors) {
      await visitor.get('/login')
      backs.push(await visitor.visitProvider('/login/acme', 'ann'))
    }
    limited(t, await other.get('/login/acme'), 60)
    for (const [i, back] of backs.entries()) goesTo(t, await (visitors[i] as Visitor).get(back), '/device')
  })
})

t.test('sessions', async (t) => {
  t.test('303 end when unused for a while, and some hours after sign-in in any case', async (t) => {
    const service = await startApp(t, { ...freely, SESSION_IDLE_SECONDS: '600', SESSION_TTL_SECONDS: '3600' })
    const [busy, idle] = [await signedIn(service), await signedIn(service)]
    for (let i = 0; i < 6; i++) {
      t.equal(await isSignedIn(busy), true, `${i * 10} minutes`)
      service.clock.advance(10 * MINUTE_MS - 1)
      if (i === 0) t.equal(await isSignedIn(idle), true, 'at the last moment, which keeps it alive')
    }
    t.equal(await isSignedIn(busy), true, 'almost an hour')
    t.equal(await isSignedIn(idle), false)
    service.clock.advance(6)
    t.equal(busy.cookies.get(SESSION_COOKIE), undefined, 'the browser forgets it at the same time')
    const kept = createVisitor(service)
    kept.cookies.set(SESSION_COOKIE, busy.pages.flatMap(({ setCookies }) => setCookies)[1]?.value ?? '')
    goesTo(t, await kept.get('/device'), '/login')
  })

  t.test('303 whatever else is in the cookie is no session', async (t) => {
    const service = await startApp(t, freely)
    const ann = await signedIn(service)
    const token = ann.cookies.get(SESSION_COOKIE) ?? ''
    const odd = ['', 'x', token.slice(1), `${token}x`, token.toLowerCase(), '__proto__', '%00', 'A'.repeat(43)]
    for (const value of [...odd, 'A'.repeat(5_000), ann.pages[0]?.setCookies[0]?.value ?? '', `"${token}`]) {
      const visitor = createVisitor(service)
      visitor.cookies.set(SESSION_COOKIE, value)
      goesTo(t, await visitor.get('/device'), '/login', value.slice(0, 50))
    }
    for (const name of [
      'sid',
      'grantd-session',
      '__Secure-grantd-session',
      '__host-grantd-session',
      '__Host-session'
    ]) {
      const visitor = createVisitor(service)
      visitor.cookies.set(name, token)
      goesTo(t, await visitor.get('/device'), '/login', name)
    }
    goesTo(t, await createVisitor(service).get(`/device?session=${token}`), '/login', 'nor in a URL')
    const headers = { authorization: `Bearer ${token}` }
    goesTo(t, await createVisitor(service).get('/device', { headers }), '/login', 'nor in another header')
    t.equal(await isSignedIn(ann), true)
  })

  t.test('401 nor is it one for the API', async (t) => {
    const service = await startApp(t, freely)
    const ann = await signedIn(service)
    const token = ann.cookies.get(SESSION_COOKIE) ?? ''
    t.equal((await service.call('GET', '/auth/clients', { headers: { cookie: ann.cookies.header() } })).status, 401)
    t.equal((await service.call('GET', '/auth/clients', { token })).status, 401)
  })
})

t.test('languages', async (t) => {
  const service = await startApp(t, freely)
  const cases: [string | undefined, string][] = [
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-AT', 'de'],
    ['fr-CA, de;q=0.9', 'fr'],
    ['it, fr;q=0.5, de;q=0.8', 'de'],
    ['de;q=0', 'en'],
    ['*', 'en'],
    ['es-MX', 'es'],
    ['es-419, en;q=0.9', 'es'],
    ['pt-BR', 'pt'],
    ['pt-PT', 'pt'],
    ['ja-JP', 'ja'],
    ['ko', 'en'],
    ['DE', 'de'],
    ['<script>', 'en'],
    [';;;=,,q', 'en'],
    ['__proto__', 'en'],
    [`${'x-'.repeat(2_000)}`, 'en']
  ]
  for (const [header, language] of cases) {
    const headers = { 'accept-language': header }
    const page = await createVisitor(service).get('/login', { headers })
    t.ok(page.body.startsWith(`<!doctype html><html lang="${language}">`), `${header?.slice(0, 30)}`)
    t.ok(page.text.includes(texts[language as 'en'].login.title))
    t.equal((await createVisitor(service).get('/login/x', { headers })).status, 404, 'errors as well')
  }
  t.equal(LANGUAGES.length, 6)
  for (const language of LANGUAGES) {
    const headers = { 'accept-language': language }
    const page = await createVisitor(service).get('/login/nobody', { headers })
    t.ok(page.text.includes(texts[language].error.notFound), language)
  }
})

t.test('a provider that names somebody oddly', async (t) => {
  const acme: IdentityProvider = await startIdentityProvider(t, { publicUrl })
  const service = await startApp(t, { ...freely, PROVIDERS_FILE: providersFile(t, [acme.entry()]) })
  for (const name of ['<script>alert(1)</script>', '"><img src=x>', 'x'.repeat(5_000), '\u202egnp.exe', 'a\nb']) {
    acme.claimsOf = (sub) => ({ sub, name })
    const ann = createVisitor(service)
    const page = await ann.signInAt('acme', 'ann')
    shows(t, page, 200, device.title)
    t.notMatch(page.body, /<script|<img (?!src="\/assets\/)/)
    t.ok(page.text.length < 1_500, 'no name takes the page')
  }
})
