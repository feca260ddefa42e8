/**
 * A real browser: Debian's Chromium without a screen, one per test file, with a new profile for every visitor. Without it
 * the tests fail. The application runs in the process of the test, so that the test can turn its clock.
 */
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
  type Request
} from 'playwright-core'
import type { Test } from 'tap'
import { startApp, type TestApp } from './app.js'
import { BY } from './audit.js'
import { freePort } from './ports.js'

const EXECUTABLE = '/usr/bin/chromium-headless-shell'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run'
]
/** What does come is not waited for any longer, and a busy machine may be slow. */
const PATIENCE_MS = 120_000

/** Starts the browser. The test closes it. */
export async function launchChromium(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, timeout: PATIENCE_MS })
  t.teardown(() => browser.close())
  return browser
}

/** Opens a profile without cookies or history. */
export async function openProfile(browser: Browser, options?: BrowserContextOptions): Promise<BrowserContext> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(PATIENCE_MS)
  return context
}

export interface Site extends TestApp {
  /** The PUBLIC_URL of the application. */
  url: string
}

/**
 * Starts the application in memory, where users sign in by typing a name. `path` is the path of PUBLIC_URL, and `port` a free one that
 * somebody else has to know beforehand.
 */
export async function startSite(
  t: Test,
  { path = '', port: known, ...variables }: Record<string, string> = {}
): Promise<Site> {
  const port = Number(known ?? (await freePort()))
  const url = `http://localhost:${port}${path}`
  const quick = { SIGNING_ALG: 'EdDSA', LIMITS: 'off' }
  // Waiting for the client is tested with the route; here it would cost two seconds each time.
  const options = { awaitsCollection: false }
  const service = await startApp(t, { PUBLIC_URL: url, ...quick, ...variables }, options)
  await service.app.listen({ host: '127.0.0.1', port })
  // A browser keeps connections open and opens some ahead of need. Without closing them, app.close() would wait for a
  // minute.
  t.teardown(async () => {
    const cut = setInterval(() => service.app.server.closeAllConnections(), 20)
    await service.app.close().finally(() => clearInterval(cut))
  })
  return { ...service, url }
}

export interface VisitorOptions {
  /** The name of a user who is signed in already, for tests that are not about signing in. */
  user?: string
  /** The Accept-Language header. */
  language?: string
  width?: number
  height?: number
  /** Whether the browser runs scripts; the pages have none. */
  script?: boolean
  /** Headers that are added to every request, as a CDN edge in front of the service adds them. */
  headers?: Record<string, string>
}

/** A user with a browser profile, and a record of everything that happened in it. */
export interface Visitor {
  context: BrowserContext
  /** The first tab. */
  page: Page
  /** Opens another tab. */
  newTab(): Promise<Page>
  requests: Request[]
  /** The dialogs that opened. */
  dialogs: string[]
  /**
   * The errors of the console, such as what the content security policy blocked; the status of an error page is left
   * out.
   */
  complaints: string[]
}

interface Window {
  context: BrowserContext
  page: Page
  script: boolean
}
/** A window costs a second of CPU time to open, so windows of former visitors are cleared and used again. */
const unused = new WeakMap<Browser, Window[]>()

/** Takes a window without cookies or history. The end of the test gives it back. */
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
    // A window that cannot leave its page is not used again.
    if (isEmpty) windows.push(window)
    else await context.close()
  })
  return window

  async function openWindow(): Promise<Window> {
    const context = await openProfile(browser, { javaScriptEnabled: script })
    return { context, page: await context.newPage(), script }
  }
}

/** Opens a window at the site for a visitor. The end of the test closes it. */
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
    const { token } = await app.core.signIn.asTyped(user, BY)
    const attributes = { secure: true, httpOnly: true, sameSite: 'Lax' } as const
    // The browser accepts a Secure cookie over http from this machine, but Playwright's addCookies does not.
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

// Forms are found by the fields they send and not by their texts, so that the steps are the same in every language.

/** Signs in by name on the open sign-in page. */
export async function signInAs(page: Page, name: string): Promise<void> {
  await page.locator('input[name=name]').fill(name)
  await page.locator('form[action$="/login"] button').click()
}

/** Types a code into the code field. */
export async function typeCode(page: Page, code: string): Promise<void> {
  await page.locator('input[name=user_code]').fill(code)
  await page.locator('form[action$="/device"] button').click()
}

/** Brings a signed-in visitor to the consent page of a code, through its link and the form that the link fills in. */
export async function goToQuestion(page: Page, { url }: Pick<Site, 'url'>, code: string): Promise<void> {
  const form = await (await page.request.get(`${url}/device?code=${code}`)).text()
  const csrf = /name="csrf" value="([^"]+)"/.exec(form)?.[1] ?? ''
  await page.request.post(`${url}/device`, { form: { csrf, user_code: code } })
  await page.goto(`${url}/device/confirm`)
}

/** Ticks that the device shows the code, and approves. */
export async function approve(page: Page): Promise<void> {
  await page.locator('input[name=same]').check()
  await page.locator('button[value=approve]').click()
}

export async function deny(page: Page): Promise<void> {
  await page.locator('button[value=deny]').click()
}

/** Returns the path of a tab, without the origin. */
export function pathOf(page: Page): string {
  const { pathname, search } = new URL(page.url())
  return pathname + search
}

/** Returns the requests that could have changed something, such as `POST /login`. */
export function postsOf({ requests }: Pick<Visitor, 'requests'>): string[] {
  const sent = requests.filter((request) => request.method() !== 'GET')
  return sent.map((request) => `${request.method()} ${new URL(request.url()).pathname}`)
}
