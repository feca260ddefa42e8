/**
 * A real browser: Debian's Chromium, one for a test file, with a profile of its own for every visitor. Where there is none the
 * tests fail. The application listens for it in the process of the test, so that the test still turns its clock.
 */
import { type Browser, type BrowserContext, chromium, type Page, type Request } from 'playwright-core'
import type { Test } from 'tap'
import { startApp, type TestApp } from './app.js'
import { freePort } from './ports.js'

const EXECUTABLE = '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run'
]
/** What takes longer than this on loopback does not come any more. */
const PATIENCE_MS = 10_000

/** Starts the browser. Closed with the test. */
export async function launchChromium(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS })
  t.teardown(() => browser.close())
  return browser
}

export interface Site extends TestApp {
  /** PUBLIC_URL. */
  url: string
}

/** The application on a free port, in memory, where people sign in by typing a name. `path` is the path of PUBLIC_URL. */
export async function startSite(t: Test, { path = '', ...variables }: Record<string, string> = {}): Promise<Site> {
  const port = await freePort()
  const url = `http://localhost:${port}${path}`
  const quick = { SIGNING_ALG: 'EdDSA', LIMITS: 'off' }
  const service = await startApp(t, { PUBLIC_URL: url, ...quick, ...variables })
  await service.app.listen({ host: '127.0.0.1', port })
  // A browser keeps connections, and opens some ahead of need: the application would wait a minute for it to give them up.
  t.teardown(async () => {
    const cut = setInterval(() => service.app.server.closeAllConnections(), 20)
    await service.app.close().finally(() => clearInterval(cut))
  })
  return { ...service, url }
}

export interface VisitorOptions {
  /** Who is signed in already, for all that is not about signing in. */
  user?: string
  /** Accept-Language. */
  language?: string
  width?: number
  height?: number
  /** Whether the browser runs scripts, if a page had any. */
  script?: boolean
  /** Sent with every request, as an edge in front of the service would add them. */
  headers?: Record<string, string>
}

/** Somebody with a browser of their own, and everything that it did. */
export interface Visitor {
  context: BrowserContext
  /** The first tab. */
  page: Page
  /** Another tab. */
  newTab(): Promise<Page>
  requests: Request[]
  /** Dialogs that popped up. */
  dialogs: string[]
  /** Errors of the console, other than that a page came with an error's status: what the policy blocked is among them. */
  complaints: string[]
}

interface Window {
  context: BrowserContext
  page: Page
  script: boolean
}
/** A window costs a second of processor time to open, so the next visitor gets that of one who has left. */
const unused = new WeakMap<Browser, Window[]>()

/** A window that knows nothing of anybody. Given back with the test. */
async function takeWindow(t: Pick<Test, 'teardown'>, browser: Browser, script: boolean): Promise<Window> {
  const windows = unused.get(browser) ?? []
  unused.set(browser, windows)
  const place = windows.findIndex((window) => window.script === script)
  const [window = await openWindow()] = place < 0 ? [] : windows.splice(place, 1)
  t.teardown(async () => {
    const { context, page } = window
    context.removeAllListeners()
    for (const tab of context.pages()) if (tab !== page) await tab.close()
    await context.clearCookies()
    const isEmpty = await page.goto('about:blank').then(
      () => true,
      () => false
    )
    // One that is still on its way somewhere is of no use to anybody.
    if (isEmpty) windows.push(window)
    else await context.close()
  })
  return window

  async function openWindow(): Promise<Window> {
    const context = await browser.newContext({ javaScriptEnabled: script })
    context.setDefaultTimeout(PATIENCE_MS)
    return { context, page: await context.newPage(), script }
  }
}

/** Somebody at the site, with a window of their own. Gone with the test. */
export async function openVisitor(
  t: Pick<Test, 'teardown'>,
  browser: Browser,
  { app, url }: Pick<Site, 'app' | 'url'>,
  options: VisitorOptions = {}
): Promise<Visitor> {
  const { user, language = 'en-GB,en;q=0.9', width = 1280, height = 900, script = true, headers = {} } = options
  const { context, page } = await takeWindow(t, browser, script)
  await page.setViewportSize({ width, height })
  await page.emulateMedia({ colorScheme: 'light' })
  await context.setExtraHTTPHeaders({ 'accept-language': language, ...headers })
  if (user !== undefined) {
    const { token } = await app.core.signIn.asTyped(user)
    const attributes = { secure: true, httpOnly: true, sameSite: 'Lax' } as const
    // The browser takes a secure cookie from http on this machine, but not from us.
    const secureUrl = url.replace(/^http:/, 'https:')
    await context.addCookies([{ name: '__Host-grantd-session', value: token, url: secureUrl, ...attributes }])
  }
  const visitor = { requests: [] as Request[], dialogs: [] as string[], complaints: [] as string[] }
  context.on('request', (request) => visitor.requests.push(request))
  context.on('dialog', (dialog) => {
    visitor.dialogs.push(dialog.message())
    dialog.dismiss().catch(() => {})
  })
  context.on('console', (message) => {
    const isStatus = message.text().startsWith('Failed to load resource: the server responded with a status of')
    if (message.type() === 'error' && !isStatus) visitor.complaints.push(message.text())
  })
  context.on('weberror', (error) => visitor.complaints.push(error.error().message))
  return { context, page, newTab: () => context.newPage(), ...visitor }
}

// Forms are found by what they send and not by what they say, so that the steps are the same in every language.

/** Signs in where a name can be typed; the page is there already. */
export async function signInAs(page: Page, name: string): Promise<void> {
  await page.locator('input[name=name]').fill(name)
  await page.locator('form[action$="/login"] button').click()
}

/** Types a code where it is asked for. */
export async function typeCode(page: Page, code: string): Promise<void> {
  await page.locator('input[name=user_code]').fill(code)
  await page.locator('form[action$="/device"] button').click()
}

/** Brings somebody who is signed in to the question about a code, as its link and the form that it fills in would. */
export async function goToQuestion(page: Page, { url }: Pick<Site, 'url'>, code: string): Promise<void> {
  const form = await (await page.request.get(`${url}/device?code=${code}`)).text()
  const csrf = /name="csrf" value="([^"]+)"/.exec(form)?.[1] ?? ''
  await page.request.post(`${url}/device`, { form: { csrf, user_code: code } })
  await page.goto(`${url}/device/confirm`)
}

/** Says that the device shows the code, and approves. */
export async function approve(page: Page): Promise<void> {
  await page.locator('input[name=same]').check()
  await page.locator('button[value=approve]').click()
}

export async function deny(page: Page): Promise<void> {
  await page.locator('button[value=deny]').click()
}

/** Where a tab is, without the origin. */
export function pathOf(page: Page): string {
  const { pathname, search } = new URL(page.url())
  return pathname + search
}

/** What was sent that could have changed something, as `POST /login`. */
export function postsOf({ requests }: Pick<Visitor, 'requests'>): string[] {
  const sent = requests.filter((request) => request.method() !== 'GET')
  return sent.map((request) => `${request.method()} ${new URL(request.url()).pathname}`)
}
