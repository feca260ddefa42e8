/** `npm run demo`, as a person and as a script run it, and its polling client against a service that misbehaves. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { readCommand } from '../../examples/terminal-client/arguments.js'
import { type Browser, createBrowser } from '../../examples/terminal-client/browser.js'
import { createGrantClient, type Delay } from '../../examples/terminal-client/grant-client.js'
import { openInBrowser } from '../../examples/terminal-client/open-browser.js'
import { fillIn, type Page, readPage } from '../../examples/terminal-client/page.js'
import { PATIENT } from '../support/app.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'
import { startService } from '../support/service.js'
import { providersFile } from '../support/sign-in.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'

/** As it is built: `npm run demo` itself is typed by test/browser/first-five-minutes.test.ts. */
const MAIN = inRoot('dist/examples/terminal-client/main.js')
const USER_CODE = /[A-Z0-9]{4}-[A-Z0-9]{4}/
/** The beginning of a JWT, or a text as long as a grant code. */
const LOOKS_SECRET = /eyJ|[A-Za-z0-9_-]{40,}/

interface Stage {
  /** The address of the service, which may not run yet. */
  url: string
  port: number
  /** A temporary directory for this test alone. */
  directory: string
}

async function stage(t: Test): Promise<Stage> {
  const port = await freePort()
  return { url: `http://127.0.0.1:${port}`, port, directory: t.testdir({}) }
}

/** Runs the demo with no environment variables but the given ones. */
function runDemo(t: Test, { url, directory }: Stage, args: string[] = [], variables: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH, TMPDIR: directory, GRANTD_URL: url, POLL_INTERVAL_SECONDS: '1', ...variables }
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  // SIGINT lets the demo also end the service that it has started.
  t.teardown(async () => {
    child.kill('SIGTERM')
    await closed
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  let isClosed = false
  const closed = once(child, 'close').finally(() => {
    isClosed = true
  })
  return {
    child,
    output: () => output,
    /** Resolves to the match as soon as it is on the screen. Rejects if the demo ends before that. */
    async sees(pattern: RegExp): Promise<string> {
      for (;;) {
        // The output is complete only when its streams are closed.
        const isOver = isClosed
        const match = pattern.exec(output)
        if (match) return match[0]
        if (isOver) throw new Error(`${pattern} is not on the screen:\n${output}`)
        await sleep(25)
      }
    },
    async ends(): Promise<{ code: number | null; output: string }> {
      const [code] = await closed
      return { code, output }
    }
  }
}

async function isPortOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return isOpen
}

/** Checks that nothing is left of a service that the demo has started. */
async function isCleanedUp(t: Test, here: Stage): Promise<void> {
  t.equal(await isPortOpen(here.port), false, 'the port is closed')
  keepsNothing(t, here)
}

function keepsNothing(t: Test, { directory }: Stage): void {
  t.same(readdirSync(directory), [], 'no secret is written anywhere')
}

// Each of these tests has its own port and directory and mostly waits, so they run side by side.
t.test('with no service', { jobs: 3 }, async (t) => {
  t.test('--yes tells the whole story and leaves nothing behind', { buffered: true }, async (t) => {
    const here = await stage(t)
    const { code, output } = await runDemo(t, here, ['--yes']).ends()
    t.equal(code, 0)
    t.match(output, `a service of its own at ${here.url}`)
    t.match(output, USER_CODE)
    t.match(output, `http://localhost:${here.port}/device`)
    t.match(output, / {2}grantd-demo\n/, 'what the approver sees')
    t.match(output, / {2}place unknown · 127\.0\.0\.1\n/)
    t.match(output, 'Approved as demo-user.')
    t.match(output, /user +demo-user\n/)
    t.match(output, /client type +demo\n/)
    t.match(output, /issued +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n/)
    t.match(output, /expires +.*, after 30 days\n/)
    const cid = /client id +([0-9a-f-]{36})\n/.exec(output)?.[1]
    t.ok(cid)
    const row = output.split('\n').find((line) => line.trim().startsWith(`${cid?.slice(0, 8)} `))
    t.match(row, 'demo  grantd-demo')
    t.match(row, hostname().slice(0, 19))
    t.match(row, /127\.0\.0\.1 +active, asking/)
    t.match(output, /DELETE .* 200 {2}revoked at/)
    t.match(output, /GET .* 401 {2}The jwt is not valid\./)
    t.notMatch(output, LOOKS_SECRET)
    t.notOk(output.includes('\x1b'), 'plain text where there is no terminal')
    t.notMatch(output, /[▀▄█⠋]/)
    await isCleanedUp(t, here)
  })

  t.test('a second terminal approves, and needs no secret for it', { buffered: true }, async (t) => {
    const here = await stage(t)
    const demo = runDemo(t, here)
    const [, code = ''] = (await demo.sees(/demo -- approve \S+\n/)).match(/approve (\S+)/) ?? []
    t.match(demo.output(), `GRANTD_URL=${here.url} npm run demo -- approve ${code}`)
    t.match(demo.output(), `Sign in at http://localhost:${here.port}/device?code=${code} with any name`)
    keepsNothing(t, here)

    const second = await runDemo(t, here, ['approve', code.toLowerCase().replace('-', '')]).ends()
    t.equal(second.code, 0)
    t.ok(second.output.includes(hostname()), 'what the approver sees')
    t.match(second.output, 'Approved as demo-user.')
    t.notMatch(second.output, LOOKS_SECRET)

    const first = await demo.ends()
    t.equal(first.code, 0)
    t.match(first.output, 'That is the whole life of a grant.')
    t.notMatch(first.output, LOOKS_SECRET)
    await isCleanedUp(t, here)
  })

  t.test('a second terminal denies: 1, and a sentence', { buffered: true }, async (t) => {
    const here = await stage(t)
    const demo = runDemo(t, here)
    const code = (await demo.sees(/approve \S+\n/)).slice('approve '.length).trim()
    const wrong = await runDemo(t, here, ['deny', 'ZZZZ-ZZZZ']).ends()
    t.equal(wrong.code, 1)
    t.match(wrong.output, 'No request waits under ZZZZ-ZZZZ')
    const second = await runDemo(t, here, ['deny', code]).ends()
    t.equal(second.code, 0)
    t.match(second.output, 'Denied as demo-user.')

    const first = await demo.ends()
    t.equal(first.code, 1)
    t.match(first.output, 'Denied. Whoever looked at the request refused it; this client gets nothing.')
    await isCleanedUp(t, here)
  })

  t.test('Ctrl-C stops the service too', { buffered: true }, async (t) => {
    const here = await stage(t)
    const demo = runDemo(t, here)
    await demo.sees(/Waiting for the decision/)
    t.equal(await isPortOpen(here.port), true)
    demo.child.kill('SIGINT')
    const { code, output } = await demo.ends()
    t.equal(code, 130)
    t.match(output, 'Stopped.')
    await isCleanedUp(t, here)
  })

  t.test('a service that dies on the way ends the demo: 1', { buffered: true }, async (t) => {
    const here = await stage(t)
    const demo = runDemo(t, here)
    await demo.sees(/Waiting for the decision/)
    process.kill(serverOf(demo.child.pid), 'SIGKILL')
    const { code, output } = await demo.ends()
    t.equal(code, 1)
    t.match(output, 'The service of the demo ended by itself (SIGKILL)')
    await isCleanedUp(t, here)
  })
})

t.test('with a service that is running', async (t) => {
  const service = await startService(t, { POLL_INTERVAL_SECONDS: '1', SIGNING_ALG: 'EdDSA' })

  await t.test('Ctrl-C withdraws the request, and who looks at the question is told', async (t) => {
    const here = { ...service, directory: t.testdir({}) }
    const demo = runDemo(t, here, ['--open'], { PATH: here.directory })
    await demo.sees(/Waiting for the decision/)
    const person = createBrowser(new URL('/', service.url), AbortSignal.timeout(60_000))
    const question = await look(person, await demo.sees(USER_CODE))
    await demo.sees(/The browser could not be opened \(there is no (xdg-)?open here\): follow the link yourself\./)

    // npm passes on the Ctrl-C of a terminal, so the same signal arrives twice. Meanwhile nobody answers: a demo that had ended in between
    // would have no ear for the second one.
    service.process.kill('SIGSTOP')
    demo.child.kill('SIGINT')
    demo.child.kill('SIGINT')
    service.process.kill('SIGCONT')
    const { code, output } = await demo.ends()
    t.equal(code, 130)
    t.match(output, /The request is withdrawn\.\n[\s\S]*Stopped\./)
    const told = await send(person, question, 'device/confirm', { action: 'approve', same: 'yes' })
    t.match(told, { status: 409, heading: 'Withdrawn' })
    t.equal(await isPortOpen(service.port), true, 'the service goes on')
  })

  await t.test('that does not answer, Ctrl-C says so and ends all the same', async (t) => {
    let polls = 0
    const url = await serve(t, (request, response) => {
      // Polls and the withdrawal are never answered.
      if (/grant\/(token|revoke)/.test(request.url ?? '')) polls += 1
      else response.end(JSON.stringify(grantAnswer))
    })
    const demo = runDemo(t, { url, port: 0, directory: t.testdir({}) })
    await demo.sees(/Waiting for the decision/)
    while (polls === 0) await sleep(25)
    demo.child.kill('SIGTERM')
    const { code, output } = await demo.ends()
    t.equal(code, 143)
    t.match(output, 'The request could not be withdrawn: it ends by itself when its time is over.')
    t.match(output, 'Stopped.')
  })
})

t.test('with a service of somebody else', { jobs: 3 }, async (t) => {
  // One without sign-in by name: it has no pages, because its users have a dashboard.
  const variables = { PUBLIC_URL: 'https://grants.example.com', SIGNING_ALG: 'EdDSA', POLL_INTERVAL_SECONDS: '1' }
  const service = await startService(t, variables)

  t.test(
    'without its secret: --yes and approve say what is missing, a dashboard approves',
    { buffered: true },
    async (t) => {
      const here = { ...service, directory: t.testdir({}) }
      for (const args of [['--yes'], ['approve', 'BCDF-GHJK']]) {
        const { code, output } = await runDemo(t, here, args).ends()
        t.equal(code, 1)
        t.match(output, 'DASHBOARD_JWT_SECRET is not set')
        t.match(output, 'or decide on your dashboard')
      }

      const demo = runDemo(t, here, ['--qr'])
      await demo.sees(/Waiting for the decision/)
      t.match(demo.output(), 'Sign in at https://grants.example.com/device?code=')
      t.match(demo.output(), 'as you always do')
      t.match(demo.output(), /[▀▄█]{2}/, 'the QR code')
      const user_code = await demo.sees(USER_CODE)
      const approval = await fetch(`${service.url}/api/v0/auth/grant/approve`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await sessionOf('u-1')}`, 'content-type': 'application/json' },
        body: JSON.stringify({ user_code, action: 'approve' })
      })
      t.equal(approval.status, 200)
      const { code, output } = await demo.ends()
      t.equal(code, 0)
      t.match(output, /user +u-1\n/)
      t.equal(await isPortOpen(service.port), true, 'which goes on')
    }
  )

  t.test('with a secret that is not its own: 1, and says so', { buffered: true }, async (t) => {
    const here = { ...service, directory: t.testdir({}) }
    const { code, output } = await runDemo(t, here, ['approve', 'BCDF-GHJK'], {
      DASHBOARD_JWT_SECRET: 'another secret of thirty-two characters'
    }).ends()
    t.equal(code, 1)
    t.match(output, 'The service does not accept the session')
  })

  t.test(
    'over Redis, with pages and its secret: --yes goes through, and neither the grant code nor the JWT is shown',
    { buffered: true },
    async (t) => {
      const redis = await startRedis()
      t.teardown(() => redis.stop())
      const acme = { id: 'acme', name: 'Acme', issuer: 'https://acme.example', client_id: 'x', client_secret: 'y' }
      const service = await startService(t, {
        ...{ ...PATIENT, POLL_INTERVAL_SECONDS: '1', SIGNING_ALG: 'EdDSA', REDIS_URL: redis.url },
        PROVIDERS_FILE: providersFile(t, [acme])
      })
      const secrets = new Set<string>()
      // The proxy passes everything on and records what must stay secret.
      const proxy = await serve(t, async (request, response, body) => {
        const { authorization, 'content-type': type } = request.headers
        const answer = await fetch(service.url + request.url, {
          method: request.method ?? 'GET',
          headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
          ...(body && { body })
        })
        const text = await answer.text()
        const answerType = answer.headers.get('content-type') ?? ''
        if (answerType.startsWith('text/html')) t.match(text, 'Continue with Acme', 'the sign-in page')
        const { grant_code, jwt } = answerType.startsWith('application/json') ? JSON.parse(text) : {}
        for (const secret of [grant_code, jwt]) if (secret) secrets.add(secret)
        response.writeHead(answer.status, { 'content-type': answerType }).end(text)
      })
      const here = { url: proxy, port: 0, directory: t.testdir({}) }
      const { code, output } = await runDemo(t, here, ['--yes'], { DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }).ends()
      t.equal(code, 0, output)
      t.match(output, 'That is the whole life of a grant.')
      t.equal(secrets.size, 2)
      for (const secret of secrets) t.notOk(output.includes(secret))
      t.notMatch(output, LOOKS_SECRET)
    }
  )

  t.test('whose grant expires: 1, and a sentence', { buffered: true }, async (t) => {
    const url = await serve(t, answering([grantAnswer, { status: 'expired_token' }], /\/grant\//))
    const { code, output } = await runDemo(t, { url, port: 0, directory: t.testdir({}) }).ends()
    t.equal(code, 1)
    t.match(output, 'Expired. Nobody decided in time.')
  })

  t.test('whatever the requester calls itself, it does not write on the terminal', { buffered: true }, async (t) => {
    const client_metadata = { name: 'fine\x1b[2J\x1b[H\x07', hostname: 'left\u202eright\nclient  nice' }
    const resources = [{ identifier: 'https://a.example', name: 'Films\x1b[2J', host: 'a.example' }]
    const answers = [{ client_type: 'cli', client_metadata, resources }, { status: 'approve' }]
    const url = await serve(t, answering(answers, /\/grant\//))
    const here = { url, port: 0, directory: t.testdir({}) }
    const { code, output } = await runDemo(t, here, ['approve', 'X'], { DASHBOARD_JWT_SECRET: 'x' }).ends()
    t.equal(code, 0, output)
    t.match(output, /client +fine\n/)
    t.match(output, /machine +leftrightclient {2}nice\n/)
    t.match(output, /to use +Films \(a\.example\)\n/, 'nor what an API is called')
    for (const character of ['\x1b', '\x07', '\u202e']) t.notOk(output.includes(character))
  })

  t.test('that is no grantd: 1', { buffered: true }, async (t) => {
    const url = await serve(t, (_request, response) => response.end('<h1>It works!</h1>'))
    const { code, output } = await runDemo(t, { url, port: 0, directory: t.testdir({}) }).ends()
    t.equal(code, 1)
    t.match(output, 'whoever answers there is not grantd')
  })
})

t.test('wrong usage: 2, and how it is meant', async (t) => {
  const here = await stage(t)
  const wrong: [string[], Record<string, string>, string][] = [
    [['approve'], {}, 'approve takes one code'],
    [['approve', 'A', 'B'], {}, 'approve takes one code'],
    [['deny', 'A', '--yes'], {}, 'deny takes no options'],
    [['deny', 'A', '--open'], {}, 'deny takes no options'],
    [['dance'], {}, 'there is no command "dance"'],
    [['--fast'], {}, "'--fast'"],
    [[], { GRANTD_URL: 'http://grants.example.com' }, 'GRANTD_URL: expected an https URL'],
    [[], { GRANTD_URL: 'https://me:secret@grants.example.com' }, 'GRANTD_URL: expected an https URL'],
    [[], { GRANTD_URL: 'ftp://127.0.0.1' }, 'GRANTD_URL: expected an https URL']
  ]
  for (const [args, variables, sentence] of wrong) {
    t.match(
      faultOf(() => readCommand(args, variables)),
      sentence,
      args.join(' ')
    )
  }
  const [{ code, output }, help] = await Promise.all([
    runDemo(t, here, ['dance']).ends(),
    runDemo(t, here, ['--help']).ends()
  ])
  t.equal(code, 2)
  t.match(output, 'there is no command "dance"')
  t.match(output, 'usage: npm run demo')
  t.equal(help.code, 0)
  t.match(help.output, 'usage: npm run demo')
})

t.test('where nothing is said, the service is looked for at both addresses of this machine', async (t) => {
  const placesOf = (args: string[], env: Record<string, string>) => {
    const command = readCommand(args, env)
    return command.kind === 'help' ? [] : command.addresses.map(({ href }) => href)
  }
  const both = ['http://127.0.0.1:3333/', 'http://localhost:3333/']
  t.same(placesOf([], {}), both)
  t.same(placesOf(['approve', 'X'], {}), both)
  t.same(placesOf([], { GRANTD_URL: 'https://grants.example.com/at' }), ['https://grants.example.com/at/'])
})

t.test('the reader of pages', async (t) => {
  const url = new URL('http://localhost/device')
  const html = `<!doctype html><html lang="en"><body><h1>It&#39;s &lt;me&gt;</h1>
    <dl><div><dt>Calls itself</dt><dd><q><bdi>a &quot;b&quot; &amp;lt;</bdi></q></dd></div></dl>
    <form method="post" action="/login" class="stack"><input type="hidden" name="csrf" value="a&amp;b"/>
      <input name="name" required maxlength="64" title="a > b"/><input type="checkbox" name="same" value="yes" required/>
      <button type="submit" name="action" value="deny" formnovalidate>No</button>
      <button type="submit" name="action" value="approve">Yes</button><button type="submit">Go</button></form>
    <form method="post" action="https://elsewhere.example/"></form></body></html>`
  const page = readPage(200, url, html)
  const [form, away] = page.forms as [Page['forms'][0], Page['forms'][0]]
  t.match(page, { status: 200, heading: "It's <me>", facts: [['Calls itself', 'a "b" &lt;']] })
  t.equal(form.action.href, 'http://localhost/login')
  t.equal(`${fillIn(form, { name: 'ann', action: 'deny' })}`, 'csrf=a%26b&name=ann&action=deny')
  t.equal(`${fillIn(form, { name: '', same: 'yes', action: 'approve' })}`, 'csrf=a%26b&name=&same=yes&action=approve')
  t.throws(() => fillIn(form, { action: 'deny' }), /the form asks for "name"/)
  t.throws(() => fillIn(form, { name: 'ann', action: 'dance' }), /the form has no "action" that could be "dance"/)
  t.throws(() => fillIn(form, { name: 'ann', other: 'x' }), /the form has no "other"/)
  await t.rejects(createBrowser(url, AbortSignal.timeout(1_000)).send(away, {}), /lead away, to https:\/\/elsewhere/)
  await t.rejects(openInBrowser('file:///etc/passwd'), /no web page/)
  await t.rejects(openInBrowser('--help'), /no web page/)
})

t.test('the polling client', async (t) => {
  const pending = { status: 'authorization_pending' }
  const approved = { status: 'approved', jwt: 'a.b.c', token_type: 'bearer' }

  /**
   * Waits for a decision at a service that gives these answers in turn. The clock jumps, so the pauses (in seconds) are
   * exact.
   */
  async function wait(t: Test, answers: StubAnswer[], { expiresIn = 900, signal, heldSeconds = [] }: WaitParts = {}) {
    const answer = answering(answers)
    const held = [...heldSeconds]
    const apiUrl = await serve(t, (request, response, body) => {
      nowMs += (held.shift() ?? 0) * 1000
      preferences.push(request.headers.prefer)
      return answer(request, response, body)
    })
    const pauses: number[] = []
    const preferences: unknown[] = []
    const delays: Delay[] = []
    let nowMs = 0
    const clock = {
      nowMs: () => nowMs,
      sleep: async (ms: number) => {
        nowMs += ms
        pauses.push(ms / 1000)
      }
    }
    const client = createGrantClient({ apiUrl, clock })
    const grant = { ...grantAnswer, interval: 5, expires_in: expiresIn }
    const options = { onDelay: (delay: Delay) => delays.push(delay), ...(signal && { signal }) }
    return { decision: await client.waitForDecision(grant, options), pauses, preferences, delays }
  }

  t.test('polls at once, then waits before every poll as long as it was told', async (t) => {
    const { decision, pauses, delays } = await wait(t, [pending, pending, approved])
    t.same(decision, { kind: 'approved', token: 'a.b.c' })
    t.same(pauses, [5, 5])
    t.same(delays, [])
  })

  t.test('an answer that was held: what is left of the interval is waited, if anything', async (t) => {
    const held = reply(200, pending, { 'preference-applied': 'wait=30' })
    const { decision, pauses, preferences } = await wait(t, [held, held, pending, approved], {
      heldSeconds: [2, 30, 30]
    })
    t.match(decision, { kind: 'approved' })
    t.same(pauses, [3, 5], 'the third was answered at once by a service that holds nothing')
    t.same(preferences, ['wait=30', 'wait=30', 'wait=30', 'wait=30'])
  })

  t.test('slow_down: takes the interval over and keeps it', async (t) => {
    const slowDown = { status: 'slow_down', interval: 12 }
    const { pauses, delays } = await wait(t, [pending, slowDown, pending, pending, approved])
    t.same(pauses, [5, 12, 12, 12])
    t.same(delays, [{ kind: 'slow_down', pauseSeconds: 12 }])
  })

  t.test('slow_down without an interval: Retry-After, else five seconds more; never shorter', async (t) => {
    const { pauses } = await wait(t, [
      reply(200, { status: 'slow_down' }, { 'retry-after': '9' }),
      { status: 'slow_down' },
      { status: 'slow_down', interval: 1 },
      approved
    ])
    t.same(pauses, [9, 14, 14])
  })

  t.test('503 and 429: come back after Retry-After, then at the old pace', async (t) => {
    const { decision, pauses, delays } = await wait(t, [
      reply(503, { error: 'down' }, { 'retry-after': '30' }),
      pending,
      reply(429, { error: 'too many' }, { 'retry-after': '2' }),
      approved
    ])
    t.match(decision, { kind: 'approved' })
    t.same(pauses, [30, 5, 5])
    t.same(delays, [
      { kind: 'busy', pauseSeconds: 30 },
      { kind: 'busy', pauseSeconds: 5 }
    ])
  })

  t.test('Retry-After may be a date', async (t) => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString()
    const secondsLeft = () => (Date.parse(inAMinute) - Date.now()) / 1000
    const most = secondsLeft()
    const { pauses } = await wait(t, [reply(503, {}, { 'retry-after': inAMinute }), approved])
    const [pause = Number.NaN] = pauses
    // The pause is told in milliseconds and back.
    t.ok(pause >= secondsLeft() - 0.001 && pause <= most + 0.001, `${pause} s of ${most}`)
  })

  t.test('a dropped connection, a proxy that fails: backs off, and recovers', async (t) => {
    const { decision, pauses, delays } = await wait(t, [
      'drop',
      'drop',
      reply(502, '<html>'),
      'drop',
      'drop',
      pending,
      'drop',
      approved
    ])
    t.match(decision, { kind: 'approved' })
    t.same(pauses, [10, 20, 40, 60, 60, 5, 10])
    t.match(delays[0], { kind: 'unreachable', pauseSeconds: 10 })
  })

  t.test('the ends: denied, expired, out of time', async (t) => {
    t.same((await wait(t, [pending, { status: 'access_denied' }])).decision, { kind: 'denied' })
    t.same((await wait(t, [pending, { status: 'expired_token' }])).decision, { kind: 'expired' })
    // The client's own clock ends the wait if the service never answers. The last poll comes when the time is over.
    const { decision, pauses } = await wait(t, ['drop', 'drop', 'drop'], { expiresIn: 20 })
    t.same(decision, { kind: 'expired' })
    t.same(pauses, [10, 10])
  })

  t.test('what makes no sense is an error, at once', async (t) => {
    await t.rejects(wait(t, [reply(400, { error: 'Grant_code is missing.' })]), /refused: 400 Grant_code is missing/)
    await t.rejects(wait(t, [reply(302, '', { location: 'http://127.0.0.1:1/' })]), /refused: 302/)
    await t.rejects(wait(t, [{ status: 'perhaps' }]), /means nothing to this client/)
    await t.rejects(wait(t, [{ status: 'approved' }]), /means nothing to this client/)
  })

  t.test('a signal ends the wait', async (t) => {
    const signal = AbortSignal.abort(new Error('enough'))
    await t.rejects(wait(t, [pending], { signal }), { message: 'enough' })
  })

  t.test('a withdrawal is told with the grant code alone, and a refusal says why', async (t) => {
    const asked: unknown[] = []
    const answer = answering([{ status: 'revoked' }, reply(429, { error: 'Too many requests.' })])
    const apiUrl = await serve(t, (request, response, body) => {
      asked.push([request.method, request.url, JSON.parse(body)])
      return answer(request, response, body)
    })
    const client = createGrantClient({ apiUrl })
    await client.withdraw(grantAnswer)
    t.same(asked, [['POST', '/auth/grant/revoke', { grant_code: grantAnswer.grant_code }]])
    await t.rejects(client.withdraw(grantAnswer), /could not be withdrawn: 429 Too many requests\./)
  })

  t.test('a refused start says why', async (t) => {
    const apiUrl = await serve(t, answering([reply(429, { error: 'Too many requests.' }, { 'retry-after': '7' })]))
    await t.rejects(createGrantClient({ apiUrl }).start({ client_type: 'demo' }), /429 Too many requests\./)
  })
})

function faultOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return String(error)
  }
  throw new Error('there was no fault')
}

/** Signs a user in, enters a code, and returns the consent page. */
async function look(person: Browser, code: string): Promise<Page> {
  await send(person, await person.open('login'), 'login', { name: 'ann' })
  const question = await send(person, await person.open('device'), 'device', { user_code: code })
  if (question.status !== 200) throw new Error(`no question: ${question.status} ${question.heading}`)
  return question
}

async function send(person: Browser, page: Page, path: string, answers: Record<string, string>): Promise<Page> {
  const form = person.formOf(page, path)
  if (!form) throw new Error(`no form leads to ${path} from ${page.heading}`)
  return person.send(form, answers)
}

/** Returns the pid of the service that a demo has started: the child that runs the server. */
function serverOf(pid: number | undefined): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const server = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('server.js'))
  if (server === undefined) throw new Error('the demo has started no service')
  return Number(server)
}

interface WaitParts {
  expiresIn?: number
  signal?: AbortSignal
  /** The time that the service takes for each answer. */
  heldSeconds?: number[]
}

interface Reply {
  reply: { status: number; body: unknown; headers: Record<string, string> }
}

/** An object is a 200 with that body; "drop" closes the connection without an answer. */
type StubAnswer = Record<string, unknown> | Reply | 'drop'

const reply = (status: number, body: unknown, headers: Record<string, string> = {}): Reply => ({
  reply: { status, body, headers }
})

const grantAnswer = {
  grant_code: 'the-code-of-the-grant',
  user_code: 'BCDF-GHJK',
  verification_uri: 'http://localhost/device',
  verification_uri_complete: 'http://localhost/device?code=BCDF-GHJK',
  expires_in: 900,
  interval: 0
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => unknown

/** Starts a stub service on the loopback and returns its address. */
async function serve(t: Test, handler: Handler): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    await handler(request, response, body)
  }).listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** Answers matching requests with these answers in turn, and all others with an empty one. */
function answering(answers: StubAnswer[], about = /./): Handler {
  const left = [...answers]
  return (request, response) => {
    const answer = about.test(request.url ?? '') ? (left.shift() ?? reply(500, 'no answer is left')) : {}
    if (answer === 'drop') return response.destroy()
    const { status, body, headers } = isReply(answer) ? answer.reply : { status: 200, body: answer, headers: {} }
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    return response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

const isReply = (answer: Exclude<StubAnswer, 'drop'>): answer is Reply => 'reply' in answer
