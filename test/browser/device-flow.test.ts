/**
 * A user's way through the pages in a real browser: from the code to the decision, with everything that can come in
 * between.
 */
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import {
  approve,
  deny,
  goToQuestion,
  launchChromium,
  openVisitor,
  pathOf,
  postsOf,
  type Site,
  signInAs,
  startSite,
  typeCode,
  type VisitorOptions
} from '../support/browser.js'
import { claimsOf } from '../support/client.js'

const METADATA = { name: 'acme-cli', version: '1.4.0', hostname: 'build-7', os: 'linux' }
const INVALID = 'This code is not valid or has expired. Check it on your device, or start there again for a new one.'

type Grant = Awaited<ReturnType<Site['start']>>

const browser = await launchChromium(t)
const site = await startSite(t)
const visit = (t: Test, options?: VisitorOptions, at = site) => openVisitor(t, browser, at, options)

/** Returns the state that the client is told. */
const statusOf = async (grant: Grant, at = site): Promise<string> => (await at.poll(grant.grant_code)).body.status
/** Collects an approved grant and returns the client JWT. */
const collect = async (grant: Grant, at = site): Promise<string> => (await at.poll(grant.grant_code)).body.jwt
const clientsOf = (userId: string, at = site) => at.app.core.authorizations.list(userId)
const isAccepted = async (jwt: string, at = site) =>
  (await at.call('GET', '/auth/clients', { token: jwt })).status === 200

const title = (page: Page) => page.locator('h1').innerText()
const notice = (page: Page) => page.locator('.notice').innerText()
const shownCode = (page: Page) => page.locator('.compare .code').innerText()
const canDecide = async (page: Page) => (await page.locator('button[name=action]').count()) > 0
/** Returns the terms of a page with their descriptions. */
const details = async (page: Page) =>
  Object.fromEntries((await page.locator('dl > div').allInnerTexts()).map((text) => text.split('\n', 2)))

/** Waits until a click or a key press has led to the page with this title. */
async function arrivesAt(page: Page, heading: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
}

t.test('a code that is typed leads to the question, and approving lets the program in', async (t) => {
  const visitor = await visit(t)
  const { page } = visitor
  const grant = await site.start(METADATA)
  t.equal(await statusOf(grant), 'authorization_pending')
  await page.goto(`${site.url}/`)
  t.equal(await page.locator('input[name=user_code]').inputValue(), '')
  await typeCode(page, ` ${grant.user_code.toLowerCase().replace('-', ' ')} `)
  t.equal(pathOf(page), '/login', 'nobody decides without signing in')
  await signInAs(page, 'typist')
  t.equal(pathOf(page), '/device/confirm', 'the code survives that')

  t.equal(await title(page), 'A device asks for access')
  t.equal(await page.evaluate('document.activeElement === document.body'), true, 'nothing has the focus')
  t.equal(await shownCode(page), grant.user_code)
  const { facts, claims } = { facts: page.locator('dl.facts > div'), claims: page.locator('.claims dl > div') }
  t.notOk(await claims.first().isVisible(), 'the summary comes first, the details are folded away')
  await page.getByText('Details', { exact: true }).click()
  t.match(await facts.allInnerTexts(), [
    /^Program\na command-line program$/,
    /^Calls itself\nacme-cli not checked by anybody$/,
    /^From\nplace unknown · 127\.0\.0\.1$/,
    /^It will be able to\nact for you at grantd, for 30 days or until you revoke it$/,
    /^You are signed in as\ntypist Not you\? Sign out$/,
    /^Asked\nnow \d+ \w+ \d{4}, \d\d:\d\d UTC$/,
    /^You are at\nplace unknown · 127\.0\.0\.1$/
  ])
  t.same(await claims.allInnerTexts(), ['Calls itself\nacme-cli', 'Version\n1.4.0', 'Device\nbuild-7', 'System\nlinux'])
  t.match(await page.locator('.claims h2').innerText(), /Nobody has checked it/)
  t.match(await page.locator('.warning h2').innerText(), /^Only approve what you started yourself$/)
  t.match(await page.locator('.warning').innerText(), /Deny if somebody sent you this code/)
  t.same(await page.locator('main li').allInnerTexts(), ['act for you at grantd, for 30 days or until you revoke it'])
  const [no, yes] = await page.getByRole('button').all()
  t.same([await no?.innerText(), await yes?.innerText()], ['Deny', 'Approve “acme-cli”'], 'denying comes first')
  const [noBox, yesBox] = [await no?.boundingBox(), await yes?.boundingBox()]
  t.same([noBox?.width, noBox?.height], [yesBox?.width, yesBox?.height], 'and is as large')
  t.equal(await statusOf(grant), 'authorization_pending', 'nothing is decided by looking')

  await approve(page)
  t.equal(pathOf(page), '/device/done')
  t.equal(await title(page), 'Approved')
  t.match(await page.locator('main').innerText(), /^Go back to your device/m)
  const jwt = await collect(grant)
  t.ok(await isAccepted(jwt))
  await page.locator('main a[href="/device/done"]').click()
  t.equal(await notice(page), 'Your device has it. Go back to it; you can close this page.')
  t.match(await clientsOf('typist'), [{ name: 'acme-cli', label: 'build-7', revokedAtMs: undefined }])
  const html = await page.content()
  for (const secret of [grant.grant_code, grant.user_code, jwt]) t.notOk(html.includes(secret), 'no secret is shown')
  t.same(visitor.complaints, [])
})

t.test('denying is one click, without ticking anything, and the program is told so', async (t) => {
  const { page } = await visit(t, { user: 'denier' })
  const grant = await site.start(METADATA)
  await goToQuestion(page, site, grant.user_code)
  await deny(page)
  t.equal(pathOf(page), '/device/done')
  t.equal(await title(page), 'Denied')
  t.equal(await statusOf(grant), 'access_denied')
  t.same(await clientsOf('denier'), [])
  t.equal(await page.getByRole('button').count(), 0, 'there is nothing to undo')
})

t.test('a link fills the code in and decides nothing; the question says so', async (t) => {
  const visitor = await visit(t)
  const { page } = visitor
  const { body: grant } = await site.call('POST', '/auth/grant/code', {
    body: { client_type: 'mcp', client_metadata: METADATA }
  })
  await page.goto(grant.verification_uri_complete)
  t.equal(pathOf(page), '/login', 'the code is out of the URL at once')
  await signInAs(page, 'linked')
  t.equal(pathOf(page), '/device')
  t.equal(await page.locator('input[name=user_code]').inputValue(), grant.user_code)
  t.match(await page.locator('main').innerText(), /A link filled in this code/)
  t.same(postsOf(visitor), ['POST /login'], 'nothing was sent by itself')
  t.equal(await statusOf(grant), 'authorization_pending')
  await page.locator('form[action="/device"] button').click()
  t.equal(await shownCode(page), grant.user_code)
  t.match(await page.locator('.warning').innerText(), /^Only approve what you started yourself\n+.*You came by a link/)
  t.equal(await page.locator('.warning.strong').count(), 0, 'without an alarm: most programs offer a link')
  await approve(page)
  t.equal(await title(page), 'Approved')
  t.equal(await statusOf(grant), 'approved')

  // A user who is signed in already is asked in the same way.
  const next = await site.start(METADATA)
  const before = postsOf(visitor)
  await page.goto(`${site.url}/device?code=${next.user_code}`)
  t.equal(pathOf(page), '/device')
  t.equal(await page.locator('input[name=user_code]').inputValue(), next.user_code)
  t.same(postsOf(visitor), before)
  t.equal(await statusOf(next), 'authorization_pending')

  // The user types another code over the one of the link, so the link did not bring it.
  const typed = await site.start(METADATA)
  await typeCode(page, typed.user_code)
  t.equal(await shownCode(page), typed.user_code)
  t.notMatch(await page.locator('.warning').innerText(), /link filled|came by a link/)
  t.equal(await page.locator('.warning.strong').count(), 0)
})

t.test('the letters of a code stand in the boxes, however it is typed and however large it is looked at', async (t) => {
  const { page } = await visit(t, { user: 'speller' })
  await page.goto(`${site.url}/device`)
  const input = page.locator('input[name=user_code]')
  /** Returns the middle of each typed letter, and the edges of each box. */
  const look = () =>
    input.evaluate((input: HTMLInputElement) => {
      const { paddingLeft, letterSpacing, font } = getComputedStyle(input)
      const pen = document.createElement('canvas').getContext('2d') as CanvasRenderingContext2D
      pen.font = font
      const letter = pen.measureText('B').width
      const start = input.getBoundingClientRect().left + Number.parseFloat(paddingLeft)
      const boxes = [...document.querySelectorAll('.boxes > span:not(.between)')].map((box) => {
        const { left, right } = box.getBoundingClientRect()
        const border = getComputedStyle(box, '::before').borderTopColor
        return { left: left + (right - left) / 14, right: right - (right - left) / 14, border }
      })
      const middles = [...input.value].flatMap((character, i) =>
        /[a-z]/i.test(character) ? [start + i * (letter + Number.parseFloat(letterSpacing)) + letter / 2] : []
      )
      return { boxes, middles, letter, isCut: input.scrollWidth > input.clientWidth, width: innerWidth }
    })
  for (const width of [1280, 640, 360, 180]) {
    await page.setViewportSize({ width, height: 740 })
    await page.emulateMedia({ reducedMotion: 'reduce', forcedColors: width === 640 ? 'active' : 'none' })
    for (const typed of ['BCDF-GHJK', 'bcdfghjk', 'bcdf ghjk', 'BCDF', 'BCDFG', 'BCDF-', 'B']) {
      await input.fill(typed)
      const { boxes, middles, letter, isCut } = await look()
      t.equal(boxes.length, 8)
      const outside = middles.filter((middle, i) => {
        const { left = 0, right = 0 } = boxes[i] ?? {}
        return middle - letter / 2 < left || middle + letter / 2 > right
      })
      t.same(outside, [], `${typed} at ${width}: every letter is in its box`)
      t.notOk(isCut, `${typed} at ${width}: nothing is cut off`)
      t.ok((boxes.at(-1)?.right ?? width) < width, `${typed} at ${width}: all boxes are in sight`)
    }
    if (width === 640) t.not((await look()).boxes[0]?.border, 'rgba(0, 0, 0, 0)', 'with forced colours as well')
  }
  await page.emulateMedia({ reducedMotion: null, forcedColors: null })
})

t.test('a link with something else in it than a code leads to the empty form', async (t) => {
  const { page } = await visit(t, { user: 'strayed' })
  for (const query of [
    'code=',
    'code=%3Cb%3E',
    'code=BCDF-GHJK&code=BCDF-GHJK',
    `code=${'B'.repeat(65)}`,
    'code=aeiou'
  ]) {
    await page.goto(`${site.url}/device?${query}`)
    t.equal(pathOf(page), '/device')
    t.equal(await page.locator('input[name=user_code]').inputValue(), '', query)
  }
})

t.test('wrong, expired, denied, approved: a code that leads nowhere is one page, which does not say why', async (t) => {
  const site = await startSite(t, { GRANT_TTL_SECONDS: '300' })
  const { page } = await visit(t, { user: 'guesser' }, site)
  const expired = await site.start()
  site.clock.advance(300_000)
  const [denied, approved, good] = [await site.start(), await site.start(), await site.start(METADATA)]
  await site.decide(denied.user_code, 'somebody', 'deny')
  await site.decide(approved.user_code, 'somebody')
  await page.goto(`${site.url}/device`)
  const pages = new Set<string>()
  const codes = ['BCDF-GHJK', '-', 'aeiou', 'BCDFGHJKL', '<b>', 'ﬀﬀﬀﬀ', expired.user_code, denied.user_code]
  for (const code of [...codes, approved.user_code]) {
    const [answer] = await Promise.all([page.waitForResponse('**/device'), typeCode(page, code)])
    t.equal(answer.status(), 400, code)
    t.equal(await notice(page), INVALID)
    t.equal(await page.locator('input[name=user_code]').inputValue(), '')
    pages.add((await page.content()).replace(/name="csrf" value="[^"]+"/, ''))
  }
  t.equal(pages.size, 1, 'the same page every time')
  await typeCode(page, good.user_code)
  t.equal(await shownCode(page), good.user_code, 'the right one is taken after that')
})

t.test('a code that expires while the question is read decides nothing', async (t) => {
  const site = await startSite(t)
  const { page } = await visit(t, { user: 'slow' }, site)
  const grant = await site.start(METADATA)
  await goToQuestion(page, site, grant.user_code)
  site.clock.advance(900_000)
  await approve(page)
  t.equal(await notice(page), INVALID)
  t.equal(await statusOf(grant, site), 'expired_token')
  t.same(await clientsOf('slow', site), [])
  await page.goto(`${site.url}/device/done`)
  t.equal(pathOf(page), '/device', 'no decision is shown')
})

t.test('sent twice, a decision is one', async (t) => {
  await t.test('two quick clicks', async (t) => {
    const { page } = await visit(t, { user: 'quick' })
    const grant = await site.start(METADATA)
    await goToQuestion(page, site, grant.user_code)
    await page.locator('input[name=same]').check()
    await page.locator('button[value=approve]').dblclick()
    await arrivesAt(page, 'Approved')
    t.equal(await statusOf(grant), 'approved')
    t.equal((await clientsOf('quick')).length, 1)
  })

  await t.test('the same question in two tabs, approved in both', async (t) => {
    const { page, newTab } = await visit(t, { user: 'twice' })
    const grant = await site.start(METADATA)
    await goToQuestion(page, site, grant.user_code)
    const other = await newTab()
    await other.goto(`${site.url}/device/confirm`)
    t.equal(await shownCode(other), grant.user_code)
    await approve(page)
    t.equal(await title(page), 'Approved')
    const first = await collect(grant)
    await approve(other)
    t.equal(await title(other), 'Approved')
    t.equal(claimsOf(await collect(grant)).cid, claimsOf(first).cid)
    t.equal((await clientsOf('twice')).length, 1)
  })

  for (const [once, then, status] of [
    [approve, deny, 'approved'],
    [deny, approve, 'access_denied']
  ] as const) {
    await t.test(`two tabs that disagree: the first one counts (${status})`, async (t) => {
      const { page, newTab } = await visit(t, { user: `torn ${status}` })
      const grant = await site.start(METADATA)
      await goToQuestion(page, site, grant.user_code)
      const other = await newTab()
      await other.goto(`${site.url}/device/confirm`)
      await once(page)
      await arrivesAt(page, status === 'approved' ? 'Approved' : 'Denied')
      await then(other)
      t.equal(await notice(other), INVALID)
      t.equal(await statusOf(grant), status)
      t.equal((await clientsOf(`torn ${status}`)).length, status === 'approved' ? 1 : 0)
    })
  }
})

t.test('two tabs with two codes decide each its own', async (t) => {
  const { page: one, newTab } = await visit(t, { user: 'juggler' })
  const [first, second] = [await site.start({ name: 'first' }), await site.start({ name: 'second' })]
  await goToQuestion(one, site, first.user_code)
  const two = await newTab()
  await goToQuestion(two, site, second.user_code)
  t.same([await shownCode(one), await shownCode(two)], [first.user_code, second.user_code])
  await deny(one)
  t.equal(await title(one), 'Denied')
  t.same([await statusOf(first), await statusOf(second)], ['access_denied', 'authorization_pending'])
  await approve(two)
  t.equal(await title(two), 'Approved')
  t.equal(await statusOf(second), 'approved')
  t.match(await clientsOf('juggler'), [{ name: 'second' }])
})

t.test('after a decision, going back shows no question any more', async (t) => {
  for (const decide of [approve, deny]) {
    const { page, newTab } = await visit(t, { user: 'returning' })
    const grant = await site.start(METADATA)
    await goToQuestion(page, site, grant.user_code)
    await decide(page)
    const decided = await title(page)
    await page.goBack()
    t.equal(pathOf(page), '/device')
    t.notOk(await canDecide(page))
    t.equal(await page.locator('input[name=user_code]').inputValue(), '')
    await page.goForward()
    t.equal(await title(page), decided)
    await page.reload()
    t.equal(await title(page), decided)
    const other = await newTab()
    await other.goto(`${site.url}/device/confirm`)
    t.equal(pathOf(other), '/device')
  }
})

t.test('a session that ends before the decision', async (t) => {
  await t.test(
    'unused for too long: after signing in there is the question again, and nothing was decided',
    async (t) => {
      const site = await startSite(t, { SESSION_IDLE_SECONDS: '60' })
      const { page } = await visit(t, { user: 'idle' }, site)
      const grant = await site.start(METADATA)
      await goToQuestion(page, site, grant.user_code)
      site.clock.advance(60_000)
      await approve(page)
      t.equal(pathOf(page), '/login')
      t.equal(await statusOf(grant, site), 'authorization_pending')
      await signInAs(page, 'idle')
      t.equal(pathOf(page), '/device/confirm')
      t.equal(await shownCode(page), grant.user_code)
      t.notOk(await page.locator('input[name=same]').isChecked())
      t.equal(await statusOf(grant, site), 'authorization_pending')
      await approve(page)
      t.equal(await title(page), 'Approved')
      t.equal(await statusOf(grant, site), 'approved')
    }
  )

  await t.test('signed out in another tab: nothing is decided, and the code is asked for again', async (t) => {
    const { page, newTab } = await visit(t, { user: 'leaving' })
    const grant = await site.start(METADATA)
    await goToQuestion(page, site, grant.user_code)
    const other = await newTab()
    await other.goto(`${site.url}/logout`)
    await other.locator('form[action="/logout"] button').click()
    t.match(await notice(other), /You are signed out/)
    await approve(page)
    t.equal(pathOf(page), '/login')
    t.equal(await statusOf(grant), 'authorization_pending')
    await signInAs(page, 'leaving')
    t.equal(pathOf(page), '/device', 'signing out has forgotten it')
    t.equal(await page.locator('input[name=user_code]').inputValue(), '')
    await typeCode(page, grant.user_code)
    await approve(page)
    t.equal(await statusOf(grant), 'approved')
  })

  await t.test(
    'somebody else signed in in another tab: the old form decides nothing, for neither of them',
    async (t) => {
      const { page, newTab } = await visit(t, { user: 'before' })
      const grant = await site.start(METADATA)
      await goToQuestion(page, site, grant.user_code)
      const other = await newTab()
      await other.goto(`${site.url}/logout`)
      await other.locator('form[action="/logout"] button').click()
      await signInAs(other, 'after')
      await approve(page)
      t.match(await notice(page), /too old or was not sent from this page/)
      t.equal(await statusOf(grant), 'authorization_pending')
      t.same([...(await clientsOf('before')), ...(await clientsOf('after'))], [])
    }
  )
})

t.test('who signed in too long ago signs in again before they decide', async (t) => {
  const site = await startSite(t, { CONSENT_MAX_AUTH_AGE_SECONDS: '300' })
  const { page, context } = await visit(t, { user: 'old' }, site)
  const grant = await site.start(METADATA)
  await page.goto(`${site.url}/device`)
  site.clock.advance(300_001)
  await typeCode(page, grant.user_code)
  t.equal(pathOf(page), '/login', 'not even the question is shown')
  t.match(await page.locator('main').innerText(), /Sign in once more/)
  const before = (await context.cookies()).find(({ name }) => name.endsWith('session'))?.value
  await signInAs(page, 'old')
  t.equal(pathOf(page), '/device/confirm')
  t.not((await context.cookies()).find(({ name }) => name.endsWith('session'))?.value, before, 'a session of its own')
  site.clock.advance(300_001)
  await approve(page)
  t.equal(pathOf(page), '/login', 'nor is an answer taken')
  t.equal(await statusOf(grant, site), 'authorization_pending')
  await signInAs(page, 'old')
  t.equal(await shownCode(page), grant.user_code)
  await approve(page)
  t.equal(await title(page), 'Approved')
  t.equal(await statusOf(grant, site), 'approved')
})

for (const script of [true, false]) {
  t.test(`all of it works with scripts switched ${script ? 'on' : 'off'}`, async (t) => {
    const name = script ? 'scripted' : 'plain'
    const { page } = await visit(t, { script })
    const [kept, undone] = [await site.start(METADATA), await site.start({ name: 'a mistake' })]
    await page.goto(`${site.url}/device?code=${kept.user_code}`)
    await signInAs(page, name)
    await page.locator('form[action="/device"] button').click()
    await page.locator('button[value=approve]').click()
    t.ok(await canDecide(page), 'the box has to be ticked first')
    await approve(page)
    t.equal(await title(page), 'Approved')
    t.ok(await isAccepted(await collect(kept)))
    await goToQuestion(page, site, undone.user_code)
    await approve(page)
    await page.locator('form[action="/device/undo"] button').click()
    t.equal(await title(page), 'Taken back')
    t.equal(await statusOf(undone), 'access_denied')
    await page.getByRole('link', { name: 'See everything you have authorized' }).click()
    const card = page.locator('.cards > li', { hasText: 'acme-cli' })
    await card.locator('input[name=label]').fill('My laptop')
    await card.getByRole('button', { name: 'Rename' }).click()
    t.equal(await card.locator('h3').innerText(), 'acme-cli (My laptop)')
    await card.getByRole('button', { name: 'Revoke' }).click()
    t.match(await notice(page), /^Revoked\./)
    await page.getByRole('link', { name: 'Sign out' }).click()
    await page.locator('form[action="/logout"] button').click()
    t.equal(pathOf(page), '/login?done=signed-out')
  })
}

t.test('an approval can be taken back', async (t) => {
  await t.test('before the program has collected it: it is told that it was denied', async (t) => {
    const { page } = await visit(t, { user: 'sorry' })
    const grant = await site.start(METADATA)
    await goToQuestion(page, site, grant.user_code)
    await approve(page)
    await page.getByRole('button', { name: 'Take it back' }).click()
    t.equal(pathOf(page), '/device/done')
    t.equal(await title(page), 'Taken back')
    t.equal(await statusOf(grant), 'access_denied')
    await page.reload()
    t.equal(await title(page), 'Taken back')
    t.equal(await page.getByRole('button').count(), 0)
  })

  await t.test('after it: the token it was given is refused', async (t) => {
    const { page } = await visit(t, { user: 'sorrier' })
    const grant = await site.start(METADATA)
    await goToQuestion(page, site, grant.user_code)
    await approve(page)
    const jwt = await collect(grant)
    t.ok(await isAccepted(jwt))
    await page.getByRole('button', { name: 'Take it back' }).click()
    t.equal(await title(page), 'Taken back')
    t.notOk(await isAccepted(jwt))
    t.equal(await statusOf(grant), 'access_denied')
  })
})

t.test('what was authorized can be told apart, renamed and revoked', async (t) => {
  const { page } = await visit(t, { user: 'owner' })
  const others = [await site.collect('owner', { name: 'other-1' }), await site.collect('owner', { name: 'other-2' })]
  const elsewhere = await site.collect('neighbour', METADATA)
  const grant = await site.start(METADATA)
  await goToQuestion(page, site, grant.user_code)
  await approve(page)
  const jwt = await collect(grant)
  await page.getByRole('link', { name: 'See everything you have authorized' }).click()
  t.equal(pathOf(page), '/account/clients')
  const active = page.locator('.cards:not(.ended) > li')
  t.same((await active.locator('h3').allInnerTexts()).sort(), [
    'acme-cli (build-7) the one you approved just now',
    'other-1',
    'other-2'
  ])
  const mine = active.filter({ hasText: 'acme-cli' })
  t.match(await details(page), { Kind: 'a command-line program', Version: '1.4.0', 'Last used': 'now' })

  await mine.getByRole('textbox', { name: 'Your name for it' }).fill('  the build machine ')
  await mine.getByRole('button', { name: 'Rename acme-cli (build-7)' }).click()
  t.equal(pathOf(page), '/account/clients?done=renamed')
  t.equal(await notice(page), 'Renamed.')
  t.equal(await mine.locator('h3').innerText(), 'acme-cli (the build machine) the one you approved just now')
  await mine.getByRole('textbox').fill('')
  await mine.getByRole('textbox').press('Enter')
  await page.locator('h3', { hasText: /^acme-cli the one/ }).waitFor()
  t.ok(await isAccepted(jwt), 'a name changes nothing else')

  await mine.getByRole('button', { name: 'Revoke acme-cli' }).click()
  t.match(await notice(page), /^Revoked\./)
  t.notOk(await isAccepted(jwt))
  t.equal(await active.count(), 2)
  const ended = page.locator('.ended > li')
  t.same(await ended.locator('h3').allInnerTexts(), ['acme-cli'])
  t.equal(await ended.getByRole('button').count(), 0)

  const revokeAll = page.getByRole('button', { name: 'Yes, revoke all of them' })
  t.notOk(await revokeAll.isVisible(), 'one has to ask for it')
  await page.getByText('Revoke all', { exact: true }).click()
  t.match(await page.locator('details').innerText(), /All 2 active programs/)
  await revokeAll.click()
  t.equal(await notice(page), 'All of them are revoked.')
  t.equal(await active.count(), 0)
  for (const other of others) t.notOk(await isAccepted(other))
  t.ok(await isAccepted(elsewhere), 'of this user alone')
})

t.test('the keyboard is enough', async (t) => {
  const focused = (page: Page) =>
    page.evaluate<string>(`{
      const { tagName, name, value, textContent } = document.activeElement
      tagName === 'INPUT' ? name : tagName === 'BUTTON' ? value || 'button' : textContent
    }`)
  /** Presses Tab until the target has the focus. Returns everything that had it before. */
  const tabTo = async (page: Page, target: string) => {
    const passed: string[] = []
    while (passed.at(-1) !== target) {
      if (passed.length > 20) throw new Error(`Tab does not come to ${target}: ${passed.join(', ')}`)
      await page.keyboard.press('Tab')
      passed.push(await focused(page))
      const { outlineStyle, outlineWidth } = await page.evaluate<{ outlineStyle: string; outlineWidth: string }>(
        '(({ outlineStyle, outlineWidth }) => ({ outlineStyle, outlineWidth }))(getComputedStyle(document.activeElement))'
      )
      t.same([outlineStyle, outlineWidth], ['solid', '3px'], 'where the focus is can be seen')
    }
    return passed
  }
  const [denied, approved, refused] = [
    await site.start(METADATA),
    await site.start(METADATA),
    await site.start(METADATA)
  ]
  const { page } = await visit(t)
  await page.goto(`${site.url}/device`)
  t.same(await tabTo(page, 'name'), ['Skip to content', 'name'])
  await page.keyboard.type('typing')
  await page.keyboard.press('Enter')
  await arrivesAt(page, 'Enter the code')

  const enterByKeys = async (code: string) => {
    await page.goto(`${site.url}/device`)
    await tabTo(page, 'user_code')
    await page.keyboard.type(code)
    await page.keyboard.press('Enter')
    await arrivesAt(page, 'A device asks for access')
  }
  await enterByKeys(denied.user_code)
  t.same(await tabTo(page, 'approve'), [
    'Skip to content',
    ...['Sign out', 'Not you? Sign out', 'Details'],
    ...['same', 'deny', 'approve']
  ])
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Space')
  t.ok(await page.locator('input[name=same]').isChecked())
  await page.keyboard.press('Enter')
  await arrivesAt(page, 'Denied')
  t.equal(await statusOf(denied), 'access_denied', 'Enter means no, even with the box ticked')

  await enterByKeys(approved.user_code)
  await tabTo(page, 'same')
  await page.keyboard.press('Space')
  await tabTo(page, 'approve')
  await page.keyboard.press('Space')
  await arrivesAt(page, 'Approved')
  t.equal(await statusOf(approved), 'approved')
  await tabTo(page, 'button')
  await page.keyboard.press('Enter')
  await arrivesAt(page, 'Taken back')

  await enterByKeys(refused.user_code)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  t.equal(
    await focused(page),
    await page.locator('main').evaluate((main) => main.textContent),
    'skipped to the content'
  )
  t.same(await tabTo(page, 'same'), ['Not you? Sign out', 'Details', 'same'])
})

t.test('the pages speak the language of the browser, and English to everybody else', async (t) => {
  const grant = await site.start(METADATA)
  const english = ['en', 'Sign in', 'Enter the code', 'A device asks for access', 'Deny', 'Approve “acme-cli”']
  const german = ['de', 'Anmelden', 'Code eingeben', 'Ein Gerät bittet um Zugriff', 'Ablehnen', 'Zustimmen: „acme-cli“']
  const french = [
    'fr',
    'Connexion',
    'Saisissez le code',
    'Un appareil demande un accès',
    'Refuser',
    'Approuver «\u00A0acme-cli\u00A0»'
  ]
  const japanese = [
    'ja',
    'サインイン',
    'コードを入力してください',
    'デバイスがアクセスを求めています',
    '拒否',
    '「acme-cli」を承認'
  ]
  const languages: [string, string[]][] = [
    ['en-GB,en;q=0.9', english],
    ['de-AT,de;q=0.9,en;q=0.8', german],
    ['tlh;q=0.9,de;q=0.2,fr;q=0.7,*;q=0.1', french],
    ['ja-JP,ja;q=0.9', japanese],
    ['ko-KR,ko;q=0.9', english]
  ]
  for (const [language, [lang, ...expected]] of languages) {
    await t.test(language, async (t) => {
      const { page } = await visit(t, { language })
      const said: string[] = []
      const look = async () => {
        t.equal(await page.locator('html').getAttribute('lang'), lang)
        said.push(await title(page))
      }
      await page.goto(`${site.url}/device?code=${grant.user_code}`)
      await look()
      await signInAs(page, 'polyglot')
      await look()
      await typeCode(page, grant.user_code)
      await look()
      said.push(...(await page.locator('button[name=action]').allInnerTexts()))
      t.same(said, expected)
      await page.setViewportSize({ width: 360, height: 640 })
      const bottoms = await page
        .locator('button[name=action]')
        .evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect().bottom + scrollY))
      t.ok(Math.max(...bottoms) <= 2 * 640, `the answers are on the first two screens of a telephone: ${bottoms}`)
    })
  }
})

t.test('under a path of PUBLIC_URL it is the same, and nothing leads out of it', async (t) => {
  const site = await startSite(t, { path: '/grants' })
  const visitor = await visit(t, {}, site)
  const { page } = visitor
  const grant = await site.start(METADATA)
  await page.goto(`${site.url}/device?code=${grant.user_code}`)
  t.equal(pathOf(page), '/grants/login')
  await signInAs(page, 'below')
  await page.locator('form[action="/grants/device"] button').click()
  t.equal(pathOf(page), '/grants/device/confirm')
  await approve(page)
  t.equal(pathOf(page), '/grants/device/done')
  t.equal(await statusOf(grant, site), 'approved')
  for (const link of await page.locator('header a:not(.skip)').all()) {
    t.match(await link.getAttribute('href'), /^\/grants\//)
  }
  for (const request of visitor.requests) t.match(new URL(request.url()).pathname, /^\/grants\//)
  t.same(visitor.complaints, [])
})

t.test(
  'no URL holds the code once it was moved out of it, no Referer leaves, and the cookies say nothing',
  async (t) => {
    const visitor = await visit(t)
    const { page, context } = visitor
    const grant = await site.start(METADATA)
    /** Checks all cookies of this moment. */
    const look = async (...expected: string[]) => {
      const cookies = await context.cookies()
      t.same(cookies.map(({ name }) => name.replace('__Host-grantd-', '')).sort(), expected)
      for (const { name, value, ...attributes } of cookies) {
        t.match(attributes, { secure: true, httpOnly: true, sameSite: 'Lax', path: '/', domain: 'localhost' }, name)
        t.ok(attributes.expires - Date.now() / 1000 <= 43_200 && attributes.expires > Date.now() / 1000, name)
        for (const said of [grant.user_code, grant.user_code.replace('-', ''), grant.grant_code, 'quiet']) {
          t.notOk(value.includes(said), name)
        }
      }
      t.equal(await page.evaluate('document.cookie'), '', 'no script could read them')
      return Object.fromEntries(cookies.map(({ name, value }) => [name, value]))
    }
    await page.goto(`${site.url}/device?code=${grant.user_code}`)
    await look('code', 'visitor')
    await signInAs(page, 'quiet')
    const { '__Host-grantd-session': first } = await look('code', 'session')
    await page.locator('form[action="/device"] button').click()
    await approve(page)
    await look('code', 'session')
    await collect(grant)
    await page.goto(`${site.url}/account/clients`)
    await page.getByRole('button', { name: 'Revoke acme-cli (build-7)' }).click()
    await page.goto(`${site.url}/logout`)
    await page.locator('form[action="/logout"] button').click()
    await look('visitor')
    await signInAs(page, 'quiet')
    const { '__Host-grantd-session': second } = await look('session')
    t.not(second, first, 'every sign-in has a token of its own')

    const [opened, ...others] = visitor.requests
    t.match(opened?.url(), `?code=${grant.user_code}`)
    t.ok(others.length > 10)
    for (const request of others) t.notOk(request.url().includes(grant.user_code.slice(0, 4)), request.url())
    for (const request of visitor.requests) t.notOk((await request.allHeaders()).referer, request.url())
  }
)
