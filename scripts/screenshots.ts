/**
 * Makes the pictures of docs/pages.md: every page as people see it, with the same names and times on every run; only
 * the codes differ. The pictures in docs/screenshots/before are kept, because they show the pages before their
 * redesign.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config/load-config.js'
import { BY } from '../test/support/audit.js'
import {
  approve,
  deny,
  goToQuestion,
  launchChromium,
  openVisitor,
  signInAs,
  typeCode,
  type VisitorOptions
} from '../test/support/browser.js'
import { codeRequest } from '../test/support/code-flow.js'
import { freePort } from '../test/support/ports.js'

const FOLDER = fileURLToPath(new URL('../docs/screenshots/', import.meta.url))
const START = Date.UTC(2026, 10, 24, 14, 3)
const [MINUTE_MS, DAY_MS] = [60_000, 86_400_000]
const LISBON = { 'cf-ipcity': 'Lisbon', 'cf-region': 'Lisbon', 'cf-ipcountry': 'PT', 'x-forwarded-for': '203.0.113.7' }
const OSLO = { 'cf-ipcity': 'Oslo', 'cf-region': 'Oslo', 'cf-ipcountry': 'NO', 'x-forwarded-for': '198.51.100.4' }
const LAPTOP = { name: 'acme-cli', version: '1.4.0', hostname: 'anns-laptop', os: 'linux' }
const EVERY_LOOK = ['light-1280', 'dark-1280', 'light-360', 'dark-360']
const FEWER_LOOKS = ['light-1280', 'light-360']

const ends: (() => unknown)[] = []
const whole = { teardown: (end: () => unknown) => void ends.unshift(end) }
let nowMs = START

interface Site {
  app: FastifyInstance
  url: string
}

const pictures = () => readdirSync(FOLDER).filter((file) => file.endsWith('.png'))

/** Writes a file that exists while the pictures are taken, and returns its path. */
function fileOf(name: string, content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-screenshots-'))
  whole.teardown(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, name), content)
  return join(directory, name)
}

async function startSite(variables: Record<string, string> = {}): Promise<Site> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const edge = { EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '127.0.0.1' }
  const app = buildApp(
    loadConfig({ PUBLIC_URL: url, SERVICE_NAME: 'Acme Cloud', SIGNING_ALG: 'EdDSA', ...edge, ...variables }),
    { logger: false, testClock: () => nowMs }
  )
  // It closes after the browser, which may keep a connection on which it sends nothing; closing would wait for its end.
  ends.push(() => app.close())
  await app.listen({ host: '127.0.0.1', port })
  return { app, url }
}

async function post({ app }: Site, url: string, body: object, headers: Record<string, string> = OSLO) {
  const answer = await app.inject({ method: 'POST', url: `/api/v0/auth/grant/${url}`, headers, payload: body })
  return answer.json()
}

const start = (site: Site, client_metadata: object, headers = OSLO, client_type = 'cli') =>
  post(site, 'code', { client_type, client_metadata }, headers)

/** Creates an authorization that the user gave some days ago. */
async function authorizeBefore(site: Site, userId: string, days: number, type: string, metadata: object) {
  nowMs = START - days * DAY_MS
  const { grant_code, user_code } = await start(site, metadata, OSLO, type)
  await site.app.core.grants.decide(user_code, 'approve', { ...BY, userId, ip: OSLO['x-forwarded-for'] })
  await post(site, 'token', { grant_code })
  nowMs = START
}

/** Takes a picture of the page in its present state. */
async function shoot(page: Page, name: string, looks = FEWER_LOOKS): Promise<void> {
  for (const look of looks) {
    const [colorScheme, width] = look.split('-') as ['light' | 'dark', string]
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width: Number(width), height: 480 })
    await page.screenshot({ path: join(FOLDER, `${name}-${look}.png`), fullPage: true, animations: 'disabled' })
  }
  await page.setViewportSize({ width: 1280, height: 480 })
}

const browser = await launchChromium(whole)
const visit = async (site: Site, options: VisitorOptions = {}) =>
  (await openVisitor(whole, browser, site, { headers: OSLO, ...options })).page

async function shootSigningIn(site: Site): Promise<void> {
  const page = await visit(site)
  await page.goto(`${site.url}/`)
  await shoot(page, 'landing', EVERY_LOOK)
  await page.goto(`${site.url}/nowhere`)
  await shoot(page, 'nowhere')
  await page.goto(`${site.url}/login`)
  await shoot(page, 'login', EVERY_LOOK)
  await signInAs(page, 'ann')
  await page.goto(`${site.url}/logout`)
  await shoot(page, 'logout')
}

async function shootCode(site: Site): Promise<void> {
  const page = await visit(site, { user: 'ann' })
  const { user_code } = await start(site, LAPTOP)
  await page.goto(`${site.url}/device`)
  await shoot(page, 'code', EVERY_LOOK)
  await page.locator('input[name=user_code]').fill('bcdf')
  await shoot(page, 'code-typed')
  await page.goto(`${site.url}/device?code=${user_code}`)
  await shoot(page, 'code-linked')
  await typeCode(page, 'BCDF-GHJK')
  await shoot(page, 'code-invalid')
}

async function shootQuestion(site: Site): Promise<void> {
  const page = await visit(site, { user: 'ann' })
  const nearby = await start(site, LAPTOP)
  nowMs += 2 * MINUTE_MS
  await page.goto(`${site.url}/device`)
  await typeCode(page, nearby.user_code)
  await shoot(page, 'question', EVERY_LOOK)
  await page.locator('summary').click()
  await page.locator('input[name=same]').check()
  await shoot(page, 'question-details')
  await approve(page)
  await shoot(page, 'approved', EVERY_LOOK)
  await post(site, 'token', { grant_code: nearby.grant_code })
  await page.locator('main a[href="/device/done"]').click()
  await shoot(page, 'collected')
  await page.locator('form[action="/device/undo"] button').click()
  await shoot(page, 'taken-back')

  const far = await start(site, { ...LAPTOP, name: 'Аcme Support\u200B', hostname: 'helpdesk' }, LISBON)
  nowMs += 2 * MINUTE_MS
  await goToQuestion(page, site, far.user_code)
  await shoot(page, 'question-warning', EVERY_LOOK)
  await deny(page)
  await shoot(page, 'denied')

  const given = await start(site, LAPTOP)
  await goToQuestion(page, site, given.user_code)
  await post(site, 'revoke', { grant_code: given.grant_code })
  await approve(page)
  await shoot(page, 'withdrawn', EVERY_LOOK)
  nowMs = START
}

async function shootAsking(site: Site): Promise<void> {
  const page = await visit(site, { user: 'ann' })
  const asked = {
    client_id: 'ide-plugin',
    scope: 'openid email offline_access',
    redirect_uri: 'http://127.0.0.1:52525/',
    ...{ device_name: LAPTOP.hostname, client_version: LAPTOP.version }
  }
  await page.goto(site.url + codeRequest(asked).path)
  await shoot(page, 'asking', EVERY_LOOK)
  // The browser would leave the page at once.
  await page.route('**/authorize/*', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({
      response: answer,
      body: (await answer.text()).replace(/<meta http-equiv="refresh"[^>]*>/, '')
    })
  })
  await page.locator('input[name=sure]').check()
  await page.locator('button[value=approve]').click()
  await shoot(page, 'sent-on')
  await page.unrouteAll()
}

async function shootClients(site: Site): Promise<void> {
  const newcomer = await visit(site, { user: 'cleo' })
  await newcomer.goto(`${site.url}/account/clients`)
  await shoot(newcomer, 'clients-none')
  await authorizeBefore(site, 'bo', 40, 'ide-plugin', { name: 'Acme for Editors', version: '3.0.1', hostname: 'desk' })
  await authorizeBefore(site, 'bo', 3, 'mcp', { name: 'acme-mcp', version: '0.9.2', hostname: 'build-7' })
  const page = await visit(site, { user: 'bo' })
  const { grant_code, user_code } = await start(site, { ...LAPTOP, hostname: 'bos-laptop' })
  await goToQuestion(page, site, user_code)
  await approve(page)
  await post(site, 'token', { grant_code })
  await page.goto(`${site.url}/account/clients`)
  await shoot(page, 'clients', EVERY_LOOK)
}

async function shootProviders(): Promise<void> {
  const providers = [
    { id: 'acme', name: 'Acme ID', client_id: 'grantd', issuer: `http://localhost:${await freePort()}` },
    { id: 'hub', name: 'Code Hub', client_id: 'grantd', issuer: `http://localhost:${await freePort()}` }
  ]
  const PROVIDERS_FILE = fileOf('providers.json', JSON.stringify({ providers }))
  const site = await startSite({ PROVIDERS_FILE })
  const visitor = await visit(site)
  await visitor.goto(`${site.url}/login`)
  await shoot(visitor, 'login-providers')
  await visitor.getByRole('link', { name: 'Continue with Acme ID' }).click()
  await shoot(visitor, 'error')

  const { identities, connections } = site.app.core
  for (const [upstreamId, subject, scopes, expiresAtMs] of [
    ['hub', 'ann-codes', ['repo', 'read:user'], START - DAY_MS],
    ['acme', 'ann@acme.example', ['openid', 'profile', 'email', 'reports.read'], START + DAY_MS]
  ] as const) {
    const { connectionId } = await identities.connect(upstreamId, subject, 'ann')
    nowMs = START - (upstreamId === 'hub' ? 30 : 5) * DAY_MS
    const tokens = { accessToken: 'not shown', refreshToken: undefined, scopes: [...scopes], expiresAtMs }
    const identity = { subject, username: subject, name: 'Ann' }
    await connections.keep('ann', connectionId, { upstreamId, identity, tokens }, BY)
    nowMs = START
    await connections.vend(connectionId, { kind: 'api_key' })
  }
  const page = await visit(site, { user: 'ann' })
  await page.goto(`${site.url}/account/connections`)
  await shoot(page, 'connections', EVERY_LOOK)
}

/** Takes the same pages with an operator's colour and logo. */
async function shootBrand(): Promise<void> {
  const [purple, font] = ['#7c3aed', 'font-family="sans-serif" font-weight="700" font-size="20"']
  const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 104 28" fill="${purple}"><circle cx="14" cy="14" r="11"/><text x="34" y="21" ${font}>acme</text></svg>`
  const site = await startSite({ BRAND_COLOR: purple, BRAND_LOGO_FILE: fileOf('logo.svg', logo) })
  const page = await visit(site, { user: 'ann' })
  await page.goto(`${site.url}/device`)
  await shoot(page, 'brand', EVERY_LOOK)
}

try {
  mkdirSync(FOLDER, { recursive: true })
  for (const file of pictures()) rmSync(join(FOLDER, file))
  const site = await startSite()
  await shootSigningIn(site)
  await shootCode(site)
  await shootQuestion(site)
  await shootAsking(site)
  await shootClients(site)
  await shootProviders()
  await shootBrand()
  const sizes = pictures().map((file) => statSync(join(FOLDER, file)).size)
  console.log(`${sizes.length} pictures, ${Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1024)} KiB`)
} finally {
  for (const end of ends) await end()
}
