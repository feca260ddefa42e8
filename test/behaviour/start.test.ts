/**
 * Checks what the service says at its start: a banner on a terminal, JSON lines elsewhere, and the reason if it cannot
 * start.
 */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { loadConfig } from '../../src/config/load-config.js'
import { bannerOf, startWarnings, styleFor } from '../../src/process/banner.js'
import { startErrorSentence } from '../../src/process/start-error.js'
import { readable } from '../../src/process/terminal-log.js'
import { interruptHandler } from '../../src/stop.js'
import { freePort } from '../support/ports.js'
import { runOnTerminal, runProgram } from '../support/programs.js'
import { inRoot } from '../support/root.js'
import { startService } from '../support/service.js'
import { until } from '../support/until.js'

const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
const SECRETS = { GRANTD_SECRET: 'canary-g'.repeat(5), DASHBOARD_JWT_SECRET: 'canary-d'.repeat(5) }
const ESC = '\u001b'

/** Waits until a service answers on the port, however long it takes to start. */
async function isUp(port: number): Promise<void> {
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ ok }) => ok,
      () => false
    )
  while (!(await answers())) await sleep(50)
}
const ends = 'Ctrl-C stops the service.\n\n'

// Each has its own service, so they run side by side.
t.jobs = 3

t.test('a log that nobody reads is dropped and counted, and the service goes on', async (t) => {
  const service = await startService(t, { LOG_LEVEL: 'debug', LIMITS: 'off', SIGNING_ALG: 'EdDSA' })
  const { stdout } = service.process
  const get = async (path: string) => (await fetch(service.url + path)).text()
  const dropped = async () => Number(/^grantd_log_lines_dropped_total (\d+)$/m.exec(await get('/metrics'))?.[1])
  const crowd = () => Promise.all(Array.from({ length: 300 }, () => get('/healthz')))
  /** Asks as often, ten times on each connection without a wait in between: some ten thousand lines are to be logged. */
  const askOften = async () => {
    const asked = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n'
    const askTen = () => {
      const socket = connect(service.port, '127.0.0.1')
      socket.write(`${`${asked}\r\n`.repeat(9)}${asked}connection: close\r\n\r\n`)
      return text(socket)
    }
    const answers = await Promise.all(Array.from({ length: 30 }, askTen))
    t.equal(answers.join('').split('HTTP/1.1 200 OK').length, 301, 'each is answered')
  }
  /** Has requests logged until lines are dropped. */
  const overflow = async () => {
    const before = await dropped()
    for (let rounds = 0; rounds < 100 && (await dropped()) === before; rounds++) await askOften()
    t.ok((await dropped()) > before, 'lines are dropped')
  }
  t.equal(await dropped(), 0)

  stdout?.pause()
  await overflow()
  // Everything that is logged from here on is dropped, and every request is answered.
  const before = await dropped()
  t.same([...new Set(await crowd())], [await get('/healthz')])
  t.ok((await dropped()) >= before + 300)

  const read = service.output().length
  stdout?.resume()
  await until(async () => service.output().includes('log lines are missing: nobody read them in time'))
  const waited = service.output().length - read
  t.ok(waited < 2 * 1024 * 1024, `${waited} bytes had waited in the pipe and in memory`)
  const last = service
    .output()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .findLast((line) => line.dropped)
  t.ok(last.dropped >= before + 300 && last.level === 40, `${last.dropped} are missing`)

  stdout?.pause()
  await overflow()
  t.equal(await service.stop(), 0, 'nor does it keep the service from stopping')
})

t.test('a log whose reader has gone does not end the service', async (t) => {
  const service = await startService(t, { LOG_LEVEL: 'debug', SIGNING_ALG: 'EdDSA' })
  service.process.stdout?.destroy()
  for (let i = 0; i < 20; i++) t.equal((await fetch(`${service.url}/healthz`)).status, 200)
  t.match(await (await fetch(`${service.url}/metrics`)).text(), /^grantd_log_lines_dropped_total [1-9]/m)
  t.equal(await service.stop(), 0)
})

t.test('on a terminal: where it is, what it keeps its state in, what to do next, and nothing else', async (t) => {
  const port = await freePort()
  const variables = { PORT: `${port}`, NO_COLOR: '1' }
  const { screen, shows, type, ended } = runOnTerminal(t, 'cli.js', ['serve'], variables)
  await shows(ends)
  const url = `http://localhost:${port}`
  t.equal(
    screen(),
    `
  grantd ${version}

  Pages       ${url}/
  Docs        ${url}/docs
  State       in the memory of this process, for trying out: it ends with it
  Log         what goes wrong; with LOG_LEVEL=info every request as well

  ! For trying out only: GRANTD_SECRET and DASHBOARD_JWT_SECRET are made up for the life of this process.

  Next, in another terminal:  GRANTD_URL=${url} npm run demo
  ${ends}`
  )
  const before = screen()
  t.equal((await fetch(`http://127.0.0.1:${port}/api/v0/auth/clients`)).status, 401)
  t.equal((await fetch(`http://127.0.0.1:${port}/docs`)).status, 200)
  type('\x03')
  t.equal(await ended, 0)
  const after = screen().slice(before.length).replaceAll('^C', '')
  t.equal(after, '\n  Stopping: what is under way is answered first.\n')
})

t.test('Ctrl-C stops; what npm hands on of it once more is ignored, and another one ends it at once', async (t) => {
  let nowMs = 5
  const done: string[] = []
  const interrupt = interruptHandler(
    () => done.push('stop'),
    () => done.push('abort'),
    () => nowMs
  )
  interrupt()
  nowMs += 999
  interrupt()
  t.strictSame(done, ['stop'])
  nowMs += 1
  interrupt()
  t.strictSame(done, ['stop', 'abort'])
})

t.test('whoever does not want to wait for the end presses Ctrl-C again', async (t) => {
  const variables = { PORT: `${await freePort()}`, SHUTDOWN_DELAY_SECONDS: '60' }
  const { shows, type, ended } = runOnTerminal(t, 'server.js', [], variables)
  await shows(ends)
  const pressing = setInterval(() => type('\x03'), 300)
  t.equal(await ended, 1)
  clearInterval(pressing)
})

t.test(
  'with LOG_LEVEL it logs what is asked for, in lines that can be read; with colours where there are some',
  async (t) => {
    const port = await freePort()
    const { screen, shows } = runOnTerminal(t, 'cli.js', ['serve'], { PORT: `${port}`, LOG_LEVEL: 'info' })
    await shows(ends)
    t.match(screen(), `${ESC}[1mgrantd ${version}${ESC}[22m`)
    t.notMatch(screen(), 'LOG_LEVEL')
    await fetch(`http://127.0.0.1:${port}/api/v0/auth/clients?user_code=canary`)
    await shows('answered')
    const plain = screen().replaceAll(new RegExp(`${ESC}\\[\\d+m`, 'g'), '')
    t.match(
      plain,
      /^\d\d:\d\d:\d\d info {2}answered reqId=\S+ method=GET route=\/api\/v0\/auth\/clients status=401 ms=\S+$/m
    )
    t.notMatch(plain, /[{}]|canary/)
  }
)

t.test('with LOG_LEVEL=silent it says nothing', async (t) => {
  const port = await freePort()
  const { screen, type, ended } = runOnTerminal(t, 'cli.js', ['serve'], { PORT: `${port}`, LOG_LEVEL: 'silent' })
  await isUp(port)
  type('\x03')
  t.equal(await ended, 0)
  t.equal(screen().replace('^C', ''), '')
})

t.test('anywhere else every line is JSON, and there is no banner', async (t) => {
  const service = await startService(t, { GRANTD_SECRET: '', DASHBOARD_JWT_SECRET: '' })
  await until(async () => service.output().includes('for trying out'))
  const lines = service.output().trimEnd().split('\n')
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { level: 30, msg: `Server listening at ${service.url}` },
      {
        level: 40,
        msg: 'for trying out only: GRANTD_SECRET and DASHBOARD_JWT_SECRET made up for the life of this process, which keeps everything in its own memory'
      }
    ]
  )
  t.equal(lines.length, 2)
})

t.test('a port that is taken is one sentence, and code 1', async (t) => {
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const variables = { PORT: `${port}` }
  const sentence = `grantd: 127.0.0.1:${port} is taken: stop the program that listens there, or set PORT to a free port, such as PORT=${port + 1}\n`
  const onTerminal = runOnTerminal(t, 'cli.js', ['serve'], variables)
  const elsewhere = await runProgram('cli.js', ['serve'], variables)
  t.equal(await onTerminal.ended, 1)
  t.equal(onTerminal.screen(), sentence)
  t.match(elsewhere, { code: 1, stderr: sentence })
  t.match(JSON.parse(elsewhere.stdout), { level: 60, msg: 'could not start', err: { message: /EADDRINUSE/ } })
})

t.test('so is an address of another machine', async (t) => {
  const { code, stdout, stderr } = await runProgram('server.js', [], { HOST: '192.0.2.1' })
  t.equal(code, 1)
  t.match(stderr, /^grantd: 192\.0\.2\.1 is no address of this machine: set HOST to one[^\n]*\n$/)
  t.match(JSON.parse(stdout), { level: 60, err: { message: /EADDRNOTAVAIL/ } })
})

t.test('every reason why it cannot listen says what to set', async (t) => {
  const failing = (code: string, syscall = 'listen') =>
    Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
  const said = (error: unknown, host = '127.0.0.1', port = 80) => startErrorSentence(error, { host, port })
  t.match(said(failing('EACCES')), /^127\.0\.0\.1:80 may not be listened on by this user: set PORT to 1024 or more/)
  t.match(said(failing('EADDRINUSE'), '::', 65_535), /^\[::\]:65535 is taken: .* such as PORT=65534$/)
  t.match(said(failing('EAFNOSUPPORT'), '::1'), /^::1 is no address of this machine: set HOST/)
  for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
    t.match(said(failing(code, 'getaddrinfo'), 'here'), /^here is neither an address nor a name .*: set HOST/)
  }
  t.equal(said(failing('EACCES', 'open')), 'could not start: open EACCES', 'of something else')
  t.equal(said('odd'), 'could not start: odd')
})

t.test('what the banner says of other configurations, and never a secret', async (t) => {
  const say = (variables: Record<string, string>, isCheckout = true) => {
    const config = loadConfig({ ...SECRETS, ...variables })
    const facts = { version, config, port: config.port || 4321, isCheckout, isQuietByDefault: false }
    return bannerOf(facts, styleFor(false))
  }
  const redis = 'redis://canary-user:canary-password@127.0.0.1:6379'
  const missing =
    '! Clients send people to http://localhost:3333/device, which is not there: set PROVIDERS_FILE, or VERIFICATION_URI to a page of yours.'
  const unset =
    '! PUBLIC_URL is not set: clients are sent to http://localhost:3333, which leads nowhere from another machine.'
  const plain = say({ REDIS_URL: redis })
  for (const part of ['State       in Redis\n', missing, unset, 'Service     http://localhost:3333/\n'])
    t.match(plain, part)
  t.match(say({}), '\n  Next, in another terminal:  npm run demo\n', 'which looks at the default port by itself')
  t.notMatch(say({}), '!', 'nothing is amiss')

  const named = say({
    REDIS_URL: redis,
    PUBLIC_URL: 'https://grants.example.com/x/',
    VERIFICATION_URI: 'https://example.com/go'
  })
  t.match(named, 'https://grants.example.com/x/openapi.json\n  Listens on  127.0.0.1:3333\n')
  t.notMatch(named, '!')
  t.match(say({ HOST: '::', PORT: '0' }), 'http://localhost:4321/docs\n  Listens on  [::]:4321\n')
  t.match(say({ REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'x' }), 'in Redis, behind Sentinels\n')
  t.match(say({ REDIS_CLUSTER: 'a:1', REDIS_PASSWORD: 'canary' }), 'in a Redis Cluster\n')
  t.match(say({}, false), 'curl -d client_id=cli http://localhost:3333/oauth/device_authorization\n')
  t.notMatch([plain, named, say({}, false)].join(''), 'canary')
  const [warning] = startWarnings(loadConfig({ DASHBOARD_JWT_SECRET: SECRETS.DASHBOARD_JWT_SECRET }))
  t.match(warning?.sentence, 'GRANTD_SECRET is made up')
})

t.test('a line of the log on a terminal: its error below it, and no control character of anybody', async (t) => {
  const line = {
    level: 50,
    time: 0,
    pid: 1,
    hostname: 'vm',
    route: `/${ESC}[2J`,
    err: { stack: `Error: a\n  at b${ESC}c` }
  }
  t.match(
    readable(JSON.stringify({ ...line, msg: 'bell\u0007 \u009b1m' }), false),
    /^\d\d:\d\d:\d\d error bell\\x07 \\x9b1m route=\/\\x1b\[2J\n {4}Error: a\n {6}at b\\x1bc$/
  )
  t.match(readable(JSON.stringify(line), true), `${ESC}[31merror${ESC}[39m`)
  t.match(readable('{"level":35,"time":0,"status":200}', false), /^\S+ 35 {5}status=200$/)
})
