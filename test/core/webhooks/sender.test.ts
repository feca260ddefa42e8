/** One attempt at a real receiver: what it gets, what is made of its answer, and where nothing is sent. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { LookupAddress, lookup } from 'node:dns'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import type { AuditEvent } from '../../../src/core/audit/event.js'
import { createGuardedPost } from '../../../src/core/trust/guarded-post.js'
import type { Outcome } from '../../../src/core/webhooks/delivery.js'
import { createSender } from '../../../src/core/webhooks/sender.js'
import { secretBytesOf, signedHeaders } from '../../../src/core/webhooks/signature.js'
import { makeCertificate } from '../../support/certificates.js'
import { freePort } from '../../support/ports.js'
import { authority, listen } from '../../support/trusted-issuer.js'

const SECRETS = ['first', 'second', 'third'].map(
  (name) => `whsec_${Buffer.from(`the ${name} secret of a receiver`).toString('base64')}`
)
const event: AuditEvent = {
  ...{ id: '1700000000000-0', atMs: 1_700_000_000_000, type: 'grant.approved', actor: 'user:ann' },
  ...{ userId: 'ann', authorizationId: 'a', detail: 'ünïcode' }
}
const delivery = { id: '1700000000000-0_billing', event, takenAtMs: 0, order: 1, attempts: 0, nextAtMs: 0 }

const endpointAt = (url: string, isInternal = true, secrets: readonly string[] = SECRETS.slice(0, 1)) => ({
  ...{ id: 'billing', url, secrets, types: ['*'], isInternal }
})

const attempt = (
  url: string,
  { withinMs = 15_000, isInternal = true, secrets = SECRETS.slice(0, 1), ended = new AbortController().signal } = {}
) =>
  createSender(createGuardedPost({ ca: authority.pem }), Date.now, withinMs)(
    endpointAt(url, isInternal, secrets),
    delivery,
    ended
  )
const send = async (...asked: Parameters<typeof attempt>) => (await attempt(...asked)).outcome

type ErrorOf = NodeJS.ErrnoException | null

/** Answers every lookup of a name. */
const resolving = (error: ErrorOf, found: LookupAddress[]) =>
  ((_name: string, _options: object, done: (error: ErrorOf, found: LookupAddress[]) => void) =>
    process.nextTick(done, error, found)) as unknown as typeof lookup

const answer =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end()

t.test('a receiver gets the event, signed as the library of Standard Webhooks verifies it', async (t) => {
  const got: { request: IncomingMessage; body: string }[] = []
  const receiver = await listen(
    t,
    async (request, response) => {
      got.push({ request, body: await text(request) })
      response.writeHead(204).end()
    },
    { isPlain: true }
  )
  t.equal(await send(`${receiver.origin}/hook?tenant=1`, { secrets: SECRETS.slice(0, 2) }), 'delivered')
  const [{ request, body }] = got as [(typeof got)[number]]
  t.match(request, { method: 'POST', url: '/hook?tenant=1', headers: { 'content-type': 'application/json' } })
  const headers = request.headers as Record<string, string>
  t.equal(headers['webhook-id'], delivery.id)
  for (const secret of SECRETS.slice(0, 2)) {
    t.match(new Webhook(secret).verify(body, headers), {
      type: 'grant.approved',
      timestamp: '2023-11-14T22:13:20.000Z',
      data: { id: event.id, type: 'grant.approved', user_id: 'ann', authorization_id: 'a', detail: 'ünïcode' }
    })
  }
  t.throws(() => new Webhook(SECRETS[2] as string).verify(body, headers), 'not with another secret')
  t.throws(() => new Webhook(SECRETS[0] as string).verify(body.replace('ann', 'bob'), headers), 'nor another body')
  const old = { ...headers, ...signedHeaders(SECRETS, { id: delivery.id, atMs: Date.now() - 600_000, body }) }
  t.throws(() => new Webhook(SECRETS[0] as string).verify(body, old), 'nor ten minutes later')
})

t.test('what is made of an answer', async (t) => {
  const other = await listen(t, answer(200), { isPlain: true })
  const cases: [name: string, RequestListener, Outcome][] = [
    ['200', answer(200), 'delivered'],
    ['202', answer(202), 'delivered'],
    ['400', answer(400), 'refused'],
    ['401', answer(401), 'refused'],
    ['410', answer(410), 'gone'],
    ['429', answer(429), 'refused'],
    ['500', answer(500), 'refused'],
    ['301', answer(301, { location: other.origin }), 'redirected'],
    ['307', answer(307, { location: other.origin }), 'redirected'],
    ['a connection that ends', (request) => void request.socket.destroy(), 'unreachable']
  ]
  for (const [name, listener, outcome] of cases) {
    const receiver = await listen(t, listener, { isPlain: true })
    t.equal(await send(receiver.origin), outcome, name)
  }
  t.equal(other.connections(), 0, 'no redirect is followed')
  const gone = await listen(t, answer(200), { isPlain: true })
  await gone.down()
  t.equal(await send(gone.origin), 'unreachable', 'nobody listens')
})

t.test('a receiver that says nothing in time has not got it', async (t) => {
  const silent = await listen(t, () => {}, { isPlain: true })
  t.equal(await send(silent.origin, { withinMs: 50 }), 'timed_out')
})

t.test('a body without end is not read to its end, and is no matter once the status is said', async (t) => {
  let written = 0
  const endless = await listen(
    t,
    (_request, response) => {
      response.writeHead(200)
      const write = () => {
        written += 1024
        if (!response.destroyed) response.write('x'.repeat(1024), () => setImmediate(write))
      }
      write()
    },
    { isPlain: true }
  )
  t.equal(await send(endless.origin), 'delivered')
  t.ok(written < 10 * 1024 * 1024, `${written} bytes`)
  const slow = await listen(t, (_request, response) => void response.writeHead(200).write('x'), { isPlain: true })
  const ending = new AbortController()
  // The status has arrived by then.
  const end = () => setImmediate(() => ending.abort())
  subscribe('http.client.response.finish', end)
  t.equal(await send(slow.origin, { ended: ending.signal }), 'delivered')
  unsubscribe('http.client.response.finish', end)
})

t.test('TLS is checked, inside as well', async (t) => {
  const receiver = await listen(t, answer(200))
  t.equal(await send(receiver.origin), 'delivered')
  const untrusting = createSender(createGuardedPost({ ca: undefined }), Date.now)
  const attempted = await untrusting(endpointAt(receiver.origin), delivery, new AbortController().signal)
  t.same(attempted, { outcome: 'unreachable', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
})

t.test('why a receiver cannot be reached is known by the code of the error', async (t) => {
  const hosts = ['localhost']
  const notAfter = new Date(Date.now() - 3_600_000)
  const certificate = makeCertificate({ name: 'An old one', issuer: authority, hosts, notAfter })
  const expired = await listen(t, answer(200), { certificate })
  const gone = await listen(t, answer(200), { isPlain: true })
  await gone.down()
  const port = await freePort()
  const noHttp = createServer((socket) => void socket.end('none of HTTP')).listen(port, '127.0.0.1')
  await once(noHttp, 'listening')
  t.teardown(() => noHttp.close())
  const codes: [url: string, code: string][] = [
    [expired.origin, 'CERT_HAS_EXPIRED'],
    [gone.origin, 'ECONNREFUSED'],
    [`http://127.0.0.1:${port}`, 'HPE_INVALID_CONSTANT']
  ]
  for (const [url, code] of codes) t.same(await attempt(url), { outcome: 'unreachable', code })
  const names: [found: ErrorOf, code: string][] = [
    [Object.assign(new Error('getaddrinfo ENOTFOUND a.example'), { code: 'ENOTFOUND' }), 'ENOTFOUND'],
    [null, 'ENODATA']
  ]
  for (const [error, code] of names) {
    const guarded = createSender(createGuardedPost({ ca: undefined, lookup: resolving(error, []) }), Date.now)
    const attempted = await guarded(endpointAt('https://a.example', false), delivery, new AbortController().signal)
    t.same(attempted, { outcome: 'unreachable', code })
  }
})

t.test('an error of our own is none of the receiver', async (t) => {
  const signal = new AbortController().signal
  for (const error of [new TypeError('a bug'), new RangeError('another'), new Error('one without a code')]) {
    const broken = createSender(() => Promise.reject(error), Date.now)
    await t.rejects(broken(endpointAt('https://a.example'), delivery, signal), error)
  }
  // Node.js says so in the words of an argument, with a code.
  const cut = createSender(createGuardedPost({ ca: undefined }), Date.now)
  const unnamed = { ...delivery, id: 'a\nb' }
  await t.rejects(cut(endpointAt('http://127.0.0.1:9'), unnamed, signal), { code: 'ERR_INVALID_CHAR' })
})

t.test('nothing is sent to an address that is not public, unless the endpoint is internal', async (t) => {
  const receiver = await listen(t, answer(200), { isPlain: true })
  const secure = await listen(t, answer(200))
  const urls = [receiver.origin, `https://127.0.0.1:${secure.port}/`, 'https://10.0.0.1/', 'https://[::1]/']
  urls.push('https://169.254.169.254/latest/', 'http://example.com/', 'https://user:word@example.com/')
  for (const url of urls) t.equal(await send(url, { isInternal: false }), 'forbidden', url)
  for (const address of ['127.0.0.1', '10.1.2.3', '169.254.169.254']) {
    const resolve = resolving(null, [{ address, family: 4 }])
    const guarded = createSender(createGuardedPost({ ca: authority.pem, lookup: resolve }), Date.now)
    const url = `https://public.example:${secure.port}/`
    const { outcome } = await guarded(endpointAt(url, false), delivery, new AbortController().signal)
    t.equal(outcome, 'forbidden', address)
  }
  t.same([receiver.connections(), secure.connections()], [0, 0], 'nobody was even connected to')
})

t.test('an attempt ends when the deliverer does', async (t) => {
  const silent = await listen(t, () => {}, { isPlain: true })
  const ended = new AbortController()
  const sending = send(silent.origin, { ended: ended.signal })
  setImmediate(() => ended.abort())
  t.equal(await sending, 'unreachable')
})

t.test('a secret is 24 to 64 bytes in base64 after its prefix', async (t) => {
  const of = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`
  t.same(
    [of(24), of(64), of(23), of(65), of(32).slice('whsec_'.length), 'whsec_', 'whsec_!!!'].map(
      (secret) => secretBytesOf(secret)?.length
    ),
    [24, 64, undefined, undefined, undefined, undefined, undefined]
  )
})
