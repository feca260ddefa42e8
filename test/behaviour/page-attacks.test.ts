/**
 * Attacks on the pages from another site, from another browser and through the texts of a program. None of them may
 * succeed.
 */
import t, { type Test } from 'tap'
import { en } from '../../src/routes/pages/texts/en.js'
import { pageHeaders } from '../routes/pages/expectations.js'
import { startApp, type TestApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { codeRequest } from '../support/code-flow.js'
import { clientsFile } from '../support/oauth-app.js'
import { startIdentityProvider } from '../support/oidc-upstream.js'
import { startPlainProvider } from '../support/plain-upstream.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { providersFile } from '../support/sign-in.js'
import {
  ASK_COOKIE,
  CODE_COOKIE,
  createVisitor,
  type FormFields,
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
const EVIL = 'https://evil.example'
const APPROVE = { action: 'approve', same: 'yes' }

const isSignedIn = async (visitor: Visitor) => (await visitor.get('/device')).status === 200

/** A filled-in form of a victim, and how to see its effect. */
interface Form {
  name: string
  /** The fields beside the CSRF token, all valid. */
  fields: FormFields
  path: string
  victim: Visitor
  /** The user that the victim is signed in as, if any. */
  user?: string
  /** Returns the state that the form would change. */
  state(): Promise<unknown>
}

/** Connects an account to a user as an upstream would. */
async function connectTo({ app }: TestApp, userId: string, upstreamId: string) {
  const identity = { subject: 'd', username: 'd', name: 'd' }
  const tokens = { accessToken: 'access', refreshToken: undefined, scopes: [], expiresAtMs: undefined }
  const { connectionId } = await app.core.identities.connect(upstreamId, identity.subject, userId)
  return app.core.connections.keep(userId, connectionId, { upstreamId, identity, tokens }, BY)
}

/** Returns every form of the site, filled in, each for another user. */
async function everyForm(service: TestApp, withProviders: TestApp): Promise<Form[]> {
  const { app, start, poll } = service
  const forms: Form[] = []
  const arrive = (user: string) => signedIn(service, user)
  const clientsOf = async (user: string) =>
    (await app.core.authorizations.list(user)).map(({ label, revokedAtMs }) => [label, revokedAtMs !== undefined])
  const listed = async (user: string) => {
    const victim = await arrive(user)
    const { grant_code, user_code } = await start({ hostname: 'build-7' })
    await victim.enter(user_code)
    await victim.post('/device/confirm', APPROVE)
    await poll(grant_code)
    const [client] = await app.core.authorizations.list(user)
    await victim.get('/account/clients')
    return { user, victim, id: client?.id, state: () => clientsOf(user) }
  }

  const code = await start()
  const entering = await arrive('enters')
  const enters = {
    user: 'enters',
    name: 'enter a code',
    path: '/device',
    fields: { user_code: code.user_code },
    victim: entering
  }
  forms.push({ ...enters, state: async () => entering.cookies.get(CODE_COOKIE) })
  for (const action of ['approve', 'deny']) {
    const { user_code } = await start()
    const victim = await arrive(action)
    await victim.enter(user_code)
    const fields = { ...APPROVE, action, ticket: victim.hidden('ticket') }
    forms.push({
      name: action,
      user: action,
      path: '/device/confirm',
      fields,
      victim,
      state: () => app.core.grants.peek(user_code)
    })
  }
  for (const action of ['approve', 'deny']) {
    const user = `${action} a program`
    const victim = await arrive(user)
    const { location: path = '' } = await victim.get(codeRequest().path)
    await victim.get(path)
    const state = async () => [
      await clientsOf(user),
      victim.cookies.names().filter((name) => name.startsWith(ASK_COOKIE))
    ]
    const fields = { action, sure: 'yes', ticket: victim.hidden('ticket') }
    forms.push({ name: user, user, path, fields, victim, state })
  }
  const undo = await listed('undo')
  await undo.victim.get('/device/done')
  forms.push({ ...undo, name: 'undo', path: '/device/undo', fields: {} })
  const stranger = createVisitor(service)
  await stranger.get('/login')
  const signs = async () => stranger.cookies.get(SESSION_COOKIE)
  forms.push({ name: 'sign in', path: '/login', fields: { name: 'mallory' }, victim: stranger, state: signs })
  const leaving = await arrive('leaves')
  await leaving.get('/logout')
  const token = leaving.cookies.get(SESSION_COOKIE) ?? ''
  const stays = async () => (await app.core.browserSessions.use(token))?.userId
  forms.push({ name: 'sign out', user: 'leaves', path: '/logout', fields: {}, victim: leaving, state: stays })
  const renames = await listed('renames')
  forms.push({ ...renames, name: 'rename', path: `/account/clients/${renames.id}/rename`, fields: { label: 'theirs' } })
  const revokes = await listed('revokes')
  forms.push({ ...revokes, name: 'revoke', path: `/account/clients/${revokes.id}/revoke`, fields: {} })
  const all = await listed('revokes all')
  forms.push({ ...all, name: 'revoke all', path: '/account/clients/revoke-all', fields: {} })
  const disconnects = await arrive('disconnects')
  const { id } = await connectTo(service, 'disconnects', 'gone')
  await disconnects.get('/account/connections')
  const kept = { user: 'disconnects', victim: disconnects, state: () => app.core.connections.list('disconnects') }
  forms.push({ ...kept, name: 'disconnect', path: `/account/connections/${id}/disconnect`, fields: {} })
  const chooses = createVisitor(withProviders)
  await chooses.signInAt('acme', 'chooses')
  const signedInAs = await withProviders.app.core.browserSessions.use(chooses.cookies.get(SESSION_COOKIE) ?? '')
  const account = await connectTo(withProviders, signedInAs?.userId ?? '', 'hub')
  await chooses.get('/account/connections')
  forms.push({
    ...{ name: 'sign in with it too', path: `/account/connections/${account.id}/sign-in`, fields: { may: 'yes' } },
    ...{ user: 'chooses', victim: chooses },
    state: () => withProviders.app.core.identities.useOf('hub', account.subject, account.userId)
  })
  return [...forms, ...(await formsOfAdmins(withProviders))]
}

/** Returns the forms of the admin pages, about users of other names. The search and the filter of events change nothing. */
async function formsOfAdmins(service: TestApp): Promise<Form[]> {
  const { core } = service.app
  const about = async (what: string, page: string, state: (userId: string) => Promise<unknown>) => {
    const victim = createVisitor(service)
    await victim.signInAt('acme', 'chief')
    const userId = `to-${what}`
    await core.profiles.keep(userId, { name: what })
    await service.collect(userId)
    const [authorization] = await core.authorizations.list(userId)
    if (what === 'unblock') await core.users.block(userId, BY)
    await victim.get(`/admin/users/${userId}${page}`)
    const path = `/admin/users/${userId}/${what === 'revoke' ? `clients/${authorization?.id}/revoke` : what}`
    return { name: `${what}, as an admin`, user: 'chief', path, fields: {}, victim, state: () => state(userId) }
  }
  const active = async (userId: string) => (await core.authorizations.page(userId)).active
  return [
    await about('revoke', '', active),
    await about('revoke-all', '/revoke-all', active),
    await about('block', '/block', core.users.isBlocked),
    await about('unblock', '', core.users.isBlocked)
  ]
}

/** Sends a forged form and returns the answer. */
type Forgery = (form: Form, token: string) => Promise<Page>
const FORM = 'application/x-www-form-urlencoded'

t.test('cross-site request forgery', async (t) => {
  const service = await startApp(t, freely)
  const mallory = await signedIn(service, 'mallory')
  await mallory.get('/device')
  const theirs = mallory.hidden('csrf')
  const send =
    (csrf: (token: string) => FormFields[string], headers: VisitOptions['headers'] = {}): Forgery =>
    ({ victim, path, fields }, token) =>
      victim.post(path, { ...fields, csrf: csrf(token) }, { headers })
  const right = (token: string) => token
  const encode = (fields: FormFields) => new URLSearchParams(fields as Record<string, string>).toString()
  const bodyOf = (form: Form, token: string) => encode({ ...form.fields, csrf: token })
  /** Sends the cookies of a victim together with cookies that a neighbouring host has set. */
  const tossed = (names: string[]): Forgery => {
    return ({ victim, path, fields }) => {
      const planted = names.map((name) => `${name}=${mallory.cookies.get(SESSION_COOKIE)}`).join('; ')
      const cookie = `${planted}; ${victim.cookies.header()}`
      return victim.post(path, { ...fields, csrf: theirs }, { headers: { cookie } })
    }
  }
  const sentAs =
    (type: string, body: (form: Form, token: string) => string): Forgery =>
    (form, token) =>
      form.victim.post(form.path, {}, { payload: body(form, token), headers: { 'content-type': type } })

  const forgeries: Record<string, { forge: Forgery; status: number[] }> = {
    'no token': { forge: send(() => undefined), status: [403] },
    'an empty token': { forge: send(() => ''), status: [403] },
    'the token of somebody else’s session': { forge: send(() => theirs), status: [403] },
    'the token of another session of the same user': {
      async forge({ victim, path, fields, user = 'ann' }) {
        const elsewhere = await signedIn(service, user)
        await elsewhere.get('/device')
        return victim.post(path, { ...fields, csrf: elsewhere.hidden('csrf') })
      },
      status: [403]
    },
    'the token of a visitor who was not signed in yet': {
      async forge({ victim, path, fields }) {
        const visitor = createVisitor(service)
        await visitor.get('/login')
        const cookie = `${victim.cookies.header()}; ${visitor.cookies.header()}`
        // A visitor who signs in has no visitor cookie; planting one must not help an attacker.
        const isVisitor = victim.cookies.get(SESSION_COOKIE) === undefined
        const headers = isVisitor ? {} : { cookie }
        return victim.post(path, { ...fields, csrf: visitor.hidden('csrf') }, { headers })
      },
      status: [403]
    },
    'a token that was changed': {
      forge: send((token) => token.slice(0, 20) + (token[20] === 'A' ? 'B' : 'A') + token.slice(21)),
      status: [403]
    },
    'the token twice': { forge: send((token) => [token, token]), status: [403] },
    'the token beside another': { forge: send((token) => [theirs, token]), status: [403] },
    'Sec-Fetch-Site: cross-site': { forge: send(right, { 'sec-fetch-site': 'cross-site' }), status: [403] },
    'Sec-Fetch-Site: same-site': { forge: send(right, { 'sec-fetch-site': 'same-site' }), status: [403] },
    'Sec-Fetch-Site: none': { forge: send(right, { 'sec-fetch-site': 'none' }), status: [403] },
    'an Origin elsewhere': { forge: send(right, { 'sec-fetch-site': undefined, origin: EVIL }), status: [403] },
    'an Origin next door': {
      forge: send(right, { 'sec-fetch-site': undefined, origin: 'http://localhost:3334' }),
      status: [403]
    },
    'an Origin that begins alike': {
      forge: send(right, { 'sec-fetch-site': undefined, origin: `${publicUrl}.evil.example` }),
      status: [403]
    },
    'the token in the query': {
      forge: ({ victim, path, fields }, token) => victim.post(`${path}?csrf=${token}`, { ...fields, csrf: undefined }),
      status: [403, 404]
    },
    'the token in a header': {
      forge: send(() => undefined, { 'x-csrf-token': theirs, 'csrf-token': theirs }),
      status: [403]
    },
    'text/plain': { forge: sentAs('text/plain', bodyOf), status: [415] },
    'multipart/form-data': { forge: sentAs('multipart/form-data; boundary=x', bodyOf), status: [415] },
    JSON: {
      forge: sentAs('application/json', ({ fields }, csrf) => JSON.stringify({ ...fields, csrf })),
      status: [415]
    },
    'no body at all': { forge: ({ victim, path }) => victim.get(path, { method: 'POST' }), status: [403] },
    'GET with everything in the query': {
      forge: (form, token) => form.victim.get(`${form.path}?${bodyOf(form, token)}`),
      status: [200, 303, 405]
    },
    'PUT instead of POST': {
      forge: (form, token) => form.victim.post(form.path, {}, { method: 'PUT', payload: bodyOf(form, token) }),
      status: [405]
    },
    'the method in a field': {
      forge: ({ victim, path, fields }) => victim.get(`${path}?${encode({ ...fields, _method: 'POST' })}`),
      status: [200, 303, 405]
    },
    'a cookie tossed by a neighbour': {
      forge: tossed(['grantd-session', '__Secure-grantd-session', '__host-grantd-session']),
      status: [403]
    },
    'no cookies, as another site sends a form': {
      forge: send(right, { cookie: undefined, 'sec-fetch-site': 'cross-site', origin: EVIL }),
      // A program's question is not known to a browser without its cookie.
      status: [303, 400, 403]
    }
  }

  const [acme, hub] = [await startIdentityProvider(t, { publicUrl }), await startPlainProvider(t, { publicUrl })]
  const file = providersFile(t, [acme.entry(), hub.entry()])
  const forms = await everyForm(
    service,
    await startApp(t, { ...freely, PROVIDERS_FILE: file, ADMINS: 'identity:acme:chief' })
  )
  t.equal(forms.length, 17)
  for (const form of forms) {
    await t.test(`${form.name}: nothing comes of it, and of the form itself what should`, async (t) => {
      const { victim, path, state } = form
      const token = victim.hidden('csrf')
      const before = JSON.stringify(await state())
      const cookies = new Map(victim.cookies.names().map((name) => [name, victim.cookies.get(name)]))
      for (const [about, { forge, status }] of Object.entries(forgeries)) {
        const page = await forge(form, token)
        t.ok(status.includes(page.status), `${about}: ${page.status} ${page.location ?? ''}`)
        if (page.location !== undefined) t.match(page.location, /^\/(login|device)$/, about)
        t.equal(JSON.stringify(await state()), before, `${about}: nothing has changed`)
        pageHeaders(t, page, about)
        for (const [name, value] of cookies) victim.cookies.set(name, value ?? '')
      }
      const answer = await victim.post(path, { ...form.fields, csrf: token })
      const isOnward = answer.status === 200 && answer.body.includes('http-equiv="refresh"')
      t.ok(answer.status === 303 || isOnward, `${form.name}: sent by its own page`)
      t.not(JSON.stringify(await state()), before, `${form.name}: that it would have changed something`)
    })
  }
  t.ok(Object.keys(forgeries).length >= 12)

  await t.test('browsers that tell less than others are let in by the token', async (t) => {
    for (const headers of [
      { 'sec-fetch-site': undefined, origin: undefined },
      { 'sec-fetch-site': undefined, origin: 'null' },
      { 'sec-fetch-site': undefined, origin: publicUrl },
      { 'sec-fetch-site': 'same-origin', origin: publicUrl }
    ]) {
      const { user_code } = await service.start()
      const ann = await signedIn(service)
      t.equal((await ann.post('/device', { user_code }, { headers })).status, 303, JSON.stringify(headers))
    }
  })
})

t.test('login cross-site request forgery', async (t) => {
  const acme = await startIdentityProvider(t, { publicUrl })
  const hub = await startPlainProvider(t, { publicUrl })
  const file = providersFile(t, [acme.entry(), hub.entry()])
  const service = await startApp(t, { ...freely, PROVIDERS_FILE: file })
  /** Returns the upstream's answer to a sign-in of the attacker, not redeemed. */
  const answerFor = async (path: string) => {
    const mallory = createVisitor(service)
    if (path.startsWith('/account')) await mallory.signInAt('acme', 'mallory')
    else await mallory.get('/login')
    const back = await mallory.visitProvider(path, 'mallory')
    return { back, visitor: mallory.cookies.get(VISITOR_COOKIE) ?? '', mallory }
  }
  const followed = { headers: { 'sec-fetch-site': 'cross-site' } }

  for (const id of ['acme', 'hub']) {
    await t.test(`an answer of ${id} to somebody else signs nobody in`, async (t) => {
      const { back, visitor } = await answerFor(`/login/${id}`)
      const nobody = createVisitor(service)
      const beginning = createVisitor(service)
      await beginning.get('/login')
      await beginning.get(`/login/${id}`)
      const ann = createVisitor(service)
      await ann.signInAt('acme', 'ann')
      const session = ann.cookies.get(SESSION_COOKIE)
      // Another host can set cookies with these names, but none with the prefix __Host-.
      const fooled = createVisitor(service)
      for (const name of ['grantd-visitor', '__Secure-grantd-visitor']) fooled.cookies.set(name, visitor)
      for (const victim of [nobody, beginning, fooled, ann]) {
        const page = await victim.get(back, followed)
        t.equal(page.status, 400)
        t.ok(page.text.includes(en.error.signInFailed.invalid))
        t.equal(page.setCookies.find(({ name }) => name === SESSION_COOKIE)?.value, undefined)
      }
      t.equal(ann.cookies.get(SESSION_COOKIE), session)
      t.match((await ann.get('/device')).text, en.signedInAs('ann at acme'))
      for (const victim of [nobody, beginning, fooled]) t.equal(await isSignedIn(victim), false)
    })
  }

  await t.test('an answer to somebody else’s connecting connects nothing', async (t) => {
    const { back, mallory } = await answerFor('/account/connections/hub/connect')
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    const before = await ann.get('/account/connections')
    t.equal((await ann.get(back, followed)).status, 400)
    await ann.get('/account/connections')
    const own = await ann.visitProvider('/account/connections/hub/connect', 'ann')
    t.equal((await ann.get(back, followed)).status, 400, 'nor in place of an account of her own')
    t.equal((await ann.get(own, followed)).location, '/account/connections?done=connected', 'which it does not spoil')
    t.notMatch((await ann.get('/account/connections')).text, /mallory/)
    t.match(before.text, 'The acme: ann')
    t.equal((await mallory.get(back, followed)).location, '/account/connections?done=connected', 'it was good')
  })

  await t.test('no other site can have somebody begin', async (t) => {
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    for (const path of ['/login/acme', '/login/hub', '/account/connections/hub/connect']) {
      for (const site of ['cross-site', 'same-site']) {
        const page = await ann.get(path, { headers: { 'sec-fetch-site': site } })
        t.match(page.location, /^\/(login|account\/connections)$/, `${site} ${path}`)
        t.strictSame(page.setCookies, [])
      }
    }
  })

  await t.test('the demo sign-in takes no form from elsewhere', async (t) => {
    const service = await startApp(t, freely)
    const mallory = createVisitor(service)
    await mallory.get('/login')
    const csrf = mallory.hidden('csrf')
    const elsewhere = { headers: { 'sec-fetch-site': 'cross-site', origin: EVIL } }
    const victims = [createVisitor(service), createVisitor(service), await signedIn(service, 'ann')]
    await victims[1]?.get('/login')
    for (const victim of victims) {
      const before = victim.cookies.get(SESSION_COOKIE)
      for (const options of [elsewhere, { headers: { ...elsewhere.headers, cookie: undefined } }, {}]) {
        t.equal((await victim.post('/login', { name: 'mallory', csrf }, options)).status, 403)
        t.equal(victim.cookies.get(SESSION_COOKIE), before)
      }
    }
  })
})

t.test('a browser that several people use', async (t) => {
  const service = await startApp(t, freely)
  /** Somebody else signs in after a session has ended by itself, without signing out. */
  const takeOver = async (browser: Visitor, name: string) => {
    browser.cookies.delete(SESSION_COOKIE)
    await browser.get('/login')
    return browser.follow(browser.post('/login', { name }))
  }

  await t.test('nobody sees what another user has entered, was sent or has decided', async (t) => {
    const left: Record<string, (browser: Visitor, userCode: string) => Promise<unknown>> = {
      'a code that was entered': (browser, userCode) => browser.enter(userCode),
      'a code of a link': (browser, userCode) => browser.follow(browser.get(`/device?code=${userCode}`)),
      'an approval': (browser, userCode) =>
        browser.enter(userCode).then(() => browser.follow(browser.post('/device/confirm', APPROVE))),
      'a refusal': (browser, userCode) =>
        browser.enter(userCode).then(() => browser.follow(browser.post('/device/confirm', { action: 'deny' })))
    }
    for (const [what, leave] of Object.entries(left)) {
      const { user_code } = await service.start()
      const browser = await signedIn(service, 'ann')
      await leave(browser, user_code)
      const code = browser.cookies.get(CODE_COOKIE) ?? ''
      const page = await takeOver(browser, 'bob')
      t.ok(page.text.includes(en.signedInAs('bob')), what)
      // Nor does it help to keep the cookie.
      browser.cookies.set(CODE_COOKIE, code)
      for (const path of ['/device', '/device/confirm', '/device/done', '/account/clients']) {
        const seen = await browser.follow(browser.get(path))
        t.notOk(seen.body.includes(user_code), `${what}: ${path}`)
        t.notMatch(seen.text, en.result.undo)
        t.notMatch(seen.text, en.consent.title)
      }
      await browser.get('/device')
      t.equal((await browser.post('/device/undo')).location, '/device/done', 'and can undo nothing')
    }
  })

  await t.test('who signs in again goes on, and so does who entered a code before signing in', async (t) => {
    const { user_code } = await service.start()
    const ann = await signedIn(service, 'ann')
    await ann.enter(user_code)
    await takeOver(ann, 'ann')
    t.match((await ann.get('/device/confirm')).text, en.consent.title)
    const visitor = createVisitor(service)
    await visitor.follow(visitor.get(`/device?code=${user_code}`))
    await visitor.get('/login')
    t.ok((await visitor.follow(visitor.post('/login', { name: 'cat' }))).body.includes(user_code))
  })

  await t.test('two session cookies are none, whichever comes first', async (t) => {
    const [ann, mallory] = [await signedIn(service, 'ann'), await signedIn(service, 'mallory')]
    const [own, planted] = [ann, mallory].map(({ cookies }) => `${SESSION_COOKIE}=${cookies.get(SESSION_COOKIE)}`)
    await ann.get('/device')
    const csrf = ann.hidden('csrf')
    for (const cookie of [
      `${own}; ${planted}`,
      `${planted};${own}`,
      `${own}; theme=dark; ${own}`,
      `${own}; ${SESSION_COOKIE}=`
    ]) {
      t.equal((await ann.get('/device', { headers: { cookie } })).location, '/login', cookie.slice(0, 30))
      t.equal((await ann.post('/device', { user_code: 'x', csrf }, { headers: { cookie } })).location, '/login')
    }
    t.equal((await ann.get('/device', { headers: { cookie: `theme=dark; ${own};x` } })).status, 200, 'one is one')
    t.equal(await isSignedIn(mallory), true)
  })
})

t.test('session fixation', async (t) => {
  const planted = 'planted-by-somebody-else-0123456789-abcdef0'

  /** Signs in twice with a planted session token. */
  async function fixate(t: Test, service: TestApp, arrive: (visitor: Visitor) => Promise<Page>) {
    t.equal(planted.length, 43, 'of the right form')
    const ann = createVisitor(service)
    ann.cookies.set(SESSION_COOKIE, planted)
    t.equal(await isSignedIn(ann), false)
    t.equal((await arrive(ann)).status, 200)
    const first = ann.cookies.get(SESSION_COOKIE) ?? ''
    t.not(first, planted, 'a planted token is not adopted')
    t.match(first, /^[\w-]{43}$/)
    const withToken = (token: string) => {
      const other = createVisitor(service)
      other.cookies.set(SESSION_COOKIE, token)
      return other
    }
    t.equal(await isSignedIn(withToken(planted)), false)

    // A signed-in user may come back from an upstream again, or send the form again.
    await ann.get('/logout')
    t.equal((await arrive(ann)).status, 200)
    const second = ann.cookies.get(SESSION_COOKIE) ?? ''
    t.not(second, first, 'the token changes at every sign-in')
    t.equal(await isSignedIn(withToken(first)), false, 'and the one before is dead')
    t.equal(await isSignedIn(ann), true)

    // The planted token is a valid session of the attacker.
    const mallory = createVisitor(service)
    await arrive(mallory)
    const theirs = mallory.cookies.get(SESSION_COOKIE) ?? ''
    const victim = withToken(theirs)
    await victim.get('/logout')
    await arrive(victim)
    t.not(victim.cookies.get(SESSION_COOKIE), theirs)
    t.equal(await isSignedIn(mallory), false, 'whoever planted it is not signed in with its victim')
    return { ann, second, victim }
  }

  await t.test('in memory, by name', async (t) => {
    const service = await startApp(t, freely)
    const { ann, second } = await fixate(t, service, (visitor) => visitor.signIn('ann'))
    await ann.get('/device')
    const before = ann.hidden('csrf')
    await ann.get('/logout')
    await ann.follow(ann.post('/login', { name: 'ann' }))
    t.equal((await ann.post('/device', { user_code: 'x', csrf: before })).status, 403, 'nor does its form count')
    t.not(ann.cookies.get(SESSION_COOKIE), second)
  })

  await t.test('over Redis, at a provider', async (t) => {
    const redis: RedisServer = await startRedis()
    t.teardown(() => redis.stop())
    const acme = await startIdentityProvider(t, { publicUrl })
    const file = providersFile(t, [acme.entry()])
    const service = await startApp(t, { ...freely, REDIS_URL: redis.url, PROVIDERS_FILE: file })
    const { ann, victim } = await fixate(t, service, async (visitor) =>
      visitor.follow(visitor.get(await visitor.visitProvider('/login/acme', 'ann')))
    )
    const sessions = async () => (await redis.client.keys('grantd:session:*')).filter((key) => !key.endsWith('}'))
    t.equal((await sessions()).length, 2, 'of all those sessions the last of each browser is left')
    for (const visitor of [ann, victim]) {
      await visitor.get('/logout')
      await visitor.post('/logout')
    }
    t.strictSame(await sessions(), [])
  })
})

t.test('open redirects', async (t) => {
  const targets = [
    EVIL,
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/%09/evil.example',
    '/\t/evil.example',
    'https:evil.example',
    'https:/evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '/%0d%0aSet-Cookie:x=1',
    '/\r\nSet-Cookie: x=1',
    `@evil.example`,
    '/..//evil.example',
    '%2f%2fevil.example',
    `${publicUrl}@evil.example`,
    `${publicUrl}.evil.example`
  ]
  const names =
    'next return returnTo return_to return_url redirect redirect_to redirect_uri redirectUrl url continue to target dest destination goto back from r u callback path service done code state iss error provider login_hint'.split(
      ' '
    )
  const acme = await startIdentityProvider(t, { publicUrl })
  const demo = await startApp(t, freely)
  const real = await startApp(t, { ...freely, PROVIDERS_FILE: providersFile(t, [acme.entry()]) })
  const OWN =
    /^\/(login(\?done=signed-out)?|device(\/confirm|\/done)?|account\/(clients|connections)(\?done=[a-z-]+)?)$/
  let looked = 0
  const stays = (t: Test, page: Page, about: string) => {
    const { location } = page
    if (location !== undefined && !location.startsWith(`${acme.origin}/auth?`)) t.match(location, OWN, about)
    if (location?.startsWith(acme.origin)) {
      t.equal(new URL(location).searchParams.get('redirect_uri'), `${publicUrl}/login/acme/callback`, about)
    }
    t.notOk(JSON.stringify([page.headers, page.body]).includes('evil.example'), `${about}: nor named on the page`)
    for (const cookie of page.setCookies) t.equal(faultOf(cookie), undefined)
    looked += 1
  }

  await t.test('no parameter of a query leads anywhere else', async (t) => {
    const paths = ['/', '/login', '/logout', '/device', '/device/confirm', '/device/done', '/account/clients']
    const [stranger, ann, eve] = [createVisitor(demo), await signedIn(demo), createVisitor(real)]
    await eve.signInAt('acme', 'eve')
    for (const target of targets) {
      const query = new URLSearchParams(names.map((name) => [name, target])).toString()
      const raw = names.map((name) => `${name}=${target.replace(/[\r\n\t\\ ]/g, encodeURIComponent)}`).join('&')
      for (const path of [...paths, '/account/connections', '/login/acme', '/account/connections/acme/connect']) {
        for (const visitor of [stranger, ann, eve]) {
          stays(t, await visitor.get(`${path}?${query}`), `${path} ${target}`)
          stays(t, await visitor.get(`${path}?${raw}`), `${path} ${target}`)
        }
      }
    }
  })

  await t.test('nor does one of a callback, whatever comes of it', async (t) => {
    for (const target of targets) {
      const query = new URLSearchParams(names.slice(0, 22).map((name) => [name, target])).toString()
      stays(t, await createVisitor(real).get(`/login/acme/callback?${query}`), target)
      const ann = createVisitor(real)
      await ann.get(`/account/clients?next=${encodeURIComponent(target)}`)
      const back = await ann.visitProvider(`/login/acme?next=${encodeURIComponent(target)}`, 'ann')
      const page = await ann.get(`${back}&${query}`)
      t.equal(page.location, '/account/clients', 'a good answer leads where the browser was going')
      stays(t, page, target)
    }
  })

  await t.test('nor a field of a form', async (t) => {
    const { user_code } = await demo.start()
    for (const target of targets) {
      const more = Object.fromEntries(names.slice(0, 22).map((name) => [name, target]))
      const ann = createVisitor(demo)
      await ann.get('/login')
      const pages = [await ann.post('/login', { ...more, name: 'ann' })]
      await ann.get('/device')
      pages.push(await ann.post('/device', { ...more, user_code }))
      await ann.get('/device/confirm')
      pages.push(await ann.post('/device/confirm', { ...more, action: 'approve' }))
      await ann.get('/device')
      pages.push(await ann.post('/account/clients/revoke-all', { ...more }))
      await ann.get('/logout')
      pages.push(await ann.post('/logout', { ...more }))
      t.strictSame(
        pages.map(({ status }) => status),
        [303, 303, 400, 303, 303]
      )
      for (const page of pages) stays(t, page, target)
    }
  })

  await t.test('nor a header, nor the path itself', async (t) => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const more = { 'x-forwarded-proto': 'https', 'x-original-url': '//evil.example', referer: EVIL, origin: EVIL }
    for (const path of ['/', '/device', '/device?code=BBBBBBBB', '/login', '/login/acme', '/account/clients']) {
      stays(t, await createVisitor(real).get(path, { headers: { ...headers, ...more } }), path)
      stays(t, await (await signedIn(demo)).get(path, { headers: { ...headers, ...more } }), path)
    }
    const paths = [
      '//evil.example',
      '//evil.example/device',
      '/\\evil.example',
      '/device//evil.example',
      '/login//evil.example/'
    ]
    for (const path of [...paths, '/login/%2f%2fevil.example', '/account/connections/%2F%2Fevil.example/connect']) {
      const { headers } = await demo.app.inject({ url: path })
      t.equal(headers.location === undefined || OWN.test(String(headers.location)), true, path)
    }
  })
  t.ok(looked > 1_000, `${looked} answers`)
})

/** Returns the tags, their attribute names and their link targets, none of which a text may change. */
const skeletonOf = ({ body }: Page) =>
  [...body.matchAll(/<(?:"[^"]*"|[^">])*>/g)].map(([tag]) =>
    tag.replace(/ (?!href|action|src)([\w-]+)="[^"]*"/g, ' $1').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'an-id')
  )

const PAYLOADS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  `'"><b x="`,
  '" autofocus onfocus=alert(1) x="',
  '</title><script>alert(1)</script>',
  '</bdi></q></dd><form action=//evil.example>',
  '<!--',
  ']]><x/>',
  '&lt;script&gt;',
  '&#60;b&#62;',
  'javascript:alert(1)',
  '</button><button name=action value=approve>',
  '{{7*7}}<%= 7*7 %>'
]

t.test('cross-site scripting: whatever a text says, it is only read', async (t) => {
  const HARMLESS = 'harmless'

  const codeFor = async ({ app }: TestApp, asked: Record<string, string>): Promise<string> => {
    const headers = { 'content-type': FORM }
    const payload = `${new URLSearchParams(asked)}`
    const answer = await app.inject({ method: 'POST', url: '/oauth/device_authorization', headers, payload })
    return answer.json().user_code
  }

  /** Compares a page with a harmless text to the same page with each payload. */
  async function only(t: Test, about: string, show: (text: string) => Promise<Page>) {
    const wanted = skeletonOf(await show(HARMLESS))
    t.ok(wanted.length > 15, `${about}: a page`)
    for (const payload of PAYLOADS) {
      const page = await show(payload)
      t.equal(page.status, 200, about)
      t.strictSame(skeletonOf(page), wanted, `${about}: ${payload}`)
      t.ok(page.text.includes(payload.replace(/\s+/g, ' ')), `${about}: ${payload} is to be read on it`)
    }
  }

  await t.test('what a program says of itself', async (t) => {
    const service = await startApp(t, freely)
    for (const field of ['name', 'version', 'hostname', 'os']) {
      await only(t, `${field} on the question`, async (text) => {
        const { user_code } = await service.start({ [field]: text })
        return (await signedIn(service)).enter(user_code)
      })
    }
    let users = 0
    for (const field of ['name', 'version', 'hostname']) {
      await only(t, `${field} in the list`, async (text) => {
        const user = `user ${users++}`.padEnd(8, '.')
        const { grant_code, user_code } = await service.start({ [field]: text })
        await service.decide(user_code, user)
        await service.poll(grant_code)
        return (await signedIn(service, user)).get('/account/clients')
      })
    }
  })

  await t.test('what people call themselves and their programs', async (t) => {
    const service = await startApp(t, freely)
    for (const path of ['/device', '/account/clients', '/account/connections', '/logout']) {
      await only(t, `the name on ${path}`, async (text) => (await signedIn(service, text)).get(path))
    }
    await only(t, 'the name on the question', async (text) => {
      const { user_code } = await service.start()
      return (await signedIn(service, text)).enter(user_code)
    })
    const { grant_code, user_code } = await service.start()
    await service.decide(user_code, 'ann')
    await service.poll(grant_code)
    const ann = await signedIn(service)
    const [client] = await service.app.core.authorizations.list('ann')
    await only(t, 'a label', async (label) => {
      await ann.get('/account/clients')
      await ann.post(`/account/clients/${client?.id}/rename`, { label })
      return ann.get('/account/clients')
    })
  })

  await t.test('what a provider says', async (t) => {
    const service = await startApp(t, freely)
    let users = 0
    for (const place of ['username', 'scope', 'providerId'] as const) {
      await only(t, `${place} of an account`, async (text) => {
        const user = `user ${users++}`.padEnd(8, '.')
        const said = { username: 'x', scope: 'x', providerId: 'x' }
        said[place] = text
        const { username, scope, providerId } = said
        const tokens = { accessToken: 'a', refreshToken: undefined, scopes: [scope], expiresAtMs: undefined }
        const identity = { username, subject: 'x', name: 'x' }
        await service.app.core.connections.keep(
          user,
          `account ${users}`,
          { upstreamId: providerId, identity, tokens },
          BY
        )
        const page = await (await signedIn(service, user)).get('/account/connections')
        // The URL that disconnects an account has its id.
        return { ...page, body: page.body.replace(/account \d+/g, 'an-id') }
      })
    }
    const acme = await startIdentityProvider(t, { publicUrl })
    const real = await startApp(t, { ...freely, PROVIDERS_FILE: providersFile(t, [acme.entry()]) })
    await only(t, 'the name of a person', async (text) => {
      acme.claimsOf = (sub) => ({ sub, name: text })
      return createVisitor(real).signInAt('acme', 'ann')
    })
  })

  await t.test('what the operator and the edge say', async (t) => {
    await only(t, 'the name of the service', async (text) =>
      createVisitor(await startApp(t, { ...freely, SERVICE_NAME: text.slice(0, 64) })).get('/login')
    )
    await t.test('the names of providers', async (t) => {
      // One page shows all of them, so two services are enough: one with harmless names, one with the payloads.
      const show = async (names: string[]) => {
        const entries = names.map((name, i) => ({ id: `p${i}`, name, client_id: 'x', issuer: 'https://idp.example' }))
        return createVisitor(await startApp(t, { ...freely, PROVIDERS_FILE: providersFile(t, entries) })).get('/login')
      }
      const names = PAYLOADS.map((payload) => payload.slice(0, 64))
      const [plain, odd] = [await show(names.map(() => HARMLESS)), await show(names)]
      t.equal(odd.status, 200)
      t.ok(skeletonOf(plain).length > 15 + names.length, 'a page')
      t.strictSame(skeletonOf(odd), skeletonOf(plain))
      for (const name of names) t.ok(odd.text.includes(name.replace(/\s+/g, ' ')), `${name} is to be read on it`)
    })
    await t.test('the name of a client', async (t) => {
      const named = [HARMLESS, ...PAYLOADS].map((client_name, i) => ({
        client_id: `box-${i}`,
        client_name,
        scope: 'openid'
      }))
      const service = await startApp(t, { ...freely, OAUTH_CLIENTS_FILE: clientsFile(t, named) })
      await only(t, 'the name of a client', async (text) => {
        const { client_id = '' } = named.find(({ client_name }) => client_name === text) ?? {}
        return (await signedIn(service)).enter(await codeFor(service, { client_id }))
      })
    })
    const edge = await startApp(t, { ...freely, TRUST_PROXY: '127.0.0.1', EDGE_HEADERS: 'cloudflare' })
    for (const header of ['cf-ipcity', 'cf-region']) {
      await only(t, header, async (text) => {
        const headers = { [header]: text }
        const { body } = await edge.call('POST', '/auth/grant/code', { body: { client_type: 'cli' }, headers })
        return (await signedIn(edge)).enter(body.user_code)
      })
    }
  })

  await t.test('a scope with markup in it', async (t) => {
    const scope = '<img/src=x/onerror=alert(1)>'
    const clients = [
      { client_id: 'odd', scope },
      { client_id: 'plain', scope: 'reports' }
    ]
    const service = await startApp(t, { ...freely, OAUTH_CLIENTS_FILE: clientsFile(t, clients) })
    const [odd, plain] = await Promise.all(
      clients.map(async (client) => (await signedIn(service)).enter(await codeFor(service, client)))
    )
    if (!odd || !plain) throw new Error('two pages')
    t.ok(odd.text.includes(scope))
    t.strictSame(skeletonOf(odd), skeletonOf(plain))
  })
})
