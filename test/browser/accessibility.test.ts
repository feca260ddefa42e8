/** Every page, in every state it can be in: axe-core has nothing to say about it, and it fits into its window. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { App } from '../../src/routes/app.js'
import { sealTicket } from '../../src/routes/pages/consent-ticket.js'
import { LANGUAGES } from '../../src/routes/pages/texts/languages.js'
import { BY } from '../support/audit.js'
import {
  approve,
  deny,
  goToQuestion,
  launchChromium,
  openVisitor,
  type Site,
  signInAs,
  startSite,
  typeCode,
  type VisitorOptions
} from '../support/browser.js'
import { codeRequest } from '../support/code-flow.js'
import { AXE, keepTranslations, type Layout, lookAtLayout, lookAtTranslations, runAxe } from '../support/looks.js'
import { clientsFile } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { providersFile } from '../support/sign-in.js'
import { answerWith, authorityFile, listen } from '../support/trusted-issuer.js'
import { SESSION_COOKIE, signedIn } from '../support/visitor.js'

/** Writes a logo as an operator may have it. */
function logoFile(t: Pick<Test, 'teardown'>): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-logo-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'logo.svg')
  writeFileSync(
    file,
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 28"><rect width="90" height="28"/></svg>'
  )
  return file
}

const METADATA = { name: 'acme-cli', version: '1.4.0', hostname: 'build-7', os: 'linux' }
/**
 * Each field is hostile in another way: mixed alphabets and invisible characters, stacked accents, no line break, right
 * to left.
 */
const HOSTILE = {
  name: 'аcme\u202E\u200B'.padEnd(255, 'W'),
  version: `Z${'\u0335\u0336'.repeat(20)}`,
  hostname: 'W'.repeat(255),
  os: 'אקמי'
}
const LISBON = { 'cf-ipcity': 'Lisbon', 'cf-region': 'Lisbon', 'cf-ipcountry': 'PT', 'x-forwarded-for': '203.0.113.7' }
const OSLO = { 'cf-ipcity': 'Oslo', 'cf-region': 'Oslo', 'cf-ipcountry': 'NO', 'x-forwarded-for': '198.51.100.4' }
const EDGE = { EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '127.0.0.1' }

const browser = await launchChromium(t)
const site = await startSite(t, EDGE)
const visit = (t: Test, options?: VisitorOptions, at: Site = site) =>
  openVisitor(t, browser, at, { headers: OSLO, ...options })
const start = async (client_metadata: Record<string, string>, headers = OSLO) =>
  (await site.call('POST', '/auth/grant/code', { body: { client_type: 'cli', client_metadata }, headers })).body

/** The states that were checked. */
const checked = new Set<string>()

function checkLayout(t: Test, { faults, lines }: Layout, what: string): void {
  t.same(faults, [], `${what}: nothing sticks out or lies on something else`)
  t.ok(lines > 4)
}

/** Checks the open page in both colour schemes, on a desktop screen and on a phone. */
async function check(t: Test, page: Page, state: string, heading: string): Promise<void> {
  t.equal(await page.locator('h1').innerText(), heading, state)
  await page.evaluate(AXE)
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
    const { found, rules } = await runAxe(page)
    t.same(found, [], `${state}, light, ${width}`)
    t.ok(rules >= 100, 'by all rules')
    await page.emulateMedia({ colorScheme: 'dark' })
    const inDark = await runAxe(page, 'of colours')
    t.same(inDark.found, [], `${state}, dark, ${width}`)
    t.equal(inDark.rules, 2)
    checkLayout(t, await lookAtLayout(page), `${state}, ${width}`)
  }
  // A zoom of 200 % halves the width of the window in CSS pixels, which no rule of axe covers.
  for (const width of [640, 180]) {
    await page.setViewportSize({ width, height: 450 })
    checkLayout(t, await lookAtLayout(page), `${state}, 200 % of ${2 * width}`)
  }
  await page.setViewportSize({ width: 1280, height: 900 })
  checked.add(state)
}

const OTHERS = LANGUAGES.filter((language) => language !== 'en')
/** Returns the service's page in a language, for the page that is open. */
type Ask = (language: string) => Promise<string>

/**
 * Checks the page in English and then in every other language. Only texts differ, so each translation is put into the
 * open document instead of being loaded. All rules but that of the colours run on it once, on a phone.
 */
async function checkInEach(
  t: Test,
  page: Page,
  state: string,
  heading: string,
  ask: Ask = askAgain(page)
): Promise<void> {
  await check(t, page, state, heading)
  const said = await Promise.all(OTHERS.map(async (language) => [language, await ask(language)] as const))
  await keepTranslations(page, Object.fromEntries(said))
  for (const [width, height] of [
    [360, 640],
    [1280, 900],
    [640, 450],
    [180, 450]
  ] as const) {
    await page.setViewportSize({ width, height })
    const isPhone = width === 360
    const looks = await lookAtTranslations(page, { asksAxe: isPhone })
    t.same(
      looks.map(({ language }) => language),
      OTHERS
    )
    for (const look of looks) {
      const what = `${state}, ${look.language}, ${width}`
      checkLayout(t, look, what)
      if (!isPhone) continue
      // The buttons of a question without a warning must be within the first two screens of a phone.
      const { answersEnd } = look
      if (answersEnd !== null) t.ok(answersEnd <= 2 * 640, `${what}: the answers are in reach, at ${answersEnd}`)
      t.equal(look.lang, look.language)
      t.not(look.heading, heading, what)
      t.same(look.found, [], what)
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 })
}

const askAgain =
  (page: Page): Ask =>
  async (language) =>
    (await page.request.get(page.url(), { headers: { accept: 'text/html', 'accept-language': language } })).text()

t.test('signing in and out', async (t) => {
  const { page } = await visit(t)
  await page.goto(`${site.url}/login`)
  await checkInEach(t, page, 'sign-in', 'Sign in')
  await page.evaluate("document.querySelector('[name=name]').removeAttribute('maxlength')")
  await signInAs(page, 'x'.repeat(65))
  t.match(await page.locator('.notice').innerText(), /1 to 64 visible characters/)
  await check(t, page, 'sign-in with what is no name', 'Sign in')
  await signInAs(page, 'ann')
  await page.goto(`${site.url}/logout`)
  await checkInEach(t, page, 'sign-out', 'Sign out')
  await page.locator('form[action="/logout"] button').click()
  await check(t, page, 'signed out', 'Sign in')
})

t.test('arriving', async (t) => {
  const { page } = await visit(t)
  await page.goto(`${site.url}/`)
  await checkInEach(t, page, 'the landing page', 'Give a program access, with a code')
  t.equal((await page.goto(`${site.url}/nowhere`))?.status(), 404)
  await checkInEach(t, page, 'a path that leads nowhere', 'That did not work')
})

t.test('entering a code', async (t) => {
  const { page } = await visit(t, { user: 'ann' })
  const { user_code } = await start(METADATA)
  await page.goto(`${site.url}/device`)
  await check(t, page, 'no code yet', 'Enter the code')
  await page.goto(`${site.url}/device?code=${user_code}`)
  await checkInEach(t, page, 'a linked code', 'Enter the code')
  await typeCode(page, 'BCDF-GHJK')
  await check(t, page, 'a code that leads nowhere', 'Enter the code')
})

t.test('the question and its answers', async (t) => {
  const TITLE = 'A device asks for access'
  const { page } = await visit(t, { user: 'ann' })
  const typed = await start(METADATA)
  await page.goto(`${site.url}/device`)
  await typeCode(page, typed.user_code)
  t.equal(await page.locator('.warning.strong').count(), 0)
  t.notOk(await page.locator('.claims').isVisible())
  await checkInEach(t, page, 'the question', TITLE)
  await page.locator('summary').click()
  await page.locator('input[name=same]').check()
  await check(t, page, 'the question with its details, about to be approved', TITLE)
  await page.locator('input[name=same]').uncheck()
  await page.evaluate('document.forms[0].noValidate = true')
  await page.locator('button[value=approve]').click()
  t.match(await page.locator('.notice').innerText(), /tick the box/)
  await check(t, page, 'approved without comparing', TITLE)
  await approve(page)
  await checkInEach(t, page, 'approved', 'Approved')
  await site.poll(typed.grant_code)
  await page.locator('main a[href="/device/done"]').click()
  t.match(await page.locator('.notice').innerText(), /^Your device has it/)
  await checkInEach(t, page, 'approved and collected', 'Approved')
  await page.locator('form[action="/device/undo"] button').click()
  await checkInEach(t, page, 'taken back', 'Taken back')

  const linked = await start(METADATA)
  await goToQuestion(page, site, linked.user_code)
  t.match(await page.locator('.warning:not(.strong)').innerText(), /You came by a link/)
  await checkInEach(t, page, 'the question after a link', TITLE)
  await deny(page)
  await checkInEach(t, page, 'denied', 'Denied')

  const given = await start(METADATA)
  await goToQuestion(page, site, given.user_code)
  t.equal(await page.locator('.whole').innerText(), given.user_code, 'the code that is looked at for breaks')
  // The answer takes the code from the browser, which sends it with every further question here.
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
  await site.call('POST', '/auth/grant/revoke', { body: { grant_code: given.grant_code } })
  await page.locator('input[name=same]').focus()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Withdrawn', exact: true }).waitFor()
  await checkInEach(t, page, 'withdrawn', 'Withdrawn', async (language) => {
    const answer = await fetch(`${site.url}/device/confirm`, { headers: { cookie, 'accept-language': language } })
    t.equal(answer.status, 409)
    return answer.text()
  })
  const reached: unknown[] = []
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press('Tab')
    reached.push(await page.evaluate("document.activeElement.getAttribute('href')"))
  }
  t.same(reached, ['#content', '/logout', '/device', '/account/clients', '/account/connections', '/'], 'by keyboard')

  const far = await start({}, LISBON)
  await page.goto(`${site.url}/device`)
  await typeCode(page, far.user_code)
  t.match(await page.locator('.warning.strong').innerText(), /comes from Portugal, but you are in Norway/)
  await check(t, page, 'the question from another country, by who says nothing', TITLE)

  const hostile = await start(HOSTILE, LISBON)
  await goToQuestion(page, site, hostile.user_code)
  t.equal(await page.locator('.doubt').count(), 2)
  await checkInEach(t, page, 'the question by who imitates', TITLE)
})

t.test('the question of a program on the same device, and its answers', async (t) => {
  const TITLE = 'A program asks for access'
  const withoutRefresh = (html: string) => html.replace(/<meta http-equiv="refresh"[^>]*>/, '')
  const { page: stranger } = await visit(t)
  await stranger.goto(site.url + codeRequest().path)
  t.match(await stranger.locator('main').innerText(), /to see what a program asks for/)
  await check(t, stranger, 'sign-in for a program', 'Sign in')
  const { page } = await visit(t, { user: 'ann' })
  await page.goto(`${site.url}/authorize/none`)
  t.match(await page.locator('main').innerText(), /This browser was not asked that/)
  await checkInEach(t, page, 'a question that is not there', 'That did not work')
  await page.goto(
    site.url + codeRequest({ client_id: 'ide-plugin', scope: 'openid profile email offline_access' }).path
  )
  await checkInEach(t, page, 'the question of a program', TITLE)
  await page.evaluate('document.forms[0].noValidate = true')
  await page.locator('button[value=approve]').click()
  t.match(await page.locator('.notice').innerText(), /tick the box/)
  await check(t, page, 'approved without being sure', TITLE)
  // Another instance, with another file of the operator's, would have shown this one under another name.
  const cookies = await page.context().cookies()
  const session = await site.app.core.browserSessions.use(
    cookies.find(({ name }) => name === SESSION_COOKIE)?.value ?? ''
  )
  if (!session) throw new Error('no session')
  const askId = new URL(page.url()).pathname.split('/').at(-1) ?? ''
  const shown = { askId, clientId: 'ide-plugin', clientName: 'Acme Editor' }
  const ticket = sealTicket(site.app as unknown as App, session, shown)
  await page.evaluate(`document.querySelector('main [name=ticket]').value = ${JSON.stringify(ticket)}`)
  await page.locator('input[name=sure]').check()
  const changing = page.waitForResponse('**/authorize/*')
  await page.locator('button[value=approve]').click()
  t.equal((await changing).status(), 409)
  t.match(await page.locator('.notice').innerText(), /has changed since the page was shown/)
  await check(t, page, 'the question of a program that is called otherwise by now', TITLE)
  // The browser would leave the page at once.
  await page.route('**/authorize/*', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, body: withoutRefresh(await answer.text()) })
  })
  const answered = async (language: string, action: 'approve' | 'deny') => {
    const visitor = await signedIn(site)
    await visitor.follow(visitor.get(codeRequest({ ui_locales: language }).path))
    const [, path = ''] = /action="(\/authorize\/[^"]*)"/.exec(visitor.shown.body) ?? []
    return withoutRefresh((await visitor.post(path, { action, ...(action === 'approve' && { sure: 'yes' }) })).body)
  }
  await page.locator('input[name=sure]').check()
  await page.locator('button[value=approve]').click()
  t.match(await page.locator('main .button').innerText(), /^Go on to a program on this computer/)
  await checkInEach(t, page, 'sent on with an approval', 'Approved', (language) => answered(language, 'approve'))
  await page.goto(site.url + codeRequest().path)
  await deny(page)
  await checkInEach(t, page, 'sent on with a denial', 'Denied', (language) => answered(language, 'deny'))
  await page.unrouteAll()
  const refused = await page.goto(site.url + codeRequest({ redirect_uri: 'https://app.example/cb' }).path)
  t.equal(refused?.status(), 400)
  await checkInEach(t, page, 'a program that wants the answer elsewhere', 'That did not work')
})

t.test('a program of the operator’s, and a sign-in that was too long ago', async (t) => {
  const scope = 'openid profile email offline_access films.read'
  const OAUTH_CLIENTS_FILE = clientsFile(t, [{ client_id: 'tv', client_name: 'Acme TV', scope }])
  // This is the lightest accent that is allowed.
  const brand = { BRAND_COLOR: '#767676', BRAND_LOGO_FILE: logoFile(t) }
  const site = await startSite(t, { OAUTH_CLIENTS_FILE, CONSENT_MAX_AUTH_AGE_SECONDS: '60', ...brand })
  const { page } = await visit(t, { user: 'ann' }, site)
  const body = { client_id: 'tv', scope }
  const { user_code } = (await site.call('POST', '/oauth/device_authorization', { body })).body
  await goToQuestion(page, site, user_code)
  t.equal(await page.locator('main li').count(), 6)
  t.ok((await page.getByRole('img', { name: 'grantd' }).boundingBox())?.width, 'the logo can be seen, and has a name')
  await checkInEach(t, page, 'the question with scopes, a colour and a logo', 'A device asks for access')
  site.clock.advance(60_001)
  await page.goto(`${site.url}/device/confirm`)
  t.match(await page.locator('main').innerText(), /Sign in once more/)
  await checkInEach(t, page, 'sign-in once more', 'Sign in')
})

t.test('a program of which something may be left out, and one known by a URL', async (t) => {
  const scope = 'openid offline_access films.read'
  const optional = { client_id: 'tv', client_name: 'Acme TV', scope, optional_scope: 'offline_access films.read' }
  const redirect_uris = [`https://app.example/${'callback/'.repeat(20)}`]
  const host = await listen(t, (request, response) => {
    const client_id = `${host.origin}${request.url}`
    const grant_types = ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code']
    const document = { client_id, client_name: HOSTILE.name, grant_types, redirect_uris }
    answerWith(JSON.stringify(document))(request, response)
  })
  const site = await startSite(t, {
    OAUTH_CLIENTS_FILE: clientsFile(t, [optional]),
    ...{ CLIENT_ID_METADATA: 'on', FOREIGN_ISSUERS_ON_LOOPBACK: 'on', FOREIGN_ISSUER_CA_FILE: authorityFile(t) }
  })
  const { page } = await visit(t, { user: 'ann' }, site)
  const ask = async (body: Record<string, string>) =>
    (await site.call('POST', '/oauth/device_authorization', { body })).body

  await goToQuestion(page, site, (await ask({ client_id: 'tv', scope })).user_code)
  t.equal(await page.locator('input[name=scope]:checked').count(), 2)
  await checkInEach(t, page, 'the question of which something may be left out', 'A device asks for access')
  await page.getByLabel('stay connected without asking you again').uncheck()
  const approving = page.locator('button[value=approve]')
  const denying = page.locator('button[value=deny]')
  const looksOf = (button: typeof approving) =>
    button.evaluate('(element) => getComputedStyle(element).backgroundColor')
  t.equal(await looksOf(approving), await looksOf(denying), 'no box of these makes an answer look better')

  const long = `${host.origin}/${'tools/'.repeat(60)}deploy.json`
  await goToQuestion(page, site, (await ask({ client_id: long })).user_code)
  t.match(await page.locator('main').innerText(), `localhost:${host.port}`)
  await checkInEach(t, page, 'the question of a client known by a URL', 'A device asks for access')
  await approve(page)
  await page.goto(`${site.url}/account/clients`)
  await check(t, page, 'a client known by a URL, authorized', 'Authorized programs')

  const asked = { client_id: long, redirect_uri: redirect_uris[0], scope: 'openid' }
  const said = { device_name: HOSTILE.hostname, client_version: HOSTILE.version.slice(0, 40) }
  await page.goto(site.url + codeRequest({ ...asked, ...said }).path)
  t.equal(await page.locator('.warning.strong .doubt').count(), 2)
  await checkInEach(t, page, 'the question of a client known by a URL, by a code', 'A program asks for access')
  await page.goto(site.url + codeRequest({ ...asked, prompt: 'none' }).path)
  t.match(await page.locator('main').innerText(), /consent_required/)
  await checkInEach(t, page, 'what a client known by a URL may not ask', 'That did not work')
})

t.test('what was authorized', async (t) => {
  const TITLE = 'Authorized programs'
  const { page } = await visit(t, { user: 'owner' })
  await page.goto(`${site.url}/account/clients`)
  await checkInEach(t, page, 'nothing authorized', TITLE)
  const { grant_code, user_code } = await start(METADATA)
  await goToQuestion(page, site, user_code)
  await approve(page)
  await site.poll(grant_code)
  for (const metadata of [{}, HOSTILE]) await site.collect('owner', metadata)
  await page.goto(`${site.url}/account/clients`)
  t.equal(await page.locator('.badge').count(), 1)
  await check(t, page, 'some authorized', TITLE)
  await page.getByRole('button', { name: /^Revoke acme-cli/ }).click()
  await page.locator('summary').click()
  t.equal(await page.locator('.ended > li').count(), 1)
  await checkInEach(t, page, 'one revoked, and all about to be', TITLE)
  await page.locator('form[action$="/revoke-all"] button').click()
  await check(t, page, 'all revoked', TITLE)
})

t.test('providers, and the accounts there', async (t) => {
  const [TITLE, WRONG] = ['Connected accounts', 'That did not work']
  const provider = { id: 'acme', name: 'Acme', client_id: 'grantd', issuer: `http://localhost:${await freePort()}` }
  const PROVIDERS_FILE = providersFile(t, [provider])
  const site = await startSite(t, { PROVIDERS_FILE, LIMITS: 'on', LIMIT_SIGN_IN_PER_MINUTE: '1' })
  const { page } = await visit(t, {}, site)
  await page.goto(`${site.url}/login`)
  await checkInEach(t, page, 'sign-in at a provider', 'Sign in')
  for (const status of [503, 429]) {
    const link = page.getByRole('link', { name: 'Continue with Acme' })
    const [answer] = await Promise.all([page.waitForResponse('**/login/acme'), link.click()])
    t.equal(answer.status(), status)
    await check(t, page, `${status}`, WRONG)
    await page.goto(`${site.url}/login`)
  }
  site.clock.advance(60_000)
  const answer = await page.goto(`${site.url}/login/acme/callback?code=x&state=y`)
  t.equal(answer?.status(), 400)
  await check(t, page, 'a sign-in that was not begun here', WRONG)

  const { page: account } = await visit(t, { user: 'ann' }, site)
  await account.goto(`${site.url}/account/connections`)
  await checkInEach(t, account, 'nothing connected', TITLE)
  const keep = async (subject: string, tokens: { scopes: string[]; expiresAtMs: number }) => {
    const { connectionId } = await site.app.core.identities.connect('acme', subject, 'ann')
    const identity = { subject, username: subject, name: subject }
    const connection = {
      upstreamId: 'acme',
      identity,
      tokens: { accessToken: 'a', refreshToken: undefined, ...tokens }
    }
    await site.app.core.connections.keep('ann', connectionId, connection, BY)
    return site.app.core.connections.vend(connectionId, { kind: 'api_key' })
  }
  t.match(await keep('new', { scopes: ['openid', 'films.read'], expiresAtMs: Date.now() + 3_600_000 }), {
    kind: 'token'
  })
  t.match(await keep('old', { scopes: [], expiresAtMs: 1 }), { kind: 'needs_reconnect' })
  await account.reload()
  t.same((await account.locator('.badge').allInnerTexts()).sort(), ['Connected', 'Has to be connected again'])
  await checkInEach(t, account, 'two connected, one of them no more', TITLE)
  await account.goto(`${site.url}/account/connections?done=denied`)
  await check(t, account, 'not connected', TITLE)
  await account.getByRole('button', { name: 'Disconnect Acme old' }).click()
  t.match(await account.locator('.notice').innerText(), /^The account is disconnected here/)
  await checkInEach(t, account, 'disconnected', TITLE)
})

t.test('the admin pages, in English alone', async (t) => {
  const provider = { id: 'acme', name: 'Acme', client_id: 'grantd', issuer: `http://localhost:${await freePort()}` }
  const PROVIDERS_FILE = providersFile(t, [provider])
  const site = await startSite(t, { PROVIDERS_FILE, ADMINS: 'user:root', LIMITS: 'on', ...EDGE })
  const { core } = site.app
  const { page } = await visit(t, { user: 'root', language: 'de' }, site)
  const go = (path: string) => page.goto(`${site.url}/admin${path}`)
  const email = 'ann@acme.example'

  await go('/grants')
  t.equal(await page.locator('html').getAttribute('lang'), 'en')
  await check(t, page, 'nothing waits', 'Waiting for a decision')
  await go('/events?type=user.blocked')
  await check(t, page, 'no event that is wanted', 'Events')

  const identity = { upstreamId: 'acme', subject: HOSTILE.hostname }
  await core.profiles.keep('ann', { name: 'Ann', email, isEmailVerified: true, identity })
  await core.profiles.keep(HOSTILE.name, {
    name: HOSTILE.name,
    email,
    identity: { ...identity, subject: HOSTILE.name }
  })
  for (const metadata of [METADATA, HOSTILE]) await site.collect('ann', metadata)
  const waiting = await site.start(METADATA)
  await site.decide(waiting.user_code, 'ann')
  const { connectionId } = await core.identities.signIn('acme', 'of ann', 'ann')
  const account = { subject: 'of ann', username: HOSTILE.hostname, name: 'Ann' }
  const tokens = { accessToken: 'a', refreshToken: undefined, scopes: [], expiresAtMs: 1 }
  const by = { actor: 'user:ann', ip: '192.0.2.9', location: 'Oslo, Oslo, NO' } as const
  await core.connections.keep('ann', connectionId, { upstreamId: 'acme', identity: account, tokens }, by)
  await core.connections.vend(connectionId, { kind: 'api_key' })
  for (const client_metadata of [METADATA, HOSTILE]) {
    await site.call('POST', '/auth/grant/code', { body: { client_type: 'mcp', client_metadata }, headers: LISBON })
  }

  await go('')
  await check(t, page, 'the search for a user', 'Find a user')
  await page.locator('main button').click()
  t.match(await page.locator('.notice').innerText(), /^Fill in/)
  await check(t, page, 'a search for nobody', 'Find a user')
  await page.getByLabel('E-mail address').fill(email)
  await page.locator('main button').click()
  t.equal(await page.locator('.cards > li').count(), 2)
  await check(t, page, 'a search that finds several', 'Find a user')
  await page.getByRole('link', { name: 'Ann', exact: true }).click()
  t.equal(await page.locator('.badge').count(), 2)
  await check(t, page, 'a user, for admins', 'A user')
  await page
    .getByRole('button', { name: /^Revoke acme-cli/ })
    .first()
    .click()
  t.match(await page.locator('.notice').innerText(), /^Revoked/)
  await check(t, page, 'one revoked by an admin', 'A user')
  await page.getByRole('link', { name: 'Revoke everything' }).click()
  await check(t, page, 'the question before everything is revoked', 'Revoke everything of this user?')
  await go(`/users/~${Buffer.from(HOSTILE.name).toString('base64url')}/block`)
  await check(t, page, 'the question before a user is blocked', 'Block this user?')
  await page.locator('main button').click()
  t.match(await page.locator('main').innerText(), /Blocked since/)
  await check(t, page, 'a blocked user', 'A user')
  await core.profiles.keep('root', { name: 'Root', identity: { ...identity, subject: 'root' } })
  await go('/users/root/block')
  t.match(await page.locator('.notice').innerText(), /^You cannot block yourself/)
  await check(t, page, 'what an admin is refused', 'A user')
  t.equal((await go('/grants?cursor=x'))?.status(), 400)
  await check(t, page, '400 for admins', 'That did not work')
  await go('/grants')
  t.equal(await page.locator('.cards > li').count(), 3)
  await check(t, page, 'what waits', 'Waiting for a decision')
  await go('/events')
  t.ok((await page.locator('.cards > li').count()) > 10)
  await check(t, page, 'the trail', 'Events')
})

t.test('what goes wrong, and what there is none of', async (t) => {
  const WRONG = 'That did not work'
  const { page } = await visit(t, { user: 'ann' })
  await page.goto(`${site.url}/account/connections`)
  await checkInEach(t, page, 'nothing to connect', 'Connected accounts')
  for (const [path, status] of [
    ['device/nowhere', 404],
    ['device/undo', 405]
  ] as const) {
    t.equal((await page.goto(`${site.url}/${path}`))?.status(), status)
    await check(t, page, `${status}`, WRONG)
  }
  const { user_code } = await start(METADATA)
  for (const [field, status] of [
    ['csrf', 403],
    ['ticket', 400]
  ] as const) {
    await goToQuestion(page, site, user_code)
    await page.evaluate(`document.querySelector('main [name=${field}]').remove()`)
    const [answer] = await Promise.all([page.waitForResponse('**/device/confirm'), deny(page)])
    t.equal(answer.status(), status)
    await check(t, page, `${status}`, WRONG)
  }
})

t.test('a browser that kept no cookie', async (t) => {
  const { page } = await visit(t)
  await page.goto(`${site.url}/login`)
  const body = new URLSearchParams({ csrf: await page.locator('[name=csrf]').inputValue(), name: 'ann' })
  await page.context().clearCookies()
  await signInAs(page, 'ann')
  t.match(await page.locator('main').innerText(), /sent no cookie back/)
  await checkInEach(t, page, 'no cookie kept', 'That did not work', async (language) => {
    const answer = await fetch(`${site.url}/login`, { method: 'POST', body, headers: { 'accept-language': language } })
    return answer.text()
  })
})

t.test('no page was left out', async (t) => t.equal(checked.size, 67))
