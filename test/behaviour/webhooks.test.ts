/** Events reach the receivers of WEBHOOKS_FILE, whatever receivers and instances do, and nobody who asks the service waits for them. */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { PATIENT, startApp } from '../support/app.js'
import { type ApiClient, apiClient } from '../support/client.js'
import { startConnectedApp } from '../support/oauth-app.js'
import { runProgram } from '../support/programs.js'
import { type ReceivedEvent, type Receiver, startReceiver, WEBHOOK_SECRET } from '../support/receiver.js'
import { freePort, startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

const GRANTD_SECRET = 'keys at rest are sealed under this secret'

function webhooksFile(t: Test, ...entries: object[]): string {
  const file = join(t.testdir(), 'webhooks.json')
  writeFileSync(file, JSON.stringify(entries))
  return file
}

/** Takes 30 seconds, twice as long as anybody waits for it. */
const slowly = (_request: unknown, response: { end(): void }) => void setTimeout(() => response.end(), 30_000).unref()

const idsOf = (events: readonly ReceivedEvent[]) => events.map(({ id }) => id.slice(0, id.indexOf('_')))
const isAfter = (one: string, other: string) => {
  const [a, b] = [one, other].map((id) => id.split('-').map(Number))
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0)
}

/** Whether the first arrivals of the events of one authorization, and of one grant, are in the order of the trail. */
function isInOrder(got: readonly ReceivedEvent[]): boolean {
  const seen = new Set<string>()
  const last = new Map<string, string>()
  return got.every(({ id, data }) => {
    const eventId = id.slice(0, id.indexOf('_'))
    if (seen.has(id)) return true
    seen.add(id)
    return [data.authorization_id, data.grant_id].every((key) => {
      if (!key) return true
      const before = last.get(key)
      last.set(key, eventId)
      return before === undefined || isAfter(eventId, before) > 0
    })
  })
}

// These wait more than they work, for leases and rests of real time, and share nothing: they run side by side.
t.jobs = 4
const beside = (title: string, run: (t: Test) => Promise<void>) => t.test(title, { buffered: true }, run)

beside('two instances, every kind of receiver, and a kill -9 of the instance that delivers', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const names = ['well', 'slow', 'ill', 'gone', 'redirecting', 'killed'] as const
  const receivers = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await startReceiver(t)] as const))
  ) as Record<(typeof names)[number], Receiver>
  receivers.slow.answers(slowly)
  receivers.ill.answers(500)
  receivers.gone.answers(410)
  receivers.redirecting.answers((_request, response) => response.writeHead(307, { location: receivers.well.url }).end())
  await receivers.killed.down()
  const variables = {
    ...PATIENT,
    REDIS_URL: redis.url,
    LIMITS: 'off',
    SIGNING_ALG: 'ES256',
    WEBHOOKS_FILE: webhooksFile(t, ...names.map((name) => receivers[name].entry(name)))
  }
  const services = await Promise.all([startService(t, variables), startService(t, variables)])
  const apis = services.map(({ url }) => apiClient(url))
  const metric = async (i: number, name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await apis[i]?.call('GET', '/metrics'))?.body)?.[1] ?? Number.NaN)
  const deliveredBy = (i: number) => metric(i, 'grantd_webhook_attempts_total\\{webhook="well",outcome="delivered"\\}')

  async function wholeGrant(i: number): Promise<void> {
    const api = apis[i] as ApiClient
    const { grant_code, user_code } = await api.start()
    await api.decide(user_code, 'ann')
    const { jwt } = (await api.poll(grant_code)).body
    const { data } = (await api.call('GET', '/auth/clients', { token: jwt })).body
    await api.call('DELETE', `/auth/clients/${data[0].id}`, { token: jwt })
  }
  const trail = async () => (await redis.client.xrange('grantd:events', '-', '+')).map(([id]) => id)
  const hasAll = async ({ got }: Receiver) => {
    const [there, all] = [new Set(idsOf(got)), await trail()]
    return all.length > 0 && all.every((id) => there.has(id))
  }

  const startedAt = performance.now()
  for (let i = 0; i < 10; i++) await wholeGrant(i % 2)
  await until(() => hasAll(receivers.well))
  t.ok(receivers.well.got.length >= 30, `${receivers.well.got.length} events`)

  await t.test('a bad receiver keeps no other from its events, and each is told apart', async (t) => {
    t.ok(isInOrder(receivers.well.got))
    t.same(
      [receivers.gone, receivers.ill, receivers.redirecting].map(({ got }) => got.length),
      [0, 0, 0]
    )
    await until(async () => receivers.gone.attempts.length > 0)
    // An attempt is given up after fifteen seconds, and another may follow.
    const most = 8 * (1 + Math.floor((performance.now() - startedAt) / 15_000))
    t.ok(receivers.slow.attempts.length <= most, `${receivers.slow.attempts.length} attempts, of 8 at a time`)
  })

  const deliverers = await Promise.all([deliveredBy(0), deliveredBy(1)])
  const leader = (deliverers[0] ?? 0) > 0 ? 0 : 1
  const rest = 1 - leader

  await t.test('one instance delivers', async (t) => {
    t.equal(deliverers[rest], 0)
    t.ok((deliverers[leader] ?? 0) >= 30)
    t.ok((await metric(leader, 'grantd_webhook_oldest_seconds')) > 0)
    t.equal(await metric(leader, 'grantd_webhook_stopped'), 1)
    const unreachable = 'grantd_webhook_attempts_total\\{webhook="killed",outcome="unreachable"\\}'
    await until(async () => (await metric(leader, unreachable)) >= 3)
  })

  // Some are on their way when it dies, and the others happen while nobody delivers.
  const dying = Promise.all(Array.from({ length: 10 }, () => wholeGrant(rest)))
  process.kill(services[leader]?.process.pid as number, 'SIGKILL')
  await dying
  receivers.ill.answers(undefined)
  await receivers.killed.up()

  await t.test('the other takes over: every event at least once, in order per authorization', async (t) => {
    for (const name of ['well', 'ill', 'killed'] as const) {
      await until(() => hasAll(receivers[name]))
      t.ok(isInOrder(receivers[name].got), name)
    }
    t.ok((await deliveredBy(rest)) > 0)
  })

  const env = { ...variables, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, GRANTD_SECRET }
  const grantd = (...args: string[]) => runProgram('cli.js', ['webhooks', ...args], env)

  await t.test('an operator sees it, and lets the one go on that was gone', async (t) => {
    const { stdout, code } = await grantd('list', '--json')
    t.equal(code, 0)
    const byId = Object.fromEntries(JSON.parse(stdout).map((one: { id: string }) => [one.id, one]))
    t.match(byId, { gone: { state: 'stopped' }, well: { state: 'running', waiting: 0, failed: 0, gaps: [] } })
    t.ok(byId.redirecting.waiting > 0)
    t.notMatch(stdout, 'a-secret-of-the-path')
    t.match((await grantd('list')).stdout, /^gone .* stopped since /m)
    const before = receivers.gone.attempts.length
    receivers.gone.answers(undefined)
    t.same(await grantd('resume', 'nobody'), { code: 1, stdout: '', stderr: 'grantd: there is no webhook nobody\n' })
    t.equal(receivers.gone.attempts.length, before, 'nothing is sent until then')
    t.equal((await grantd('resume', 'gone')).stdout, 'gone goes on\n')
    await until(() => hasAll(receivers.gone))
    t.ok(isInOrder(receivers.gone.got))
  })

  await t.test('no log says a secret', async (t) => {
    const output = services.map((service) => service.output()).join('')
    t.match(output, /"webhook":"gone"/)
    t.match(output, /"webhook":"redirecting"/)
    t.match(output, /"webhook":"killed","outcome":"unreachable","code":"ECONNREFUSED"/)
    for (const secret of ['a-secret-of-the-path', WEBHOOK_SECRET]) t.notOk(output.includes(secret))
  })
})

beside('what was given up after three days is listed, and sent again when an operator says so', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const receiver = await startReceiver(t, { isAnyTime: true })
  receiver.answers(503)
  const WEBHOOKS_FILE = webhooksFile(t, receiver.entry('billing', ['grant.started']))
  const service = await startConnectedApp(t, { REDIS_URL: redis.url, WEBHOOKS_FILE, SIGNING_ALG: 'ES256' })
  await service.start()
  await service.start()
  const counted = async (what: string) => {
    const metrics: string = (await service.call('GET', '/metrics')).body
    return Number(
      metrics
        .split('\n')
        .find((line) => line.startsWith(`grantd_webhook_${what}} `))
        ?.split(' ')[1] ?? 0
    )
  }
  const refused = () => counted('attempts_total{webhook="billing",outcome="refused"')
  const givenUp = () => counted('given_up_total{webhook="billing"')
  // Both have begun their three days before the clock moves, and it moves when the service, not the receiver alone, has seen them fail.
  await until(async () => (await refused()) >= 2)
  while ((await givenUp()) < 2) {
    const before = await refused()
    service.clock.advance(43_200_000)
    await until(async () => (await refused()) >= before + 2 || (await givenUp()) === 2)
  }
  const env = { ...PATIENT, REDIS_URL: redis.url, WEBHOOKS_FILE, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, GRANTD_SECRET }
  const grantd = (...args: string[]) => runProgram('cli.js', ['webhooks', ...args], env)
  const [listed, shown] = await Promise.all([grantd('failed', '--json'), grantd('failed')])
  const failed = JSON.parse(listed.stdout)
  t.match(failed, [
    { type: 'grant.started', outcome: 'refused' },
    { type: 'grant.started', outcome: 'refused' }
  ])
  t.match(shown.stdout, /^\d+-\d+_billing {2}grant\.started of .*, the last one refused$/m)
  receiver.answers(undefined)
  t.equal((await grantd('resend', failed[0].id)).stdout, 'sent again: 1\n')
  service.clock.advance(2_000)
  await until(async () => receiver.got.length === 1)
  t.equal(receiver.got[0]?.id, failed[0].id, 'under its id')
  t.match(await grantd('resend', failed[0].id), { code: 1, stderr: /no failed delivery has the id/ })
  t.equal((await grantd('resend', '--all', '--json')).stdout, '{"resent":1}\n')
  service.clock.advance(2_000)
  await until(async () => receiver.got.length === 2)
  t.equal((await grantd('failed')).stdout, 'nothing was given up\n')
})

beside('the receiver of docs/webhooks.md takes what is sent, and nothing else', async (t) => {
  const [, code = ''] = /^```js\n([\s\S]*?)^```$/m.exec(readFileSync(inRoot('docs/webhooks.md'), 'utf8')) ?? []
  const file = join(t.testdir(), 'receiver.mjs')
  writeFileSync(file, code)
  const port = await freePort()
  const env = { PATH: process.env.PATH, WEBHOOK_SECRET, PORT: `${port}` }
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  const url = `http://127.0.0.1:${port}/`
  const post = () => fetch(url, { method: 'POST', body: '{"type":"user.blocked"}' }).then(({ status }) => status)
  await until(async () => (await post().catch(() => 0)) === 401)
  const entry = { url, secret: WEBHOOK_SECRET, types: ['grant.*'], internal: true }
  const service = await startApp(t, { WEBHOOKS_FILE: webhooksFile(t, entry) })
  const { user_code } = await service.start()
  await service.decide(user_code, 'ann')
  await until(async () => output.includes('grant.approved'))
  t.match(output, /^grant\.started \S+ null$/m)
  t.match(output, /^grant\.approved \S+ ann$/m)
  t.notMatch(output, 'user.blocked')
})

beside('without WEBHOOKS_FILE nothing is there and nothing is asked for', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startConnectedApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'ES256' })
  await service.start()
  t.equal(service.app.core.webhooks, undefined)
  t.same(
    (await redis.client.keys('*')).filter((key) => /webhook/.test(key)),
    []
  )
  const env = { ...PATIENT, REDIS_URL: redis.url, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, GRANTD_SECRET }
  t.match(await runProgram('cli.js', ['webhooks', 'list'], env), { code: 1, stderr: /set WEBHOOKS_FILE/ })
})
