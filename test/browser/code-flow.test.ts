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
import { freePort } from '../support/ports.js'

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
  const { page, complaints } = await visit(t, { user: 'denier' })
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

t.test('what is wrong goes back to the program, but for what names no program', async (t) => {
  const { redirectUri, came } = await listen(t)
  const { page } = await visit(t, { user: 'ann' })
  for (const [error, parameters] of [
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_scope', { scope: 'x' }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['consent_required', { prompt: 'none' }]
  ] as const) {
    await ask(page, { redirect_uri: redirectUri, ...parameters })
    await arrives(page)
    t.match(Object.fromEntries(came.at(-1) ?? []), { error, state: 'a state', iss: site.url })
  }
  const before = came.length
  for (const parameters of [{ client_id: 'nobody' }, { redirect_uri: redirectUri.replace('127.0.0.1', '127.0.0.2') }]) {
    await ask(page, { redirect_uri: redirectUri, ...parameters })
    t.equal(await title(page), 'That did not work')
    t.match(page.url(), site.url)
  }
  t.equal(came.length, before, 'it hears nothing')
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
