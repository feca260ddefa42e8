/** Attacks on the pages in a real browser: texts that programs send about themselves, and sites that open the pages. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import {
  goToQuestion,
  launchChromium,
  openVisitor,
  pathOf,
  postsOf,
  type Site,
  startSite,
  type VisitorOptions
} from '../support/browser.js'
import { codeRequest } from '../support/code-flow.js'
import { clientsFile } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { providersFile } from '../support/sign-in.js'
import { answerWith, authorityFile, listen } from '../support/trusted-issuer.js'

/** Texts that run a script if they are taken as markup, as an attribute or as a script. */
const PAYLOADS = [
  '<script>alert(1)</script>',
  '</script><script>alert(1)</script>',
  '<ScRiPt>alert(1)</sCrIpT>',
  '<script src=//evil.example/x.js></script>',
  '<script>alert`1`</script>',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<img src=x onerror=alert(1)>',
  '<img src=x onerror="alert(1)">',
  "<img src=x onerror='alert(1)'>",
  '<img/src=x/onerror=alert(1)>',
  '<img src=x:alert(1) onerror=eval(src)>',
  '"><img src=x onerror=alert(1)>',
  "'><img src=x onerror=alert(1)>",
  '"><script>alert(1)</script>',
  '"onfocus=alert(1) autofocus="',
  "' onmouseover=alert(1) x='",
  '" autofocus onfocus=alert(1) x="',
  '<svg onload=alert(1)>',
  '<svg/onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x>',
  '<body onload=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<details open ontoggle=alert(1)>',
  '<video><source onerror=alert(1)>',
  '<iframe src=javascript:alert(1)>',
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<object data=javascript:alert(1)>',
  '<embed src=javascript:alert(1)>',
  '<a href=javascript:alert(1)>acme-cli</a>',
  '<form action=javascript:alert(1)><button>Deny</button></form>',
  '<button formaction=//evil.example name=action value=deny>Deny',
  '<math><mtext></mtext><a xlink:href="javascript:alert(1)">x',
  '<style>@import "//evil.example/x.css";</style>',
  '<link rel=stylesheet href=//evil.example/x.css>',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<base href=//evil.example/>',
  '</title><script>alert(1)</script>',
  '</textarea><script>alert(1)</script>',
  '</q></bdi></dd></dl><script>alert(1)</script>',
  '<!--><script>alert(1)</script>-->',
  '<![CDATA[><script>alert(1)</script>]]>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#60;img src=x onerror=alert(1)&#62;',
  '\\x3cscript\\x3ealert(1)\\x3c/script\\x3e',
  'javascript:alert(1)//',
  "{{constructor.constructor('alert(1)')()}}"
]

/** App names as programs send them, as they are shown, and the warning with them. */
const CLAIMS: [kind: string, sent: string, shown: string, doubt?: 'hidden' | 'lookalike'][] = [
  ['turned around', 'acme\u202Egnp.exe', 'acme\uFFFDgnp.exe', 'hidden'],
  ['isolated the other way', '\u2067acme\u2069 \u2066cli', '\uFFFDacme\uFFFD \uFFFDcli', 'hidden'],
  ['zero width', 'ac\u200Bme\u200D\u2060-cli', 'ac\uFFFDme\uFFFD-cli', 'hidden'],
  ['a blank of braille', '\u2800\u2800', '\uFFFD', 'hidden'],
  ['a soft hyphen', 'ac\u00ADme', 'ac\uFFFDme', 'hidden'],
  ['a filler', 'acme\u3164\u3164', 'acme\uFFFD', 'hidden'],
  ['tags', 'acme\u{E0061}\u{E0062}', 'acme\uFFFD', 'hidden'],
  ['controls', 'acme\u0007\u001B[31m\u0085', 'acme\uFFFD[31m\uFFFD', 'hidden'],
  ['Cyrillic among Latin', 'аcme-cli', 'аcme-cli', 'lookalike'],
  ['all Cyrillic, drawn like Latin', 'раураӏ', 'раураӏ', 'lookalike'],
  ['Greek among Latin', 'αcme', 'αcme', 'lookalike'],
  ['Armenian among Latin', 'acmе օne', 'acmе օne', 'lookalike'],
  ['wide letters', 'ａｃｍｅ', 'acme'],
  ['mathematical letters', '𝐚𝐜𝐦𝐞 ⓒⓛⓘ', 'acme cli'],
  ['lines', 'acme\r\n\r\nYou are signed in as\tadmin\u2028', 'acme You are signed in as admin'],
  ['as long as it gets, unbroken', 'W'.repeat(255), `${'W'.repeat(64)}…`],
  ['as long as it gets, in words', 'acme cli '.repeat(28), `${'acme cli '.repeat(28).slice(0, 64)}…`],
  ['the widest letter', '\u{12219}'.repeat(120), `${'\u{12219}'.repeat(64)}…`],
  ['heaped accents', `Z${'\u0335\u0336'.repeat(100)}`, 'Z\u0335\u0336', 'hidden'],
  [
    'the end of a quotation',
    'acme” registered with this service under this name “',
    'acme” registered with this service under this name “'
  ],
  ['another button', 'acme [Deny] [Approve]', 'acme [Deny] [Approve]'],
  ['Hebrew', 'אקמי כלי', 'אקמי כלי'],
  ['Arabic', 'أكمي', 'أكمي'],
  ['Russian', 'Привет, мир', 'Привет, мир'],
  ['Japanese', 'アクメ・ツール', 'アクメ・ツール'],
  ['a picture', 'acme 🚀', 'acme 🚀']
]
const HIDDEN = /cannot be seen/
const LOOKALIKE = /another alphabet/

const browser = await launchChromium(t)
const site = await startSite(t)
const visit = (t: Test, options?: VisitorOptions, at: Site = site) => openVisitor(t, browser, at, options)
const statusOf = async (grantCode: string): Promise<string> => (await site.poll(grantCode)).body.status
const isUndecided = async (grantCode: string) =>
  ['authorization_pending', 'slow_down'].includes(await statusOf(grantCode))

interface Elsewhere {
  /** The same host on another port: another origin but, for browsers, the same site. */
  sameSite: string
  otherSite: string
  pages: Map<string, string>
  requests: IncomingMessage[]
}

/** Starts another web site. */
async function openElsewhere(t: Pick<Test, 'teardown'>): Promise<Elsewhere> {
  const pages = new Map<string, string>()
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    const page = pages.get(new URL(request.url ?? '', 'http://elsewhere').pathname)
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' }).end(page)
  })
  server.listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { sameSite: `http://localhost:${port}`, otherSite: `http://127.0.0.1:${port}`, pages, requests }
}

/** Returns a page that sends a form as soon as it is opened. */
const sending = (action: string, fields: Record<string, string>) => `<!doctype html><title>Win a prize</title>
<body onload="document.forms[0].submit()"><form method="post" action="${action}">
${Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)}
</form>`

/** Returns the text of every element that matches. */
const textsOf = (page: Page, selector: string) =>
  page.evaluate<string[]>(`[...document.querySelectorAll('${selector}')].map((element) => element.textContent)`)

/** Returns by how many pixels the page is wider than its window. */
const overhang = (page: Page) => page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')

t.test('whatever a program says about itself is text and nothing else', async (t) => {
  const visitor = await visit(t, { user: 'reader' })
  const { page } = visitor
  for (const payload of PAYLOADS) {
    const claims = { name: payload, version: payload, hostname: payload, os: payload }
    const { grant_code, user_code } = await site.start(claims)
    await goToQuestion(page, site, user_code)
    t.same(await textsOf(page, '.claims bdi, button[value=approve]'), [
      ...[payload, payload, payload, payload],
      `Approve “${payload}”`
    ])
    await site.decide(user_code, 'reader')
    await site.poll(grant_code)
    // The list is ordered by time.
    site.clock.advance(1)
  }
  t.ok(PAYLOADS.length >= 40)
  t.same(visitor.dialogs, [])
  t.same(visitor.complaints, [], 'nor did the policy have to block anything')

  await page.goto(`${site.url}/account/clients`)
  const all = [...PAYLOADS].reverse()
  t.same(await textsOf(page, 'h3 > bdi'), all)
  t.same(await page.evaluate("[...document.querySelectorAll('input[name=label]')].map((input) => input.value)"), all)
  t.same(
    await page.evaluate("[...document.querySelectorAll('.danger[aria-label]')].map((button) => button.ariaLabel)"),
    all.map((payload) => `Revoke ${payload}`)
  )
  t.same([visitor.dialogs, visitor.complaints], [[], []])
  const { host } = new URL(site.url)
  t.same([...new Set(visitor.requests.map((request) => new URL(request.url()).host))], [host], 'nobody else was asked')
})

t.test('nor is what users, operators and links say anything but text', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-clients-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'clients.json')
  const client_name = '<img src=x onerror=alert("client")>'
  const scopes = ["'><svg/onload=alert('scope')>", '<script>alert(1)</script>', 'constructor']
  writeFileSync(file, JSON.stringify({ clients: [{ client_id: 'evil', client_name, scope: scopes.join(' ') }] }))
  const SERVICE_NAME = '</title><script>alert("service")</script>'
  const site = await startSite(t, { OAUTH_CLIENTS_FILE: file, SERVICE_NAME })
  const name = '"><img src=x onerror=alert("user")>'
  const visitor = await visit(t, { user: name }, site)
  const { page } = visitor
  await page.goto(`${site.url}/device?code=${encodeURIComponent('"autofocus onfocus=alert(1) x="')}`)
  t.equal(await page.locator('input[name=user_code]').inputValue(), '')
  const body = { client_id: 'evil', scope: scopes.join(' ') }
  const { user_code } = (await site.call('POST', '/oauth/device_authorization', { body })).body
  await goToQuestion(page, site, user_code)
  t.equal(await page.title(), `A device asks for access · ${SERVICE_NAME}`)
  t.equal(await page.locator('.service').textContent(), SERVICE_NAME)
  t.equal(await page.locator('.who').textContent(), `Signed in as ${name}`)
  t.equal(await page.locator('button[value=approve]').textContent(), `Approve ${client_name}`)
  t.same(await page.locator('li code').allTextContents(), scopes)
  await page.goto(`${site.url}/account/clients?done=%3Cscript%3Ealert(1)%3C/script%3E`)
  t.equal(await page.locator('.notice').count(), 0)
  await page.goto(`${site.url}/device/%3Cscript%3Ealert(1)%3C%2Fscript%3E?x=%22%3E%3Csvg%20onload=alert(1)%3E`)
  t.equal(await page.locator('.notice').textContent(), 'There is no such page.')
  t.notOk((await page.content()).includes('alert(1)'), 'what was asked for is not repeated')
  t.same([visitor.dialogs, visitor.complaints], [[], []])

  const { sameSite, pages } = await openElsewhere(t)
  pages.set('/', `<!doctype html>${PAYLOADS[0]}`)
  await page.goto(sameSite)
  t.same(visitor.dialogs, ['1'], 'it would have been noticed')
})

t.test('what imitates is shown for what it is, and pushes nothing out of sight', async (t) => {
  const { page } = await visit(t, { user: 'doubter', width: 360, height: 740 })
  for (const [kind, sent, shown, doubt] of CLAIMS) {
    const claims = { name: sent, hostname: sent, version: [...sent].slice(0, 30).join(''), os: 'linux' }
    const { grant_code, user_code } = await site.start(claims)
    await goToQuestion(page, site, user_code)
    const [text] = await textsOf(page, '.claims bdi')
    t.equal(text, shown, kind)
    const doubts = (await textsOf(page, '.doubt')).join()
    t.same([HIDDEN.test(doubts), LOOKALIKE.test(doubts)], [doubt === 'hidden', doubt === 'lookalike'], kind)
    const asked = doubt ? 'a command-line program' : `“${shown}”`
    t.same(await textsOf(page, 'button[value=approve]'), [`Approve ${asked}`], 'nothing doubtful is approved by name')
    t.equal(await overhang(page), 0, `${kind}: nothing sticks out`)
    t.same(await textsOf(page, '.compare .code'), [user_code])
    const answers = await page.evaluate<{ left: number; right: number; height: number }[]>(
      "[...document.querySelectorAll('button[name=action]')].map((button) => button.getBoundingClientRect().toJSON())"
    )
    t.equal(answers.length, 2)
    for (const { left, right, height } of answers) t.ok(left >= 0 && right <= 360 && height >= 44, `${kind}: in sight`)
    await site.decide(user_code, 'doubter')
    await site.poll(grant_code)
  }
  await page.goto(`${site.url}/account/clients`)
  t.equal(await page.locator('.cards > li').count(), CLAIMS.length)
  t.equal(await overhang(page), 0)
})

/** Redirect URIs as whoever registers them may choose them, and what the question says of where its answer goes. */
const PLACES: [uri: string, shown: string][] = [
  ['https://xn--pple-43d.example/cb', 'xn--pple-43d.example'],
  ['https://%D0%B0pple.example/cb', 'xn--pple-43d.example'],
  ['https://xn--80ak6aa92e.com/', 'xn--80ak6aa92e.com'],
  ['https://accounts.example.com.evil.example/cb', 'accounts.example.com.evil.example'],
  ['https://accounts.example.com-login.evil.example:8443/', 'accounts.example.com-login.evil.example:8443'],
  [
    `https://accounts.example.com.${'w'.repeat(63)}.evil.example/`,
    `accounts.example.com.${'w'.repeat(63)}.evil.example`
  ],
  ['https://EVIL.example/Accounts.Example.com', 'evil.example'],
  ['https://e%76il.example/', 'evil.example'],
  ['https://evil.example/@accounts.example.com/', 'evil.example'],
  ['https://evil.example/?to=https://accounts.example.com/', 'evil.example'],
  ['https://evil.example:443/', 'evil.example'],
  ['https://2130706433/', '127.0.0.1'],
  ['https://0x7f.1/', '127.0.0.1'],
  ['http://localhost:80/', 'a program on this computer (localhost:80)'],
  ['http://[::1]/', 'a program on this computer ([::1])'],
  ['com.example.accounts:/cb', 'the program on this device that opens com.example.accounts']
]
/** What no redirect URI is, though it begins or ends like one that is registered. */
const NO_PLACES = [
  'https://evil.example@app.example/cb',
  'https://app.example@evil.example/cb',
  'https://app.example\\@evil.example/cb',
  'https://аpp.example/cb',
  'https://app.example/cb#',
  'https://app.example/cb/../../evil',
  'https://app.example./cb',
  'http://app.example/cb',
  'http://127.0.0.1@evil.example/cb',
  'http://localhost.evil.example/cb',
  'http://LOCALHOST/cb',
  'http://127.0.0.1%2f@evil.example/cb',
  'javascript:alert(1)//https://app.example/cb',
  'data:text/html,<script>alert(1)</script>',
  'blob:https://app.example/cb',
  'view-source:https://app.example/cb',
  'intent://app.example/cb#Intent;end',
  'file:///etc/passwd'
]

t.test('the question of a program on the same device names what is known, whatever it calls itself', async (t) => {
  const documents = new Map<string, string>()
  const host = await listen(t, (request, response) => {
    const client_id = `${host.origin}${request.url}`
    const document = {
      client_id,
      client_name: documents.get(request.url ?? ''),
      redirect_uris: ['http://127.0.0.1/cb']
    }
    answerWith(JSON.stringify(document))(request, response)
  })
  const site = await startSite(t, {
    ...{ CLIENT_ID_METADATA: 'on', FOREIGN_ISSUERS_ON_LOOPBACK: 'on', FOREIGN_ISSUER_CA_FILE: authorityFile(t) },
    OAUTH_CLIENTS_FILE: clientsFile(t, [])
  })
  const visitor = await visit(t, { user: 'reader', width: 360, height: 740 }, site)
  const { page } = visitor
  const { host: known } = new URL(host.origin)
  const names = [
    ...CLAIMS.map(([, sent, shown]) => [sent, shown]),
    // They are escaped as on the other question, which has been shown all of them.
    ...PAYLOADS.filter((_, i) => i % 4 === 0).map((payload) => [payload, payload]),
    [known, known]
  ]
  for (const [i, [sent = '', shown = '']] of names.entries()) {
    documents.set(`/${i}.json`, sent)
    const redirect_uri = 'http://127.0.0.1:43123/cb'
    await page.goto(site.url + codeRequest({ client_id: `${host.origin}/${i}.json`, redirect_uri, scope: '' }).path)
    t.equal(await page.locator('h1').innerText(), 'A program asks for access', shown)
    const [program] = await textsOf(page, '.facts dd')
    t.match(program, new RegExp(`^${known} `), 'the program is where its document is')
    t.same(await textsOf(page, 'main q'), [shown], 'and what that calls it is a quotation')
    t.same(await textsOf(page, 'button[value=approve]'), [`Approve ${known}`], 'nothing is approved by such a name')
    t.match(await page.locator('main').innerText(), 'a program on this computer (127.0.0.1:43123)')
    t.equal(await overhang(page), 0, `${shown}: nothing sticks out`)
    t.same(await textsOf(page, 'main a'), ['Not you? Sign out'], 'and no link leads away')
    const answers = await page.evaluate<{ left: number; right: number; height: number }[]>(
      "[...document.querySelectorAll('button[name=action]')].map((button) => button.getBoundingClientRect().toJSON())"
    )
    t.equal(answers.length, 2)
    for (const { left, right, height } of answers) t.ok(left >= 0 && right <= 360 && height >= 44, `${shown}: in sight`)
  }
  t.ok(names.length >= 38, `${names.length} names`)
  t.same([visitor.dialogs, visitor.complaints], [[], []])
  t.same(
    [...new Set(visitor.requests.map((request) => new URL(request.url()).origin))],
    [site.url],
    'nobody else is asked'
  )
})

t.test('the question says where the answer goes, and the answer goes nowhere else', async (t) => {
  const clients = PLACES.map(([uri], i) => ({ client_id: `c${i}`, client_name: `Program ${i}`, redirect_uris: [uri] }))
  const app = {
    client_id: 'app',
    redirect_uris: ['https://app.example/cb', 'http://localhost/cb', 'http://127.0.0.1/cb']
  }
  const site = await startSite(t, { OAUTH_CLIENTS_FILE: clientsFile(t, [...clients, app]) })
  const visitor = await visit(t, { user: 'reader', width: 360, height: 740 }, site)
  const { page } = visitor
  const left: string[] = []
  t.teardown(() => page.unrouteAll())
  await page.route(
    (url) => url.origin !== site.url,
    (route) => {
      left.push(route.request().url())
      return route.fulfill({ contentType: 'text/html', body: '<!doctype html><h1>Elsewhere</h1>' })
    }
  )
  for (const [i, [redirect_uri, shown]] of PLACES.entries()) {
    await page.goto(site.url + codeRequest({ client_id: `c${i}`, redirect_uri, scope: '' }).path)
    const [, place] = await textsOf(page, '.facts dd')
    t.equal(place, shown, redirect_uri)
    t.equal(await overhang(page), 0, redirect_uri)
    t.same(left, [], 'nobody is sent anywhere before they answered')
    if (!redirect_uri.startsWith('http')) continue
    await page.locator('button[value=deny]').click()
    await page.getByRole('heading', { name: 'Elsewhere' }).waitFor()
    const [url = '', ...more] = left.splice(0)
    t.same(more, [])
    const { origin, searchParams } = new URL(url)
    t.same([origin, searchParams.get('error')], [new URL(redirect_uri).origin, 'access_denied'], redirect_uri)
  }
  for (const redirect_uri of NO_PLACES) {
    await page.goto(site.url + codeRequest({ client_id: 'app', redirect_uri, scope: '' }).path)
    t.match(await page.locator('main').innerText(), /an address that is not registered for it/, redirect_uri)
    t.same(await textsOf(page, 'main a'), ['Back to the start'], 'and no link leads there')
  }
  t.same(left, [])
  t.same([visitor.dialogs, visitor.complaints], [[], []])
  t.ok(PLACES.length + NO_PLACES.length >= 34)
})

t.test('a click that was meant for something else decides nothing', async (t) => {
  const visitor = await visit(t, { user: 'clicker' })
  const { page } = visitor
  const { grant_code, user_code } = await site.start({ name: 'acme-cli' })
  await goToQuestion(page, site, user_code)
  const button = page.locator('button[value=approve]')
  await button.scrollIntoViewIfNeeded()
  const { x, y, width, height } = (await button.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
  // The page that opens replaces the earlier one between the two clicks.
  await page.mouse.dblclick(x + width / 2, y + height / 2)
  await page.mouse.click(x + width / 2, y + height / 2, { clickCount: 3 })
  t.same(postsOf(visitor), [], 'nothing is sent')
  t.ok(await isUndecided(grant_code))
  t.equal(pathOf(page), '/device/confirm')

  // The server checks the field itself and does not rely on the browser.
  await page.evaluate('document.forms[0].noValidate = true')
  const [answer] = await Promise.all([page.waitForResponse('**/device/confirm'), button.click()])
  t.equal(answer.status(), 400)
  t.match(await page.locator('.notice').innerText(), /compare the code and tick the box/)
  t.ok(await isUndecided(grant_code))
})

t.test('keys held down while a link opens a page send nothing', async (t) => {
  const visitor = await visit(t, { user: 'holder' })
  const { page } = visitor
  await site.collect('holder', { name: 'acme-cli' })
  const { grant_code, user_code } = await site.start({ name: 'acme-cli' })
  await goToQuestion(page, site, user_code)
  await page.goto(site.url + codeRequest().path)
  const asked = pathOf(page).slice(1)
  const paths = ['device/confirm', asked, 'device', 'logout', 'account/clients', 'account/connections']
  let opened = 0
  for (const path of paths) {
    await page.goto(`${site.url}/${path}`)
    const targets = await page
      .locator('[id], [name]')
      .evaluateAll((all) => [...new Set(all.flatMap((one) => [one.id, one.getAttribute('name')]))].filter(Boolean))
    t.ok(targets.includes('content'), path)
    // Names alone should not be a target, but on the consent page all are tried.
    for (const target of path === 'device/confirm' || path === asked ? targets : ['content']) {
      await page.goto('about:blank')
      await page.goto(`${site.url}/${path}#${target}`)
      for (const key of ['Enter', 'Space']) {
        // A held key repeats as often as this within two seconds.
        await Promise.all(Array.from({ length: 60 }, () => page.keyboard.down(key)))
        await page.keyboard.up(key)
      }
      opened++
      t.equal(pathOf(page), `/${path}`, `${path}#${target}`)
    }
  }
  t.ok(opened >= 9)
  t.same(postsOf(visitor), [])
  t.ok(await isUndecided(grant_code))
})

t.test('no page can be framed', async (t) => {
  const { sameSite, otherSite, pages } = await openElsewhere(t)
  const { page } = await visit(t, { user: 'framed' })
  const { user_code } = await site.start({ name: 'acme-cli' })
  await goToQuestion(page, site, user_code)
  const { path: asking } = codeRequest()
  await page.goto(site.url + asking)
  const paths = [
    '/',
    asking,
    `${asking}&prompt=login`,
    pathOf(page),
    '/device',
    `/device?code=${user_code}`,
    '/device/confirm',
    '/device/done',
    '/device/undo',
    '/login'
  ]
  paths.push('/login/nowhere', '/logout', '/account/clients', '/account/connections', '/account/nowhere')
  const frames = paths.map((path) => `<iframe src="${site.url}${path}"></iframe>`)
  pages.set('/trap', `<!doctype html><h1>Win a prize</h1>${frames.join('')}<iframe src="/bait"></iframe>`)
  pages.set('/bait', '<!doctype html><h1>Can be framed</h1>')
  for (const origin of [sameSite, otherSite]) {
    await page.goto(`${origin}/trap`)
    const [, ...framed] = page.frames()
    t.equal(framed.length, paths.length + 1)
    t.same(await framed.pop()?.locator('h1').allTextContents(), ['Can be framed'], 'frames do work there')
    for (const [i, frame] of framed.entries()) {
      t.notOk(frame.url().startsWith(site.url), `${paths[i]} at ${origin}`)
      t.equal(await frame.evaluate('document.querySelectorAll("form, a, button").length'), 0)
    }
  }
})

t.test('another site cannot send a form in the name of a user', async (t) => {
  const elsewhere = await openElsewhere(t)
  const [{ page: victim, context }, { page: attacker }] = [
    await visit(t, { user: 'victim' }),
    await visit(t, { user: 'attacker' })
  ]
  const jwt = await site.collect('victim', { name: 'acme-cli' })
  const { grant_code, user_code } = await site.start({ name: 'evil-cli' })
  await goToQuestion(victim, site, user_code)
  await goToQuestion(attacker, site, user_code)
  const [csrf, ticket] = await Promise.all(
    ['csrf', 'ticket'].map((name) => attacker.locator(`main input[name=${name}]`).inputValue())
  )
  const forged = { csrf: csrf ?? '', ticket: ticket ?? '' }
  await attacker.goto(site.url + codeRequest().path)
  const theirs = { csrf: forged.csrf, ticket: await attacker.locator('main input[name=ticket]').inputValue() }
  await victim.goto(site.url + codeRequest().path)
  const asked = pathOf(victim)
  const forms: [path: string, fields: Record<string, string>][] = [
    ['/device/confirm', { ...forged, same: 'yes', action: 'approve' }],
    [asked, { ...theirs, sure: 'yes', action: 'approve' }],
    [pathOf(attacker), { ...theirs, sure: 'yes', action: 'approve' }],
    ['/device', { ...forged, user_code }],
    ['/account/clients/revoke-all', forged],
    ['/logout', forged],
    ['/login', { ...forged, name: 'attacker' }]
  ]
  const session = async () => (await context.cookies()).find(({ name }) => name === '__Host-grantd-session')?.value
  const before = await session()
  for (const [path, fields] of forms) {
    elsewhere.pages.set(path, sending(site.url + path, fields))
    await victim.goto(elsewhere.sameSite + path)
    await victim.waitForURL(`${site.url}/**`)
    t.equal(await victim.locator('h1').innerText(), 'That did not work', path)
    t.equal(await session(), before, 'nobody else is signed in')
  }
  // A browser does not even send the session cookie with a request from another site.
  await victim.goto(`${elsewhere.otherSite}/device/confirm`)
  await victim.waitForURL(`${site.url}/**`)
  t.ok(await isUndecided(grant_code))
  const { status, body } = await site.call('GET', '/auth/clients', { token: jwt })
  t.same([status, body.data?.length], [200, 1], 'nothing was revoked, and no program was approved')
  await victim.goto(site.url + asked)
  t.equal(await victim.locator('h1').innerText(), 'A program asks for access', 'the question waits for its user')
  await victim.goto(`${site.url}/device`)
  t.match(await victim.locator('.who').innerText(), /victim/)

  // The attacker's form cannot sign in a visitor who is not signed in yet either.
  const { page: nobody, ...stranger } = await visit(t)
  const { page: shown } = await visit(t)
  await shown.goto(`${site.url}/login`)
  const bait = sending(`${site.url}/login`, { csrf: await shown.locator('[name=csrf]').inputValue(), name: 'attacker' })
  elsewhere.pages.set('/bait', bait)
  await nobody.goto(`${site.url}/login`)
  for (const origin of [elsewhere.sameSite, elsewhere.otherSite]) {
    await nobody.goto(`${origin}/bait`)
    await nobody.waitForURL(`${site.url}/**`)
    t.equal(await nobody.locator('h1').innerText(), 'That did not work')
    t.notOk((await stranger.context.cookies()).some(({ name }) => name === '__Host-grantd-session'))
  }
})

t.test('a provider is not told which code, or which page, somebody comes from', async (t) => {
  const elsewhere = await openElsewhere(t)
  elsewhere.pages.set('/authorize', '<!doctype html><h1>Who are you?</h1>')
  const provider = { id: 'else', name: 'Elsewhere', client_id: 'grantd', client_secret: 'not needed today' }
  const endpoints = Object.fromEntries(
    ['authorization', 'token', 'userinfo'].map((name) => [`${name}_endpoint`, `${elsewhere.otherSite}/authorize`])
  )
  const site = await startSite(t, { PROVIDERS_FILE: providersFile(t, [{ ...provider, ...endpoints }]) })
  const { page } = await visit(t, {}, site)
  const { user_code } = await site.start({ name: 'acme-cli' })
  await page.goto(`${site.url}/device?code=${user_code}`)
  await page.getByRole('link', { name: 'Continue with Elsewhere' }).click()
  t.equal(await page.locator('h1').innerText(), 'Who are you?')
  const [request] = elsewhere.requests
  t.match(request?.url, /^\/authorize\?/)
  t.notOk(request?.url?.includes(user_code))
  t.equal(request?.headers.referer, undefined)
  t.equal(await page.evaluate('document.referrer'), '')
  t.equal(await page.evaluate('opener'), null)
})
