import t, { type Test } from 'tap'
import { de } from '../../../src/routes/pages/texts/de.js'
import { en } from '../../../src/routes/pages/texts/en.js'
import { es } from '../../../src/routes/pages/texts/es.js'
import { fr } from '../../../src/routes/pages/texts/fr.js'
import { ja } from '../../../src/routes/pages/texts/ja.js'
import { texts } from '../../../src/routes/pages/texts/languages.js'
import { pt } from '../../../src/routes/pages/texts/pt.js'
import { startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { REVOCATION_ENDPOINT, startIdentityProvider, TOKEN_ENDPOINT } from '../../support/oidc-upstream.js'
import { startPlainProvider } from '../../support/plain-upstream.js'
import { providersFile } from '../../support/sign-in.js'
import { json } from '../../support/upstream-gate.js'
import { createVisitor, type Page, SESSION_COOKIE, signedIn, type Visitor } from '../../support/visitor.js'
import { goesTo, limited, pageHeaders, refused, shows } from './expectations.js'

const { clients, connections, error } = en
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
const publicUrl = 'http://localhost:3333'
const APPROVE = { action: 'approve', same: 'yes' }
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'
const ODD_IDS = [UNKNOWN_ID, 'x', '__proto__', 'constructor', '%00', '%F0%9F%98%80', 'a'.repeat(5_000), '..%2f..', '*']
const FORM = 'application/x-www-form-urlencoded'

/** Returns the entries of a list as HTML. */
const cards = ({ body }: Page) => [...body.matchAll(/<li><h[23]>.*?<\/li>/gs)].map(([card]) => card)
const idsIn = ({ body }: Page, action: string) =>
  [...body.matchAll(new RegExp(`action="/account/(?:clients|connections)/([^/"]+)/${action}"`, 'g'))].map(
    ([, id = '']) => id
  )

/** Approves a program in the browser of a visitor. Returns the JWT of the program. */
async function authorize({ start, poll }: TestApp, visitor: Visitor, metadata?: Record<string, string>) {
  const { grant_code, user_code } = await start(metadata)
  await visitor.enter(user_code)
  await visitor.post('/device/confirm', APPROVE)
  return (await poll(grant_code)).body.jwt as string
}

const isGood = async ({ call }: TestApp, token: string) =>
  (await call('GET', '/auth/clients', { token })).status === 200

t.test('GET /account/clients', async (t) => {
  const service = await startApp(t, freely)

  t.test('200 nothing yet', async (t) => {
    const page = await (await signedIn(service, 'nobody')).get('/account/clients')
    shows(t, page, 200, clients.title, clients.none)
    t.notOk(page.text.includes(clients.intro), 'there is nothing to revoke')
    t.match(page.body, '<a class="button" href="/device">', 'but something to do')
    t.notMatch(page.body, /<form/)
  })

  t.test('200 what may act for the user, and nothing of anybody else', async (t) => {
    const [ann, bob] = [await signedIn(service), await signedIn(service, 'bob')]
    const metadata = { name: 'Deploy tool', version: '2.1.0', hostname: 'build-7', os: 'Debian' }
    const jwt = await authorize(service, ann, metadata)
    await authorize(service, bob, { name: 'Tool of bob' })
    const page = await ann.get('/account/clients')
    shows(t, page, 200, clients.title, clients.active, 'Deploy tool (build-7)', '2.1.0', en.clientTypes.cli)
    shows(
      t,
      page,
      200,
      clients.title,
      `${clients.lastUsed} now`,
      `${clients.approvedFrom} 127.0.0.1`,
      clients.approvedHere
    )
    t.equal(cards(page).length, 1)
    t.notMatch(page.body, /Tool of bob/)
    t.notOk(page.text.includes(clients.ended))
    t.strictSame(page.setCookies, [])
    service.clock.advance(120_000)
    t.equal(await isGood(service, jwt), true)
    t.match((await ann.get('/account/clients')).text, `${clients.lastUsed} now`)
    const elsewhere = await signedIn(service)
    t.notOk((await elsewhere.get('/account/clients')).text.includes(clients.approvedHere), 'only where it was approved')
  })

  t.test('200 what is approved is listed before it is collected, and says so if nobody has', async (t) => {
    const service = await startApp(t, freely)
    const ann = await signedIn(service)
    const { grant_code, user_code } = await service.start({ name: 'Deploy tool' })
    await ann.enter(user_code)
    await ann.post('/device/confirm', APPROVE)
    const page = await ann.get('/account/clients')
    shows(t, page, 200, clients.title, clients.active, 'Deploy tool', `${clients.lastUsed} ${clients.awaited}`)
    t.ok(page.text.includes(clients.collectBy) && !page.text.includes(clients.expires))
    service.clock.advance(1_200_000)
    const later = await ann.get('/account/clients')
    shows(t, later, 200, clients.title, clients.ended, clients.lapsedOn, `${clients.lastUsed} ${clients.neverUsed}`)
    t.notOk(later.text.includes(clients.active) || later.text.includes(clients.expiredOn))
    t.strictSame((await service.poll(grant_code)).body, { status: 'expired_token' })
  })

  t.test('200 what is revoked before it is collected is in the hands of nobody', async (t) => {
    for (const isAll of [false, true]) {
      const service = await startApp(t, freely)
      const ann = await signedIn(service)
      const { grant_code, user_code } = await service.start({ name: 'Deploy tool' })
      await ann.enter(user_code)
      await ann.post('/device/confirm', APPROVE)
      const [id] = idsIn(await ann.get('/account/clients'), 'revoke')
      await ann.post(isAll ? '/account/clients/revoke-all' : `/account/clients/${id}/revoke`)
      const page = await ann.get('/account/clients')
      shows(t, page, 200, clients.title, clients.ended, clients.revokedOn, `${clients.lastUsed} ${clients.neverUsed}`)
      t.strictSame((await service.poll(grant_code)).body, { status: 'access_denied' })
    }
  })

  t.test('a blocked user is signed in no more, cannot sign in again, and is told why in their language', async (t) => {
    const service = await startApp(t, freely)
    const { users } = service.app.core
    const ann = await signedIn(service)
    shows(t, await ann.get('/account/clients'), 200, clients.title)
    await users.block('ann', BY)
    goesTo(t, await ann.get('/account/clients'), '/login')
    for (const [language, { error }] of Object.entries(texts)) {
      const visitor = createVisitor(service)
      const headers = { 'accept-language': language }
      await visitor.get('/login', { headers })
      const page = await visitor.post('/login', { name: 'ann' }, { headers })
      shows(t, page, 403, error.title, error.blocked)
      t.strictSame(page.setCookies, [])
    }
    await users.unblock('ann', BY)
    shows(t, await ann.get('/account/clients'), 200, clients.title)
  })

  t.test('200 revoked and expired ones are told apart, newest first', async (t) => {
    const service = await startApp(t, { ...freely, CLIENT_TOKEN_TTL_SECONDS: '3600' })
    const ann = await signedIn(service)
    await authorize(service, ann, { name: 'Oldest' })
    service.clock.advance(1_800_000)
    await authorize(service, ann, { name: 'Revoked' })
    const revoked = await ann.get('/account/clients')
    await ann.post(`/account/clients/${idsIn(revoked, 'revoke')[0]}/revoke`)
    service.clock.advance(1_800_000)
    await ann.get('/logout')
    await ann.post('/logout')
    await ann.signIn('ann')
    await authorize(service, ann, { name: 'Newest' })
    const page = await ann.get('/account/clients')
    const names = cards(page).map((card) => /Newest|Revoked|Oldest/.exec(card)?.[0])
    t.strictSame(names, ['Newest', 'Revoked', 'Oldest'])
    t.match(cards(page)[1], clients.revokedOn)
    t.match(cards(page)[2], clients.expiredOn)
    t.equal(idsIn(page, 'revoke').length, 1, 'what has ended cannot be revoked')
    t.ok(page.text.includes(clients.revokeAllIntro(1)))
  })

  t.test('200 what was done is one of a few words, and the word of this service', async (t) => {
    const ann = await signedIn(service)
    for (const [done, sentence] of Object.entries(clients.done)) {
      shows(t, await ann.get(`/account/clients?done=${done}`), 200, clients.title, sentence)
    }
    const sentences = Object.values(clients.done)
    for (const query of [
      'done=',
      'done=x',
      'done=__proto__',
      'done=toString',
      'done=revoked&done=revoked',
      'done[]=x'
    ]) {
      const { text } = await ann.get(`/account/clients?${query}`)
      t.notOk(sentences.some((sentence) => text.includes(sentence)) || /role="/.test(text), query)
    }
    const headers = { 'sec-fetch-site': 'cross-site' }
    const { text } = await ann.get('/account/clients?done=revoked-all', { headers })
    t.notOk(text.includes(clients.done['revoked-all']), 'a link from elsewhere cannot claim that it was done')
  })

  t.test('303 to sign in, and back', async (t) => {
    const stranger = createVisitor(service)
    goesTo(t, await stranger.get('/account/clients'), '/login')
    await stranger.get('/login')
    goesTo(t, await stranger.post('/login', { name: 'ann' }), '/account/clients')
  })
})

t.test('a long list of clients', async (t) => {
  const service = await startApp(t, freely)
  const { app, clock, start, poll } = service
  const DAY_MS = 86_400_000
  const fill = async (user: string, count: number) => {
    for (let i = 0; i < count; i++) {
      const expiresAtMs = clock() + DAY_MS + i * 1_000
      const fields = { clientId: 'cli', clientType: 'cli', name: `tool ${i}`, createdAtMs: `${clock() - DAY_MS + i}` }
      const more = { expiresAtMs: `${expiresAtMs}`, ipAtGrant: '192.0.2.1' }
      await app.storage.authorizations.create(user, `id-${i}`, { ...fields, ...more }, expiresAtMs + 90 * DAY_MS)
    }
  }
  const linkTo = ({ body }: Page, text: string) =>
    new RegExp(`<a [^>]*href="([^"]+)"[^>]*>${text}</a>`).exec(body)?.[1]?.replaceAll('&amp;', '&')

  await t.test('200 in pages of 50, by plain links; forms lead back to their page', async (t) => {
    const ann = await signedIn(service)
    await fill('ann', 120)
    const first = await ann.get('/account/clients')
    t.equal(cards(first).length, 50)
    t.match(first.body, 'tool 119')
    t.match(first.text, clients.revokeAllIntro(120), 'of all pages')
    t.equal(linkTo(first, clients.firstPage), undefined)
    const second = await ann.get(linkTo(first, clients.nextPage) as string)
    t.equal(cards(second).length, 50)
    t.equal(linkTo(second, clients.firstPage), '/account/clients')
    const third = await ann.get(linkTo(second, clients.nextPage) as string)
    t.equal(cards(third).length, 20)
    t.equal(linkTo(third, clients.nextPage), undefined)
    t.equal(
      new Set([first, second, third].flatMap((page) => cards(page).map((card) => /tool \d+/.exec(card)?.[0]))).size,
      120
    )

    const [action = ''] = /\/account\/clients\/id-\d+\/revoke\?cursor=[^"]+/.exec(second.body) ?? []
    const revoked = await ann.post(action)
    t.equal(revoked.status, 303)
    t.match(revoked.headers.location, /^\/account\/clients\?done=revoked&cursor=/)
    const back = await ann.get(String(revoked.headers.location), { headers: { 'sec-fetch-site': 'same-origin' } })
    shows(t, back, 200, clients.title, clients.nextPage)
    t.equal(linkTo(back, clients.firstPage), '/account/clients')
  })

  await t.test('400 a cursor that is none, or of somebody else', async (t) => {
    const [ann, bob] = [await signedIn(service), await signedIn(service, 'bob')]
    const link = linkTo(await ann.get('/account/clients'), clients.nextPage) as string
    refused(t, await bob.get(link), 400, 'badRequest')
    refused(t, await ann.get('/account/clients?cursor=x'), 400, 'badRequest')
  })

  await t.test('303 all of them are revoked by the button', async (t) => {
    const ann = await signedIn(service)
    await ann.get('/account/clients')
    goesTo(t, await ann.post('/account/clients/revoke-all'), '/account/clients?done=revoked-all')
    t.equal((await app.core.authorizations.page('ann')).active, 0)
  })

  await t.test('409 one more approval of who has 500, in every language, and the question stays', async (t) => {
    const carol = await signedIn(service, 'carol')
    await fill('carol', 500)
    const { grant_code, user_code } = await start()
    await carol.enter(user_code)
    for (const [language, texts] of Object.entries({ en, de, es, fr, ja, pt })) {
      const page = await carol.post('/device/confirm', APPROVE, { headers: { 'accept-language': language } })
      shows(t, page, 409, texts.consent.title, texts.consent.tooMany(500).replaceAll('\u00A0', ' '))
    }
    await app.core.authorizations.revoke('carol', 'id-7', 'owner', BY)
    goesTo(t, await carol.post('/device/confirm', APPROVE), '/device/done')
    t.type((await poll(grant_code)).body.jwt, 'string')
  })
})

t.test('POST /account/clients/{id}/rename', async (t) => {
  const service = await startApp(t, freely)
  const ann = await signedIn(service)
  await authorize(service, ann, { name: 'Tool', hostname: 'build-7' })
  const [id = ''] = idsIn(await ann.get('/account/clients'), 'rename')
  const rename = `/account/clients/${id}/rename`
  const nameNow = async () => {
    const page = await ann.get('/account/clients')
    return /<h3><bdi>(.*?)<\/bdi>/.exec(page.body)?.[1]
  }

  await t.test('303 another label, and with an empty one none', async (t) => {
    t.equal(await nameNow(), 'Tool (build-7)')
    for (const [label, shown] of [
      ['My laptop', 'Tool (My laptop)'],
      ['  spaced  ', 'Tool (spaced)'],
      ['Tool', 'Tool'],
      ['', 'Tool'],
      ['   ', 'Tool'],
      ['<b>bold</b>', 'Tool (&lt;b>bold&lt;/b>)'],
      ['"quoted"', 'Tool (&quot;quoted&quot;)'],
      ['Ядро 构建机 😀', 'Tool (Ядро 构建机 😀)'],
      ['a\u202eb', 'Tool (a\ufffdb)'],
      ['\u0000', 'Tool (\ufffd)']
    ] as const) {
      const page = await ann.post(rename, { label })
      goesTo(t, page, '/account/clients?done=renamed', JSON.stringify(label))
      shows(t, await ann.follow(page), 200, clients.title, clients.done.renamed)
      t.equal((await nameNow())?.replaceAll('&gt;', '>'), shown)
    }
    const long = '𝒜'.repeat(255)
    goesTo(t, await ann.post(rename, { label: long }), '/account/clients?done=renamed')
    t.ok(((await nameNow()) ?? '').length < 150, 'shown shortened')
    t.match((await ann.get('/account/clients')).body, `name="label" value="${long}"`, 'and kept as it is')
    await ann.post(rename, { label: 'last' })
  })

  await t.test('400 no label, several, or one that is too long', async (t) => {
    for (const label of [undefined, ['a', 'b'], 'a'.repeat(256)]) {
      refused(t, await ann.post(rename, { label }), 400, 'badRequest')
      await ann.get('/account/clients')
    }
    t.equal(await nameNow(), 'Tool (last)')
  })

  await t.test('403 without the token, and nothing is renamed', async (t) => {
    for (const csrf of [undefined, '', 'x']) refused(t, await ann.post(rename, { csrf, label: 'x' }), 403, 'form')
    t.equal(await nameNow(), 'Tool (last)')
  })

  await t.test('404 what is nowhere, or somebody else’s', async (t) => {
    const bob = await signedIn(service, 'bob')
    await bob.get('/device')
    for (const one of [id, ...ODD_IDS]) {
      refused(t, await bob.post(`/account/clients/${one}/rename`, { label: 'x' }), 404, 'notFound')
      await bob.get('/device')
    }
    t.equal(await nameNow(), 'Tool (last)')
  })

  await t.test('303 to sign in without a session, and then to the list', async (t) => {
    const stranger = createVisitor(service)
    goesTo(t, await stranger.post(rename, { label: 'x' }), '/login')
    await stranger.get('/login')
    goesTo(t, await stranger.post('/login', { name: 'ann' }), '/account/clients')
    t.equal(await nameNow(), 'Tool (last)')
  })
})

t.test('POST /account/clients/{id}/revoke', async (t) => {
  const service = await startApp(t, freely)

  t.test('303 from the next request on it is refused; a second time changes nothing', async (t) => {
    const ann = await signedIn(service)
    const [one, two] = [await authorize(service, ann, { name: 'One' }), await authorize(service, ann, { name: 'Two' })]
    const page = await ann.get('/account/clients')
    const id = idsIn(page, 'revoke').find((_, i) => cards(page)[i]?.includes('One'))
    for (let i = 0; i < 2; i++) {
      const page = await ann.post(`/account/clients/${id}/revoke`)
      goesTo(t, page, '/account/clients?done=revoked')
      t.strictSame([await isGood(service, one), await isGood(service, two)], [false, true])
      shows(t, await ann.follow(page), 200, clients.title, clients.done.revoked, clients.ended)
    }
  })

  t.test('404 what is nowhere, or somebody else’s', async (t) => {
    const [ann, bob] = [await signedIn(service), await signedIn(service, 'bob')]
    const jwt = await authorize(service, ann)
    const [id = ''] = idsIn(await ann.get('/account/clients'), 'revoke')
    for (const one of [id, ...ODD_IDS]) {
      await bob.get('/device')
      refused(t, await bob.post(`/account/clients/${one}/revoke`), 404, 'notFound')
    }
    t.equal(await isGood(service, jwt), true)
  })

  t.test('403 without the token, 303 without a session, and nothing is revoked', async (t) => {
    const ann = await signedIn(service)
    const jwt = await authorize(service, ann)
    const [id = ''] = idsIn(await ann.get('/account/clients'), 'revoke')
    refused(t, await ann.post(`/account/clients/${id}/revoke`, { csrf: 'x' }), 403, 'form')
    goesTo(t, await createVisitor(service).post(`/account/clients/${id}/revoke`), '/login')
    t.equal(await isGood(service, jwt), true)
  })
})

t.test('POST /account/clients/revoke-all', async (t) => {
  const service = await startApp(t, freely)

  t.test('303 ends all that are active, of this user alone', async (t) => {
    const [ann, bob] = [await signedIn(service), await signedIn(service, 'bob')]
    const mine = [await authorize(service, ann), await authorize(service, ann), await authorize(service, ann)]
    const theirs = await authorize(service, bob)
    shows(t, await ann.get('/account/clients'), 200, clients.title, clients.revokeAllIntro(3))
    const page = await ann.post('/account/clients/revoke-all')
    goesTo(t, page, '/account/clients?done=revoked-all')
    t.strictSame(await Promise.all(mine.map((jwt) => isGood(service, jwt))), [false, false, false])
    t.equal(await isGood(service, theirs), true)
    const list = await ann.follow(page)
    shows(t, list, 200, clients.title, clients.done['revoked-all'])
    t.notMatch(list.body, /<form/, 'there is nothing left to revoke')
    await ann.get('/device')
    goesTo(t, await ann.post('/account/clients/revoke-all'), '/account/clients?done=revoked-all', 'of none')
    t.match((await service.app.metrics.text()).match(/grantd_revocations_total\{by="owner"\} (\d+)/)?.[1], '3')
  })

  t.test('403 without the token, 303 without a session, and nothing is revoked', async (t) => {
    const ann = await signedIn(service)
    const jwt = await authorize(service, ann)
    await ann.get('/account/clients')
    refused(t, await ann.post('/account/clients/revoke-all', { csrf: undefined }), 403, 'form')
    goesTo(t, await createVisitor(service).post('/account/clients/revoke-all'), '/login')
    t.equal(await isGood(service, jwt), true)
  })
})

/** Starts the pages with an upstream of each kind, and a user who has signed in with the first. */
async function startProviders(t: Test, variables: Record<string, string> = freely) {
  const [acme, hub] = [await startIdentityProvider(t, { publicUrl }), await startPlainProvider(t, { publicUrl })]
  const entries = [
    acme.entry({ scope: 'openid profile offline_access reports.read' }),
    hub.entry({ sign_in: false, revocation_endpoint: `${hub.origin}/revoke` })
  ]
  const service = await startApp(t, { ...variables, PROVIDERS_FILE: providersFile(t, entries) })
  const arrive = async (login: string) => {
    const visitor = createVisitor(service)
    await visitor.signInAt('acme', login)
    return visitor
  }
  /** Connects an account of the other upstream and arrives at the list. */
  const connect = async (visitor: Visitor, login: string, id = 'hub') => {
    await visitor.get('/account/connections')
    const back = await visitor.visitProvider(`/account/connections/${id}/connect`, login)
    return visitor.get(back, { headers: { 'sec-fetch-site': 'cross-site' } })
  }
  return { acme, hub, service, arrive, connect }
}

const LONGEST_ID = 'x'.repeat(32)

/** Starts the pages with an upstream whose id is as long as ids can be. */
async function startLongest(t: Test) {
  const [acme, long] = [
    await startIdentityProvider(t, { publicUrl }),
    await startPlainProvider(t, { publicUrl, id: LONGEST_ID })
  ]
  return startApp(t, { ...freely, PROVIDERS_FILE: providersFile(t, [acme.entry(), long.entry()]) })
}

t.test('GET /account/connections', async (t) => {
  const { acme, service, arrive, connect } = await startProviders(t)

  t.test('200 the account somebody signed in with, its scopes, and what else could be connected', async (t) => {
    const ann = await arrive('ann')
    const page = await ann.get('/account/connections')
    shows(t, page, 200, connections.title, connections.intro, 'The acme: ann', connections.status.connected)
    shows(t, page, 200, connections.title, connections.connect('The acme'), connections.connect('The hub'))
    const scopes = [...page.body.matchAll(/<code>([^<]*)<\/code>/g)].map(([, scope]) => scope)
    t.strictSame(scopes, ['openid', 'profile', 'reports.read'], 'those it was given, not all that were asked for')
    t.equal(cards(page).length, 1)
    t.strictSame(page.setCookies, [])
  })

  t.test('200 nothing to connect, and nothing connected', async (t) => {
    const service = await startApp(t, freely)
    const page = await (await signedIn(service)).get('/account/connections')
    shows(t, page, 200, connections.title, connections.none, connections.noProviders)
    t.notOk(page.text.includes(connections.addTitle) || page.text.includes(connections.noneAdvice))
  })

  t.test('200 an account that the provider refuses has to be connected again', async (t) => {
    const cat = await arrive('cat')
    const [id = ''] = idsIn(await cat.get('/account/connections'), 'disconnect')
    acme.at(TOKEN_ENDPOINT, json({ error: 'invalid_grant' }, 400))
    service.clock.advance(3_600_000 - 1_000)
    await service.app.core.connections.vend(id, { kind: 'api_key' })
    acme.at(TOKEN_ENDPOINT)
    service.clock.advance(1_000 - 3_600_000)
    const page = await cat.get('/account/connections')
    shows(t, page, 200, connections.title, connections.status.needs_reconnect, connections.reconnect('The acme'))
    goesTo(t, await connect(cat, 'cat', 'acme'), '/account/connections?done=connected')
    const again = await cat.get('/account/connections')
    shows(t, again, 200, connections.title, connections.status.connected)
    t.strictSame(idsIn(again, 'disconnect'), [id], 'the same account')
  })

  t.test('200 what was done is one of a few words', async (t) => {
    const ann = await arrive('ann')
    for (const [done, sentence] of Object.entries(connections.done)) {
      const page = await ann.get(`/account/connections?done=${done}`)
      shows(t, page, 200, connections.title, sentence)
      const wentWell = ['connected', 'disconnected', 'disconnected-here', 'signs-in', 'signs-in-no-more'].includes(done)
      t.match(page.body, wentWell ? 'role="status"' : 'role="alert"', done)
    }
    for (const query of ['done=', 'done=x', 'done=__proto__', 'done=taken&done=taken']) {
      t.notMatch((await ann.get(`/account/connections?${query}`)).body, /role="/, query)
    }
  })

  t.test('303 to sign in, and back', async (t) => {
    const stranger = createVisitor(service)
    goesTo(t, await stranger.get('/account/connections'), '/login')
    goesTo(t, await stranger.get(await stranger.visitProvider('/login/acme', 'ann')), '/account/connections')
  })
})

t.test('GET /account/connections/{provider}/connect', async (t) => {
  const { hub, service, arrive, connect } = await startProviders(t)

  t.test('303 connects an account, which is on the list then', async (t) => {
    const ann = await arrive('ann')
    const session = ann.cookies.get(SESSION_COOKIE)
    const page = await connect(ann, 'ann-at-hub')
    goesTo(t, page, '/account/connections?done=connected')
    t.equal(ann.cookies.get(SESSION_COOKIE), session, 'connecting is no sign-in')
    shows(t, await ann.follow(page), 200, connections.title, connections.done.connected, 'The hub: ann-at-hub')
    t.match(ann.shown.body, /<code>repo<\/code> <code>read:user<\/code>/)
    t.equal(cards(ann.shown).length, 2)
  })

  t.test('303 an account of another user is theirs', async (t) => {
    const bob = await arrive('bob')
    const page = await connect(bob, 'ann-at-hub')
    goesTo(t, page, '/account/connections?done=taken')
    shows(t, await bob.follow(page), 200, connections.title, connections.done.taken)
    t.equal(cards(bob.shown).length, 1)
  })

  t.test('303 whoever cancels is told so', async (t) => {
    const ann = await arrive('ann')
    await ann.get('/account/connections')
    const back = await ann.visitProvider('/account/connections/acme/connect', 'ann', 'refuse')
    goesTo(t, await ann.get(back), '/account/connections?done=denied')
  })

  t.test('303 connecting in several tabs, in any order, and after signing in again in one of them', async (t) => {
    const service = await startLongest(t)
    const eve = createVisitor(service)
    await eve.signInAt('acme', 'eve')
    await eve.get('/account/connections')
    const backs: string[] = []
    for (let i = 0; i < 5; i++) {
      backs.push(await eve.visitProvider(`/account/connections/${LONGEST_ID}/connect`, `eve-${i}`))
    }
    for (const back of backs.slice(2).reverse()) goesTo(t, await eve.get(back), '/account/connections?done=connected')
    await eve.signInAt('acme', 'eve')
    await eve.get(await eve.visitProvider('/login/acme', 'eve'))
    goesTo(t, await eve.get(backs[1] ?? ''), '/account/connections?done=connected', 'as the same user')
    t.equal(cards(await eve.get('/account/connections')).length, 5)
  })

  t.test('303 HEAD connects nothing', async (t) => {
    const hal = await arrive('hal')
    await hal.get('/account/connections')
    const back = await hal.visitProvider('/account/connections/hub/connect', 'hal-at-hub')
    const [asked, before] = [hub.requests.length, cards(await hal.get('/account/connections')).length]
    goesTo(t, await hal.get('/account/connections/hub/connect', { method: 'HEAD' }), '/account/connections')
    goesTo(t, await hal.get(back, { method: 'HEAD' }), '/login')
    t.equal(hub.requests.length, asked)
    t.equal(cards(await hal.get('/account/connections')).length, before)
    goesTo(t, await hal.get(back), '/account/connections?done=connected')
  })

  t.test('400 an answer counts for the user who began, and once', async (t) => {
    const { signInFailed } = error
    const [cat, dan] = [await arrive('cat'), await arrive('dan')]
    await cat.get('/account/connections')
    const back = await cat.visitProvider('/account/connections/hub/connect', 'cat-at-hub')
    shows(t, await dan.get(back), 400, error.title, signInFailed.invalid)
    const left = cat.cookies.get('__Host-grantd-visitor') ?? ''
    // The upstream's answer arrives after another user has signed in in this browser, or after the session has ended.
    dan.cookies.set('__Host-grantd-visitor', left)
    shows(t, await dan.get(back), 400, error.title, signInFailed.invalid)
    const stranger = createVisitor(service)
    stranger.cookies.set('__Host-grantd-visitor', left)
    shows(t, await stranger.get(back), 400, error.title, signInFailed.invalid)
    t.equal(stranger.cookies.get(SESSION_COOKIE), undefined, 'connecting never signs in')
    goesTo(t, await cat.get(back), '/account/connections?done=connected')
    const asked = hub.requests.length
    goesTo(t, await cat.get(back), '/account/connections', 'loaded again it leads on')
    t.equal(hub.requests.length, asked)
    t.equal(cards(await dan.get('/account/connections')).length, 1)
  })

  t.test('303 to the list when another site sends somebody here, and nothing has begun', async (t) => {
    const ann = await arrive('ann')
    for (const site of ['cross-site', 'same-site']) {
      const page = await ann.get('/account/connections/hub/connect', { headers: { 'sec-fetch-site': site } })
      goesTo(t, page, '/account/connections', site)
      t.strictSame(page.setCookies, [])
    }
  })

  t.test('303 to sign in without a session', async (t) => {
    goesTo(t, await createVisitor(service).get('/account/connections/hub/connect'), '/login')
  })

  t.test('404 where there is no such provider', async (t) => {
    const ann = await arrive('ann')
    for (const id of ODD_IDS) refused(t, await ann.get(`/account/connections/${id}/connect`), 404, 'notFound')
  })

  t.test('429 with the sign-ins of the address', async (t) => {
    const { arrive } = await startProviders(t, { SIGNING_ALG: 'EdDSA', LIMIT_SIGN_IN_PER_MINUTE: '2' })
    const ann = await arrive('ann')
    await ann.get('/account/connections/hub/connect')
    for (let i = 0; i < 2; i++) await ann.get('/account/connections/hub/connect')
    limited(t, await ann.get('/account/connections/hub/connect'), 60)
    shows(t, await ann.get('/account/connections'), 200, connections.title)
  })

  t.test('503 while the provider cannot be asked', async (t) => {
    const ann = await arrive('ann')
    await ann.get('/account/connections')
    const back = await ann.visitProvider('/account/connections/hub/connect', 'another-of-ann')
    await hub.down()
    refused(t, await ann.get(back), 503, 'unavailable')
    await hub.up()
    t.equal(cards(await ann.get('/account/connections')).length, 2, 'nothing was connected')
  })
})

t.test('POST /account/connections/{id}/sign-in', async (t) => {
  const { signInFailed } = error
  const [acme, hub] = [await startIdentityProvider(t, { publicUrl }), await startPlainProvider(t, { publicUrl })]
  const store = await startPlainProvider(t, { publicUrl, id: 'store' })
  const entries = [acme.entry(), hub.entry(), store.entry({ sign_in: false })]
  const service = await startApp(t, { ...freely, PROVIDERS_FILE: providersFile(t, entries) })
  const arrive = async (login: string, at = 'acme') => {
    const visitor = createVisitor(service)
    const page = await visitor.signInAt(at, login)
    return { visitor, page }
  }
  const connect = async (visitor: Visitor, login: string, id = 'hub') => {
    await visitor.get('/account/connections')
    return visitor.follow(visitor.get(await visitor.visitProvider(`/account/connections/${id}/connect`, login)))
  }
  const choose = (id: string | undefined) => `/account/connections/${id}/sign-in`

  t.test('400 connecting is not signing in, and what it says of a person changes nothing', async (t) => {
    const { visitor: ann } = await arrive('ann')
    await connect(ann, 'ann-at-hub')
    shows(t, ann.shown, 200, connections.title, connections.uses.first, connections.uses.connected)
    const { visitor: other, page } = await arrive('ann-at-hub', 'hub')
    shows(t, page, 400, error.title, signInFailed.only_connected, en.login.title)
    t.equal(other.cookies.get(SESSION_COOKIE), undefined)
    const { visitor: again } = await arrive('ann')
    shows(t, await again.get('/device'), 200, en.device.title, en.signedInAs('ann at acme'))
    const { page: honest } = await arrive('bob-at-hub', 'hub')
    shows(t, honest, 200, en.device.title, en.signedInAs('bob-at-hub of hub'))
  })

  t.test('303 whoever says so signs in with it too, is called the same, and can take it back', async (t) => {
    const { visitor: cat } = await arrive('cat')
    await connect(cat, 'cat-at-hub')
    const [id] = idsIn(cat.shown, 'sign-in')
    t.ok(cat.shown.text.includes(connections.choose.connected), 'in words that say so')
    const page = await cat.post(choose(id), { may: 'yes' })
    goesTo(t, page, '/account/connections?done=signs-in')
    shows(t, await cat.follow(page), 200, connections.title, connections.done['signs-in'], connections.uses.chosen)

    const { visitor: other, page: device } = await arrive('cat-at-hub', 'hub')
    shows(t, device, 200, en.device.title, en.signedInAs('cat at acme'))
    t.equal(cards(await other.get('/account/connections')).length, 2, 'as the same user')
    const token = other.cookies.get(SESSION_COOKIE) ?? ''
    const { userId = '' } = (await service.app.core.browserSessions.use(token)) ?? {}
    const claims = await service.app.core.profiles.claims(userId, ['openid', 'profile', 'email'])
    t.match(claims, { name: 'cat at acme', email: 'cat@a.example' }, 'and its name and address are not taken over')

    const back = await other.post(choose(id), { may: 'no' })
    goesTo(t, back, '/account/connections?done=signs-in-no-more')
    const { page: refusal } = await arrive('cat-at-hub', 'hub')
    shows(t, refusal, 400, error.title, signInFailed.only_connected)
  })

  t.test('404 for what is somebody else’s, signs in anyway or never can, and 400 for another choice', async (t) => {
    const [{ visitor: dan }, { visitor: eve }] = [await arrive('dan'), await arrive('eve')]
    await connect(dan, 'dan-at-hub')
    const [chosen = ''] = idsIn(dan.shown, 'sign-in')
    const first = idsIn(dan.shown, 'disconnect').find((id) => id !== chosen)
    await connect(dan, 'dan-at-store', 'store')
    t.strictSame(idsIn(dan.shown, 'sign-in'), [chosen], 'offered where there is something to choose')
    const store = idsIn(dan.shown, 'disconnect').find((id) => id !== chosen && id !== first)
    for (const id of [first, store, ...ODD_IDS]) {
      await dan.get('/account/connections')
      refused(t, await dan.post(choose(id), { may: 'yes' }), 404, 'notFound')
    }
    await eve.get('/account/connections')
    refused(t, await eve.post(choose(chosen), { may: 'yes' }), 404, 'notFound')
    for (const may of ['', 'x', undefined, ['yes', 'no']]) {
      await dan.get('/account/connections')
      refused(t, await dan.post(choose(chosen), { may }), 400, 'badRequest')
    }
    const { page } = await arrive('dan-at-hub', 'hub')
    shows(t, page, 400, error.title, signInFailed.only_connected)
  })

  t.test('403 without the token, 303 without a session or long after signing in', async (t) => {
    const { visitor: fay } = await arrive('fay')
    await connect(fay, 'fay-at-hub')
    const [id] = idsIn(fay.shown, 'sign-in')
    for (const csrf of [undefined, '', 'x']) {
      await fay.get('/account/connections')
      refused(t, await fay.post(choose(id), { may: 'yes', csrf }), 403, 'form')
    }
    goesTo(t, await createVisitor(service).post(choose(id), { may: 'yes' }), '/login')
    await fay.get('/account/connections')
    service.clock.advance(3_600_001)
    goesTo(t, await fay.post(choose(id), { may: 'yes' }), '/login', 'it opens another way in')
    service.clock.advance(-3_600_001)
    const { page } = await arrive('fay-at-hub', 'hub')
    shows(t, page, 400, error.title, signInFailed.only_connected)
  })

  t.test('303 disconnecting takes the choice with it', async (t) => {
    const { visitor: gus } = await arrive('gus')
    await connect(gus, 'gus-at-hub')
    const [id] = idsIn(gus.shown, 'sign-in')
    await gus.follow(gus.post(choose(id), { may: 'yes' }))
    await gus.follow(gus.post(`/account/connections/${id}/disconnect`))
    await connect(gus, 'gus-at-hub')
    const { page } = await arrive('gus-at-hub', 'hub')
    shows(t, page, 400, error.title, signInFailed.only_connected)
  })
})

t.test('POST /account/connections/{id}/disconnect', async (t) => {
  const { acme, hub, service, arrive, connect } = await startProviders(t)
  const disconnect = (id: string | undefined) => `/account/connections/${id}/disconnect`

  t.test('303 gives the tokens up, here and at the provider', async (t) => {
    const ann = await arrive('ann')
    service.clock.advance(1)
    await ann.follow(connect(ann, 'ann-at-hub'))
    const [hubId, acmeId] = idsIn(ann.shown, 'disconnect')
    const vended = await service.app.core.connections.vend(hubId ?? '', { kind: 'api_key' })
    const token = vended.kind === 'token' ? vended.accessToken : ''
    t.equal(hub.accepts(token), true)
    const page = await ann.post(disconnect(hubId))
    goesTo(t, page, '/account/connections?done=disconnected')
    t.equal(hub.accepts(token), false)
    t.equal((await service.app.core.connections.vend(hubId ?? '', { kind: 'api_key' })).kind, 'unknown')
    shows(t, await ann.follow(page), 200, connections.title, connections.done.disconnected)
    t.strictSame(idsIn(ann.shown, 'disconnect'), [acmeId])
    refused(t, await ann.post(disconnect(hubId)), 404, 'notFound')
    goesTo(t, await connect(ann, 'ann-at-hub'), '/account/connections?done=connected', 'and can be connected again')
  })

  t.test('303 where the provider cannot confirm it, it is gone here all the same', async (t) => {
    const eve = await arrive('eve')
    const [id] = idsIn(await eve.get('/account/connections'), 'disconnect')
    acme.at(REVOCATION_ENDPOINT, json({ error: 'server_error' }, 500))
    const page = await eve.post(disconnect(id))
    acme.at(REVOCATION_ENDPOINT)
    goesTo(t, page, '/account/connections?done=disconnected-here')
    shows(t, await eve.follow(page), 200, connections.title, connections.done['disconnected-here'], connections.none)
    shows(t, eve.shown, 200, connections.title, connections.noneAdvice, connections.addTitle)
    t.equal((await eve.get('/device')).status, 200, 'the session goes on')
    const later = await arrive('eve')
    t.equal(cards(await later.get('/account/connections')).length, 1, 'signing in connects it anew')
  })

  t.test('404 what is nowhere, or somebody else’s', async (t) => {
    const [ann, bob] = [await arrive('ann'), await arrive('bob')]
    const [id = ''] = idsIn(await ann.get('/account/connections'), 'disconnect')
    for (const one of [id, ...ODD_IDS]) {
      await bob.get('/device')
      refused(t, await bob.post(disconnect(one)), 404, 'notFound')
    }
    t.ok(idsIn(await ann.get('/account/connections'), 'disconnect').includes(id))
  })

  t.test('403 without the token, 303 without a session, and nothing is disconnected', async (t) => {
    const ann = await arrive('ann')
    const [id = ''] = idsIn(await ann.get('/account/connections'), 'disconnect')
    for (const csrf of [undefined, '', 'x']) {
      await ann.get('/account/connections')
      refused(t, await ann.post(disconnect(id), { csrf }), 403, 'form')
    }
    goesTo(t, await createVisitor(service).post(disconnect(id)), '/login')
    t.ok(idsIn(await ann.get('/account/connections'), 'disconnect').includes(id))
  })
})

t.test('4xx of every route', async (t) => {
  const service = await startApp(t, freely)
  const routes: Record<string, string> = {
    '/account/clients': 'GET, HEAD',
    '/account/clients/x/rename': 'POST',
    '/account/clients/x/revoke': 'POST',
    '/account/clients/revoke-all': 'POST',
    '/account/connections': 'GET, HEAD',
    '/account/connections/x/connect': 'GET, HEAD',
    '/account/connections/x/sign-in': 'POST',
    '/account/connections/x/disconnect': 'POST'
  }
  const posts = Object.keys(routes).filter((path) => routes[path] === 'POST')

  t.test('404 below, and the URL is not repeated', async (t) => {
    for (const visitor of [createVisitor(service), await signedIn(service)]) {
      for (const path of ['/account', '/account/canary', '/account/clients/canary', '/account/connections/a/canary']) {
        const page = await visitor.get(`${path}?canary=1`)
        refused(t, page, 404, 'notFound')
        t.notMatch(page.body, /canary/i)
      }
    }
  })

  t.test('405 every other method', async (t) => {
    for (const visitor of [createVisitor(service), await signedIn(service)]) {
      for (const [path, allow] of Object.entries(routes)) {
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
          if (allow.split(', ').includes(method)) continue
          const page = await visitor.get(path, { method })
          refused(t, page, 405, 'method')
          t.equal(page.headers.allow, allow, `${method} ${path}`)
        }
      }
    }
  })

  t.test('413 and 415 for bodies of another size or kind', async (t) => {
    const ann = await signedIn(service)
    for (const path of posts) {
      await ann.get('/device')
      const csrf = ann.hidden('csrf')
      const payload = `csrf=${csrf}&label=x`
      refused(t, await ann.post(path, {}, { payload: `${payload}&x=${'x'.repeat(17_000)}` }), 413, 'badRequest')
      const ask = (type: string, body: string) =>
        ann.post(path, {}, { payload: body, headers: { 'content-type': type } })
      for (const type of ['text/plain', 'multipart/form-data; boundary=x', `${FORM}; charset=utf-7`]) {
        refused(t, await ask(type, payload), 415, 'badRequest')
      }
      refused(t, await ask('application/json', JSON.stringify({ csrf, label: 'x' })), 415, 'badRequest')
    }
  })

  t.test('303 a body that is none is no way around the token', async (t) => {
    const ann = await signedIn(service)
    for (const path of posts) {
      await ann.get('/device')
      const page = await ann.get(path, { method: 'POST' })
      refused(t, page, 403, 'form')
      pageHeaders(t, page)
    }
  })
})
