import t from 'tap'
import { en } from '../../../src/routes/pages/texts/en.js'
import { startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { CODE_COOKIE, createVisitor, signedIn, VISITOR_COOKIE } from '../../support/visitor.js'
import { goesTo, invalidCode, limited, masked, refused, shows } from './expectations.js'

const { device, consent, login } = en
const UNKNOWN = 'BBBB-BBBB'
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
const FORM = 'application/x-www-form-urlencoded'

const lettersOf = (userCode: string) => userCode.replace('-', '')
const kindOf = async ({ poll }: TestApp, grantCode: string) => (await poll(grantCode)).body.status

t.test('GET /device', async (t) => {
  const service = await startApp(t, freely)

  t.test('200 an empty form for whoever is signed in', async (t) => {
    const ann = await signedIn(service)
    const page = await ann.get('/device')
    shows(t, page, 200, device.title, device.intro, device.hint, en.signedInAs('ann'))
    t.match(page.body, /<form method="post" action="\/device"/)
    t.match(page.body, /<input class="code" name="user_code" required maxlength="64"/)
    t.equal(page.body.match(/<input (?!type="hidden")/g)?.length, 1, 'the eight boxes are one field')
    t.match(page.body, /<span class="boxes" aria-hidden="true">(<span><\/span>){4}<span class="between">/)
    t.notMatch(page.body, /autofocus|<script|style=|name="user_code" value/, 'nothing runs, nothing is filled in')
    t.strictSame(page.setCookies, [], 'looking changes nothing')
  })

  t.test('303 to sign in for everybody else, who comes back then', async (t) => {
    const stranger = createVisitor(service)
    const page = await stranger.get('/device')
    goesTo(t, page, '/login')
    t.strictSame(
      page.setCookies.map(({ name }) => name),
      [VISITOR_COOKIE]
    )
    shows(t, await stranger.follow(page), 200, login.title)
    shows(t, await stranger.follow(stranger.post('/login', { name: 'ann' })), 200, device.title)
  })

  t.test('303 a code is moved out of the URL at once, and looked up by nobody', async (t) => {
    const { grant_code, user_code } = await service.start()
    for (const code of [user_code, UNKNOWN, 'what?']) {
      const ann = await signedIn(service)
      const page = await ann.get(`/device?code=${encodeURIComponent(code)}&other=1`)
      goesTo(t, page, '/device', code)
      t.strictSame(
        page.setCookies.map(({ name }) => name),
        [CODE_COOKIE]
      )
      t.notOk(JSON.stringify(page.headers).includes(code), 'nor is it to be read in the cookie')
    }
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
  })

  t.test('200 a linked code fills in the form as the device shows it, and a warning says so', async (t) => {
    const { user_code } = await service.start()
    for (const spelling of [user_code, lettersOf(user_code).toLowerCase(), ` ${user_code} `]) {
      const ann = await signedIn(service)
      const page = await ann.follow(ann.get(`/device?code=${encodeURIComponent(spelling)}`))
      shows(t, page, 200, device.title, device.linked)
      t.ok(page.body.includes(` value="${user_code}" `), spelling)
    }
  })

  t.test('200 a linked code survives signing in', async (t) => {
    const { user_code } = await service.start()
    const stranger = createVisitor(service)
    shows(t, await stranger.follow(stranger.get(`/device?code=${user_code}`)), 200, login.title)
    t.notOk(stranger.shown.body.includes(user_code), 'it is not shown before')
    const page = await stranger.follow(stranger.post('/login', { name: 'ann' }))
    shows(t, page, 200, device.title, device.linked)
    t.ok(page.body.includes(` value="${user_code}" `))
  })

  t.test('200 what cannot be a code fills nothing in', async (t) => {
    const { user_code } = await service.start()
    const twice = `code=${user_code}&code=${UNKNOWN}`
    const queries = ['code=', 'code', 'code[]=BBBBBBBB', `code=${'B'.repeat(65)}`, `code=${'B'.repeat(10_000)}`, twice]
    const odd = ['<b>', '"onfocus=alert(1)', '\u0000'.repeat(8), '\u202ebbbbbbb', '😀', '__proto__', 'AEIOUAEI']
    const escapes = ['code=%zz', 'code=%ED%A0%80', 'code=%ff', 'CODE=BBBBBBBB', `user_code=${user_code}`]
    for (const query of [...queries, ...odd.map((text) => `code=${encodeURIComponent(text)}`), ...escapes]) {
      const ann = await signedIn(service)
      await ann.get(`/device?code=${user_code}`)
      const page = await ann.follow(ann.get(`/device?${query}`))
      const about = query.slice(0, 60)
      shows(t, page, 200, device.title)
      const mayKeep = !/^code(=|$)/.test(query)
      t.equal(page.body.includes(user_code), mayKeep, `${about}: it takes the place of what was there`)
      t.equal(/name="user_code" value/.test(page.body), mayKeep, about)
    }
  })

  t.test('303 HEAD is the same without a body, and decides nothing', async (t) => {
    const { grant_code, user_code } = await service.start()
    const ann = await signedIn(service)
    goesTo(t, await ann.get(`/device?code=${user_code}`, { method: 'HEAD' }), '/device')
    const { status, body } = await ann.get('/device', { method: 'HEAD' })
    t.strictSame([status, body], [200, ''])
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
  })

  t.test('200 a hundred previews of a link leave the grant as it is', async (t) => {
    const { grant_code, user_code } = await service.start()
    const ann = await signedIn(service)
    for (let i = 0; i < 50; i++) {
      const headers = i % 2 ? { purpose: 'prefetch' } : { 'sec-purpose': 'prefetch;prerender' }
      await createVisitor(service).get(`/device?code=${user_code}`, { headers })
      await ann.get(`/device?code=${user_code}`, { headers, method: i % 3 ? 'GET' : 'HEAD' })
    }
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    shows(t, await ann.enter(user_code), 200, consent.title)
  })
})

t.test('POST /device', async (t) => {
  const service = await startApp(t, freely)

  t.test('303 to the question for a code as people type it', async (t) => {
    const { user_code } = await service.start()
    const letters = lettersOf(user_code)
    const spellings = [user_code, letters.toLowerCase(), ` ${user_code} `, letters.split('').join(' ')]
    const separators = ['\u00a0', '\u2013', '\u2010', '--', ' \u2014 ', '\t', '\r\n']
    for (const typed of [...spellings, ...separators.map((one) => letters.slice(0, 4) + one + letters.slice(4))]) {
      const ann = await signedIn(service)
      const page = await ann.post('/device', { user_code: typed })
      goesTo(t, page, '/device/confirm', JSON.stringify(typed))
      const question = await ann.follow(page)
      shows(t, question, 200, consent.title)
      t.ok(question.text.includes(` ${user_code} `), 'as the device shows it')
    }
  })

  t.test('400 whatever leads nowhere gets the same page, to the byte', async (t) => {
    const [expired, other] = [await service.start(), await service.start()]
    service.clock.advance(900_000)
    const [approved, denied, spent] = [await service.start(), await service.start(), await service.start()]
    // The service decides directly here, because the sessions of the dashboard have expired by now.
    const { decide } = service.app.core.grants
    const ip = '127.0.0.1'
    await decide(approved.user_code, 'approve', { ...BY, userId: 'ann', ip })
    await decide(denied.user_code, 'deny', { ...BY, userId: 'bob', ip })
    await decide(spent.user_code, 'approve', { ...BY, userId: 'bob', ip })
    await service.poll(spent.grant_code)
    const fields: [string, Record<string, string | string[] | undefined>][] = [
      ['unknown', { user_code: UNKNOWN }],
      ['expired', { user_code: expired.user_code }],
      ['expired as well', { user_code: other.user_code }],
      ['approved by the same user', { user_code: approved.user_code }],
      ['denied by somebody else', { user_code: denied.user_code }],
      ['collected', { user_code: spent.user_code }],
      ['the grant code', { user_code: approved.grant_code }],
      ['a list', { user_code: [approved.user_code, UNKNOWN] }],
      ['another name', { user_code: undefined, 'user_code[]': UNKNOWN }],
      ['left out', { user_code: undefined }],
      ['under the name of the query', { code: UNKNOWN }]
    ]
    const texts = {
      empty: '',
      spaces: '   ',
      dashes: '----',
      vowels: 'AEIO-UAEI',
      'a Y': 'BCDF-GHJY',
      'seven letters': 'BCDF-GHJ',
      'nine letters': 'BCDF-GHJKL',
      dots: 'BCDF.GHJK',
      '65 characters': 'B'.repeat(65),
      'ten thousand': 'B'.repeat(10_000),
      NUL: '\u0000'.repeat(8),
      'NUL behind': 'BCDF-GHJK\u0000',
      emoji: '😀'.repeat(8),
      'other alphabets': 'ВСDFGHJK',
      'wide letters': 'ＢＣＤＦＧＨＪＫ',
      'a long s': 'BCDF-GHJſ',
      __proto__: '__proto__',
      constructor: 'constructor',
      'zero width': 'BCDF\u200bGHJK',
      direction: '\u202eBCDF-GHJK',
      markup: '<script>alert(1)</script>',
      quotes: `"'><img src=x>`,
      'a URL': 'http://localhost:3333/device?code=BBBBBBBB'
    }
    for (const [name, user_code] of Object.entries(texts)) fields.push([name, { user_code }])

    const ann = await signedIn(service)
    await ann.get('/device')
    let first: { body: string; headers: string[]; cookies: object } | undefined
    for (const [about, sent] of fields) {
      const page = await ann.post('/device', sent)
      invalidCode(t, page, about)
      t.not(page.body, masked(page), `${about}: there is a token to be masked`)
      const headers = Object.keys(page.headers).sort()
      const cookies = page.setCookies.map(({ name, value, attributes }) => [name, value, ...attributes])
      first ??= { body: masked(page), headers, cookies }
      t.strictSame({ body: masked(page), headers, cookies }, first, `${about}: the same page`)
    }
    t.ok(fields.length > 30)
  })

  t.test('400 escapes that are no text lead nowhere', async (t) => {
    const ann = await signedIn(service)
    await ann.get('/device')
    const csrf = ann.hidden('csrf')
    for (const code of ['%ED%A0%80', '%ff%fe', '%zz', '%', '%00%00']) {
      invalidCode(t, await ann.post('/device', {}, { payload: `csrf=${csrf}&user_code=${code}` }), code)
    }
    const raw = Buffer.concat([Buffer.from(`csrf=${csrf}&user_code=`), Buffer.from([0xff, 0xfe])])
    refused(t, await ann.post('/device', {}, { payload: raw }), 400, 'badRequest')
  })

  t.test('400 a code that leads nowhere takes the one before with it', async (t) => {
    const { user_code } = await service.start()
    const ann = await signedIn(service)
    await ann.follow(ann.get(`/device?code=${user_code}`))
    invalidCode(t, await ann.post('/device', { user_code: UNKNOWN }))
    t.equal(ann.cookies.get(CODE_COOKIE), undefined)
    goesTo(t, await ann.get('/device/confirm'), '/device')
  })

  t.test('303 whether a code came by a link is remembered, of this code alone', async (t) => {
    const [linked, typed] = [await service.start(), await service.start()]
    const ann = await signedIn(service)
    await ann.follow(ann.get(`/device?code=${linked.user_code}`))
    const spelling = lettersOf(linked.user_code).toLowerCase()
    shows(t, await ann.follow(ann.post('/device', { user_code: spelling })), 200, consent.title, consent.warning.linked)
    const page = await ann.enter(typed.user_code)
    t.notOk(page.text.includes(consent.warning.linked), 'another one that was typed did not')
  })

  t.test('303 to sign in when there is no session, and nothing is looked up', async (t) => {
    const { user_code } = await service.start()
    const stranger = createVisitor(service)
    goesTo(t, await stranger.post('/device', { user_code }), '/login')
    t.equal(stranger.cookies.get(CODE_COOKIE), undefined)
  })

  t.test('403 without the token of this session', async (t) => {
    const { user_code } = await service.start()
    const ann = await signedIn(service)
    for (const csrf of [undefined, '', 'x', ['x', ann.hidden('csrf')]]) {
      refused(t, await ann.post('/device', { user_code, csrf }), 403, 'form')
    }
    t.equal(ann.cookies.get(CODE_COOKIE), undefined)
  })
})

t.test('4xx of every route', async (t) => {
  const service = await startApp(t, freely)
  const routes = {
    '/': 'GET, HEAD',
    '/device': 'GET, POST, HEAD',
    '/device/confirm': 'GET, POST, HEAD',
    '/device/done': 'GET, HEAD',
    '/device/undo': 'POST'
  }

  t.test('404 below, and the URL is not repeated', async (t) => {
    for (const visitor of [createVisitor(service), await signedIn(service)]) {
      for (const path of ['/device/canary', '/device/confirm/canary', '/device/canary%2f..', '/device/%3Ccanary%3E']) {
        const page = await visitor.get(`${path}?canary=1`)
        refused(t, page, 404, 'notFound')
        t.notMatch(page.body, /canary/i)
      }
    }
  })

  t.test('405 every other method, before anything is read', async (t) => {
    for (const visitor of [createVisitor(service), await signedIn(service)]) {
      for (const [path, allow] of Object.entries(routes)) {
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
          if (allow.split(', ').includes(method)) continue
          const payload = method === 'GET' || method === 'OPTIONS' ? {} : { payload: 'x'.repeat(20_000) }
          const headers = { 'content-type': 'text/nothing' }
          const page = await visitor.get(path, { method, ...(payload.payload && { ...payload, headers }) })
          refused(t, page, 405, 'method')
          t.equal(page.headers.allow, allow, `${method} ${path}`)
          t.strictSame(page.setCookies, [])
        }
      }
    }
  })

  t.test('413 and 415 for bodies of another size or kind', async (t) => {
    const ann = await signedIn(service)
    const types = ['text/plain', 'multipart/form-data; boundary=x', 'application/xml', `${FORM}; charset=utf-16`, 'x']
    for (const path of ['/device', '/device/confirm', '/device/undo']) {
      await ann.get('/device')
      const payload = `csrf=${ann.hidden('csrf')}&user_code=${UNKNOWN}`
      const large = `${payload}&more=${'x'.repeat(16 * 1024)}`
      refused(t, await ann.post(path, {}, { payload: large }), 413, 'badRequest')
      for (const type of types) {
        refused(t, await ann.post(path, {}, { payload, headers: { 'content-type': type } }), 415, 'badRequest')
      }
      const zipped = { 'content-encoding': 'gzip' }
      refused(t, await ann.post(path, {}, { payload, headers: zipped }), 415, 'badRequest')
      const many = Array.from({ length: 51 }, (_, i) => `f${i}=1`).join('&')
      refused(t, await ann.post(path, {}, { payload: `${payload}&${many}` }), 400, 'badRequest')
    }
  })

  t.test('415 JSON, whatever it says', async (t) => {
    const ann = await signedIn(service)
    for (const path of ['/device', '/device/confirm', '/device/undo']) {
      await ann.get('/device')
      const payload = JSON.stringify({ csrf: ann.hidden('csrf'), user_code: UNKNOWN, action: 'deny', ticket: 'x' })
      const page = await ann.post(path, {}, { payload, headers: { 'content-type': 'application/json' } })
      refused(t, page, 415, 'badRequest')
    }
  })
})

t.test('429', async (t) => {
  const from = (i: number) => ({ headers: { 'x-forwarded-for': `203.0.113.${i}` } })
  const proxy = { TRUST_PROXY: '127.0.0.1', SIGNING_ALG: 'EdDSA' }

  t.test('the sixth wrong code of a user, from wherever, and a right one resets nothing', async (t) => {
    const service = await startApp(t, proxy)
    const [ann, bob] = [await signedIn(service), await signedIn(service, 'bob')]
    const { user_code } = await service.start()
    await ann.get('/device')
    invalidCode(t, await ann.post('/device', { user_code: '' }, from(0)), 'an empty field, which is no guess')
    for (const blank of [' ', '----', '\u200b', '。', ' '.repeat(90), 'ー']) {
      invalidCode(
        t,
        await ann.post('/device', { user_code: blank }, from(0)),
        'no letter and no digit, which is no guess'
      )
    }
    for (const [i, code] of [UNKNOWN, 'AEIO', '1', 'B'.repeat(65)].entries()) {
      invalidCode(t, await ann.post('/device', { user_code: code }, from(i)))
    }
    goesTo(t, await ann.post('/device', { user_code: user_code.padStart(90) }, from(4)), '/device/confirm')
    shows(t, await ann.get('/device/confirm', from(4)), 200, consent.title)
    await ann.get('/device')
    invalidCode(t, await ann.post('/device', { user_code: UNKNOWN }, from(5)), 'the fifth')
    limited(t, await ann.post('/device', { user_code: UNKNOWN }, from(6)), 900)
    await ann.get('/device')
    invalidCode(t, await ann.post('/device', { user_code: '-' }, from(6)), 'that is not refused')
    await ann.get('/device')
    limited(t, await ann.post('/device', { user_code }, from(7)), 900)
    await bob.get('/device')
    goesTo(t, await bob.post('/device', { user_code }, from(8)), '/device/confirm', 'somebody else has their own')
    service.clock.advance(900_000)
    await ann.get('/device')
    const { user_code: later } = await service.start()
    goesTo(t, await ann.post('/device', { user_code: later }, from(9)), '/device/confirm', 'a quarter of an hour later')
  })

  t.test('more wrong codes from an address than it may send, by whomever', async (t) => {
    const service = await startApp(t, { ...proxy, LIMIT_MISSES_PER_IP: '10' })
    for (let i = 0; i < 10; i++) {
      const visitor = await signedIn(service, `user ${i}`)
      invalidCode(t, await visitor.post('/device', { user_code: UNKNOWN }, from(1)))
    }
    const ann = await signedIn(service)
    limited(t, await ann.post('/device', { user_code: UNKNOWN }, from(1)), 900)
    await ann.get('/device')
    invalidCode(t, await ann.post('/device', { user_code: UNKNOWN }, from(2)), 'from another one')
  })

  t.test('a link is no guess: however many lead nowhere, the user can still enter a code', async (t) => {
    const service = await startApp(t, proxy)
    const ann = await signedIn(service)
    for (let i = 0; i < 6; i++) {
      await ann.get(`/device?code=${UNKNOWN}`, { headers: { 'sec-fetch-site': 'cross-site' } })
      await ann.get('/device/confirm', { headers: { 'sec-fetch-site': 'cross-site' } })
    }
    const { user_code } = await service.start()
    shows(t, await ann.enter(user_code), 200, consent.title)
  })

  t.test('more requests in a minute than one address, or one user, may make', async (t) => {
    const few = { ...proxy, LIMIT_PEEK_PER_MINUTE: '3', LIMIT_APPROVE_PER_MINUTE: '2' }
    const service = await startApp(t, few)
    const { grant_code, user_code } = await service.start()
    const ann = await signedIn(service)
    const same = { action: 'approve', same: 'yes' }
    goesTo(t, await ann.post('/device', { user_code }, from(1)), '/device/confirm')
    for (let i = 2; i < 4; i++) shows(t, await ann.get('/device/confirm', from(i)), 200, consent.title)
    const ticket = ann.hidden('ticket')
    limited(t, await ann.get('/device/confirm', from(4)), 60)
    await ann.get('/device')
    limited(t, await ann.post('/device', { user_code }, from(5)), 60)
    for (let i = 0; i < 2; i++) {
      await ann.get('/device')
      refused(t, await ann.post('/device/confirm', { ...same, ticket: 'x' }, from(6)), 403, 'form')
    }
    await ann.get('/device')
    limited(t, await ann.post('/device/confirm', { ...same, ticket }, from(7)), 60)
    t.equal(await kindOf(service, grant_code), 'authorization_pending')
    service.clock.advance(60_000)
    await ann.get('/device')
    goesTo(t, await ann.post('/device/confirm', { ...same, ticket }, from(8)), '/device/done')
    const bob = await signedIn(service, 'bob')
    for (let i = 0; i < 3; i++) await bob.post('/device', { user_code }, from(9))
    await bob.get('/device')
    limited(t, await bob.post('/device', { user_code }, from(9)), 60)
  })
})
