import { EventEmitter } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { fault } from '../../../src/core/fault.js'
import type { App } from '../../../src/routes/app.js'
import { createAwaitCollection } from '../../../src/routes/pages/await-collection.js'
import { sealTicket } from '../../../src/routes/pages/consent-ticket.js'
import { de } from '../../../src/routes/pages/texts/de.js'
import { en } from '../../../src/routes/pages/texts/en.js'
import { es } from '../../../src/routes/pages/texts/es.js'
import { fr } from '../../../src/routes/pages/texts/fr.js'
import { ja } from '../../../src/routes/pages/texts/ja.js'
import { pt } from '../../../src/routes/pages/texts/pt.js'
import { PATIENT, startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { clientsFile, startOAuthApp } from '../../support/oauth-app.js'
import { startIdentityProvider } from '../../support/oidc-upstream.js'
import { startRedis } from '../../support/redis-server.js'
import { providersFile } from '../../support/sign-in.js'
import { CODE_COOKIE, createVisitor, type Page, SESSION_COOKIE, signedIn, type Visitor } from '../../support/visitor.js'
import { goesTo, invalidCode, masked, pageHeaders, refused, shows } from './expectations.js'

const { device, consent, result, login } = en
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
/** Waiting for the program to collect is tested by itself; everywhere else it would cost two seconds each time. */
const waitingForNobody = { awaitsCollection: false }
const APPROVE = { action: 'approve', same: 'yes' }

const lettersOf = (userCode: string) => userCode.replace('-', '')
const kindOf = async ({ poll }: TestApp, grantCode: string) => (await poll(grantCode)).body.status

/** Enters a code, approves and arrives at the result. */
async function approveBy(visitor: Visitor, userCode: string): Promise<Page> {
  await visitor.enter(userCode)
  return visitor.follow(visitor.post('/device/confirm', APPROVE))
}

/** Returns the positions of texts on a page, so that their order can be compared. */
const orderOf = ({ body }: Page, ...parts: string[]) => parts.map((part) => body.indexOf(part))

t.test('GET /device/confirm', async (t) => {
  const service = await startApp(t, { ...freely, TRUST_PROXY: '127.0.0.1', EDGE_HEADERS: 'cloudflare' })
  const { call, clock, start } = service
  const metadata = { name: 'Deploy tool', version: '2.1.0', hostname: 'build-7', os: 'Debian 12' }

  t.test('200 the question, with everything it takes to answer it', async (t) => {
    const { grant_code, user_code } = await start(metadata)
    clock.advance(120_000)
    const ann = await signedIn(service)
    const page = await ann.enter(user_code)
    shows(t, page, 200, consent.title, consent.compare, consent.ifNot, consent.same(user_code))
    for (const claim of Object.values(metadata)) t.match(page.body, `<q><bdi>${claim}</bdi></q>`, 'its own words')
    shows(t, page, 200, consent.title, consent.claimsIntro, consent.claimedName, consent.warning.base)
    shows(t, page, 200, consent.title, `${consent.who} ann`, '2 minutes ago', '127.0.0.1', consent.unknownPlace)
    shows(t, page, 200, consent.title, en.rights.act('grantd', '30 days'), en.clientTypes.cli)
    t.ok(page.text.includes(consent.approve('“Deploy tool”')), 'approving names what is approved, as a quotation')
    t.notOk(page.text.includes(consent.warning.strongTitle) || page.text.includes(consent.hidden))
    t.equal(await kindOf(service, grant_code), 'authorization_pending', 'asking decides nothing')
    t.strictSame(page.setCookies, [])
  })

  t.test('200 denying is as easy as approving, and what the Enter key does', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    const page = await ann.enter(user_code)
    const buttons = [...page.body.matchAll(/<button[^>]*>/g)].map(([tag]) => tag)
    t.strictSame(buttons, [
      '<button type="submit" name="action" value="deny" formnovalidate>',
      '<button type="submit" name="action" value="approve">'
    ])
    t.match(page.body, /<input type="checkbox" name="same" value="yes" required\/>/, 'and nothing is ticked already')
    const [warning = -1, question = -1] = orderOf(page, consent.warning.base, '<form method="post"')
    t.ok(warning > 0 && warning < question, 'the warning comes before the question')
    const forms = [...page.body.matchAll(/<form [^>]*action="([^"]*)"/g)].map(([, action]) => action)
    t.strictSame(forms, ['/device/confirm'])
    const ids = [...page.body.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
    t.strictSame(ids, ['content'], 'a link can focus nothing that decides')
    t.notMatch(page.body, /autofocus|accesskey|<script|javascript:/)
  })

  t.test('200 the alarm is for another country and for imitation; a link gets the calm note', async (t) => {
    const from = async (country: string | undefined, city?: string) => {
      const headers = { ...(country && { 'cf-ipcountry': country }), ...(city && { 'cf-ipcity': city }) }
      return (await call('POST', '/auth/grant/code', { body: { client_type: 'mcp' }, headers })).body
    }
    const { strongTitle, title, countries, linked, imitation } = consent.warning
    const cases: [string | undefined, string | undefined, boolean][] = [
      ['PT', 'DE', true],
      ['DE', 'DE', false],
      [undefined, 'DE', false],
      ['PT', undefined, false],
      ['XX', 'DE', false],
      ['T1', 'DE', false]
    ]
    for (const [asked, here, isStrong] of cases) {
      const { user_code } = await from(asked, 'Lisbon')
      const ann = await signedIn(service)
      await ann.enter(user_code)
      const page = await ann.get('/device/confirm', { headers: { 'cf-ipcountry': here } })
      shows(t, page, 200, consent.title, isStrong ? strongTitle : title)
      t.equal(page.text.includes(countries('Portugal', 'Germany')), isStrong, `${asked} ${here}`)
      t.equal(/class="warning strong"/.test(page.body), isStrong, `${asked} ${here}: to be seen as well`)
      t.ok(page.text.includes('Lisbon'), 'where it came from')
    }
    for (const country of [undefined, 'DE']) {
      const { user_code } = await from(country)
      const ann = await signedIn(service)
      await ann.get(`/device?code=${user_code}`)
      await ann.enter(user_code)
      const page = await ann.get('/device/confirm', { headers: { 'cf-ipcountry': country } })
      shows(t, page, 200, consent.title, title, linked)
      t.notMatch(page.body, /class="warning strong"/, `${country}: the ordinary link`)
      t.ok(page.text.includes(consent.warning.base), 'which says all the same when to deny')
    }
    const { user_code } = await start({ name: 'pаypal' })
    const ann = await signedIn(service)
    await ann.get(`/device?code=${user_code}`)
    const page = await ann.enter(user_code)
    shows(t, page, 200, consent.title, strongTitle, imitation, linked)
    t.match(page.body, /class="warning strong"/)
  })

  t.test('200 the summary comes first, and the rest is folded away unless there is a reason to look', async (t) => {
    for (const [metadata, isOpen] of [
      [{ name: 'Deploy tool', hostname: 'build-7' }, false],
      [{ name: 'Dеploy tool', hostname: 'build-7' }, true]
    ] as const) {
      const { user_code } = await start(metadata)
      const page = await (await signedIn(service)).enter(user_code)
      t.match(page.body, isOpen ? /<details class="stack" open>/ : /<details class="stack">/, metadata.name)
      const { compare, program, claimedName, unchecked, from, rights, who, details, asked, claimsIntro } = consent
      const order = [compare, program, claimedName, unchecked, `>${from}<`, rights, `>${who}<`]
      const summary = orderOf(page, ...order, `<summary>${details}`, asked, claimsIntro, '<form method="post"')
      t.strictSame(
        summary,
        [...summary].sort((a, b) => a - b),
        'in this order'
      )
      t.ok(summary[0] && summary[0] > 0)
      const [alarm = -1] = orderOf(page, isOpen ? consent.warning.strongTitle : consent.warning.title)
      t.equal(alarm < (summary[0] ?? 0), isOpen, 'an alarm is the first thing, a calm note is beside the answer')
    }
  })

  t.test('200 doubts about what the program says are told', async (t) => {
    const cases: [Record<string, string>, boolean, boolean][] = [
      [{ name: 'Deploy \u202eloot' }, true, false],
      [{ hostname: 'build\u200b-7' }, true, false],
      [{ name: 'pаypal' }, false, true],
      [{ os: 'Dеbian' }, false, true],
      [{ name: 'Zoë Müller', hostname: '构建机', os: 'Ядро', version: '१.०' }, false, false]
    ]
    for (const [claims, isHidden, isLookalike] of cases) {
      const { user_code } = await start(claims)
      const { text, body } = await (await signedIn(service)).enter(user_code)
      t.equal(text.includes(consent.hidden), isHidden, JSON.stringify(claims))
      t.equal(text.includes(consent.lookalike), isLookalike, JSON.stringify(claims))
      t.notMatch(body, /[\u200b\u202a-\u202e\u2066-\u2069]/, 'what turns or hides is not there')
    }
  })

  t.test('200 a program that says nothing', async (t) => {
    const { user_code } = await start()
    const page = await (await signedIn(service)).enter(user_code)
    shows(t, page, 200, consent.title, consent.nothingClaimed, consent.approve(en.clientTypes.cli))
  })

  t.test('303 to the code without one, and after a decision', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    goesTo(t, await ann.get('/device/confirm'), '/device')
    await ann.enter(user_code)
    await ann.post('/device/confirm', { action: 'deny' })
    goesTo(t, await ann.get('/device/confirm'), '/device', 'the back button')
    t.notMatch((await ann.get('/device')).body, /name="user_code" value/)
  })

  t.test('400 when the code has come to an end meanwhile', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    await service.decide(user_code, 'bob')
    invalidCode(t, await ann.get('/device/confirm'))
    goesTo(t, await ann.get('/device/confirm'), '/device', 'and it is forgotten')
  })

  t.test('303 to sign in without a session, and back to the question', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    ann.cookies.delete(SESSION_COOKIE)
    goesTo(t, await ann.get('/device/confirm'), '/login')
    shows(t, await ann.get('/login'), 200, login.title, login.goingTo.consent)
    shows(t, await ann.follow(ann.post('/login', { name: 'ann' })), 200, consent.title, `${consent.who} ann`)
  })

  t.test('303 another user of the same browser is not asked what the one before entered', async (t) => {
    const { user_code } = await start()
    const browser = await signedIn(service)
    await browser.enter(user_code)
    browser.cookies.delete(SESSION_COOKIE)
    await browser.get('/device/confirm')
    await browser.get('/login')
    const page = await browser.follow(browser.post('/login', { name: 'bob' }))
    shows(t, page, 200, device.title, en.signedInAs('bob'))
    t.notOk(page.body.includes(user_code))
    shows(t, await browser.enter(user_code), 200, consent.title, `${consent.who} bob`)
  })
})

t.test('POST /device/confirm', async (t) => {
  const service = await startApp(t, freely, waitingForNobody)
  const { clock, start, poll } = service

  for (const [action, title, status] of [
    ['approve', result.approvedTitle, 'approved'],
    ['deny', result.deniedTitle, 'access_denied']
  ] as const) {
    t.test(`303 ${action}`, async (t) => {
      const { grant_code, user_code } = await start()
      const ann = await signedIn(service)
      await ann.enter(user_code)
      const same = action === 'approve' ? 'yes' : undefined
      const page = await ann.post('/device/confirm', { action, same })
      goesTo(t, page, '/device/done')
      shows(t, await ann.follow(page), 200, title)
      const { body } = await poll(grant_code)
      t.equal(body.status, status)
      if (action === 'approve') {
        t.equal(JSON.parse(Buffer.from(body.jwt.split('.')[1], 'base64url').toString()).sub, 'ann')
      }
    })

    t.test(`303 ${action} sent twice, and 400 for the other decision after it`, async (t) => {
      const { grant_code, user_code } = await start()
      const ann = await signedIn(service)
      const ticket = await ann.enter(user_code).then(() => ann.hidden('ticket'))
      const fields = { ticket, same: 'yes' }
      for (let i = 0; i < 2; i++) goesTo(t, await ann.post('/device/confirm', { ...fields, action }), '/device/done')
      const other = action === 'approve' ? 'deny' : 'approve'
      invalidCode(t, await ann.post('/device/confirm', { ...fields, action: other }))
      t.equal(await kindOf(service, grant_code), status, 'the first one stands')
    })
  }

  t.test('303 of two tabs with two codes each decides what it shows', async (t) => {
    const [one, two] = [await start(), await start()]
    const ann = await signedIn(service)
    const ticket = await ann.enter(one.user_code).then(() => ann.hidden('ticket'))
    await ann.enter(two.user_code)
    goesTo(t, await ann.post('/device/confirm', { ticket, action: 'approve', same: 'yes' }), '/device/done')
    t.equal(await kindOf(service, one.grant_code), 'approved')
    t.equal(await kindOf(service, two.grant_code), 'authorization_pending')
  })

  t.test('303 what else the form says does not matter', async (t) => {
    const [mine, other] = [await start(), await start()]
    const ann = await signedIn(service)
    await ann.enter(mine.user_code)
    const more = { user_code: other.user_code, code: other.user_code, grant_code: other.grant_code, client_id: 'mcp' }
    const page = await ann.post('/device/confirm', { ...more, user_id: 'bob', sub: 'bob', action: 'deny', linked: 'x' })
    goesTo(t, page, '/device/done')
    t.equal(await kindOf(service, mine.grant_code), 'access_denied')
    t.equal(await kindOf(service, other.grant_code), 'authorization_pending')
  })

  t.test('303 of a hundred decisions at once one stands', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const actions = Array.from({ length: 100 }, (_, i) => (i % 2 ? 'approve' : 'deny'))
    const pages = await Promise.all(actions.map((action) => ann.post('/device/confirm', { action, same: 'yes' })))
    const winners = new Set(actions.filter((_, i) => pages[i]?.status === 303))
    t.equal(winners.size, 1)
    t.equal(pages.filter(({ status }) => status === 303).length, 50)
    t.equal(pages.filter(({ status }) => status === 400).length, 50)
    t.equal(await kindOf(service, grant_code), winners.has('approve') ? 'approved' : 'access_denied')
  })

  t.test(
    '303 whoever holds the code may decide; the first decision stands, the others see no difference',
    async (t) => {
      const { grant_code, user_code } = await start()
      const [ann, bob] = [await signedIn(service, 'ann'), await signedIn(service, 'bob')]
      await ann.enter(user_code)
      shows(t, await bob.enter(user_code), 200, consent.title, `${consent.who} bob`)
      goesTo(t, await bob.post('/device/confirm', { action: 'deny' }), '/device/done')
      invalidCode(t, await ann.post('/device/confirm', APPROVE))
      t.equal(await kindOf(service, grant_code), 'access_denied')
    }
  )

  t.test('400 approving without having compared asks again; denying takes nothing', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const page = await ann.post('/device/confirm', { action: 'approve' })
    shows(t, page, 400, consent.title, consent.confirmMissing, user_code)
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    goesTo(t, await ann.post('/device/confirm', APPROVE), '/device/done', 'asked again')
  })

  t.test('400 a form that is not whole, or says two things', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const ticket = ann.hidden('ticket')
    const csrf = ann.hidden('csrf')
    const wrong: Record<string, string | string[] | undefined>[] = [
      { action: undefined },
      { action: '' },
      { action: 'Approve' },
      { action: 'approved' },
      { action: 'undo' },
      { action: ['approve', 'deny'] },
      { action: ['approve', 'approve'] },
      { ticket: undefined },
      { ticket: [ticket, ticket] },
      { same: '' },
      { same: 'no' },
      { same: 'on' },
      { same: ['yes', 'yes'] }
    ]
    for (const fields of wrong) {
      const page = await ann.post('/device/confirm', { csrf, ticket, action: 'approve', same: 'yes', ...fields })
      refused(t, page, 400, 'badRequest')
      t.equal(await kindOf(service, grant_code), 'authorization_pending', JSON.stringify(fields))
      clock.advance(60_000)
    }
  })

  t.test('400 when it expires while somebody reads, and the device hears so', async (t) => {
    const [last, late] = [await start(), await start()]
    const [ann, bob] = [await signedIn(service), await signedIn(service, 'bob')]
    await ann.enter(last.user_code)
    await bob.enter(late.user_code)
    clock.advance(900_000 - 1)
    goesTo(t, await ann.post('/device/confirm', APPROVE), '/device/done')
    clock.advance(1)
    invalidCode(t, await bob.post('/device/confirm', APPROVE))
    t.equal(await kindOf(service, late.grant_code), 'expired_token')
    t.equal(await kindOf(service, last.grant_code), 'approved')
  })

  t.test('403 a ticket counts in the session that saw the page, and in no other', async (t) => {
    const { grant_code, user_code } = await start()
    const [ann, bob, elsewhere] = await Promise.all(['ann', 'bob', 'ann'].map((name) => signedIn(service, name)))
    if (!ann || !bob || !elsewhere) throw new Error('nobody is there')
    await ann.enter(user_code)
    const ticket = ann.hidden('ticket')
    for (const other of [bob, elsewhere]) {
      await other.enter(user_code)
      refused(t, await other.post('/device/confirm', { ticket, action: 'approve', same: 'yes' }), 403, 'form')
    }
    const [version, id, nonce, sealed = ''] = ticket.split('.')
    const flipped = [version, id, nonce, (sealed[0] === 'A' ? 'B' : 'A') + sealed.slice(1)].join('.')
    const code = ann.cookies.get(CODE_COOKIE) ?? ''
    const forgeries = ['', 'x', flipped, `${ticket}.x`, ticket.slice(0, -4), code, user_code, '{}', '.'.repeat(200)]
    for (const forged of forgeries) {
      await ann.get('/device/confirm')
      refused(t, await ann.post('/device/confirm', { ticket: forged, action: 'approve', same: 'yes' }), 403, 'form')
    }
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    await ann.get('/logout')
    await ann.post('/logout')
    await ann.signIn('ann')
    await ann.enter(user_code)
    // A later session of the same browser cannot use the ticket either.
    refused(t, await ann.post('/device/confirm', { ...APPROVE, ticket }), 403, 'form')
    clock.advance(60_000)
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
  })

  t.test('303 to sign in when the session has ended meanwhile, and nothing is decided', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const [form, elsewhere] = [APPROVE, createVisitor(service)]
    elsewhere.cookies.set(SESSION_COOKIE, ann.cookies.get(SESSION_COOKIE) ?? '')
    await elsewhere.get('/logout')
    await elsewhere.post('/logout')
    goesTo(t, await ann.post('/device/confirm', form), '/login')
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    await ann.get('/login')
    shows(t, await ann.follow(ann.post('/login', { name: 'ann' })), 200, consent.title, user_code)
    goesTo(t, await ann.post('/device/confirm', form), '/device/done')
  })

  t.test('400 the code was decided through the API meanwhile', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const by = { ...BY, userId: 'bob', ip: '127.0.0.1' }
    await service.app.core.grants.decide(user_code, 'deny', by)
    invalidCode(t, await ann.post('/device/confirm', APPROVE))
    t.equal(await kindOf(service, grant_code), 'access_denied')
  })
})

t.test('scopes that may be left out', async (t) => {
  const films = { identifier: 'https://films.example', name: 'Films', scope: 'films.read films.write' }
  const player = { client_id: 'player', scope: 'openid offline_access', resources: [films.identifier] }
  const optional_scope = 'offline_access films.write openid'
  const all = 'openid offline_access films.read films.write'
  const fileOf = (entry: object) => clientsFile(t, [entry], [films])
  const service = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: fileOf({ ...player, optional_scope }) })
  const without = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: fileOf({ ...player, optional_scope: 'openid' }) })
  const asked = { client_id: 'player' }
  const ask = async (scope = all, resource: string | undefined = films.identifier, { post } = service) =>
    (await post('/oauth/device_authorization', { ...asked, scope, resource })).body
  const boxes = ({ body }: Page) =>
    [...body.matchAll(/<input type="checkbox" name="scope" value="([^"]+)"( checked)?\/>/g)].map(
      ([, scope, checked]) => (checked ? scope : `no ${scope}`)
    )
  const claimOf = (token: string, name: string) =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())[name]

  t.test('200 those alone have a box, which is ticked, and what is certain is in the list', async (t) => {
    const { user_code } = await ask()
    const page = await (await signedIn(service)).enter(user_code)
    t.strictSame(boxes(page), ['openid', 'offline_access', 'films.write'])
    shows(
      t,
      page,
      200,
      consent.title,
      consent.optional,
      en.rights.offline_access,
      `${en.rights.other} films.write Films`
    )
    t.match(page.body, /<li>do what is called <code>films.read<\/code><\/li>/)
    t.notMatch(page.body, /<li>[^<]*<code>films.write/, 'what may be left out is not certain')
    const { user_code: few } = await ask('openid')
    t.strictSame(boxes(await (await signedIn(service)).enter(few)), ['openid'], 'nor what is not asked for')
    const bare = await service.authorize(asked)
    t.notMatch((await (await signedIn(service)).enter(bare.user_code)).text, consent.optional)
  })

  t.test('303 the tokens have what is ticked, and the answer says so', async (t) => {
    const cases: [ticked: string | string[] | undefined, forResource: string, forIssuer: string][] = [
      [['openid', 'offline_access', 'films.write'], 'films.read films.write', 'openid offline_access'],
      [['openid', 'offline_access'], 'films.read', 'openid offline_access'],
      ['films.write', 'films.read films.write', ''],
      [undefined, 'films.read', '']
    ]
    for (const [ticked, forResource, forIssuer] of cases) {
      for (const resource of [films.identifier, undefined]) {
        const { device_code, user_code } = await ask(resource ? all : player.scope, resource ?? '')
        const ann = await signedIn(service)
        await ann.enter(user_code)
        goesTo(t, await ann.post('/device/confirm', { ...APPROVE, scope: ticked }), '/device/done')
        const { status, body } = await service.redeem(device_code, asked)
        const expected = resource ? forResource : forIssuer
        t.equal(status, 200)
        t.equal(body.scope, expected, `${ticked} for ${resource}`)
        t.equal(claimOf(body.access_token, 'scope'), expected)
        t.equal('refresh_token' in body, [ticked].flat().includes('offline_access'), 'stays connected, or not')
        t.equal('id_token' in body, [ticked].flat().includes('openid'))
        t.strictSame((await service.redeem(device_code, asked)).body.scope, expected, 'and again the same')
      }
    }
  })

  t.test('303 what is not optional cannot be left out, nor anything be added', async (t) => {
    const { device_code, user_code } = await ask('films.read openid')
    const ann = await signedIn(service)
    await ann.enter(user_code)
    await ann.post('/device/confirm', { ...APPROVE, scope: ['films.write', 'admin', 'offline_access'] })
    const { body } = await service.redeem(device_code, asked)
    t.equal(body.scope, 'films.read')
    t.notOk('refresh_token' in body || 'id_token' in body)
  })

  t.test('400 and 409 ask again with the same boxes ticked', async (t) => {
    const { user_code, device_code } = await ask()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const page = await ann.post('/device/confirm', { action: 'approve', scope: 'films.write' })
    shows(t, page, 400, consent.title, consent.confirmMissing)
    t.strictSame(boxes(page), ['no openid', 'no offline_access', 'films.write'])
    goesTo(t, await ann.post('/device/confirm', { ...APPROVE, scope: 'films.write' }), '/device/done')
    t.equal((await service.redeem(device_code, asked)).body.scope, 'films.read films.write')
  })

  t.test('303 denied whatever is ticked; approved through the API all is granted', async (t) => {
    const [denied, approved] = [await ask(), await ask()]
    const ann = await signedIn(service)
    await ann.enter(denied.user_code)
    await ann.post('/device/confirm', { action: 'deny', scope: 'openid' })
    t.equal((await service.redeem(denied.device_code, asked)).body.error, 'access_denied')
    await service.approve(approved.user_code)
    const { body } = await service.redeem(approved.device_code, asked)
    t.equal(body.scope, 'films.read films.write')
    t.ok(body.refresh_token)
  })

  t.test('409 if what could be left out no longer can', async (t) => {
    const { user_code } = await ask(all, films.identifier, without)
    const ann = await signedIn(without)
    await ann.enter(user_code)
    const visible = { userCode: user_code, linked: false, clientId: 'player', clientName: undefined }
    const session = await without.app.core.browserSessions.use(ann.cookies.get(SESSION_COOKIE) ?? '')
    if (!session) throw new Error('no session')
    const shown = { ...visible, resources: { [films.identifier]: 'Films' }, optional: ['openid', 'films.write'] }
    const ticket = sealTicket(without.app as unknown as App, session, shown)
    const page = await ann.post('/device/confirm', { ...APPROVE, ticket, scope: 'openid' })
    shows(t, page, 409, consent.title, consent.changed)
    t.strictSame(boxes(page), ['openid'])
  })

  t.test('an approval whose answer was lost is not made wider by another that leaves more out', async (t) => {
    const { user_code, device_code } = await ask()
    const { grants, authorizations } = service.app.core
    const by = { userId: 'cleo', ip: '127.0.0.1' }
    const first = await grants.decide(user_code, 'approve', { ...BY, ...by, leftOut: ['films.write'] })
    const again = await grants.decide(user_code, 'approve', {
      ...BY,
      ...by,
      leftOut: ['films.write', 'offline_access']
    })
    t.match(first, { kind: 'decided' })
    t.strictSame(again, { kind: 'resolved' }, 'what stands is the first, and nobody is told otherwise')
    const same = await grants.decide(user_code, 'approve', { ...BY, ...by, leftOut: ['films.write'] })
    t.strictSame(same, first, 'the same once more is the same')
    t.equal((await authorizations.list('cleo')).length, 1)
    const { body } = await service.redeem(device_code, asked)
    t.ok(body.refresh_token)
    t.equal(body.scope, 'films.read')
  })

  t.test('nor is one that never came to stand found again by another', async (t) => {
    const { user_code, device_code } = await ask()
    const { grants, authorizations } = service.app.core
    const store = service.app.storage.grants
    const by = { ...BY, userId: 'dora', ip: '127.0.0.1' }
    const { decide } = store
    store.decide = () => Promise.reject(fault('unavailable'))
    await t.rejects(grants.decide(user_code, 'approve', by), { code: 'unavailable' })
    store.decide = decide
    const left = await authorizations.list('dora')
    t.equal(left.length, 1, 'its record is there, with all of the scopes')
    await grants.decide(user_code, 'approve', { ...BY, ...by, leftOut: ['films.write', 'offline_access'] })
    const [kept, ...others] = await authorizations.list('dora')
    t.strictSame(others, [])
    t.not(kept?.id, left[0]?.id)
    t.strictSame(kept?.scopes, ['openid', 'films.read'])
    const { body } = await service.redeem(device_code, asked)
    t.equal(body.scope, 'films.read')
    t.notOk('refresh_token' in body)
  })
})

t.test('a request that the program has withdrawn', async (t) => {
  const service = await startApp(t, freely)
  const { start, call, clock } = service
  const withdraw = (grant_code: string) => call('POST', '/auth/grant/revoke', { body: { grant_code } })

  for (const [about, form] of Object.entries({
    approve: APPROVE,
    deny: { action: 'deny' },
    'approve without the tick': { action: 'approve' }
  })) {
    t.test(`409 ${about}: whoever looks at the question is told, as often as they ask`, async (t) => {
      const { grant_code, user_code } = await start()
      const ann = await signedIn(service)
      await ann.enter(user_code)
      const hidden = { csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
      await withdraw(grant_code)
      for (const _ of [1, 2]) {
        const page = await ann.post('/device/confirm', { ...form, ...hidden })
        shows(t, page, 409, result.withdrawnTitle, result.withdrawn, result.withdrawnAdvice)
        t.notOk(page.text.includes(user_code), 'it holds no code')
      }
      t.equal(await kindOf(service, grant_code), 'expired_token')
      goesTo(t, await ann.get('/device/done'), '/device', 'and nothing was decided')
    })
  }

  t.test('409 the question, loaded again', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    await withdraw(grant_code)
    shows(t, await ann.get('/device/confirm'), 409, result.withdrawnTitle, result.withdrawn, result.withdrawnAdvice)
    goesTo(t, await ann.get('/device/confirm'), '/device', 'and once more there is nothing to decide')
  })

  t.test('409 in the language of the page', async (t) => {
    for (const [language, texts] of Object.entries({ de, es, fr, ja, pt })) {
      const { grant_code, user_code } = await start()
      const ann = await signedIn(service)
      await ann.enter(user_code)
      await withdraw(grant_code)
      const page = await ann.post('/device/confirm', APPROVE, { headers: { 'accept-language': language } })
      shows(t, page, 409, texts.result.withdrawnTitle, texts.result.withdrawn)
    }
  })

  t.test('303 what was approved before is not undone on the page by hand, but in the list it is revoked', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const ticket = ann.hidden('ticket')
    goesTo(t, await ann.post('/device/confirm', APPROVE), '/device/done')
    await withdraw(grant_code)
    goesTo(t, await ann.post('/device/confirm', { ...APPROVE, ticket }), '/device/done', 'sent twice')
    shows(t, await ann.get('/account/clients'), 200, en.clients.title, en.clients.ended)
  })

  t.test('400 its code, entered by hand, is answered as every code that leads nowhere', async (t) => {
    const { grant_code, user_code } = await start()
    await withdraw(grant_code)
    const ann = await signedIn(service)
    await ann.get('/device')
    const withdrawn = await ann.post('/device', { user_code })
    invalidCode(t, withdrawn)
    await ann.get('/device')
    const unknown = await ann.post('/device', { user_code: 'ZZZZ-ZZZZ' })
    t.equal(masked(withdrawn), masked(unknown), 'to the byte')
    clock.advance(60_000)
  })
})

t.test('a sign-in that was too long ago', async (t) => {
  const service = await startApp(t, { ...freely, CONSENT_MAX_AUTH_AGE_SECONDS: '60' })
  const { clock, start } = service
  const ann = await signedIn(service)
  const { grant_code, user_code } = await start()
  await ann.enter(user_code)
  const before = ann.cookies.get(SESSION_COOKIE)
  clock.advance(60_000)
  shows(t, await ann.get('/device/confirm'), 200, consent.title)
  clock.advance(1)

  await t.test('303 neither shows the question nor takes an answer, but does for everything else', async (t) => {
    goesTo(t, await ann.post('/device/confirm', APPROVE), '/login')
    goesTo(t, await ann.get('/device/confirm'), '/login')
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    shows(t, await ann.get('/device'), 200, device.title)
    shows(t, await ann.get('/account/clients'), 200, en.clients.title)
  })

  await t.test('200 goes on with the question after another sign-in, in another session', async (t) => {
    goesTo(t, await ann.get('/device/confirm'), '/login')
    shows(t, await ann.get('/login'), 200, login.title, login.again)
    shows(t, await ann.follow(ann.post('/login', { name: 'ann' })), 200, consent.title, user_code)
    t.not(ann.cookies.get(SESSION_COOKIE), before)
    goesTo(t, await ann.post('/device/confirm', APPROVE), '/device/done')
    t.equal(await kindOf(service, grant_code), 'approved')
    const old = createVisitor(service)
    old.cookies.set(SESSION_COOKIE, before ?? '')
    goesTo(t, await old.get('/device'), '/login', 'the session before has ended')
  })
})

t.test('GET /device/done waits for the program', async (t) => {
  const service = await startApp(t, freely)
  const { start, poll } = service

  t.test('200 the result says whether the device has it, and waits two seconds for that', async (t) => {
    const { authorizations } = service.app.core
    const { standingOf } = authorizations
    t.teardown(() => Object.assign(authorizations, { standingOf }))
    const ann = await signedIn(service)
    let looks = 0
    let afterLook: () => Promise<unknown> = async () => {}
    authorizations.standingOf = async (...of) => {
      looks += 1
      const standing = await standingOf(...of)
      await afterLook()
      return standing
    }

    const { grant_code, user_code } = await start()
    shows(t, await approveBy(ann, user_code), 200, result.approvedTitle, result.approved, result.lookAgain)
    t.match(ann.shown.body, '<a href="/device/done">')
    t.notOk(ann.shown.text.includes(result.collected))
    t.equal(looks, 6, 'a few looks in that time')

    looks = 0
    afterLook = async () => looks === 1 && poll(grant_code)
    shows(t, await ann.get('/device/done'), 200, result.approvedTitle, result.collected, result.undo)
    t.notOk(ann.shown.text.includes(result.approved) || ann.shown.text.includes(result.lookAgain))
    t.equal(looks, 2, 'it was collected after the first')

    looks = 0
    shows(t, await ann.get('/device/done'), 200, result.approvedTitle, result.collected)
    t.equal(looks, 1, 'what is collected is not waited for')

    const collected = (await authorizations.list('ann')).find(({ collectedAtMs }) => collectedAtMs !== undefined)
    await authorizations.revoke('ann', collected?.id ?? '', 'owner', BY)
    shows(t, await ann.get('/device/done'), 200, result.undoneTitle, result.undone)

    const denied = await start()
    looks = 0
    await ann.enter(denied.user_code)
    await ann.follow(ann.post('/device/confirm', { action: 'deny' }))
    t.equal(looks, 0, 'nor is a denial looked at')
  })

  t.test('200 no more than two hundred pages wait at a time', async (t) => {
    const { authorizations } = service.app.core
    const { standingOf } = authorizations
    t.teardown(() => Object.assign(authorizations, { standingOf }))
    let looks = 0
    authorizations.standingOf = (...of) => {
      looks += 1
      return standingOf(...of)
    }
    const ann = await signedIn(service)
    await ann.enter((await start()).user_code)
    await ann.post('/device/confirm', APPROVE)
    const pages = await Promise.all(Array.from({ length: 210 }, () => ann.get('/device/done')))
    t.ok(pages.every(({ status, text }) => status === 200 && text.includes(result.lookAgain)))
    t.equal(looks, 210 + 200 * 5)
  })

  t.test('200 an instance that stops waits no longer', async (t) => {
    const stopping = await startApp(t, freely)
    const { authorizations } = stopping.app.core
    const { standingOf } = authorizations
    let looks = 0
    authorizations.standingOf = (...of) => {
      looks += 1
      stopping.app.readiness.drain()
      return standingOf(...of)
    }
    const ann = await signedIn(stopping)
    await ann.enter((await stopping.start()).user_code)
    shows(t, await ann.follow(ann.post('/device/confirm', APPROVE)), 200, result.approvedTitle, result.lookAgain)
    t.equal(looks, 1)
    t.equal(ann.shown.headers.connection, 'close')
  })

  t.test('a browser that has gone is not waited with', async (t) => {
    const raw = new EventEmitter()
    let looks = 0
    const standingOf = async () => {
      looks += 1
      setImmediate(() => raw.emit('close'))
      return 'awaited'
    }
    const { readiness } = service.app
    const withinTimeLimit = (_request: unknown, work: Promise<unknown>) => work
    const app = { core: { authorizations: { standingOf } }, readiness, withinTimeLimit } as unknown as App
    const approval = { userId: 'ann', authorizationId: 'x' }
    const reply = { raw } as unknown as FastifyReply
    t.equal(await createAwaitCollection(app, true)({} as FastifyRequest, reply, approval), 'awaited')
    t.equal(looks, 1)
    t.equal(raw.listenerCount('close'), 0)
  })
})

t.test('GET /device/done and POST /device/undo', async (t) => {
  const service = await startApp(t, freely, waitingForNobody)
  const { call, start, poll } = service

  t.test('200 the result holds no code and no token, and offers a way back', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    const page = await approveBy(ann, user_code)
    shows(t, page, 200, result.approvedTitle, result.approved, result.undo, result.manage)
    t.notMatch(masked(page), new RegExp(`${user_code}|${lettersOf(user_code)}|eyJ|grt_|name="ticket"`))
    shows(t, await ann.get('/device/done'), 200, result.approvedTitle)
  })

  t.test('200 an approval that nobody has collected in time has lapsed', async (t) => {
    const service = await startApp(t, freely)
    const { user_code } = await service.start()
    // The cookie with the decision goes fifteen minutes after it, and the approval five minutes after the code.
    service.clock.advance(600_000)
    const ann = await signedIn(service)
    await ann.enter(user_code)
    await ann.post('/device/confirm', APPROVE)
    service.clock.advance(600_000)
    const page = await ann.get('/device/done')
    shows(t, page, 200, result.lapsedTitle, result.lapsed, result.lapsedAdvice)
    t.notMatch(page.body, /\/device\/undo/)
  })

  t.test('200 there is no way back from a denial', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    await ann.enter(user_code)
    const page = await ann.follow(ann.post('/device/confirm', { action: 'deny' }))
    shows(t, page, 200, result.deniedTitle, result.denied, result.deniedAdvice)
    t.notMatch(page.body, /<form/)
    await ann.get('/device')
    goesTo(t, await ann.post('/device/undo'), '/device/done')
  })

  t.test('303 to the code when nothing was decided in this browser', async (t) => {
    const ann = await signedIn(service)
    goesTo(t, await ann.get('/device/done'), '/device')
    await ann.get('/device')
    goesTo(t, await ann.post('/device/undo'), '/device/done')
    goesTo(t, await createVisitor(service).get('/device/done'), '/login')
    goesTo(t, await createVisitor(service).post('/device/undo'), '/login')
  })

  t.test('303 taken back before it was collected: the device is denied', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await approveBy(ann, user_code)
    shows(t, await ann.follow(ann.post('/device/undo')), 200, result.undoneTitle, result.undone)
    t.equal((await poll(grant_code)).body.status, 'access_denied')
    t.notMatch(ann.shown.body, /<form/, 'once')
    await ann.get('/device')
    goesTo(t, await ann.post('/device/undo'), '/device/done', 'twice')
    shows(t, await ann.get('/device/done'), 200, result.undoneTitle)
  })

  t.test('303 taken back after it was collected: the token is refused from the next request on', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await approveBy(ann, user_code)
    const { jwt } = (await poll(grant_code)).body
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 200)
    goesTo(t, await ann.post('/device/undo'), '/device/done')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401)
    shows(t, await ann.get('/account/clients'), 200, en.clients.title, en.clients.ended)
  })

  t.test('303 too late for that way leads to the list', async (t) => {
    const { user_code } = await start()
    const ann = await signedIn(service)
    await approveBy(ann, user_code)
    // The grant may be forgotten a moment before the code's cookie expires, if the clocks of two instances differ.
    const { undo } = service.app.core.grants
    service.app.core.grants.undo = async () => ({ kind: 'unknown' })
    goesTo(t, await ann.post('/device/undo'), '/account/clients')
    service.app.core.grants.undo = undo
    goesTo(t, await ann.post('/device/undo'), '/device/done')
  })

  t.test('403 without the token of this session, and nothing is taken back', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await approveBy(ann, user_code)
    refused(t, await ann.post('/device/undo', { csrf: undefined }), 403, 'form')
    t.equal((await poll(grant_code)).body.status, 'approved')
  })

  t.test('303 what one user decided is not shown to the next in the same browser', async (t) => {
    const { grant_code, user_code } = await start()
    const ann = await signedIn(service)
    await approveBy(ann, user_code)
    ann.cookies.delete(SESSION_COOKIE)
    await ann.signIn('bob')
    goesTo(t, await ann.get('/device/done'), '/device')
    await ann.get('/device')
    await ann.post('/device/undo')
    t.equal((await poll(grant_code)).body.status, 'approved', 'nor can they take it back')
  })
})

t.test('over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const acme = await startIdentityProvider(t, { publicUrl: 'http://localhost:3333' })
  const variables = (client_name: string, more: object[] = []) => ({
    ...{ REDIS_URL: redis.url, PROVIDERS_FILE: providersFile(t, [acme.entry({ subject_is_user_id: true })]) },
    OAUTH_CLIENTS_FILE: clientsFile(t, [
      { client_id: 'box', client_name, scope: 'openid profile reports.read' },
      ...more
    ])
  })
  const nameless = { client_id: 'gone', scope: 'openid' }
  const service = await startOAuthApp(t, variables('Box 2000', [nameless]))
  const later = await startOAuthApp(t, variables('Box 3000'))
  const box = { client_id: 'box' }

  await t.test("200 the operator's name and the scopes in words", async (t) => {
    const { user_code } = await service.authorize(box, 'openid profile reports.read')
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    const page = await ann.enter(user_code)
    const { openid, profile, other } = en.rights
    shows(t, page, 200, consent.title, `Box 2000 ${consent.registered}`, consent.approve('Box 2000'))
    shows(t, page, 200, consent.title, openid, profile, `${other} reports.read`, 'ann at acme (The acme)')
  })

  await t.test('409 asks again when the program has another name by now, and goes on under that one', async (t) => {
    const { device_code, user_code } = await service.authorize(box)
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    await ann.enter(user_code)
    const there = ann.moveTo(later)
    const [ticket, csrf] = [ann.hidden('ticket'), ann.hidden('csrf')]
    const page = await there.post('/device/confirm', { csrf, ticket, action: 'approve', same: 'yes' })
    shows(t, page, 409, consent.title, consent.changed, consent.approve('Box 3000'), user_code)
    t.equal((await service.redeem(device_code, box)).body.error, 'authorization_pending')
    goesTo(t, await there.post('/device/confirm', APPROVE), '/device/done')
    t.equal((await later.redeem(device_code, box)).status, 200)
  })

  await t.test('400 when the program is gone by now, whether or not it had a name', async (t) => {
    const { user_code } = await service.authorize({ client_id: 'gone' })
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    await ann.enter(user_code)
    const there = ann.moveTo(later)
    const [ticket, csrf] = [ann.hidden('ticket'), ann.hidden('csrf')]
    invalidCode(t, await there.post('/device/confirm', { csrf, ticket, action: 'approve', same: 'yes' }))
    invalidCode(t, await there.get('/device/confirm'))
  })

  await t.test('503 while Redis is away: nothing is decided, and the same code works afterwards', async (t) => {
    const { grant_code, user_code } = await service.start()
    const ann = createVisitor(service)
    await ann.signInAt('acme', 'ann')
    await ann.enter(user_code)
    const [ticket, csrf] = [ann.hidden('ticket'), ann.hidden('csrf')]
    const form = { csrf, ticket, action: 'approve', same: 'yes' }
    await redis.kill()
    const startedAt = performance.now()
    for (const ask of [
      () => ann.get('/device'),
      () => ann.get('/device/confirm'),
      () => ann.get('/device/done'),
      () => ann.post('/device', { csrf, user_code }),
      () => ann.post('/device/confirm', form),
      () => ann.post('/device/undo', { csrf }),
      () => ann.get('/device/nowhere')
    ]) {
      const page = await ask()
      refused(t, page, 503, 'unavailable')
      t.match(page.headers['retry-after'], /^[2-4]$/)
      t.strictSame(page.setCookies, [], 'the session is not given up for it')
    }
    t.ok(performance.now() - startedAt < Number(PATIENT.REDIS_TIMEOUT_MS) / 2, 'none of them waited')
    const stranger = createVisitor(service)
    goesTo(t, await stranger.get(`/device?code=${user_code}`), '/device', 'what needs no Redis still works')
    shows(t, await stranger.follow(stranger.get('/device')), 200, login.title)
    await redis.start()
    while ((await service.call('GET', '/readyz')).status !== 200) await new Promise((resolve) => setImmediate(resolve))
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    goesTo(t, await ann.post('/device/confirm', form), '/device/done')
    t.equal(await kindOf(service, grant_code), 'approved')
  })
})

t.test('under the path of PUBLIC_URL', async (t) => {
  const service = await startApp(t, { ...freely, PUBLIC_URL: 'http://localhost:3333/in/here' }, waitingForNobody)
  const { grant_code, user_code } = await service.start()
  const ann = createVisitor(service)
  shows(t, await ann.follow(ann.get(`/device?code=${user_code}`)), 200, login.title)
  t.equal((await ann.post('/login', { name: 'ann' })).location, '/in/here/device')
  shows(t, await ann.enter(user_code), 200, consent.title)
  const done = await ann.post('/device/confirm', APPROVE)
  t.equal(done.location, '/in/here/device/done')
  shows(t, await ann.follow(done), 200, result.approvedTitle)
  t.equal(await kindOf(service, grant_code), 'approved')
  for (const { body } of ann.pages) {
    for (const [, path = ''] of body.matchAll(/ (?:href|action|src)="([^"]*)"/g)) {
      t.ok(path === '#content' || path.startsWith('/in/here/'), path)
    }
  }
  t.ok(ann.pages.length > 8)
  for (const page of ann.pages) pageHeaders(t, page)
})
