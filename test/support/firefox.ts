/**
 * Debian's Firefox ESR, driven over WebDriver BiDi. A missing Firefox fails the test. Its profile is in a temporary directory
 * that the test removes, and Firefox exits before it connects to another machine.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import type { Test } from 'tap'

const EXECUTABLE = '/usr/bin/firefox-esr'
/** Preferences that stop requests of a new profile which @puppeteer/browsers leaves on. */
const ASKS_NOBODY = {
  'app.normandy.enabled': false,
  'browser.region.update.enabled': false,
  'dom.push.connection.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'media.gmp-manager.url': '',
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.enabled': false,
  'toolkit.telemetry.unified': false
}
/** What does come is not waited for any longer. A start takes seconds of CPU time, and a busy machine needs a multiple of that. */
const PATIENCE_MS = 120_000

/** Starts the browser, which is closed with the test. */
export async function launchFirefox(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-firefox-'))
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: EXECUTABLE,
    userDataDir: join(directory, 'profile'),
    env: { PATH: process.env.PATH, HOME: directory, TMPDIR: directory, MOZ_DISABLE_NONLOCAL_CONNECTIONS: '1' },
    extraPrefsFirefox: { ...ASKS_NOBODY, 'intl.accept_languages': 'en-GB,en' },
    timeout: PATIENCE_MS
  })
  t.teardown(() => browser.close())
  return browser
}

export interface FirefoxTab {
  page: Page
  /** Errors of the console and of scripts, and what the Content Security Policy blocked. */
  complaints: string[]
  /** Clicks an element that leads to another page, and waits for that page. */
  press(selector: string): Promise<void>
  /** Resolves to the visible text of an element. */
  textOf(selector: string): Promise<string>
}

/** Opens a tab with a viewport of this size, which is closed with the browser. */
export async function openTab(browser: Browser, width: number, height: number): Promise<FirefoxTab> {
  const page = await browser.newPage()
  await page.setViewport({ width, height })
  page.setDefaultTimeout(PATIENCE_MS)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  // Firefox reports a blocked request to the page alone, not over BiDi.
  await page.evaluateOnNewDocument(`document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error('blocked by ' + violatedDirective + ': ' + blockedURI))`)
  return {
    page,
    complaints,
    async press(selector) {
      await Promise.all([page.waitForNavigation(), page.click(selector)])
    },
    textOf: (selector) => page.$eval(selector, (element) => (element as Element & { innerText: string }).innerText)
  }
}
