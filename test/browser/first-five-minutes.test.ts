/**
 * The first five minutes of a new user, as README describes them: `npm start`, `npm run demo` in a second terminal, and its
 * link in Chromium. A second test walks through the same pages in Firefox.
 */

import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { launchChromium, openProfile, signInAs } from '../support/browser.js'
import { apiClient } from '../support/client.js'
import { launchFirefox, openTab } from '../support/firefox.js'
import { lookAtLayout } from '../support/looks.js'
import { freePort } from '../support/ports.js'
import { typeOnTerminal } from '../support/programs.js'
import { inRoot } from '../support/root.js'

const COMMANDS = ['npm start', 'npm run demo', 'npm run demo -- --yes']
/** Matches the beginning of a JWT, and text as long as a grant code. */
const LOOKS_SECRET = /eyJ|[A-Za-z0-9_-]{40,}/

const readme = readFileSync(inRoot('README.md'), 'utf8')
for (const command of COMMANDS) t.ok(readme.includes(command), `README says ${command}`)

const directory = t.testdir({})
const port = await freePort()
/** Types a command of README on a terminal, with another port and the existing build. */
const type = (t: Test, line: string) =>
  typeOnTerminal(t, line, {
    ...{ HOME: directory, TMPDIR: directory, PORT: `${port}`, NO_COLOR: '1' },
    ...{ npm_config_ignore_scripts: 'true', npm_config_update_notifier: 'false' }
  })

const service = type(t, 'npm start')
const demo = (await service.shows(/(?<=Next, in another terminal: {2}).*npm run demo(?=\n)/)).trim()
const site = `http://localhost:${port}`

// Each of these is another user of the service and mostly waits, so they go side by side.
t.test('the first minutes', { jobs: 3 }, async (t) => {
  t.test('npm run demo -- --yes: collected, listed and revoked', { buffered: true }, async (t) => {
    const { screen, ended } = type(t, `${demo} -- --yes`)
    t.equal(await ended, 0, screen())
    for (const step of [
      `on the service at ${site}`,
      'Approved as demo-user.',
      / {2}demo {2}grantd-demo .* active, asking\n/,
      /DELETE .* 200 {2}revoked at/,
      /GET .* 401 {2}The jwt is not valid\./,
      'That is the whole life of a grant.'
    ]) {
      t.match(screen(), step)
    }
    t.notMatch(screen(), LOOKS_SECRET)
  })

  t.test('by hand in Chromium', { buffered: true }, async (t) => {
    const context = await openProfile(await launchChromium(t))
    // The tab counts its click events. Enter and Space on a button raise one too.
    await context.addInitScript(`addEventListener('click', ({ isTrusted }) => {
    if (isTrusted) sessionStorage.presses = Number(sessionStorage.presses ?? 0) + 1
  }, true)`)
    const complaints: string[] = []
    context.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    const page = await context.newPage()
    const title = () => page.locator('h1').innerText()

    await t.test(
      'five clicks, the one on the link included, and the page knows that the device has collected',
      async (t) => {
        // The link has the name localhost, as it has when the demo finds a service at the default port.
        const { screen, shows, ended } = type(t, demo.replace('localhost', '127.0.0.1'))
        const link = await shows(/(?<=Sign in at )\S+/)
        t.match(screen(), `Sign in at ${link} with any name`)
        await shows('Waiting for the decision')
        const [, code = ''] = /\?code=(.*)/.exec(link) ?? []

        await page.goto(link)
        await signInAs(page, 'ann')
        await page.locator('form[action="/device"] button').click()
        t.equal(await page.locator('.code').innerText(), code, 'to be compared')
        await page.locator('input[name=same]').check()
        await page.locator('button[value=approve]').click()
        t.equal(await title(), 'Approved')
        t.match(await page.locator('[role=status]').innerText(), 'Your device has it.')
        t.equal(1 + Number(await page.evaluate('sessionStorage.presses')), 5)
        await shows(`Your browser lists it at http://localhost:${port}/account/clients`)
        t.notMatch(screen(), 'DELETE', 'there is time to look')

        t.equal(await ended, 0, screen())
        t.match(screen(), 'Approved. The client has its JWT')
        t.match(screen(), /user +ann\n/)
        t.match(screen(), 'That is the whole life of a grant.')
        t.notMatch(screen(), LOOKS_SECRET)
      }
    )

    await t.test('Ctrl-C withdraws the request, and the page says so', async (t) => {
      const { shows, type: press, ended } = type(t, demo)
      const link = await shows(/(?<=Sign in at )\S+/)
      await page.goto(link)
      await page.locator('form[action="/device"] button').click()
      await shows('Waiting for the decision')
      press('\x03')
      await shows('The request is withdrawn.')
      t.equal(await ended, 130)
      await page.locator('input[name=same]').check()
      await page.locator('button[value=approve]').click()
      t.equal(await title(), 'Withdrawn')
      t.match(await page.locator('main').innerText(), 'Nothing was approved.')
    })
    t.match(complaints, [/the server responded with a status of 409/], 'that one page came with the status of an error')
    t.equal(complaints.length, 1)
  })

  t.test(
    'Firefox goes the same way on a telephone, and has nothing to complain about',
    { buffered: true },
    async (t) => {
      const api = apiClient(site)
      const { grant_code, user_code } = await api.start()
      const { page, press, textOf, complaints } = await openTab(await launchFirefox(t), 360, 640)

      await page.goto(`${site}/device`)
      t.equal(await page.evaluate('innerWidth'), 360)
      await page.type('input[name=name]', 'fox')
      await press('form[action="/login"] button')
      await page.type('input[name=user_code]', user_code.toLowerCase().replace('-', ''))
      await press('form[action="/device"] button')
      t.equal(await textOf('.code'), user_code)
      const { faults, lines } = await lookAtLayout(page)
      t.same(faults, [], 'nothing sticks out or lies on something else')
      t.ok(lines > 10)
      const bottom = await page.$eval('button[value=approve]', (button) => button.getBoundingClientRect().bottom)
      t.ok(bottom <= 2 * 640, `the answers are on the first two screens: ${bottom}`)
      await page.click('input[name=same]')
      await press('button[value=approve]')
      t.equal(await textOf('h1'), 'Approved')

      const { jwt: token } = (await api.poll(grant_code)).body
      await press('a[href="/device/done"]')
      t.match(await textOf('[role=status]'), 'Your device has it.')
      await press('main a[href="/account/clients"]')
      t.match(await textOf('.cards'), 'approved just now')
      t.equal((await api.call('GET', '/auth/clients', { token })).status, 200)
      await press('form[action$="/revoke"] button')
      t.match(await textOf('[role=status]'), /^Revoked\./)
      t.equal((await api.call('GET', '/auth/clients', { token })).status, 401)

      t.same(complaints, [])
      await page.evaluate("document.body.setAttribute('style', 'color: red')")
      while (complaints.length === 0) await page.evaluate('new Promise(requestAnimationFrame)')
      t.match(complaints, [/^blocked by style-src-attr/], 'which would have been told')
    }
  )
})

t.test('Ctrl-C stops the service', async (t) => {
  service.type('\x03')
  await service.ended
  t.match(service.screen(), 'Stopping: what is under way is answered first.')
  await t.rejects(fetch(`${site}/healthz`))
})
