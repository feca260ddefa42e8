/**
 * The code flow in a real browser: from a program that listens on loopback to the question and back, without a script. Chromium holds
 * redirects that follow a form against `form-action`, wherever they lead, which no other test sees.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import {
  deny,
  launchChromium,
  openVisitor,
  pathOf,
  postsOf,
  signInAs,
  startSite,
  type VisitorOptions
} from '../support/browser.js'
import { codeRequest, queryOf, type Sent } from '../support/code-flow.js'
import { startIdentityProvider } from '../support/oidc-upstream.js'
import { freePort } from '../support/ports.js'
import { providersFile } from '../support/sign-in.js'

const browser = await launchChromium(t)
const site = await startSite(t)
const visit = (t: Test, options?: VisitorOptions) => openVisitor(t, browser, site, options)

interface Program {
  redirectUri: string
  /** What came to the redirect URI, in order. */
  came: URLSearchParams[]
}

/** A program that listens, and sends the browser on to a page of its vendor, which has another origin. */
async function listen(t: Test): Promise<Program> {
  const came: URLSearchParams[] = []
  const [port, vendorPort] = [await freePort(), await freePort()]
  const vendor = createServer((_request, response) =>
    response.end('<!doctype html><title>v</title><h1>Welcome back</h1>')
  )
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    if (pathname !== '/callback') {
      response.writeHead(404).end()
      return
    }
    came.push(searchParams)
    response.writeHead(302, { location: `http://localhost:${vendorPort}/welcome` }).end()
  })
  vendor.listen(vendorPort)
  server.listen(port, '127.0.0.1')
  for (const one of [vendor, server]) {
    if (!one.listening) await once(one, 'listening')
    t.teardown(() => {
      one.closeAllConnections()
      one.close()
    })
  }
  return { redirectUri: `http://127.0.0.1:${port}/callback`, came }
}

const ask = (page: Page, parameters: Sent) => page.goto(`${site.url}${codeRequest(parameters).path}`)
const title = (page: Page) => page.locator('h1').innerText()
const arrives = (page: Page) => page.getByRole('heading', { name: 'Welcome back' }).waitFor()

async function approve(page: Page): Promise<void> {
  await page.locator('input[name=sure]').check()
  await page.locator('button[value=approve]').click()
}

for (const script of [true, false]) {
  t.test(`approving sends the browser back to the program, ${script ? 'with' : 'without'} script`, async (t) => {
    const { redirectUri, came } = await listen(t)
    const visitor = await visit(t, { script })
    const { page } = visitor
    const request = codeRequest({ redirect_uri: redirectUri, state: 's &"\'<ü' })
    await page.goto(site.url + request.path)
    t.match(pathOf(page), /^\/login\?ask=[\w-]{22}$/)
    t.match(await page.locator('main').innerText(), /Sign in to see what a program asks for/)
    await signInAs(page, 'typist')
    t.match(pathOf(page), /^\/authorize\/[\w-]{22}$/)
    t.equal(await title(page), 'A program asks for access')
    const [no, yes] = await page.getByRole('button').all()
    t.same([await no?.innerText(), await yes?.innerText()], ['Deny', 'Approve a command-line program'])
    const [noBox, yesBox] = [await no?.boundingBox(), await yes?.boundingBox()]
    t.same([noBox?.width, noBox?.height], [yesBox?.width, yesBox?.height], 'and is as large')
    await approve(page)
    await arrives(page)
    t.equal(came.length, 1)
    t.match(Object.fromEntries(came[0] ?? []), { code: /^[\w-]{43}$/, state: 's &"\'<ü', iss: site.url })
    t.same(visitor.complaints, [], 'no policy is violated')
    t.same(
      postsOf(visitor).map((post) => post.replace(/[\w-]{22}$/, 'x')),
      ['POST /login', 'POST /authorize/x']
    )
    for (const one of visitor.requests.filter((one) => one.url().startsWith(redirectUri))) {
      t.equal((await one.allHeaders()).referer, undefined, 'where it comes from is told to nobody')
    }
    const code = came[0]?.get('code') ?? ''
    const { statusCode } = await site.app.inject({
      method: 'POST',
      url: '/oauth/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: queryOf({
        ...{ grant_type: 'authorization_code', client_id: 'cli', code, redirect_uri: redirectUri },
        code_verifier: request.verifier
      })
    })
    t.equal(statusCode, 200)
  })
}

t.test('denying is one click, and the program hears of it', async (t) => {
  const { redirectUri, came } = await listen(t)
  const { page, complaints } = await visit(t, { user: 'denier', script: false })
  await ask(page, { redirect_uri: redirectUri })
  await deny(page)
  await arrives(page)
  t.match(Object.fromEntries(came[0] ?? []), { error: 'access_denied', state: 'a state', iss: site.url })
  t.same(await site.app.core.authorizations.list('denier'), [])
  t.same(complaints, [])
})

t.test('two tabs are two questions, with one sign-in', async (t) => {
  const { redirectUri, came } = await listen(t)
  const { page, newTab } = await visit(t)
  const other = await newTab()
  await ask(page, { redirect_uri: redirectUri, state: 'one' })
  await ask(other, { redirect_uri: redirectUri, state: 'other', client_id: 'mcp' })
  await signInAs(page, 'tabs')
  await other.reload()
  t.match(await other.locator('button[value=approve]').innerText(), 'Approve an MCP server')
  t.match(await page.locator('button[value=approve]').innerText(), 'Approve a command-line program')
  await approve(other)
  await arrives(other)
  await approve(page)
  await arrives(page)
  t.same(
    came.map((one) => one.get('state')),
    ['other', 'one']
  )
  await page.goBack()
  await page.goBack()
  t.equal(await page.locator('button[value=approve]').count(), 0, 'going back asks nothing again')
})

/** Every error that comes back to a program. */
const ERRORS = [
  ...['access_denied', 'consent_required', 'invalid_request', 'invalid_scope', 'invalid_target', 'login_required'],
  ...['registration_not_supported', 'request_not_supported', 'request_uri_not_supported', 'unsupported_response_type']
]

t.test('each error goes back to the program, but for what names no program', async (t) => {
  const { redirectUri, came } = await listen(t)
  const visitor = await visit(t, { user: 'ann', script: false })
  const { page: stranger } = await visit(t, { script: false })
  const { page } = visitor
  const seen = new Set<string>()
  const wrong: [error: string, parameters: Sent][] = [
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_request', { code_challenge: undefined }],
    ['invalid_request', { scope: ['openid', 'email'] }],
    ['invalid_scope', { scope: 'x' }],
    ['invalid_target', { resource: 'https://films.example' }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['request_not_supported', { request: 'e30.e30.' }],
    ['request_uri_not_supported', { request_uri: 'https://evil.example/r' }],
    ['registration_not_supported', { registration: '{}' }],
    ['consent_required', { prompt: 'none' }],
    ['login_required', { prompt: 'none' }],
    ['access_denied', {}]
  ]
  for (const [error, parameters] of wrong) {
    const tab = error === 'login_required' ? stranger : page
    const before = came.length
    await ask(tab, { redirect_uri: redirectUri, ...parameters })
    if (error === 'access_denied') await deny(tab)
    await arrives(tab)
    t.equal(came.length, before + 1, error)
    const back = Object.fromEntries(came.at(-1) ?? [])
    t.match(back, { error, error_description: /\.$/, state: 'a state', iss: site.url })
    t.notOk('code' in back)
    seen.add(error)
  }
  t.same([...seen].sort(), ERRORS)
  t.same(visitor.complaints, [])
  const before = came.length
  for (const parameters of [
    { client_id: 'nobody' },
    { client_id: undefined },
    { redirect_uri: undefined },
    { redirect_uri: redirectUri.replace('127.0.0.1', '127.0.0.2') },
    { redirect_uri: `${redirectUri}?to=elsewhere` },
    { redirect_uri: redirectUri.replace('://', '://ann@') },
    { redirect_uri: 'javascript:document.title=1' }
  ]) {
    for (const tab of [page, stranger]) {
      await ask(tab, { redirect_uri: redirectUri, ...parameters })
      t.equal(await title(tab), 'That did not work', JSON.stringify(parameters))
      t.match(pathOf(tab), /^\/oauth\/authorize\?/, 'and stays there')
      t.equal(new URL(tab.url()).origin, site.url)
    }
  }
  t.equal(came.length, before, 'it hears nothing')
})

t.test('prompt and max_age: who has to sign in does so once, and what was asked stays', async (t) => {
  const { redirectUri, came } = await listen(t)
  const { page, context, complaints } = await visit(t, { script: false })
  const rows: [parameters: Sent, isSignedIn: boolean, first: string][] = [
    [{}, true, 'asked'],
    [{}, false, 'signs in'],
    [{ prompt: 'consent' }, true, 'asked'],
    [{ prompt: 'consent' }, false, 'signs in'],
    [{ prompt: 'login' }, true, 'signs in'],
    [{ prompt: 'login' }, false, 'signs in'],
    [{ prompt: 'login consent' }, true, 'signs in'],
    [{ prompt: 'none' }, true, 'consent_required'],
    [{ prompt: 'none' }, false, 'login_required'],
    [{ prompt: 'none', max_age: '60' }, true, 'login_required'],
    [{ prompt: 'none', max_age: '62' }, true, 'consent_required'],
    [{ prompt: 'none', max_age: '0' }, true, 'login_required'],
    [{ prompt: 'none login' }, true, 'invalid_request'],
    [{ max_age: '0' }, true, 'signs in'],
    [{ max_age: '0' }, false, 'signs in'],
    [{ max_age: '62' }, true, 'asked'],
    [{ max_age: '60' }, true, 'signs in'],
    [{ max_age: '60' }, false, 'signs in']
  ]
  for (const [parameters, isSignedIn, first] of rows) {
    const what = `${JSON.stringify(parameters)}, ${isSignedIn ? '' : 'not '}signed in`
    await context.clearCookies()
    if (isSignedIn) {
      await page.goto(`${site.url}/login`)
      await signInAs(page, 'prompted')
      site.clock.advance(61_000)
    }
    await ask(page, { redirect_uri: redirectUri, ...parameters })
    if (first === 'signs in') {
      const [, id] = /^\/login\?ask=([\w-]{22})$/.exec(pathOf(page)) ?? []
      t.ok(id, `${what}: ${pathOf(page)}`)
      await signInAs(page, 'prompted')
      t.equal(pathOf(page), `/authorize/${id}`, `${what}: and to the same question`)
    } else if (first === 'asked') t.match(pathOf(page), /^\/authorize\//, what)
    else {
      await arrives(page)
      t.equal(came.at(-1)?.get('error'), first, what)
      continue
    }
    // Chromium reloads no page that it is still changing over to.
    t.equal(await title(page), 'A program asks for access', what)
    await page.reload()
    t.equal(await title(page), 'A program asks for access', `${what}: once`)
    await approve(page)
    await arrives(page)
    t.match(came.at(-1)?.get('code'), /^[\w-]{43}$/, what)
  }
  t.equal(came.length, rows.length)
  t.same(complaints, [])
})

t.test('a sign-in at a provider in between keeps what is asked, in two tabs', async (t) => {
  const port = `${await freePort()}`
  const acme = await startIdentityProvider(t, { publicUrl: `http://localhost:${port}` })
  const site = await startSite(t, { port, PROVIDERS_FILE: providersFile(t, [acme.entry()]) })
  const { redirectUri, came } = await listen(t)
  const { page, newTab, complaints } = await openVisitor(t, browser, site, { script: false })
  const tabs = [page, await newTab()]
  const ids: string[] = []
  for (const [i, tab] of tabs.entries()) {
    await tab.goto(site.url + codeRequest({ redirect_uri: redirectUri, state: `tab ${i}` }).path)
    ids.push(new URL(tab.url()).searchParams.get('ask') ?? '')
    await tab.getByRole('link', { name: 'Continue with The acme' }).click()
    t.equal(new URL(tab.url()).origin, acme.origin, 'each is with the provider')
  }
  // The tab that was sent off last comes back first.
  for (const i of [1, 0]) {
    const tab = tabs[i] as Page
    await tab.locator('input[name=login]').fill('ann')
    await tab.locator('button[value=allow]').click()
    t.equal(pathOf(tab), `/authorize/${ids[i]}`, 'each comes back to its own question')
    t.match(await tab.locator('main').innerText(), /ann at acme \(The acme\)/)
    await approve(tab)
    await arrives(tab)
    t.match(Object.fromEntries(came.at(-1) ?? []), { code: /^[\w-]{43}$/, state: `tab ${i}`, iss: site.url })
  }
  t.same(complaints, [])
})

t.test('a form of another site may ask, and the cookies of this browser stay', async (t) => {
  const { redirectUri } = await listen(t)
  const { page } = await visit(t, { user: 'ann' })
  await ask(page, { redirect_uri: redirectUri, state: 'one' })
  const first = page.url()
  const { sent } = codeRequest({ redirect_uri: redirectUri, state: 'other', client_id: 'mcp' })
  const fields = Object.entries(sent).map(([name, value]) => `<input name="${name}" value="${value}">`)
  await page.goto('about:blank')
  await page.setContent(
    `<form method="post" action="${site.url}/oauth/authorize">${fields.join('')}<button>go</button></form>`
  )
  await page.locator('button').click()
  t.match(await page.locator('button[value=approve]').innerText(), 'Approve an MCP server')
  await page.goto(first)
  t.match(await page.locator('button[value=approve]').innerText(), 'Approve a command-line program')
})

t.test('ui_locales chooses the language, on the way to the question as well', async (t) => {
  const { page } = await visit(t)
  await ask(page, { ui_locales: 'ja' })
  t.equal(await page.locator('html').getAttribute('lang'), 'ja')
  await signInAs(page, 'reader')
  t.equal(await title(page), 'プログラムがアクセスを求めています')
})
