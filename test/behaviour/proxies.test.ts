/**
 * The proxies of deploy/ in front of two built instances over one Redis: what they hand on and what they answer themselves, polls that
 * wait, instances that die and clients that leave. PROXY names the one to test, as found on PATH; without it nginx and HAProxy are.
 */
import { Agent } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { LONGEST_WAIT_SECONDS } from '../../src/core/grants/held-polls.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { makeCertificate } from '../support/certificates.js'
import { apiClient } from '../support/client.js'
import { documentedOperations } from '../support/documented-operations.js'
import { freePort } from '../support/ports.js'
import { PROXIES, startProxy } from '../support/proxies.js'
import { type RawAnswer, raw, rawJson } from '../support/raw-request.js'
import { startRedis } from '../support/redis-server.js'
import { type Service, startService } from '../support/service.js'
import { sessionOf } from '../support/tokens.js'
import { ANSWER_BODY, ANSWER_HEADERS, startToldUpstream } from '../support/told-upstream.js'
import { until } from '../support/until.js'

const names = process.env.PROXY ? [process.env.PROXY] : ['nginx', 'haproxy']
const POLL = '/api/v0/auth/grant/token'
/** Everything that heeds "Prefer: wait". */
const HELD = documentedOperations(() => true).filter(({ headers }) => headers.some(({ name }) => name === 'Prefer'))
const PATIENT = { prefer: `wait=${LONGEST_WAIT_SECONDS}` }
const FORGED = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-host': 'evil.example',
  forwarded: 'for=203.0.113.7;host=evil.example',
  'cf-ipcountry': 'XX',
  'cf-ipcity': 'Nowhere',
  'cf-region': 'Nowhere'
}
const UNAVAILABLE = { error: 'Service Unavailable. Please try again.' }

const authority = makeCertificate({ name: 'authority' })
const ca = authority.pem
/** The port of a proxy, and another with TLS. */
async function portsOf() {
  const certificate = makeCertificate({ name: '127.0.0.1', issuer: authority, hosts: ['127.0.0.1', 'localhost'] })
  return [await freePort(), { port: await freePort(), certificate }] as const
}

/** Begins an HTTP/2 connection. The test ends it. */
async function http2(t: Test, url: string): Promise<ClientHttp2Session> {
  const session = connect(url, { ca })
  t.teardown(() => session.destroy())
  session.on('error', (error) => t.fail(String(error)))
  return session
}

/** Posts JSON on an HTTP/2 connection. */
function post2(session: ClientHttp2Session, path: string, body: unknown, headers: Record<string, string> = {}) {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json', ...headers })
  const answer = new Promise<RawAnswer>((resolve, reject) => {
    let status = 0
    let answered = {}
    let text = ''
    stream.on('response', (headers) => {
      status = Number(headers[':status'])
      answered = headers
    })
    stream.setEncoding('utf8').on('data', (piece) => {
      text += piece
    })
    stream.on('error', reject).on('end', () => resolve({ status, headers: answered, body: text }))
  })
  stream.end(JSON.stringify(body))
  return { stream, answer }
}

async function metric({ url }: Service, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return [...text.matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0)
}
const heldBy = (service: Service) => metric(service, /^grantd_held_polls (\d+)$/gm)
const judgedBy = (service: Service) => metric(service, /^grantd_polls_total\{.*\} (\d+)$/gm)
const sumOf = async (services: readonly Service[], count: (service: Service) => Promise<number>) =>
  (await Promise.all(services.map(count))).reduce((sum, one) => sum + one, 0)

/** Checks an answer that a proxy gives of its own, in the manner of the API. */
function isUnavailable(t: Test, answer: RawAnswer) {
  t.ok([502, 503, 504].includes(answer.status), `${answer.status}`)
  saysUnavailable(t, answer)
}
function saysUnavailable(t: Test, { headers, body }: RawAnswer) {
  t.match(headers['content-type'], /^application\/json/)
  t.strictSame(JSON.parse(body), UNAVAILABLE)
  t.match([headers['retry-after'], headers['cache-control']], [/^([2-9]|10)$/, 'no-store'])
}

t.jobs = 2 * names.length
for (const name of names) {
  const kind = PROXIES[name]
  if (!kind) throw new Error(`PROXY: there is no ${name}; there are ${Object.keys(PROXIES).join(' ')}`)

  t.test(`${name}, and what stands behind it`, { buffered: true }, async (t) => {
    const slowMs = (LONGEST_WAIT_SECONDS + 2) * 1_000
    const upstream = await startToldUpstream(t, slowMs)
    const [port, tls] = await portsOf()
    const proxy = await startProxy(t, kind, port, [upstream.port, upstream.port], tls)
    await until(async () => (await raw(proxy.url, { path: '/' })).status === 200)
    const session = await http2(t, proxy.secureUrl)
    // They take half a minute, in which the rest is tested.
    const slow = HELD.flatMap(({ method, path }) => {
      if (method === 'GET') return [{ path, answer: raw(proxy.url, { path, headers: PATIENT }) }]
      const over2 = `${path}?over=2`
      return [
        { path, answer: rawJson(proxy.url, { path, body: {}, headers: PATIENT }) },
        { path: over2, answer: post2(session, over2, {}, PATIENT).answer }
      ]
    })

    await t.test('is told who asks and how, whatever a client says of itself', async (t) => {
      const seen = () => {
        const { host, forwarded, ...headers } = upstream.lastHeaders()
        const claims = Object.keys(FORGED).filter((header) => header in headers)
        return [host, headers['x-forwarded-for'], headers['x-forwarded-proto'], forwarded, claims.sort()]
      }
      const told = ['x-forwarded-for', 'x-forwarded-proto']
      for (const from of ['127.0.0.9', '::1']) {
        for (const headers of [{}, FORGED]) {
          const as = { path: '/', from, headers: { host: 'grants.example.com', ...headers } }
          t.equal((await raw(proxy.url, as)).status, 200)
          t.strictSame(seen(), ['grants.example.com', from, 'http', undefined, told], from)
        }
      }
      t.equal(
        (await raw(proxy.secureUrl, { path: '/', ca, headers: { host: 'grants.example.com', ...FORGED } })).status,
        200
      )
      t.strictSame(seen(), ['grants.example.com', '127.0.0.1', 'https', undefined, told])
      const { answer } = post2(session, '/', {}, { ':authority': 'grants.example.com', ...FORGED })
      t.equal((await answer).status, 200)
      t.strictSame(seen(), ['grants.example.com', '127.0.0.1', 'https', undefined, told], 'HTTP/2')
    })

    await t.test('has its answers passed on as they are, refusals and failures among them', async (t) => {
      for (const status of [200, 400, 404, 429, 500, 502, 503]) {
        const path = `/answers/${status}`
        for (const answer of [await rawJson(proxy.url, { path, body: {} }), await post2(session, path, {}).answer]) {
          t.equal(answer.status, status)
          t.match(answer.headers, ANSWER_HEADERS, `${status}`)
          t.equal(answer.body, ANSWER_BODY)
        }
      }
    })

    await t.test('is sent nothing twice that it was sent, on new connections and on kept ones', async (t) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      t.teardown(() => agent.destroy())
      const ways = {
        new: (path: string) => rawJson(proxy.url, { path, body: {} }),
        kept: (path: string) => rawJson(proxy.url, { path, body: {}, agent }),
        'HTTP/2': (path: string) => post2(session, path, {}).answer
      }
      for (const way of ['new', 'kept', 'HTTP/2'] as const) {
        const post = ways[way]
        for (let i = 0; i < 2; i++) {
          // What has died is left alone for a second.
          await until(async () => (await post('/')).status === 200)
          const path = `/dies/${way}/${i}`
          const answer = await post(path).catch((error) => String(error.code))
          const end = typeof answer === 'string' ? answer : answer.status
          t.ok(kind.whenInstanceDies[way].includes(end), `${way}: ${end}`)
          if (typeof answer !== 'string') saysUnavailable(t, answer)
          t.equal(upstream.timesAsked(path), 1, path)
        }
      }
    })

    await t.test(`may take ${LONGEST_WAIT_SECONDS} seconds and more for an answer`, async (t) => {
      t.ok(slow.length >= 5, 'each of them is among what may be held')
      for (const { path, answer } of slow) {
        t.match(await answer, { status: 200, body: 'slow' }, path)
        t.equal(upstream.timesAsked(path), 1, path)
      }
      for (let i = 0; i < 4; i++)
        t.equal((await raw(proxy.url, { path: '/' })).status, 200, 'nothing is taken for dead')
    })
  })

  t.test(`${name} in front of two instances`, { buffered: true }, async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const [port, tls] = await portsOf()
    const variables = {
      ...{ REDIS_URL: redis.url, PUBLIC_URL: `http://localhost:${port}`, TRUST_PROXY: '127.0.0.1/32' },
      ...{
        POLL_INTERVAL_SECONDS: '1',
        REDIS_TIMEOUT_MS: '30000',
        LIMIT_START_PER_MINUTE: '1000',
        LIMIT_APPROVE_PER_MINUTE: '1000',
        LOG_LEVEL: 'warn',
        SIGNING_ALG: 'EdDSA'
      }
    }
    const services = await Promise.all([startService(t, variables), startService(t, variables)])
    const [first, second] = services
    const proxy = await startProxy(t, kind, port, [first.port, second.port], tls)
    const api = apiClient(proxy.url)
    const held = () => sumOf(services, heldBy)
    const untilHeld = async (count: number) => {
      await until(async () => (await held()) === count)
    }
    /** A poll that waits, on a connection of its own. */
    const wait = (grant_code: string, signal?: AbortSignal) =>
      rawJson(proxy.url, {
        path: POLL,
        headers: { prefer: 'wait=20' },
        body: { grant_code },
        ...(signal && { signal })
      })
    const stateOf = ({ body }: RawAnswer) => JSON.parse(body).status
    await until(async () => (await raw(proxy.url, { path: '/healthz' })).status === 200)

    await t.test('a poll that waits is answered when its grant is decided', async (t) => {
      const { grant_code, user_code } = await api.start()
      const answer = wait(grant_code)
      await untilHeld(1)
      t.equal((await api.decide(user_code, 'alice')).status, 200)
      t.equal(stateOf(await answer), 'approved')
      t.equal((await answer).headers['preference-applied'], 'wait=20')
    })

    await t.test('over one connection of HTTP/2 grants are started, polled and waited for', async (t) => {
      const session = await http2(t, proxy.secureUrl)
      const start = await post2(session, '/api/v0/auth/grant/code', { client_type: 'cli' }).answer
      t.equal(start.status, 200)
      const { grant_code, user_code } = JSON.parse(start.body)
      t.equal(stateOf(await post2(session, POLL, { grant_code }).answer), 'authorization_pending')
      const asked = { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code: grant_code }
      await sleep(1_100)
      const waiting = post2(session, '/oauth/token', asked, { prefer: 'wait=20' })
      await untilHeld(1)
      const others = await Promise.all(
        Array.from({ length: 5 }, () => post2(session, '/api/v0/auth/grant/code', { client_type: 'cli' }).answer)
      )
      t.same(new Set(others.map(({ status }) => status)), new Set([200]), 'others are answered meanwhile')
      await api.decide(user_code, 'alice')
      const { status, body } = await waiting.answer
      t.equal(status, 200)
      t.match(JSON.parse(body), { access_token: String })
    })

    await t.test('a client that leaves is no longer waited for, where the proxy tells', async (t) => {
      const session = await http2(t, proxy.secureUrl)
      const ways = [
        (grant_code: string) => {
          const leaving = new AbortController()
          const gone = wait(grant_code, leaving.signal).catch(() => {})
          return { gone, leave: () => leaving.abort() }
        },
        (grant_code: string) => {
          const { stream, answer } = post2(session, POLL, { grant_code }, { prefer: 'wait=20' })
          return { gone: answer.catch(() => {}), leave: () => stream.destroy() }
        }
      ]
      for (const way of ways) {
        const { grant_code, user_code } = await api.start()
        const digest = digestOf(grant_code)
        const record = () => redis.client.dump(`grantd:grant:{${digest.slice(0, 2)}}${digest.slice(2)}`)
        /** A poll that Redis has judged. The next one may come an interval later, however long this one took to get there. */
        const judged = async () => {
          const before = await record()
          const poll = way(grant_code)
          await until(async () => (await record()) !== before)
          return poll
        }
        const { leave } = await judged()
        await untilHeld(1)
        const leftAt = performance.now()
        leave()
        if (kind.tellsOfClientsThatLeave) {
          await untilHeld(0)
          t.ok(performance.now() - leftAt < 10_000, `${Math.round(performance.now() - leftAt)} ms, and not 20 s`)
          continue
        }
        await sleep(2_000)
        t.equal(await held(), 1, 'the place is still taken')
        for (let i = 0; i < 3; i++) {
          const { gone, leave } = await judged()
          await sleep(1_100)
          leave()
          await gone
        }
        const places = await held()
        t.ok(places <= services.length, `one place for the grant on each instance: ${places}`)
        const last = wait(grant_code)
        await sleep(200)
        await api.decide(user_code, 'alice')
        t.equal(stateOf(await last), 'approved')
        await untilHeld(0)
      }
    })

    await t.test('the address of a client arrives, and not what it says', async (t) => {
      for (const [i, from] of ['127.0.0.9', '::1'].entries()) {
        const { user_code, grant_code } = await api.start()
        const headers = { authorization: `Bearer ${await sessionOf(`somewhere ${i}`)}`, ...FORGED }
        const path = '/api/v0/auth/grant/approve'
        const decided = await rawJson(proxy.url, { path, from, headers, body: { user_code, action: 'approve' } })
        t.equal(decided.status, 200)
        await api.poll(grant_code)
        const list = await api.call('GET', '/auth/clients', { user: `somewhere ${i}` })
        t.equal(list.body.data[0].ip_at_grant, from)
      }
    })

    await t.test('/metrics and /readyz are not there for the outside, however they are spelled', async (t) => {
      const spelled = ['/metrics', '/metrics?x=1', '//metrics', '/./metrics', '/api/../metrics', '/api/%2e%2e/metrics']
      spelled.push('/%6detrics', '/metrics/', '/metrics%2f', '/metrics;x', '/metrics%3Fx', '/METRICS', '/metrics%0a')
      spelled.push('/readyz', '/%72eadyz', '/readyz/', '//readyz', `http://127.0.0.1:${port}/metrics`)
      for (const path of spelled) {
        const answer = await raw(proxy.url, { path })
        t.equal(answer.status, 404, path)
        t.match(answer.headers['content-type'], /^application\/json/)
        t.strictSame(JSON.parse(answer.body), { error: 'Not Found' })
      }
    })

    await t.test('what an instance answers arrives as it is, a limit among it', async (t) => {
      const own = ['date', 'x-request-id', 'connection', 'keep-alive', 'server', 'via', 'transfer-encoding']
      const seen = ({ status, headers, body }: RawAnswer) => {
        const kept = Object.entries(headers).filter(([header]) => !own.includes(header))
        return { status, body, headers: Object.fromEntries(kept.sort()) }
      }
      const asked = [
        { path: '/oauth/token', method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' },
        { path: '/.well-known/oauth-authorization-server' },
        { path: '/.well-known/jwks.json' },
        { path: '/device' },
        { path: '/nothing/here' },
        { path: '/nothing%2Fhere' },
        { path: '/api/v0/auth/clients' }
      ]
      for (const request of asked) {
        const [direct, proxied] = [await raw(first.url, request), await raw(proxy.url, request)]
        t.match(proxied.headers['x-request-id'], /^\S{5,}$/)
        if (request.path === '/device') t.equal(proxied.status, direct.status)
        else t.strictSame(seen(proxied), seen(direct), request.path)
      }
      const session = await sessionOf('guesser')
      const guess = (url: string) =>
        raw(url, {
          path: '/api/v0/auth/grant/peek?user_code=BBBB-BBBB',
          headers: { authorization: `Bearer ${session}` }
        })
      await until(async () => (await guess(proxy.url)).status === 429)
      const [direct, limited] = [await guess(first.url), await guess(proxy.url)]
      t.equal(limited.status, 429)
      t.ok(Number(limited.headers['retry-after']) > 60, `${limited.headers['retry-after']}`)
      t.equal(limited.body, direct.body)
    })

    await t.test('an instance that has lost Redis says so itself, and keeps its keys to be read', async (t) => {
      const { grant_code } = await api.start()
      await redis.kill()
      const direct = await rawJson(first.url, { path: POLL, body: { grant_code } })
      t.equal(direct.status, 503)
      // Until a proxy that asks for readiness has heard of it from both.
      for (let i = 0; i < 10; i++) {
        const { status, headers, body } = await rawJson(proxy.url, { path: POLL, body: { grant_code } })
        t.match([status, body, headers['retry-after']], [503, direct.body, /^\d+$/])
        t.ok(headers['x-request-id'], 'from an instance')
        t.equal((await raw(proxy.url, { path: '/.well-known/jwks.json' })).status, 200)
        await sleep(200)
      }
      await redis.start()
      for (const service of services) {
        await until(async () => (await fetch(`${service.url}/readyz`)).status === 200)
        // Polls wait only where decisions are heard.
        await until(async () => (await metric(service, /^grantd_decision_feed_up (\d)$/gm)) === 1)
      }
      await until(async () => (await rawJson(proxy.url, { path: POLL, body: { grant_code } })).status === 200)
    })

    await t.test('an instance that dies while polls wait: none is judged twice, and others go elsewhere', async (t) => {
      const grants: { grant_code: string; user_code: string }[] = []
      const polls: Promise<RawAnswer>[] = []
      // A proxy that asks for readiness hears of the new Redis from one instance up to a second before the other. Turns are slow, because
      // each costs places: an address may have 200 grants pending.
      await until(async () => {
        if (grants.length > 0) await sleep(250)
        const more = await Promise.all(Array.from({ length: 4 }, () => api.start()))
        grants.push(...more)
        polls.push(...more.map(({ grant_code }) => wait(grant_code)))
        await untilHeld(grants.length)
        return grants.length >= 8 && (await heldBy(first)) > 0 && (await heldBy(second)) > 0
      })
      const [lost, kept] = [await heldBy(first), await heldBy(second)]
      await sleep(400)
      const judged = await judgedBy(second)
      const answered: { i: number; answer: RawAnswer }[] = []
      const ends = polls.map((poll, i) => poll.then((answer) => answered.push({ i, answer })))
      await first.stop('SIGKILL')
      await until(async () => answered.length === lost)
      await sleep(1_000)
      for (const { answer } of answered) isUnavailable(t, answer)
      t.strictSame([answered.length, await judgedBy(second), await heldBy(second)], [lost, judged, kept])

      // The polls of those who ask again, in pace, and the other waits are as if nothing had happened.
      const lostGrants = answered.map(({ i }) => grants[i]?.grant_code ?? '')
      const again = await Promise.all(lostGrants.map((code) => api.poll(code)))
      t.same(
        new Set(again.map(({ status, body }) => `${status} ${body.status}`)),
        new Set(['200 authorization_pending'])
      )
      for (const { user_code } of grants) t.equal((await api.decide(user_code, 'alice')).status, 200)
      await Promise.all(ends)
      const late = answered.slice(lost).map(({ answer }) => stateOf(answer))
      t.same(new Set(late), new Set(['approved']))
      for (let i = 0; i < 10; i++) {
        const starts = await Promise.all(
          Array.from({ length: 5 }, () => api.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } }))
        )
        t.same(new Set(starts.map(({ status }) => status)), new Set([200]))
        await sleep(150)
      }
    })

    await t.test('with none left it answers like the API, and says when to come again', async (t) => {
      await second.stop('SIGKILL')
      const peek = {
        path: '/api/v0/auth/grant/peek?user_code=BBBB-BBBB',
        headers: { referer: 'http://x/?user_code=CCCC' }
      }
      for (let i = 0; i < 3; i++) isUnavailable(t, await raw(proxy.url, peek))
      isUnavailable(t, await rawJson(proxy.url, { path: POLL, body: { grant_code: 'x' } }))
    })

    await t.test('it has logged paths, and no query, code or token', async (t) => {
      // JSON may be written with \\/ for a slash.
      const logged = async () => (await proxy.output()).replaceAll('\\/', '/')
      await until(async () => (await logged()).includes('/api/v0/auth/grant/peek'))
      const output = await logged()
      t.ok(output.split('\n').length > 50)
      t.notMatch(output, /user_code|[A-Z]{4}-[A-Z]{4}|Bearer|eyJ|x=1/)
    })
  })
}
