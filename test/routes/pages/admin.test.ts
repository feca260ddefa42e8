/** The admin pages, over both engines: who gets there, what is found and shown, and what is done about users. */
import t, { type Test } from 'tap'
import { adminTexts } from '../../../src/routes/pages/texts/admin.js'
import { en } from '../../../src/routes/pages/texts/en.js'
import { startApp, type TestApp } from '../../support/app.js'
import { type IdentityProvider, startIdentityProvider } from '../../support/oidc-upstream.js'
import { startRedis } from '../../support/redis-server.js'
import { providersFile } from '../../support/sign-in.js'
import { createVisitor, type Page, SESSION_COOKIE, type Visitor } from '../../support/visitor.js'
import { goesTo, limited, masked, refused, shows } from './expectations.js'

const { search, user: ofUser, confirm, done, pending, events: ofEvents, nav } = adminTexts
const publicUrl = 'http://localhost:3333'
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA', ADMINS: 'user:root' }
const FROM = { ip: '192.0.2.9' }
const EDGE = { EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '127.0.0.1' }
const OSLO = { 'cf-ipcity': 'Oslo', 'cf-region': 'Oslo', 'cf-ipcountry': 'NO', 'x-forwarded-for': '198.51.100.4' }
/** Ids that a dashboard or a provider may choose, each of them trouble in a path, in HTML, or to the eye. */
const ODD_IDS = [
  ...['.', '..', '../../admin', 'a/b', 'a%2Fb', '%', '?x=1#y', 'a b', '~YQ', 'ann@acme.example', '__proto__'],
  ...['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "javascript:alert('1')", '{{7*7}}', '</p>'],
  ...['\u0000', '\u202egnp.exe', 'a\u200bb', 'Ядро', '😀', 'é'.repeat(255), '\r\nSet-Cookie: a=b']
]

/** What nobody sees, and what turns the text around it. */
const UNSEEN = /[\p{Cc}\p{Cf}]/u

const redis = await startRedis()
t.teardown(() => redis.stop())
let prefixes = 0
const ENGINES: readonly [string, () => Record<string, string>][] = [
  ['memory', () => ({})],
  ['Redis', () => ({ REDIS_URL: redis.url, REDIS_PREFIX: `g${++prefixes}:` })]
]

/** Providers whose subjects are user ids (`acme`), and are not (`hub`), and the variables of a service that has them. */
async function startProviders(t: Test) {
  const acme = await startIdentityProvider(t, { publicUrl })
  const hub = await startIdentityProvider(t, { publicUrl, id: 'hub' })
  const entries = [acme.entry({ subject_is_user_id: true }), hub.entry({ groups_claim: 'roles' })]
  return { acme, hub, PROVIDERS_FILE: providersFile(t, entries) }
}

const inGroups = (provider: IdentityProvider, claims: (login: string) => object) => {
  const { claimsOf } = provider
  provider.claimsOf = (login) => ({ ...claimsOf(login), ...claims(login) })
}

/** Opens a browser in which somebody has signed in at a provider. */
async function arrive(service: TestApp, login = 'root', at = 'acme'): Promise<Visitor> {
  const visitor = createVisitor(service)
  await visitor.signInAt(at, login)
  return visitor
}

/** Makes a user of whom a name is known. */
const know = ({ app }: TestApp, userId: string, more: object = {}) =>
  app.core.profiles.keep(userId, { name: `The name of ${userId}`, ...more })

/** Makes so many authorizations of a user. */
async function fill({ app, clock }: TestApp, userId: string, count: number, more: object = {}): Promise<void> {
  const DAY_MS = 86_400_000
  for (let i = 0; i < count; i++) {
    const expiresAtMs = clock() + DAY_MS + i * 1_000
    const fields = { clientId: 'cli', clientType: 'cli', name: `tool ${i}`, createdAtMs: `${clock() - DAY_MS + i}` }
    const all = { ...fields, expiresAtMs: `${expiresAtMs}`, ipAtGrant: '192.0.2.1', ...more }
    await app.storage.authorizations.create(userId, `${userId}-${i}`, all, expiresAtMs + 90 * DAY_MS)
  }
}

const linkTo = ({ body }: Page, text: string) =>
  new RegExp(`<a [^>]*href="([^"]+)"[^>]*>${text}</a>`).exec(body)?.[1]?.replaceAll('&amp;', '&')
const pathOf = (userId: string) => (/^[\w-]+$/.test(userId) ? userId : `~${Buffer.from(userId).toString('base64url')}`)
const ROUTES = [
  ...['GET /admin', 'POST /admin/find', 'GET /admin/users/ann', 'POST /admin/users/ann/clients/x/revoke'],
  ...['GET /admin/users/ann/revoke-all', 'POST /admin/users/ann/revoke-all', 'GET /admin/users/ann/block'],
  ...['POST /admin/users/ann/block', 'POST /admin/users/ann/unblock', 'GET /admin/grants', 'GET /admin/events'],
  ...['POST /admin/events', 'PUT /admin', 'DELETE /admin/users/ann', 'PATCH /admin/users/ann/block', 'OPTIONS /admin']
]

for (const [engine, place] of ENGINES) {
  t.test(`over ${engine}`, async (t) => {
    const { acme, hub, PROVIDERS_FILE } = await startProviders(t)
    const start = (t: Test, more: Record<string, string> = {}) =>
      startApp(t, { ...freely, ...place(), PROVIDERS_FILE, ...more })

    await t.test('who may see them: users, identities and groups that ADMINS names', async (t) => {
      inGroups(acme, (login) => ({
        groups: { ops: ['staff', 'cn=ops,dc=acme'], one: 'night shift', none: [1, null] }[login]
      }))
      inGroups(hub, (login) => ({ roles: login === 'remote' ? ['ops'] : [], groups: ['ops', 'cn=ops,dc=acme'] }))
      const entries = [
        'user:root',
        'identity:hub:known',
        'group:acme:cn=ops%2Cdc=acme',
        'group:acme:night shift',
        'group:hub:ops'
      ]
      const service = await start(t, { ADMINS: entries.join(',') })
      for (const [login, at, isAdmin] of [
        ['root', 'acme', true],
        ['ops', 'acme', true],
        ['one', 'acme', true],
        ['known', 'hub', true],
        ['remote', 'hub', true],
        ['none', 'acme', false],
        ['staff', 'acme', false],
        ['known', 'acme', false],
        ['root', 'hub', false],
        ['group:acme:night shift', 'hub', false],
        ['ops', 'hub', false]
      ] as const) {
        const page = await (await arrive(service, login, at)).get('/admin')
        if (isAdmin) shows(t, page, 200, search.title, nav.events)
        else refused(t, page, 404, 'notFound')
        t.notOk(isAdmin && !page.body.includes('<html lang="en">'), `${login} at ${at}`)
      }
    })

    await t.test('the groups are those of the last sign-in, and ADMINS is that of now', async (t) => {
      const shared = place()
      let groups: string[] = ['ops']
      inGroups(acme, () => ({ groups }))
      const ADMINS = 'group:acme:ops,identity:acme:gone'
      const service = await start(t, { ...shared, ADMINS })
      const ann = await arrive(service, 'ann')
      groups = []
      t.equal((await ann.get('/admin')).status, 200, 'until the next sign-in')
      const token = ann.cookies.get(SESSION_COOKIE) ?? ''
      t.strictSame(
        (await service.app.core.browserSessions.use(token))?.adminAs,
        ['group:acme:ops'],
        'and no other is kept'
      )
      await ann.signInAt('acme', 'ann')
      refused(t, await ann.get('/admin'), 404, 'notFound')
      if (!('REDIS_URL' in shared)) return
      const gone = await arrive(service, 'gone')
      t.equal((await gone.get('/admin')).status, 200)
      const later = await start(t, { ...shared, ADMINS: 'user:ann' })
      refused(t, await gone.moveTo(later).get('/admin'), 404, 'notFound')
      t.equal((await ann.moveTo(later).get('/admin')).status, 200, 'a user is named without a sign-in between')
    })

    await t.test('404 without ADMINS, for everybody', async (t) => {
      const service = await start(t, { ADMINS: '' })
      for (const visitor of [createVisitor(service), await arrive(service)]) {
        for (const route of ROUTES) {
          const [method, path] = route.split(' ') as ['GET', string]
          const headers = { accept: 'text/html' }
          refused(t, await visitor.get(path, { method, headers }), 404, 'notFound')
        }
      }
      const { status, body } = await service.call('GET', '/admin/v0/users')
      t.match([status, body], [401, { error: /./ }], 'the API is beside them')
    })

    await t.test('404 for who is no admin, as for any path that leads nowhere', async (t) => {
      const service = await start(t)
      await know(service, 'ann')
      const visitor = await arrive(service, 'ann')
      const headers = { accept: 'text/html', 'accept-language': 'de' }
      const nowhere = await visitor.get('/nowhere', { headers })
      t.match(nowhere.body, '<html lang="de">')
      for (const route of ROUTES) {
        const [method, path] = route.split(' ') as ['GET', string]
        const page = await visitor.get(path, { method, headers })
        t.strictSame([page.status, masked(page), page.setCookies], [404, masked(nowhere), []], route)
        t.notOk('allow' in page.headers || page.location !== undefined)
      }
    })

    await t.test('303 to sign in, and back to where it was going', async (t) => {
      const service = await start(t)
      await know(service, 'ann')
      for (const path of ['/admin', '/admin/grants', '/admin/events', '/admin/users/ann', '/admin/users/~YSBi']) {
        const visitor = createVisitor(service)
        goesTo(t, await visitor.get(path), '/login')
        const login = await visitor.get('/login')
        shows(t, login, 200, en.login.title)
        t.notMatch(login.text, /admin/i, 'nothing is told')
        const back = await visitor.get(await visitor.visitProvider('/login/acme', 'root'))
        goesTo(t, back, path)
      }
      const elsewhere = createVisitor(service)
      await elsewhere.get('/admin/grants')
      await elsewhere.get('/account/connections')
      await elsewhere.get('/login')
      goesTo(t, await elsewhere.get(await elsewhere.visitProvider('/login/acme', 'root')), '/account/connections')
      const odd = createVisitor(service)
      for (const path of [
        `/admin/users/${'x'.repeat(65)}`,
        '/admin/users/..%2f..%2fevil',
        '/admin/users/%2F%2Fevil.example'
      ]) {
        goesTo(t, await odd.get(path), '/login')
        goesTo(t, await odd.get(await odd.visitProvider('/login/acme', 'root')), '/admin', path)
        odd.cookies.delete(SESSION_COOKIE)
      }
    })

    await t.test('a search', async (t) => {
      const service = await start(t)
      const root = await arrive(service)
      const identity = { upstreamId: 'hub', subject: 'of ann' }
      await know(service, 'ann', { email: 'Ann@acme.example', identity })
      await service.app.core.identities.signIn('hub', 'of ann', 'ann')
      await know(service, 'a b', { email: 'ann@acme.example' })
      const find = async (fields: Record<string, string>) => {
        await root.get('/admin')
        return root.post('/admin/find', fields)
      }

      t.test('303 to the one who is found', async (t) => {
        goesTo(t, await find({ id: 'ann', email: '', provider: '', subject: '' }), '/admin/users/ann')
        goesTo(t, await find({ provider: 'hub', subject: 'of ann' }), '/admin/users/ann')
        goesTo(t, await find({ email: ' aNN@acme.EXAMPLE ', id: 'a b' }), '/admin/users/~YSBi')
        goesTo(t, await find({ id: 'ann', provider: 'hub' }), '/admin/users/ann', 'a provider alone says nothing')
      })

      t.test('200 several with one address', async (t) => {
        const page = await find({ email: 'ann@acme.example' })
        shows(t, page, 200, search.title, search.several(2), 'The name of ann', 'a b')
        t.ok(['/admin/users/ann', '/admin/users/~YSBi'].every((path) => page.body.includes(`href="${path}"`)))
        t.match(page.body, 'name="email" value="ann@acme.example"', 'what was typed stays')
      })

      t.test('404 nobody', async (t) => {
        for (const fields of [
          { email: 'nobody@acme.example' },
          { id: 'nobody' },
          { id: 'x'.repeat(300) },
          { provider: 'hub', subject: 'ann' },
          { provider: 'acme', subject: 'of ann' },
          { provider: 'nowhere', subject: 'of ann' },
          { email: 'ann@acme.example', id: 'root' }
        ] as Record<string, string>[]) {
          shows(t, await find(fields), 404, search.title, search.problems.nobody)
        }
      })

      t.test('400 what names nobody', async (t) => {
        for (const fields of [{}, { email: ' ' }, { subject: 'of ann' }, { provider: 'hub' }] as Record<
          string,
          string
        >[]) {
          shows(t, await find(fields), 400, search.title, search.problems.incomplete)
        }
        refused(t, await find({ id: 'x'.repeat(321) }), 400, 'badRequest')
        await root.get('/admin')
        refused(t, await root.post('/admin/find', { id: ['a', 'b'] as unknown as string }), 400, 'badRequest')
      })

      t.test('403 without the token', async (t) => {
        await root.get('/admin')
        for (const csrf of [undefined, 'x'])
          refused(t, await root.post('/admin/find', { csrf, id: 'ann' }), 403, 'form')
      })
    })

    await t.test('a user', async (t) => {
      const service = await start(t)
      const { app } = service
      const root = await arrive(service)

      t.test('200 who they are, and what they have', async (t) => {
        const { connectionId } = await app.core.identities.signIn('hub', 'of ann', 'ann')
        const identity = { subject: 'of ann', username: 'ann.at.hub', name: 'Ann' }
        const tokens = { accessToken: 'a', refreshToken: undefined, scopes: ['films.read'], expiresAtMs: undefined }
        const by = { actor: 'user:ann', ...FROM } as const
        await app.core.connections.keep('ann', connectionId, { upstreamId: 'hub', identity, tokens }, by)
        await know(service, 'ann', { email: 'ann@acme.example', isEmailVerified: true })
        await fill(service, 'ann', 2)
        const waiting = await service.start({ name: 'Uncollected' })
        await service.decide(waiting.user_code, 'ann')
        const page = await root.get('/admin/users/ann')
        shows(t, page, 200, ofUser.title, 'The name of ann', `ann@acme.example ${ofUser.verified}`, 'The hub: of ann')
        shows(t, page, 200, ofUser.title, ofUser.active(3, 1), `Uncollected ${ofUser.awaited}`, 'tool 1', 'ann.at.hub')
        shows(t, page, 200, ofUser.title, 'grant.approved', 'connection.created', 'user:ann', '192.0.2.9')
        t.notOk(page.text.includes(ofUser.self) || page.text.includes(ofUser.unblock))
        t.notMatch(page.body, waiting.user_code)
        t.match((await root.get('/admin/users/root')).text, ofUser.self)
      })

      t.test('200 in pages, however many there are', async (t) => {
        await know(service, 'many')
        await fill(service, 'many', 450)
        const seen = new Set<string>()
        let path: string | undefined = '/admin/users/many'
        let pages = 0
        while (path !== undefined) {
          const page = await root.get(path)
          shows(t, page, 200, ofUser.title, ofUser.active(450, 0))
          for (const [, name = ''] of page.body.matchAll(/<h3><bdi>(tool \d+)<\/bdi>/g)) seen.add(name)
          t.equal(linkTo(page, adminTexts.firstPage), pages === 0 ? undefined : '/admin/users/many')
          path = linkTo(page, adminTexts.nextPage)
          pages += 1
        }
        t.strictSame([pages, seen.size], [9, 450])
        const second = linkTo(await root.get('/admin/users/many'), adminTexts.nextPage) ?? ''
        refused(t, await root.get(second.replace('many', 'root')), 400, 'badRequest')
        refused(t, await root.get('/admin/users/many?cursor=x'), 400, 'badRequest')

        const last = await root.get(second)
        const [action = ''] = /\/admin\/users\/many\/clients\/[\w-]+\/revoke\?cursor=[^"]+/.exec(last.body) ?? []
        const back = await root.post(action)
        t.match(back.location, /^\/admin\/users\/many\?done=revoked&cursor=/)
        shows(t, await root.get(back.location ?? ''), 200, ofUser.title, done.revoked, ofUser.active(449, 0))
      })

      t.test('404 of whom nothing is known, and what no page of ours writes', async (t) => {
        await know(service, 'a b')
        for (const part of [
          'nobody',
          '~',
          '~YW5u',
          '~YSBi=',
          '~YSB',
          'a%20b',
          '%00',
          '__proto__',
          'x'.repeat(300),
          '~_w'
        ]) {
          refused(t, await root.get(`/admin/users/${part}`), 404, 'notFound')
        }
        shows(t, await root.get('/admin/users/~YSBi'), 200, ofUser.title)
      })

      t.test('200 whatever an id, a name, a label or a subject is made of', async (t) => {
        for (const [i, odd] of ODD_IDS.entries()) {
          const texts = { name: odd, label: odd, version: odd, clientId: odd }
          await app.core.profiles.keep(odd, { name: odd, email: odd, identity: { upstreamId: odd, subject: odd } })
          await fill(service, odd, 1, texts)
          await app.core.audit.tell({
            type: 'user.blocked',
            actor: `user:${odd}`,
            userId: odd,
            clientId: odd,
            detail: odd
          })
          await root.get('/admin')
          const found = await root.post('/admin/find', { id: odd })
          goesTo(t, found, `/admin/users/${pathOf(odd)}`)
          const block = `/admin/users/${pathOf(odd)}/block`
          const pages = [await root.get(found.location ?? ''), await root.get(block)]
          await root.get('/admin/events')
          const filtered = await root.post('/admin/events', { type: '', user: odd })
          goesTo(t, filtered, `/admin/events?user=${encodeURIComponent(pathOf(odd)).replaceAll('~', '%7E')}`)
          pages.push(await root.get(filtered.location ?? ''))
          for (const page of pages) {
            t.equal(page.status, 200, `${i} ${page.url}`)
            t.notMatch(
              page.body,
              /<script|<img src=x|<[^>]* on\w+=|(?:href|src|action)="javascript:/,
              `${i} ${page.url}`
            )
            t.notMatch(page.text, UNSEEN, `${i} ${page.url}`)
          }
          t.ok(pages[2]?.text.includes('user.blocked'))
          t.match((await root.get('/admin/users/root')).status, 200)
        }
        const spelt = await root.get(`/admin/users/${pathOf('\u202egnp.exe')}`)
        t.match(spelt.text, '\\u{202e}gnp.exe', 'what cannot be seen is spelt')
      })
    })

    await t.test('what is done about users, and who is told to have done it', async (t) => {
      const service = await start(t, EDGE)
      const { app, call } = service
      const root = await arrive(service)
      const headers = { ...OSLO, 'sec-fetch-site': 'same-origin' }
      const told = async (userId: string) => {
        const { events } = await app.core.searchEvents({ userId }, { direction: 'before', from: undefined, most: 200 })
        return events.filter(({ actor }) => actor.startsWith('admin:'))
      }
      const by = { actor: 'admin:root', ip: '198.51.100.4', location: 'Oslo, Oslo, NO' }
      const isGood = async (token: string) => (await call('GET', '/auth/clients', { token })).status === 200

      t.test('303 one authorization is revoked', async (t) => {
        const [jwt, other] = [await service.collect('ann', { name: 'A' }), await service.collect('ann', { name: 'B' })]
        const page = await root.get('/admin/users/ann')
        const actions = [...page.body.matchAll(/action="(\/admin\/users\/ann\/clients\/[\w-]+\/revoke)"/g)]
        t.equal(actions.length, 2)
        const of = new Map<string | undefined, string>()
        for (const { id, name } of await app.core.authorizations.list('ann')) of.set(name, id)
        const revoke = `/admin/users/ann/clients/${of.get('A')}/revoke`
        for (const csrf of [undefined, 'x']) refused(t, await root.post(revoke, { csrf }, { headers }), 403, 'form')
        await root.get('/admin/users/ann')
        refused(t, await root.post(revoke, {}, { headers: { 'sec-fetch-site': 'cross-site' } }), 403, 'form')
        t.strictSame([await isGood(jwt), await told('ann')], [true, []])
        await root.get('/admin/users/ann')
        const back = await root.post(revoke, {}, { headers })
        goesTo(t, back, '/admin/users/ann?done=revoked')
        shows(t, await root.follow(back), 200, ofUser.title, done.revoked, ofUser.active(1, 0), ofUser.revoked)
        t.strictSame([await isGood(jwt), await isGood(other)], [false, true])
        const [event, ...others] = await told('ann')
        t.match(event, { ...by, type: 'authorization.revoked', userId: 'ann', authorizationId: of.get('A') })
        t.strictSame(others, [])
        for (const id of [of.get('B') ?? '', 'nowhere']) {
          await root.get('/admin')
          refused(t, await root.post(`/admin/users/root/clients/${id}/revoke`), 404, 'notFound')
        }
        t.equal(await isGood(other), true, 'of another user there is none')
      })

      t.test('303 everything is revoked, after a question', async (t) => {
        const jwt = await service.collect('bob')
        const waiting = await service.start()
        await service.decide(waiting.user_code, 'bob')
        const bob = await arrive(service, 'bob')
        t.equal((await bob.get('/account/clients')).status, 200)
        const asking = await root.get(linkTo(await root.get('/admin/users/bob'), ofUser.revokeAll) ?? '')
        shows(t, asking, 200, confirm['revoke-all'].title, confirm['revoke-all'].text, 'bob at acme', confirm.cancel)
        t.equal(await isGood(jwt), true, 'a question does nothing')
        refused(t, await root.post('/admin/users/bob/revoke-all', { csrf: 'x' }, { headers }), 403, 'form')
        await root.get('/admin/users/bob/revoke-all')
        const back = await root.post('/admin/users/bob/revoke-all', {}, { headers })
        shows(t, await root.follow(back), 200, ofUser.title, done['revoked-all'], ofUser.active(0, 0))
        t.equal(await isGood(jwt), false)
        t.strictSame((await service.poll(waiting.grant_code)).body, { status: 'access_denied' })
        goesTo(t, await bob.get('/account/clients'), '/login', 'the sessions have ended')
        const events = await told('bob')
        t.strictSame(
          events.map(({ type }) => type),
          ['authorization.revoked', 'authorization.revoked', 'user.signed_out']
        )
        for (const event of events) t.match(event, by)
        await root.get('/admin')
        refused(t, await root.post('/admin/users/nobody/revoke-all'), 404, 'notFound')
      })

      t.test('303 blocked, after a question, and let be again', async (t) => {
        const jwt = await service.collect('eve')
        const eve = await arrive(service, 'eve')
        const asking = await root.get(linkTo(await root.get('/admin/users/eve'), ofUser.block) ?? '')
        shows(t, asking, 200, confirm.block.title, confirm.block.text, 'eve at acme')
        for (const what of ['block', 'unblock']) {
          refused(t, await root.post(`/admin/users/eve/${what}`, { csrf: 'x' }), 403, 'form')
          await root.get('/admin/users/eve')
        }
        t.equal(await isGood(jwt), true)
        const blocked = await root.follow(root.post('/admin/users/eve/block', {}, { headers }))
        shows(t, blocked, 200, ofUser.title, done.blocked, ofUser.unblock, `${ofUser.blocked} `)
        t.equal(linkTo(blocked, ofUser.block), undefined)
        t.equal(await isGood(jwt), false)
        goesTo(t, await eve.get('/account/clients'), '/login')
        const unblocked = await root.follow(root.post('/admin/users/eve/unblock', {}, { headers }))
        shows(t, unblocked, 200, ofUser.title, done.unblocked)
        t.ok(linkTo(unblocked, ofUser.block))
        t.equal(await isGood(jwt), true)
        const events = await told('eve')
        t.strictSame(
          events.map(({ type }) => type),
          ['user.unblocked', 'user.blocked']
        )
        for (const event of events) t.match(event, by)
      })

      t.test('303 nobody blocks themselves, by whatever way', async (t) => {
        t.equal(linkTo(await root.get('/admin/users/root'), ofUser.block), undefined)
        goesTo(t, await root.get('/admin/users/root/block'), '/admin/users/root?done=self')
        await root.get('/admin')
        const answer = await root.post('/admin/users/root/block')
        goesTo(t, answer, '/admin/users/root?done=self')
        shows(t, await root.follow(answer), 200, ofUser.title, done.self)
        t.equal(await app.core.users.isBlocked('root'), false)
        const { text } = await root.get('/admin/users/root?done=blocked', {
          headers: { 'sec-fetch-site': 'cross-site' }
        })
        t.notOk(text.includes(done.blocked), 'a link from elsewhere cannot claim that it was done')
      })

      t.test('an admin who is blocked is none, from the next request on', async (t) => {
        const other = await start(t, { ADMINS: 'user:root,user:second' })
        const [first, second] = [await arrive(other), await arrive(other, 'second')]
        await first.get('/admin/users/second/block')
        await first.post('/admin/users/second/block')
        goesTo(t, await second.get('/admin'), '/login')
      })
    })

    await t.test('303 changes need a sign-in of late, and looking does not', async (t) => {
      const service = await start(t, { CONSENT_MAX_AUTH_AGE_SECONDS: '60' })
      const { app, clock } = service
      await know(service, 'ann')
      const root = await arrive(service)
      await root.get('/admin/users/ann')
      clock.advance(60_001)
      shows(t, await root.get('/admin'), 200, search.title)
      for (const [method, path] of [
        ['GET', 'block'],
        ['POST', 'block'],
        ['POST', 'unblock'],
        ['GET', 'revoke-all'],
        ['POST', 'revoke-all'],
        ['POST', 'clients/x/revoke']
      ] as const) {
        await root.get('/admin/users/ann')
        const url = `/admin/users/ann/${path}`
        goesTo(t, await (method === 'GET' ? root.get(url) : root.post(url)), '/login', `${method} ${path}`)
      }
      t.equal(await app.core.users.isBlocked('ann'), false)
      shows(t, await root.get('/login'), 200, en.login.title, en.login.again)
      const back = await root.get(await root.visitProvider('/login/acme', 'root'))
      goesTo(t, back, '/admin/users/ann')
      shows(t, await root.get('/admin/users/ann/block'), 200, confirm.block.title)
      goesTo(t, await root.post('/admin/users/ann/block'), '/admin/users/ann?done=blocked')
    })

    await t.test('what waits', async (t) => {
      const many = { LIMITS: 'on', LIMIT_START_PER_MINUTE: '1000', LIMIT_ACCOUNT_PER_MINUTE: '1000' }
      const service = await start(t, { ...many, ...EDGE })
      const { call, clock } = service
      const root = await arrive(service)
      shows(t, await root.get('/admin/grants'), 200, pending.title, pending.none)
      const codes: string[] = []
      for (let i = 0; i < 60; i++) {
        const client_metadata = { name: `Tool ${i} <script>`, hostname: 'build-7' }
        const body = { client_type: i % 2 ? 'cli' : 'mcp', client_metadata }
        const answer = await call('POST', '/auth/grant/code', { body, headers: OSLO })
        codes.push(answer.body.user_code, answer.body.grant_code)
      }
      clock.advance(120_000)
      const first = await root.get('/admin/grants')
      shows(
        t,
        first,
        200,
        pending.title,
        `cli ${pending.count} 30 ${pending.oldest} 2 minutes ago`,
        'Oslo, Oslo, NO · 198.51.100.4'
      )
      const second = await root.get(linkTo(first, adminTexts.nextPage) ?? '')
      t.equal(linkTo(second, adminTexts.firstPage), '/admin/grants')
      const tools = [first, second].flatMap(({ body }) => [...body.matchAll(/Tool (\d+) /g)].map(([, n]) => n))
      t.equal(new Set(tools).size, 60)
      for (const page of [first, second]) {
        t.notOk(
          codes.some((code) => page.body.includes(code)),
          'no code'
        )
        t.notMatch(page.body, /<script/)
      }
      refused(t, await root.get('/admin/grants?cursor=x'), 400, 'badRequest')
      clock.advance(900_000)
      shows(t, await root.get('/admin/grants'), 200, pending.title, pending.none)
    })

    await t.test('the trail', async (t) => {
      const service = await start(t)
      const { audit } = service.app.core
      const root = await arrive(service)
      const tell = (i: number) => {
        const userId = i % 3 === 0 ? 'a b' : 'ann'
        const type = i % 2 === 0 ? 'grant.denied' : 'grant.approved'
        return audit.tell({
          type,
          actor: `user:${userId}`,
          userId,
          detail: `number ${i};`,
          ...FROM,
          location: 'Oslo'
        } as const)
      }
      for (let i = 0; i < 130; i++) await tell(i)
      const numbers = ({ text }: Page) => [...text.matchAll(/number (\d+);/g)].map(([, n]) => Number(n))
      const walk = async (path: string | undefined) => {
        const found: number[] = []
        for (let next = path; next !== undefined; ) {
          const page = await root.get(next)
          found.push(...numbers(page))
          next = linkTo(page, adminTexts.nextPage)
        }
        return found
      }
      const all = Array.from({ length: 130 }, (_, i) => 129 - i)

      t.test('200 newest first, in pages', async (t) => {
        const page = await root.get('/admin/events')
        shows(t, page, 200, ofEvents.title, 'grant.approved', `${ofEvents.from} Oslo · 192.0.2.9`, 'user:ann')
        t.match(page.text, /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/)
        t.equal(numbers(page).length, 50)
        t.strictSame(await walk('/admin/events'), all)
      })

      t.test('303 to what is wanted, by type and user', async (t) => {
        for (const [fields, query, isWanted] of [
          [{ type: 'grant.denied', user: '' }, '?type=grant.denied', (i: number) => i % 2 === 0],
          [{ type: '', user: 'a b' }, '?user=%7EYSBi', (i: number) => i % 3 === 0],
          [
            { type: 'grant.approved', user: 'ann' },
            '?type=grant.approved&user=ann',
            (i: number) => i % 2 > 0 && i % 3 > 0
          ],
          [{ type: '', user: '' }, '', () => true]
        ] as const) {
          await root.get('/admin/events')
          const answer = await root.post('/admin/events', fields)
          goesTo(t, answer, `/admin/events${query}`)
          t.strictSame(await walk(answer.location), all.filter(isWanted), query)
        }
        const none = await root.get('/admin/events?user=nobody&type=user.blocked')
        shows(t, none, 200, ofEvents.title, ofEvents.none)
        t.match(none.body, 'name="user" value="nobody"')
        t.match(none.body, '<option selected>user.blocked</option>')
      })

      t.test('400 no such type, user or place', async (t) => {
        const next = linkTo(await root.get('/admin/events'), adminTexts.nextPage) ?? ''
        for (const path of ['?type=x', '?type=__proto__', '?type=a&type=b', '?user=a%20b', '?user=', '?cursor=x']) {
          refused(t, await root.get(`/admin/events${path}`), 400, 'badRequest')
        }
        refused(t, await root.get(`${next}&type=user.blocked`), 400, 'badRequest')
        await root.get('/admin/events')
        refused(t, await root.post('/admin/events', { type: 'x', user: '' }), 400, 'badRequest')
        await root.get('/admin/events')
        refused(t, await root.post('/admin/events', { csrf: 'x', type: '', user: '' }), 403, 'form')
      })
    })

    await t.test('429 and 405 for admins, as everywhere', async (t) => {
      const service = await start(t, { LIMITS: 'on', LIMIT_ACCOUNT_PER_MINUTE: '2' })
      const root = await arrive(service)
      const page = await root.get('/admin', { method: 'PUT' })
      refused(t, page, 405, 'method')
      t.equal(page.headers.allow, 'GET, HEAD')
      t.equal((await root.get('/admin')).status, 200)
      limited(t, await root.get('/admin'), 60)
      const stingy = await start(t, { LIMITS: 'on', LIMIT_PAGES_PER_MINUTE: '1' })
      const stranger = createVisitor(stingy)
      await stranger.get('/device')
      for (const route of ROUTES) {
        const [method, path] = route.split(' ') as ['GET', string]
        limited(t, await stranger.get(path, { method }), 60)
      }
    })
  })
}
