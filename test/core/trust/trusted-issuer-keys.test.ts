/**
 * The keys of foreign issuers: when they are fetched, how long they are valid, and which answers of an issuer are
 * accepted.
 */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createTrustedIssuerKeys } from '../../../src/core/trust/trusted-issuer-keys.js'
import { type Answer, testClock } from '../../support/app.js'
import { makeCertificate } from '../../support/certificates.js'
import { freePort } from '../../support/ports.js'
import {
  answerWith,
  authority,
  type BareIssuer,
  DISCOVERY,
  type ForgedKey,
  JWKS,
  type ListenOptions,
  listen,
  makeKey,
  startBareIssuer
} from '../../support/trusted-issuer.js'
import { startRelyingParty } from './support.js'

const AGAIN_AFTER_MS = 60_000
const GOOD_FOR_MS = 600_000
/** How long a failure is remembered for all callers. */
const FAILED_FOR_MS = 5_000
const LARGEST = 1_048_576
const UNKNOWN_KEY = 'It is signed by a key that the issuer does not publish.'
const ISSUER = 'The issuer cannot be asked for its keys.'
const HOSTS = ['localhost', '127.0.0.1']

const isValid = (t: Test, { status, body }: Answer, why: string) =>
  t.match({ status, body }, { status: 200, body: { isValid: true } }, why)
const isRefused = (t: Test, { status, body }: Answer, message: string, why: string) =>
  t.strictSame({ status, body }, { status: 400, body: { code: 'invalid_token', message } }, why)
const isPutOff = (t: Test, { status, body, headers }: Answer, why: string) =>
  t.match(
    { status, body, headers },
    { status: 503, body: { code: 'unavailable' }, headers: { 'retry-after': /^\d+$/ } },
    why
  )

async function setUp(t: Test, options: ListenOptions = {}) {
  const party = await startRelyingParty(t)
  const issuer = await startBareIssuer(t, { clock: party.clock, ...options })
  const trusted = await party.trustBare(issuer)
  const exp = Math.floor(party.clock() / 1000) + 86_400
  /** Makes a token that is valid for a day. */
  const token = (key?: ForgedKey) => issuer.token({ exp }, key ? { key } : {})
  const bring = async (key?: ForgedKey) => party.validate(await token(key), trusted)
  const [one] = issuer.keys as [ForgedKey]
  return { ...party, issuer, trusted, token, bring, one, asked: () => [issuer.count(DISCOVERY), issuer.count(JWKS)] }
}

t.test('keys', async (t) => {
  t.test('are asked for once, for all who wait', async (t) => {
    const { issuer, trustBare, validate, token, asked } = await setUp(t)
    const policies = await Promise.all(Array.from({ length: 5 }, () => trustBare(issuer)))
    const tokens = await Promise.all(Array.from({ length: 20 }, () => token()))
    t.strictSame(asked(), [0, 0], 'trusting asks for nothing')
    const answers = await Promise.all(policies.flatMap((policy) => tokens.map((one) => validate(one, policy))))
    t.equal(answers.length, 100)
    t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
    t.strictSame(asked(), [1, 1], 'one discovery and one key set')
  })

  t.test('are good for ten minutes, and then asked for anew', async (t) => {
    const { issuer, clock, bring, one, asked } = await setUp(t)
    isValid(t, await bring(one), 'at first')
    // The issuer withdraws its only key.
    issuer.keys = []
    clock.advance(GOOD_FOR_MS - 1)
    isValid(t, await bring(one), 'just under ten minutes')
    t.strictSame(asked(), [1, 1])
    clock.advance(1)
    isRefused(t, await bring(one), UNKNOWN_KEY, 'ten minutes')
    t.strictSame(asked(), [2, 2], 'and not a third time for a key that is not there')
  })

  t.test('that were rotated are asked for again, at most once a minute, however many ask', async (t) => {
    const { issuer, clock, bring, one, asked } = await setUp(t)
    isValid(t, await bring(one), 'at first')
    const [two, stranger] = [await makeKey('two'), await makeKey('stranger')]
    issuer.keys = [one, two]
    clock.advance(AGAIN_AFTER_MS - 1)
    isRefused(t, await bring(two), UNKNOWN_KEY, 'just under a minute after they were asked for')
    t.strictSame(asked(), [1, 1])
    clock.advance(1)
    const bringMany = async (key: ForgedKey) => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => bring(key)))
      return [...new Set(answers.map(({ status }) => status))]
    }
    t.strictSame(await bringMany(two), [200], 'a minute after')
    t.strictSame(asked(), [2, 2], 'asked once for a hundred')
    isValid(t, await bring(one), 'the old one still')
    t.strictSame(await bringMany(stranger), [400], 'a key nobody knows')
    clock.advance(AGAIN_AFTER_MS - 1)
    t.strictSame(await bringMany(stranger), [400])
    t.strictSame(asked(), [2, 2], 'not asked within the minute')
    clock.advance(1)
    t.strictSame(await bringMany(stranger), [400])
    t.strictSame(asked(), [3, 3], 'asked once more')
    issuer.keys = [two]
    clock.advance(AGAIN_AFTER_MS)
    t.strictSame(await bringMany(stranger), [400])
    isRefused(t, await bring(one), UNKNOWN_KEY, 'what was withdrawn is gone with it')
  })

  t.test('are held of a thousand issuers', async (t) => {
    const asked: string[] = []
    const fetch = async (url: string) => {
      asked.push(url)
      const issuer = url.replace(/\/(jwks|\.well-known.*)$/, '')
      return { body: url.endsWith('/jwks') ? { keys: [] } : { issuer, jwks_uri: `${issuer}/jwks` }, fingerprints: [] }
    }
    const keys = createTrustedIssuerKeys(fetch, testClock())
    for (let i = 0; i <= 1_000; i++) t.ok(await keys.of(`https://${i}.example.com`))
    const before = asked.length
    t.equal(before, 2_002)
    await keys.of('https://1.example.com')
    t.equal(asked.length, before, 'the second is held')
    await keys.of('https://0.example.com')
    t.equal(asked.length, before + 2, 'the first is not')
  })
})

t.test('an issuer that is down', async (t) => {
  t.test('503 for those who need its keys, 200 for those whose keys are held', async (t) => {
    const { issuer, clock, bring, one, asked } = await setUp(t)
    const two = await makeKey('two')
    await issuer.down()
    isPutOff(t, await bring(one), 'nothing is known of it')
    await issuer.up()
    clock.advance(FAILED_FOR_MS - 1)
    isPutOff(t, await bring(one), 'it was asked a moment ago')
    t.equal(issuer.connections(), 0)
    clock.advance(1)
    isValid(t, await bring(one), 'it is back')
    issuer.keys = [one, two]
    await issuer.down()
    clock.advance(AGAIN_AFTER_MS)
    isPutOff(t, await bring(two), 'a key that nobody has seen')
    isValid(t, await bring(one), 'the key that is held, after the failure')
    clock.advance(GOOD_FOR_MS - AGAIN_AFTER_MS - 1)
    isValid(t, await bring(one), 'just under ten minutes')
    clock.advance(1)
    isPutOff(t, await bring(one), 'ten minutes')
    t.strictSame(asked(), [1, 1])
    await issuer.up()
    clock.advance(FAILED_FOR_MS)
    isValid(t, await bring(two), 'and it is back')
    t.strictSame(asked(), [2, 2])
  })

  t.test('is asked again at most once a minute for a key nobody knows', async (t) => {
    const { issuer, clock, bring, one, asked } = await setUp(t)
    const two = await makeKey('two')
    isValid(t, await bring(one), 'at first')
    issuer.keys = [one, two]
    issuer.at(JWKS, answerWith('', 500))
    clock.advance(AGAIN_AFTER_MS)
    isPutOff(t, await bring(two), 'nobody knows whether it has such a key')
    for (let i = 0; i < 9; i++) t.not((await bring(two)).status, 200)
    t.strictSame(asked(), [2, 2], 'ten asked, one after the other')
    issuer.at(JWKS)
    clock.advance(AGAIN_AFTER_MS)
    isValid(t, await bring(two), 'a minute later')
  })

  t.test('does not hold up those whose keys are held', async (t) => {
    const { issuer, clock, bring, one } = await setUp(t)
    isValid(t, await bring(one), 'at first')
    let release = () => {}
    const arrived = new Promise<void>((resolve) => {
      issuer.at(JWKS, (request, response) => {
        release = () => answerWith('', 500)(request, response)
        resolve()
      })
    })
    clock.advance(AGAIN_AFTER_MS)
    let isUnknown = true
    const unknown = bring(await makeKey('two')).finally(() => {
      isUnknown = false
    })
    await arrived
    isValid(t, await bring(one), 'while another waits for the answer')
    t.ok(isUnknown, 'who still waits')
    release()
    isPutOff(t, await unknown, 'who waited')
    isValid(t, await bring(one), 'and afterwards')
  })
})

// One of these tests waits for five seconds. Only the first turns the shared clock, and it has ended by then.
t.test('what an issuer answers', { jobs: 2 }, async (t) => {
  const party = await startRelyingParty(t)
  /** Starts an issuer that answers this in place of a document. `bring` validates one of its tokens. */
  async function ask(t: Test, at: string, answer: RequestListener | undefined, options: ListenOptions = {}) {
    const issuer = await startBareIssuer(t, { clock: party.clock, ...options })
    issuer.at(at, answer)
    const trusted = await party.trustBare(issuer)
    return { issuer, bring: async () => party.validate(await issuer.token(), trusted) }
  }

  t.test('503 an answer that is none, for a moment', async (t) => {
    const html = answerWith('<!doctype html><title>Be right back</title>', 200, { 'content-type': 'text/html' })
    const answers: [string, RequestListener][] = [
      ['HTML', html],
      ['500', answerWith('{}', 500)],
      ['404', answerWith('{}', 404)],
      ['204', answerWith('', 204)],
      ['nothing', answerWith('')],
      ['half of a document', answerWith('{"issuer":')],
      ['2 MiB', answerWith(JSON.stringify({ pad: 'x'.repeat(2 * LARGEST) }))],
      ['compressed, which nobody asked for', answerWith(gzipSync('{}'), 200, { 'content-encoding': 'gzip' })],
      ['a connection that is cut', (_request, response) => void response.destroy()],
      [
        'an answer that is cut',
        (_request, response) =>
          void response.writeHead(200, { 'content-length': '9' }).write('{', () => response.destroy())
      ],
      ['headers of 64 KB', answerWith('{}', 200, { 'x-long': 'x'.repeat(65_536) })]
    ]
    for (const path of [DISCOVERY, JWKS]) {
      for (const [why, answer] of answers) {
        const { issuer, bring } = await ask(t, path, answer)
        isPutOff(t, await bring(), `${path}: ${why}`)
        const asked = issuer.requests.length
        isPutOff(t, await bring(), 'again')
        t.equal(issuer.requests.length, asked, 'without asking again')
        issuer.at(path)
        party.clock.advance(FAILED_FOR_MS)
        isValid(t, await bring(), 'and once it is right')
      }
    }
    for (const body of ['{}', 'null', '[]', '7', '"x"', '{"keys":{}}', '{"keys":[null]}', '{"keys":["x"]}']) {
      isPutOff(t, await (await ask(t, JWKS, answerWith(body))).bring(), `keys: ${body}`)
    }
  })

  t.test('503 an answer that does not end in five seconds', { buffered: true }, async (t) => {
    const dripping: RequestListener = (_request, response) => {
      response.writeHead(200).write('{')
      const timer = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(timer))
    }
    const slow = [await ask(t, DISCOVERY, dripping), await ask(t, JWKS, dripping), await ask(t, DISCOVERY, () => {})]
    // The server accepts connections but never answers, not even to the TLS handshake.
    const silent = createServer(() => {}).listen(await freePort(), '127.0.0.1')
    t.teardown(() => silent.close())
    await once(silent, 'listening')
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const trusted = await party.trust({ url })
    const token = await (await startBareIssuer(t)).token()
    const startedAt = performance.now()
    const answers = await Promise.all([...slow.map(({ bring }) => bring()), party.validate(token, trusted)])
    const ms = performance.now() - startedAt
    for (const answer of answers) isPutOff(t, answer, 'no answer')
    t.ok(ms > 4_900 && ms < 7_000, `it took ${ms.toFixed(0)} ms`)
  })

  t.test('503 a certificate that is not trusted for it', { buffered: true }, async (t) => {
    const stranger = makeCertificate({ name: 'Another authority' })
    const expired = { name: 'x', issuer: authority, hosts: HOSTS, notAfter: new Date(Date.now() - 60_000) }
    for (const [why, certificate] of [
      ['of an authority nobody knows', makeCertificate({ name: 'x', issuer: stranger, hosts: HOSTS })],
      [
        'of the name of the authority',
        makeCertificate({ name: 'x', issuer: { ...stranger, name: authority.name }, hosts: HOSTS })
      ],
      ['of nobody', makeCertificate({ name: 'x', hosts: HOSTS })],
      [
        'for another host',
        makeCertificate({ name: 'x', issuer: authority, hosts: ['issuer.example.com', '127.0.0.2'] })
      ],
      ['that has expired', makeCertificate(expired)]
    ] as const) {
      const { issuer, bring } = await ask(t, DISCOVERY, undefined, { certificate })
      isPutOff(t, await bring(), why)
      t.strictSame(issuer.requests, [], `${why}: asked for nothing`)
    }
    isValid(t, await (await ask(t, DISCOVERY, undefined, { host: '127.0.0.1' })).bring(), 'an address is a name')
  })

  t.test('400 a document that says what it must not', { buffered: true }, async (t) => {
    const plain = await listen(t, answerWith('{"keys":[]}'), { isPlain: true })
    const changes: [string, (issuer: BareIssuer) => object][] = [
      ['another issuer', () => ({ issuer: 'https://issuer.example.com' })],
      ['the issuer in upper case', ({ url }) => ({ issuer: url.toUpperCase() })],
      ['the issuer with a path', ({ url }) => ({ issuer: `${url}/x` })],
      ['the issuer with two slashes', ({ url }) => ({ issuer: `${url}//` })],
      ['no issuer', () => ({ issuer: undefined })],
      ['an array of issuers', ({ url }) => ({ issuer: [url] })],
      ['no jwks_uri', () => ({ jwks_uri: undefined })],
      ['a jwks_uri that is null', () => ({ jwks_uri: null })],
      ['a jwks_uri that is an object', () => ({ jwks_uri: {} })],
      ['an empty jwks_uri', () => ({ jwks_uri: '' })],
      ['a jwks_uri without a host', () => ({ jwks_uri: '/jwks' })],
      ['a jwks_uri without TLS', () => ({ jwks_uri: `${plain.origin}/jwks` })],
      ['a jwks_uri of another scheme', () => ({ jwks_uri: 'data:application/json,{"keys":[]}' })],
      ['a jwks_uri with a user', ({ url }) => ({ jwks_uri: url.replace('://', '://user:word@') })]
    ]
    for (const [why, change] of changes) {
      const { issuer, bring } = await ask(t, DISCOVERY, undefined)
      issuer.metadata = change(issuer) as Record<string, unknown>
      isRefused(t, await bring(), ISSUER, why)
      t.strictSame(issuer.requests, [DISCOVERY], `${why}: and no more was asked for`)
    }
    for (const body of ['null', '[]', '7', '"x"', '{}']) {
      isRefused(t, await (await ask(t, DISCOVERY, answerWith(body))).bring(), ISSUER, `discovery: ${body}`)
    }
    t.equal(plain.connections(), 0)
  })

  t.test('200 keys that are published elsewhere, and answers of a mebibyte', { buffered: true }, async (t) => {
    const { issuer, bring } = await ask(t, DISCOVERY, undefined)
    const set = JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) })
    const elsewhere = await listen(t, answerWith(set), { host: '127.0.0.1' })
    issuer.metadata = { jwks_uri: `${elsewhere.origin}/keys?of=issuer` }
    isValid(t, await bring(), 'elsewhere')
    t.strictSame([issuer.requests, elsewhere.requests], [[DISCOVERY], ['/keys?of=issuer']])

    for (const [size, isGood] of [
      [LARGEST, true],
      [LARGEST + 1, false]
    ] as const) {
      const { issuer, bring } = await ask(t, DISCOVERY, undefined)
      const text = JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) })
      issuer.at(JWKS, answerWith(text + ' '.repeat(size - text.length)))
      if (isGood) isValid(t, await bring(), `${size} bytes`)
      else isPutOff(t, await bring(), `${size} bytes`)
    }
  })

  t.test('a key set with strange keys serves those that are none', { buffered: true }, async (t) => {
    const { issuer, bring } = await ask(t, DISCOVERY, undefined)
    const [{ jwk }] = issuer.keys as [ForgedKey]
    const strange = [
      {},
      { kty: 'XX', kid: 'one' },
      { kty: 'oct', k: 'AAAA', kid: 'one' },
      { ...jwk, use: 'enc' },
      { kty: 'RSA', kid: 'one' }
    ]
    issuer.at(JWKS, answerWith(JSON.stringify({ keys: [...strange, jwk] })))
    isValid(t, await bring(), 'one good key among five')
    const twice = await ask(t, DISCOVERY, undefined)
    twice.issuer.keys.push(await makeKey('one'))
    isRefused(t, await twice.bring(), 'Its signature is not valid.', 'two keys of one name')
    const none = await ask(t, JWKS, answerWith('{"keys":[]}'))
    isRefused(t, await none.bring(), UNKNOWN_KEY, 'no key')
  })
})
