/**
 * The deployed stack: docker-compose.yml as Debian's docker-compose reads it, and its topology without Docker. nginx
 * with deploy/nginx.conf is in front of two built instances over one Redis; instances are restarted and killed.
 */

import { execFile } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { parse } from 'yaml'
import { EnvironmentSchema } from '../../schemas/config.js'
import { loadConfig } from '../../src/config/load-config.js'
import { LONGEST_WAIT_SECONDS } from '../../src/core/grants/held-polls.js'
import { PATIENT, startApp } from '../support/app.js'
import { approve, launchChromium, openProfile, signInAs, typeCode } from '../support/browser.js'
import { type ApiClient, apiClient, claimsOf } from '../support/client.js'
import { FORWARDED_NODES } from '../support/forwarded-addresses.js'
import { HAPROXY_CFG, startHaproxy } from '../support/haproxy.js'
import { NGINX_CONF, startBareNginx, startNginx } from '../support/nginx.js'
import { DEVICE_CODE } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { raw } from '../support/raw-request.js'
import { startRedis } from '../support/redis-server.js'
import { root } from '../support/root.js'
import { type Service, startService } from '../support/service.js'
import { sessionOf } from '../support/tokens.js'
import { until } from '../support/until.js'

interface Run {
  code: number
  stdout: string
  stderr: string
}

function run(command: string, args: string[], variables: Record<string, string>): Promise<Run> {
  const env = { PATH: process.env.PATH, ...variables }
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: root, env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    )
  })
}

const directory = await mkdtemp(join(tmpdir(), 'grantd-compose-'))
t.teardown(() => rm(directory, { recursive: true, force: true }))
// An empty file replaces an .env that may lie in the checkout.
const noEnv = join(directory, 'empty.env')
await writeFile(noEnv, '')
const secrets = { GRANTD_SECRET: 'g'.repeat(40) }
/** What docker-compose makes of docker-compose.yml with these variables. */
const config = (variables: Record<string, string>) => run('docker-compose', ['--env-file', noEnv, 'config'], variables)
/** With the one secret alone. */
const composed = await config(secrets)

// Each has its own instances and proxies, so they run side by side.
t.jobs = 3

t.test('docker-compose.yml', async (t) => {
  await t.test('is accepted with its one secret, and says what the stack relies on', async (t) => {
    const { code, stdout, stderr } = composed
    t.equal(code, 0, stderr)
    const { services, networks } = parse(stdout)
    t.same(Object.keys(services).sort(), ['grantd-1', 'grantd-2', 'load', 'nginx', 'redis'])
    t.same(services.load.profiles, ['load'], 'the load runs only when it is asked for')

    const [subnet] = networks.edge.ipam.config.map(({ subnet }: { subnet: string }) => subnet)
    const proxy = services.nginx.networks.edge.ipv4_address
    t.equal(subnet, '172.30.33.0/24')
    t.match(proxy, /^172\.30\.33\.\d+$/)
    for (const name of ['grantd-1', 'grantd-2']) {
      const { environment, ...service } = services[name]
      t.equal(environment.TRUST_PROXY, proxy, `${name} believes nginx and nobody else`)
      t.match(environment, secrets)
      t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
      t.equal(service.depends_on.redis.condition, 'service_healthy')
      t.ok(Number.parseInt(service.stop_grace_period, 10) >= Number(environment.SHUTDOWN_DELAY_SECONDS) + 10)
    }
    t.match(services.redis.command.join(' '), /--appendonly yes .*everysec .*--maxmemory-policy noeviction/)
  })

  await t.test('is refused without it, with a word on what is missing', async (t) => {
    const { code, stderr } = await config({})
    t.not(code, 0)
    t.match(stderr.split('"grantd-1": ')[1], /openssl rand/)
  })

  await t.test('passes every variable on, and every instance takes them as they are', async (t) => {
    const given = { SERVICE_NAME: 'Acme', LIMIT_PEEK_PER_MINUTE: '7', DASHBOARD_JWT_SECRET: 'd'.repeat(40) }
    const { services } = parse((await config({ ...secrets, ...given })).stdout)
    // Where it listens is the image's, and PORT is that of nginx.
    const passed = Object.keys(EnvironmentSchema.properties).filter((name) => name !== 'HOST' && name !== 'PORT')
    t.ok(passed.length >= 70, `${passed.length} variables`)
    // What the SDK of traces reads by itself.
    passed.push('OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_RESOURCE_ATTRIBUTES', 'OTEL_SERVICE_NAME')
    passed.push(
      ...['SCHEDULE_DELAY', 'EXPORT_TIMEOUT', 'MAX_QUEUE_SIZE', 'MAX_EXPORT_BATCH_SIZE'].map((of) => `OTEL_BSP_${of}`)
    )
    for (const name of ['grantd-1', 'grantd-2']) {
      const { environment, volumes } = services[name]
      t.same(Object.keys(environment).sort(), [...passed].sort(), name)
      t.match(environment, { ...secrets, ...given })
      t.match(volumes.join(' '), /deploy\/config:\/etc\/grantd:ro/, 'the files that they name')
      const texts = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)]))
      t.match(loadConfig({ ...texts, HOST: '0.0.0.0' }), { serviceName: 'Acme', hasPages: true, demoSignIn: true })
    }
  })

  await t.test('is for this machine alone, and for others only with somebody who signs people in', async (t) => {
    const [opened, published] = await Promise.all([
      config({ ...secrets, LISTEN: '0.0.0.0', PORT: '80' }),
      config({ ...secrets, PUBLIC_URL: 'https://grants.acme.example' })
    ])
    const portOf = ({ stdout }: Run) => parse(stdout).services.nginx.ports[0]
    t.match(portOf(composed), /^127\.0\.0\.1:8080:8080/)
    t.match(portOf(opened), /^0\.0\.0\.0:80:8080/)
    const { environment } = parse(published.stdout).services['grantd-1']
    t.throws(
      () => loadConfig(environment),
      { message: /DASHBOARD_JWT_SECRET: mandatory/ },
      'nobody signs in by typing a name'
    )
  })

  await t.test('and deploy/nginx.conf speak of the same instances and times', async (t) => {
    const { services } = parse(composed.stdout)
    const conf = await readFile(NGINX_CONF, 'utf8')
    const upstreams = [...conf.matchAll(/^\s*server (\S+):3333 /gm)].map(([, name]) => name)
    t.same(
      upstreams,
      Object.keys(services).filter((name) => name.startsWith('grantd-'))
    )
    const idleSeconds = Number(/upstream grantd \{[^}]*keepalive_timeout (\d+)s;/.exec(conf)?.[1])
    t.ok(idleSeconds > 0 && idleSeconds < services['grantd-1'].environment.SHUTDOWN_DELAY_SECONDS)
    const target = /:(\d+)(?:\/tcp)?$/.exec(services.nginx.ports[0])?.[1]
    for (const address of [target, `[::]:${target}`]) t.match(conf, ` listen ${address};`, 'over IPv4 and IPv6')
    const readSeconds = [...conf.matchAll(/proxy_read_timeout (\d+)s;/g)].map(([, seconds]) => Number(seconds))
    t.ok(Math.min(...readSeconds) > LONGEST_WAIT_SECONDS, 'longer than anything may be held, wherever it is asked')
  })

  await t.test('the image is built from what .dockerignore lets through, all of which exists', async (t) => {
    const [dockerfile, ignore] = await Promise.all(
      ['Dockerfile', '.dockerignore'].map((name) => readFile(join(root, name), 'utf8'))
    )
    const copied = [...(dockerfile ?? '').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
      (names ?? '').split(' ')
    )
    const letThrough = (ignore ?? '').split('\n').flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
    t.same([...new Set(copied)].sort(), [...letThrough].sort())
    t.ok(copied.length >= 8)
    await Promise.all(copied.map((name) => access(join(root, name))))
  })
})

/** Returns how many polls an instance has judged since its start, by its own metrics. */
async function pollsOf({ url }: Service): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return [...text.matchAll(/^grantd_polls_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Returns the part of a request id that names the instance. */
const instanceOf = (headers: Headers) => headers.get('x-request-id')?.replace(/-[0-9a-z]+$/, '')

/** Runs whole grants through the stack, by a few clients at a modest pace, until it is stopped. */
function startStream(api: ApiClient, clients: number) {
  const failures: string[] = []
  const collected: { user: string; jwt: string }[] = []
  let requests = 0
  let isOver = false

  async function step(what: string, sent: ReturnType<ApiClient['call']>, holds: (status: unknown) => boolean) {
    requests++
    const answer = await sent.catch((error) => ({ status: 0, body: { error: String(error) } }))
    if (answer.status !== 200 || !holds(answer.body.status)) {
      failures.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    await sleep(100)
    return answer.body
  }

  async function client(i: number): Promise<void> {
    const user = `streaming ${i}`
    const any = () => true
    while (!isOver) {
      const body = { client_type: 'cli' }
      const { grant_code, user_code } = await step('start', api.call('POST', '/auth/grant/code', { body }), any)
      await step('first poll', api.poll(grant_code), (status) => status === 'authorization_pending')
      await step('approve', api.decide(user_code, user), (status) => status === 'approve')
      const { jwt } = await step('collect', api.poll(grant_code), (status) => status === 'approved')
      await step('use', api.call('GET', '/auth/clients', { token: jwt }), any)
      collected.push({ user, jwt })
    }
  }

  const done = Promise.all(Array.from({ length: clients }, (_, i) => client(i)))
  return {
    collected: () => collected.length,
    async stop() {
      isOver = true
      await done
      return { failures, collected, requests }
    }
  }
}

t.test('the address of a client, in every form that proxies forward it in', async (t) => {
  const { app } = await startApp(t, { TRUST_PROXY: '127.0.0.1/32,::1', LIMITS: 'off', SIGNING_ALG: 'EdDSA' })
  const upstream = await freePort()
  await app.listen({ host: '127.0.0.1', port: upstream })
  let seen: string | undefined
  const { start } = app.core.grants
  app.core.grants.start = (asked) => {
    seen = asked.ip
    return start(asked)
  }
  const ports = { nginx: await freePort(), haproxy: await freePort(), bare: await freePort() }
  await startNginx(t, ports.nginx, [upstream, upstream])
  const logged = await startHaproxy(t, ports.haproxy, [upstream, upstream])
  await startBareNginx(t, ports.bare, upstream)

  /** Starts a grant through a proxy. Returns the address that the service has seen. */
  const seenBehind = async (port: number, from: string, headers: Record<string, string> = {}) => {
    seen = undefined
    const { status } = await raw(`http://localhost:${port}`, {
      ...{ method: 'POST', path: '/api/v0/auth/grant/code', from, body: '{"client_type":"cli"}' },
      headers: { 'content-type': 'application/json', ...headers }
    })
    t.equal(status, 200)
    return seen
  }

  for (const name of ['nginx', 'haproxy'] as const) {
    for (const from of ['127.0.0.9', '::1']) {
      await t.test(
        `the shipped ${name}: whoever connects to it (${from}), whatever they say of themselves`,
        async (t) => {
          t.equal(await seenBehind(ports[name], from), from)
          for (const [node] of FORWARDED_NODES) {
            const headers = { 'x-forwarded-for': node, forwarded: `for=${node}` }
            t.equal(await seenBehind(ports[name], from, headers), from, node)
          }
        }
      )
    }
  }

  await t.test('a bare proxy_pass: what was forwarded to it, since it says nothing itself', async (t) => {
    t.equal(await seenBehind(ports.bare, '127.0.0.9'), '127.0.0.1', 'nothing: its own address')
    for (const [node, address = '127.0.0.1'] of FORWARDED_NODES) {
      for (const from of ['127.0.0.9', '::1']) {
        const headers = { 'x-forwarded-for': `198.51.100.1, ${node}`, forwarded: 'for=198.51.100.2' }
        t.equal(await seenBehind(ports.bare, from, headers), address, node)
      }
    }
  })

  await t.test('HAProxy keeps inside what is for the inside, and logs no query', async (t) => {
    const url = `http://127.0.0.1:${ports.haproxy}`
    for (const path of ['/metrics', '/metrics?x=1', '//metrics', '/%6detrics', '/metrics/', '/readyz', '/%72eadyz']) {
      const answer = await raw(url, { path })
      t.strictSame([answer.status, JSON.parse(answer.body)], [404, { error: 'Not Found' }], path)
    }
    t.equal((await raw(url, { path: '/healthz' })).status, 200)
    const { body } = await raw(url, { path: '/api/v0/auth/grant/peek?user_code=BBBB-BBBB' })
    t.match(JSON.parse(body), { error: String })
    const paths = () =>
      logged()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line).path)
    await until(async () => paths().includes('/api/v0/auth/grant/peek'))
    t.ok(paths().length > 70, `${paths().length} lines of JSON`)
    t.notMatch(logged(), /user_code|BBBB/)
  })

  await t.test('and its times fit those of the service', async (t) => {
    const cfg = await readFile(HAPROXY_CFG, 'utf8')
    const seconds = (pattern: RegExp) => Number(pattern.exec(cfg)?.[1])
    t.ok(seconds(/timeout server (\d+)s/) > LONGEST_WAIT_SECONDS)
    t.ok(seconds(/pool-purge-delay (\d+)s/) < 5, 'sooner than SHUTDOWN_DELAY_SECONDS of docker-compose.yml')
  })

  await t.test('with no instance left HAProxy answers like the API', async (t) => {
    await app.close()
    let answer = await raw(`http://127.0.0.1:${ports.haproxy}`, { path: '/healthz' })
    await until(async () => {
      answer = await raw(`http://127.0.0.1:${ports.haproxy}`, { path: '/healthz' })
      return answer.status === 503
    })
    t.same(JSON.parse(answer.body), { error: 'Service Unavailable. Please try again.' })
    t.match(answer.headers['retry-after'], /^([2-9]|10)$/)
  })
})

t.test(
  'from `docker compose up` to an approved grant: whoever follows the link of a program meets no 404',
  async (t) => {
    const { environment } = parse(composed.stdout).services['grantd-1']
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const port = await freePort()
    // As composed, but for the addresses of this machine, and for the times, which would be waited for.
    const variables = {
      ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)])),
      ...{ ...PATIENT, REDIS_URL: redis.url, PUBLIC_URL: `http://localhost:${port}`, TRUST_PROXY: '127.0.0.1/32' },
      ...{ SHUTDOWN_DELAY_SECONDS: '0', POLL_INTERVAL_SECONDS: '1', SIGNING_ALG: 'EdDSA' }
    }
    const services = await Promise.all([startService(t, variables), startService(t, variables)])
    const nginx = await startNginx(
      t,
      port,
      services.map((service) => service.port)
    )
    t.match(services[0].output(), /DEMO_SIGN_IN: whoever reaches the pages signs in as anybody/)

    const form = new URLSearchParams({ client_id: 'cli' })
    const started = await (
      await fetch(`${nginx.url}/oauth/device_authorization`, { method: 'POST', body: form })
    ).json()
    const browser = await launchChromium(t)
    const page = await (await openProfile(browser)).newPage()
    const statuses: [string, number][] = []
    page.on('response', (answer) => statuses.push([answer.url(), answer.status()]))
    await page.goto(started.verification_uri)
    await signInAs(page, 'ann')
    await typeCode(page, started.user_code)
    await page.waitForURL(/\/device\/confirm/)
    await approve(page)
    await page.waitForURL(/\/device\/done/)
    const redeemed = await fetch(`${nginx.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'cli', device_code: started.device_code, grant_type: DEVICE_CODE })
    })
    t.equal(redeemed.status, 200)
    t.equal(claimsOf((await redeemed.json()).access_token).sub, 'ann')
    await page.goto(`${variables.PUBLIC_URL}/account/clients`)
    await page.goto(`${variables.PUBLIC_URL}/`)
    t.ok(statuses.length >= 6, `${statuses.length} answers`)
    t.same(
      statuses.filter(([, status]) => status >= 400),
      []
    )
  }
)

// Instances that are restarted have the machine for themselves.
t.test('two instances over one Redis behind nginx', { buffered: false }, async (t) => {
  const stack = t
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const port = await freePort()
  const variables = {
    ...PATIENT,
    REDIS_URL: redis.url,
    PUBLIC_URL: `http://localhost:${port}`,
    TRUST_PROXY: '127.0.0.1/32',
    // Longer than nginx keeps a connection that it does not use, as in docker-compose.yml.
    SHUTDOWN_DELAY_SECONDS: '4',
    LIMITS: 'off',
    LOG_LEVEL: 'warn',
    SIGNING_ALG: 'EdDSA'
  }
  const services = await Promise.all([startService(t, variables), startService(t, variables)])
  const nginx = await startNginx(
    t,
    port,
    services.map((service) => service.port)
  )
  const api = apiClient(nginx.url)

  await t.test('a grant is started, approved, collected, used and revoked, spread over both instances', async (t) => {
    const instances = new Set<string | undefined>()
    for (let i = 0; i < 4; i++) {
      const start = await api.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })
      const { grant_code, user_code, verification_uri } = start.body
      t.equal(verification_uri, `${variables.PUBLIC_URL}/device`)
      const peek = await api.call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'alice' })
      t.match(peek, { status: 200, body: { client_type: 'cli' } })
      t.match(await api.decide(user_code, 'alice'), { status: 200, body: { status: 'approve' } })
      const poll = await api.poll(grant_code)
      t.equal(poll.body.status, 'approved')
      const token = poll.body.jwt
      const list = await api.call('GET', '/auth/clients', { token })
      t.equal(list.body.data.length, i + 1)
      t.equal((await api.call('DELETE', `/auth/clients/${claimsOf(token).cid}`, { user: 'alice' })).status, 200)
      t.equal((await api.call('GET', '/auth/clients', { token })).status, 401, 'from the very next request')
      for (const { headers } of [start, peek, poll, list]) instances.add(instanceOf(headers))
    }
    t.equal(instances.size, 2)
    const polls = await Promise.all(services.map(pollsOf))
    t.equal(
      polls.reduce((sum, count) => sum + count, 0),
      4
    )
  })

  await t.test('polls are spread evenly, and pace each other across the instances', async (t) => {
    const before = await Promise.all(services.map(pollsOf))
    const { grant_code } = await api.start()
    const polls = await Promise.all(Array.from({ length: 40 }, () => api.poll(grant_code)))
    const count = (status: string) => polls.filter(({ body }) => body.status === status).length
    const accepted = count('authorization_pending')
    t.ok(accepted === 1 || accepted === 2, `${accepted}: one, and its repetition if that came within 300 ms`)
    t.equal(count('slow_down'), 40 - accepted)
    const after = await Promise.all(services.map(pollsOf))
    const shares = after.map((polls, i) => polls - (before[i] ?? 0))
    t.equal((shares[0] ?? 0) + (shares[1] ?? 0), 40)
    t.ok(Math.min(...shares) >= 15, `${shares}`)
  })

  await t.test('the client is whom nginx saw, whatever it says about itself', async (t) => {
    let users = 0
    const approve = async (url: string, from: string, headers: Record<string, string>) => {
      const { user_code, grant_code } = await api.start()
      const user = `somewhere ${++users}`
      const answer = await raw(url, {
        method: 'POST',
        path: '/api/v0/auth/grant/approve',
        from,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${await sessionOf(user)}`, ...headers },
        body: JSON.stringify({ user_code, action: 'approve' })
      })
      t.equal(answer.status, 200)
      await api.poll(grant_code)
      const list = await api.call('GET', '/auth/clients', { user })
      t.equal(list.body.data.length, 1)
      return list.body.data[0].ip_at_grant
    }
    t.equal(await approve(nginx.url, '127.0.0.9', {}), '127.0.0.9')
    const forged = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7', 'x-real-ip': '203.0.113.7' }
    t.equal(await approve(nginx.url, '127.0.0.9', forged), '127.0.0.9')
    t.equal(await approve(nginx.url, '127.0.0.9', { 'x-forwarded-for': '203.0.113.7, 127.0.0.1' }), '127.0.0.9')
    t.equal(await approve(services[0].url, '127.0.0.9', forged), '127.0.0.9', 'past nginx nobody is believed either')
  })

  await t.test('/metrics and /readyz are not there for the outside, however they are spelled', async (t) => {
    for (const { url } of services) {
      t.match(await (await fetch(`${url}/metrics`)).text(), 'grantd_polls_total', 'an instance itself tells')
      t.equal((await fetch(`${url}/readyz`)).status, 200)
    }
    const spelled = ['/metrics', '/metrics?x=1', '//metrics', '/./metrics', '/api/../metrics', '/api/%2e%2e/metrics']
    spelled.push('/%6detrics', '/metrics/', '/metrics%2f', '/metrics;x', '/metrics%3Fx', '/METRICS', '/metrics%0a')
    spelled.push('/readyz', '/%72eadyz', `http://127.0.0.1:${port}/metrics`)
    for (const path of spelled) {
      const answer = await raw(nginx.url, { path })
      t.equal(answer.status, 404, path)
      t.match(answer.headers['content-type'], /^application\/json/)
      t.same(JSON.parse(answer.body), { error: 'Not Found' })
    }
    t.equal((await raw(nginx.url, { path: '/healthz' })).status, 200, 'that it lives may be known')
  })

  await t.test('a poll that waits is held through nginx, and let go when its client leaves', async (t) => {
    const held = async () => {
      const texts = await Promise.all(services.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()))
      return texts.reduce((sum, text) => sum + Number(/^grantd_held_polls (\d+)$/m.exec(text)?.[1]), 0)
    }
    const untilHeld = async (count: number) => {
      await until(async () => (await held()) === count)
      t.pass(`${count} held`)
    }
    const poll = (grant_code: string, signal?: AbortSignal) =>
      fetch(`${nginx.url}/api/v0/auth/grant/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'wait=20' },
        body: JSON.stringify({ grant_code }),
        ...(signal && { signal })
      })
    const [decided, left] = [await api.start(), await api.start()]
    const answer = poll(decided.grant_code)
    await untilHeld(1)
    await api.decide(decided.user_code, 'alice')
    t.match(await (await answer).json(), { status: 'approved' })

    const leaving = new AbortController()
    const gone = poll(left.grant_code, leaving.signal).catch(() => {})
    await untilHeld(1)
    leaving.abort()
    await gone
    await untilHeld(0)
  })

  await t.test('what nginx refuses itself, it refuses like the API', async (t) => {
    const path = '/api/v0/auth/grant/code'
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ client_type: 'cli', client_metadata: { name: 'x'.repeat(20_000) } })
    /** Returns the upstream of the latest request, which nginx logs a moment after its answer. */
    const upstreamOf = async (status: number) => {
      for (;;) {
        const last = (await nginx.requests()).at(-1)
        if (last?.status === status) return last.upstream
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    const tooLarge = await raw(nginx.url, { method: 'POST', path, headers, body })
    t.equal(tooLarge.status, 413)
    t.match(tooLarge.headers['content-type'], /^application\/json/)
    t.same(JSON.parse(tooLarge.body), { error: 'The body is too large.' })
    t.equal(await upstreamOf(413), '', 'no instance was bothered')

    const withToken = (length: number) =>
      raw(nginx.url, { path: '/api/v0/auth/clients', headers: { authorization: `Bearer ${'x'.repeat(length)}` } })
    const longHeader = await withToken(19_000)
    t.equal(longHeader.status, 400)
    t.same(JSON.parse(longHeader.body), { error: 'Bad Request' })
    const longToken = await withToken(16_384)
    t.same(
      [longToken.status, JSON.parse(longToken.body)],
      [401, { error: 'The jwt is not valid.' }],
      'a token of 16 KiB'
    )
    const longUri = await raw(nginx.url, { path: `/${'x'.repeat(9_000)}` })
    t.equal(longUri.status, 414)
    t.same(JSON.parse(longUri.body), { error: 'The URI is too long.' })
  })

  await t.test('deploy/load.mjs puts a bounded load on it and prints what came of it', async (t) => {
    const { code, stdout, stderr } = await run(process.execPath, ['deploy/load.mjs'], {
      LOAD_URL: nginx.url,
      LOAD_SECONDS: '1',
      LOAD_CONNECTIONS: '4'
    })
    t.equal(code, 0, stderr)
    const counted = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0)
    const total = counted(/^(\d+) requests from 4 connections/)
    const parts = [/^start +200 +(\d+)$/m, /^poll +200 authorization_pending +(\d+)$/m, /^poll +200 slow_down +(\d+)$/m]
    const counts = parts.map(counted)
    t.ok(
      counts.every((count) => count > 0),
      stdout
    )
    t.equal(
      counts.reduce((sum, count) => sum + count, 0),
      total
    )
    t.match(stdout, /p50 +p90 +p99 +max\nstart( +[\d.]+){4}\npoll( +[\d.]+){4}\n/)

    const mistyped = await run(process.execPath, ['deploy/load.mjs'], { LOAD_SECONDS: '86400' })
    t.match(mistyped, { code: 2, stderr: 'LOAD_SECONDS: expected a whole number from 1 to 600' })
  })

  await t.test('restarting the instances one by one fails no request and loses nothing', async (t) => {
    const held = await Promise.all(Array.from({ length: 10 }, () => api.start()))
    const stream = startStream(api, 6)
    for (const [i, service] of services.entries()) {
      // Grants go through before an instance leaves, and by the other one while it is away.
      const before = stream.collected()
      await until(async () => stream.collected() > before)
      t.equal(await service.stop('SIGTERM'), 0, 'the instance leaves in order')
      services[i] = await startService(stack, { ...variables, PORT: `${service.port}` })
      // The next instance is restarted only after nginx uses this one again.
      await until(async () => (await pollsOf(services[i] as Service)) > 0)
      t.ok((await pollsOf(services[i] as Service)) > 0, 'it takes its share again')
      await until(async () => stream.collected() >= 10 * (i + 1))
      const half = held.slice(i * 5, i * 5 + 5)
      for (const { user_code } of half) t.equal((await api.decide(user_code, 'patient')).status, 200)
    }
    const { failures, collected, requests } = await stream.stop()
    t.comment(`${requests} requests, ${collected.length} grants`)
    t.same(failures, [])
    t.ok(collected.length >= 20, 'the stream went on all the while')

    const cids = collected.map(({ jwt }) => claimsOf(jwt).cid)
    t.equal(new Set(cids).size, collected.length)
    for (const user of new Set(collected.map(({ user }) => user))) {
      const list = await api.call('GET', '/auth/clients', { user })
      t.equal(list.body.data.length, collected.filter((grant) => grant.user === user).length, `all of ${user}'s`)
    }
    const polls = await Promise.all(held.map(({ grant_code }) => api.poll(grant_code)))
    t.same(new Set(polls.map(({ body }) => body.status)), new Set(['approved']), 'started before, collected after')
  })

  await t.test('with one instance killed, every request is answered by the other', async (t) => {
    const { grant_code, user_code } = await api.start()
    await services[1].stop('SIGKILL')
    const before = (await nginx.requests()).length
    const killedAt = performance.now()
    const answers = []
    for (let i = 0; i < 20; i++) {
      const starts = await Promise.all(
        Array.from({ length: 5 }, () => api.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } }))
      )
      const peek = await api.call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'dora' })
      answers.push(...starts, peek)
      await sleep(60)
    }
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
    t.equal(new Set(answers.map(({ headers }) => instanceOf(headers))).size, 1)
    const elapsedSeconds = Math.ceil((performance.now() - killedAt) / 1000)
    const retried = (await nginx.requests()).slice(before).filter(({ upstream }) => String(upstream).includes(', '))
    t.ok(retried.length > 0, 'nginx did try the dead one')
    // Those of the first wave may all meet it. From then on one request at most in each second of fail_timeout tries again.
    const most = 5 + elapsedSeconds
    t.ok(retried.length <= most, `and then left it alone: ${retried.length} in ${elapsedSeconds} s`)
    await api.decide(user_code, 'dora')
    t.equal((await api.poll(grant_code)).body.status, 'approved')
  })

  await t.test('with none left, nginx answers like the API and says when to come again', async (t) => {
    const { user_code } = await api.start()
    await services[0].stop('SIGKILL')
    for (let i = 0; i < 2; i++) {
      const { status, headers, body } = await api.call('GET', `/auth/grant/peek?user_code=${user_code}`, {
        user: 'eve'
      })
      t.ok([502, 503, 504].includes(status), `${status}`)
      t.match(headers.get('content-type'), /^application\/json/)
      t.same(body, { error: 'Service Unavailable. Please try again.' })
      t.match(headers.get('retry-after'), /^([2468]|10)$/)
    }
  })

  await t.test('nginx has logged every request, and no query, code or token', async (t) => {
    const requests = await nginx.requests()
    t.ok(requests.length > 300)
    t.ok(requests.filter(({ path }) => path === '/api/v0/auth/grant/peek').length > 20, 'peeks are among them')
    t.ok(requests.some(({ status }) => Number(status) >= 502))
    const output = await nginx.output()
    // The only question mark in the log is from a path above that had %3F.
    t.same(new Set(output.match(/\S*\?\S*/g)?.map((found) => /[^"]*\?[^"]*/.exec(found)?.[0])), new Set(['/metrics?x']))
    t.notMatch(output, /user_code|[A-Z]{4}-[A-Z]{4}|Bearer|eyJ/)
  })
})
