/**
 * The keys of foreign issuers: when they are fetched, how long they are valid, and which answers of an issuer are
 * accepted.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import type { JWK } from 'jose'
import t, { type Test } from 'tap'
import { isFault } from '../../../src/core/fault.js'
import { ForbiddenUrlError, type GuardedAnswer } from '../../../src/core/trust/guarded-fetch.js'
import { readKeySet } from '../../../src/core/trust/key-set.js'
import { createTrustedIssuerKeys } from '../../../src/core/trust/trusted-issuer-keys.js'
import { type Answer, testClock } from '../../support/app.js'
import { makeCertificate } from '../../support/certificates.js'
import { startStopwatch } from '../../support/held-up.js'
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
import { type RelyingParty, startRelyingParty } from './support.js'

const AGAIN_AFTER_MS = 60_000
const GOOD_FOR_MS = 600_000
/** How long a failure is remembered for all callers. */
const FAILED_FOR_MS = 5_000
const LARGEST = 1_048_576
const SIGNATURE = 'Its signature is not valid.'
const UNKNOWN_KEY = 'It is signed by a key that the issuer does not publish.'
const ISSUER = 'The issuer cannot be asked for its keys.'
const HOSTS = ['localhost', '127.0.0.1']

/** Makes the handler that answers in a content coding. */
const coded = (coding: string, encode: (bytes: Buffer) => Buffer, text: string): RequestListener =>
  answerWith(encode(Buffer.from(text)), 200, { 'content-encoding': coding })

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

/** Fetches the documents of any issuer, all with this key set. */
function fetchOf(set: unknown) {
  const asked: string[] = []
  const fetch = async (url: string): Promise<GuardedAnswer> => {
    asked.push(url)
    const issuer = url.replace(/\/(jwks|\.well-known.*)$/, '')
    const body = url.endsWith('/jwks') ? set : { issuer, jwks_uri: `${issuer}/jwks` }
    return { body, fingerprints: [], headers: {} }
  }
  return { asked, fetch }
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

  t.test('that were exchanged under the same name, or have none, are found after a minute', async (t) => {
    const rename = (key: ForgedKey, kid: string | undefined): ForgedKey => ({ ...key, jwk: { ...key.jwk, kid } as JWK })
    const rows: [string, tokenKid: string | undefined, keyKid: string | undefined][] = [
      // RFC 7515 §4.1.4 and RFC 7517 §4.5: a kid is a hint, and both may leave it out.
      ['the same kid', 'one', 'one'],
      ['a kid on the key alone', undefined, 'one'],
      ['a kid in the token alone', 'one', undefined],
      ['no kid at all', undefined, undefined]
    ]
    for (const [why, tokenKid, keyKid] of rows) {
      const { issuer, clock, trusted, trustBare, validate, one, asked } = await setUp(t)
      const honest = await startBareIssuer(t, { clock })
      const honestly = await trustBare(honest)
      const exp = Math.floor(clock() / 1000) + 86_400
      const bring = async (key: ForgedKey) =>
        validate(await issuer.token({ exp }, { key, header: { kid: tokenKid } }), trusted)
      const serves = async (about: string) =>
        isValid(t, await validate(await honest.token({ exp }), honestly), `${why}: another issuer, ${about}`)
      const [two, stranger] = [await makeKey('one'), await makeKey('one')]
      issuer.keys = [rename(one, keyKid)]
      isValid(t, await bring(one), `${why}: at first`)
      await serves('at first')
      issuer.keys = [rename(two, keyKid)]
      for (let i = 0; i < 5; i++) isRefused(t, await bring(two), SIGNATURE, `${why}: within the minute`)
      isValid(t, await bring(one), `${why}: what is not known to be gone`)
      t.strictSame(asked(), [1, 1], 'asked once')
      clock.advance(AGAIN_AFTER_MS)
      const answers = await Promise.all(Array.from({ length: 20 }, () => bring(two)))
      t.strictSame([...new Set(answers.map(({ status }) => status))], [200], `${why}: after it`)
      isRefused(t, await bring(one), SIGNATURE, `${why}: the key that has gone`)
      for (let i = 0; i < 5; i++) isRefused(t, await bring(stranger), SIGNATURE, `${why}: a forged one`)
      t.strictSame(asked(), [2, 2], 'asked once more')
      clock.advance(AGAIN_AFTER_MS)
      for (let i = 0; i < 5; i++) isRefused(t, await bring(stranger), SIGNATURE, `${why}: a minute later`)
      t.strictSame(asked(), [3, 3], 'forged tokens cost one look a minute')
      isValid(t, await bring(two), `${why}: the new key still`)
      await serves('at last')
    }
  })

  t.test('are held of a thousand issuers', async (t) => {
    const { asked, fetch } = fetchOf({ keys: [] })
    const keys = createTrustedIssuerKeys(fetch, testClock())
    for (let i = 0; i <= 1_000; i++) t.ok(await keys.of(`https://${i}.example.com`))
    const before = asked.length
    t.equal(before, 2_002)
    await keys.of('https://1.example.com')
    t.equal(asked.length, before, 'the second is held')
    await keys.of('https://0.example.com')
    t.equal(asked.length, before + 2, 'the first is not')
  })

  t.test('are held up to 40 MiB, and a hundred of one issuer', async (t) => {
    const large = Array.from({ length: 500 }, (_, i) => ({
      ...{ kty: 'RSA', kid: `${i}`, e: 'AQAB' },
      n: randomBytes(1_024).toString('base64url')
    }))
    const { size } = readKeySet({ keys: large })
    t.equal(size, readKeySet({ keys: large.slice(0, 100) }).size)
    const most = Math.floor((40 * 1024 * 1024) / size)
    t.ok(most < 50, `${most} sets as large as may be`)
    const { asked, fetch } = fetchOf({ keys: large })
    const keys = createTrustedIssuerKeys(fetch, testClock())
    for (let i = 0; i <= most; i++) t.ok(await keys.of(`https://${i}.example.com`))
    const before = asked.length
    await keys.of('https://1.example.com')
    t.equal(asked.length, before, 'the second is held')
    await keys.of('https://0.example.com')
    t.equal(asked.length, before + 2, 'the first is not')
    t.strictSame(
      [{ kid: 'x'.repeat(99_000) }, { alg: 'x'.repeat(99_000) }, { crv: 'x'.repeat(99_000) }].map(
        (more) => readKeySet({ keys: [{ ...large[0], ...more }] }).size > 99_000
      ),
      [true, true, false],
      'what is held of a key counts, and what may be long and is of no use is not held'
    )
  })

  t.test('make room for others once their time is over', async (t) => {
    const clock = testClock()
    const { asked, fetch } = fetchOf({ keys: [] })
    const keys = createTrustedIssuerKeys(
      (url) => (url.includes('away') ? Promise.reject(new Error()) : fetch(url)),
      clock
    )
    const away = (i: number) => keys.of(`https://away-${i}.example.com`).catch(() => {})
    await keys.of('https://app.example.com')
    for (let i = 1; i < 1_000; i++) await away(i)
    clock.advance(FAILED_FOR_MS)
    await away(1_000)
    await keys.of('https://app.example.com')
    t.equal(asked.length, 2, 'and not before')
  })

  t.test('that there were none of are asked for after a minute', async (t) => {
    const clock = testClock()
    const { fetch } = fetchOf({ keys: [] })
    let isThere = false
    const none = new ForbiddenUrlError('the host has no address')
    const keys = createTrustedIssuerKeys((url) => (isThere ? fetch(url) : Promise.reject(none)), clock)
    t.equal(await keys.of('https://app.example.com'), undefined)
    isThere = true
    clock.advance(AGAIN_AFTER_MS - 1)
    t.equal(await keys.of('https://app.example.com'), undefined)
    clock.advance(1)
    t.ok(await keys.of('https://app.example.com'))
  })
})

t.test('issuers that are asked at once', async (t) => {
  t.test('are 32, and eight of one owner, and others are put off without being remembered', async (t) => {
    const { fetch } = fetchOf({ keys: [] })
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    let hung = 0
    const keys = createTrustedIssuerKeys(async (url) => {
      hung += 1
      await released
      return fetch(url)
    }, testClock())
    const refused: string[] = []
    const ask = (owner: string, i: number) =>
      keys.of(`https://${owner}-${i}.example.com`, false, owner).catch((error) => {
        refused.push(`${owner} ${isFault(error) && error.code}`)
      })
    const owners = ['ann', 'bob', 'cleo', 'dan', 'eve']
    const asked = owners.flatMap((owner) => Array.from({ length: 10 }, (_, i) => ask(owner, i)))
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(hung, 32)
    const rest = (owner: string, count: number) => Array(count).fill(`${owner} overloaded`)
    t.strictSame(refused, [...owners.slice(0, 4).flatMap((owner) => rest(owner, 2)), ...rest('eve', 10)])
    release()
    await Promise.all(asked)
    t.ok(await ask('ann', 9), 'one that was put off')
  })

  t.test('503 for the ninth of an account', async (t) => {
    const { trust, validate } = await startRelyingParty(t)
    const answers: (() => void)[] = []
    let arrived = () => {}
    const eight = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const host = await listen(t, (request, response) => {
      answers.push(() => answerWith('', 500)(request, response))
      if (answers.length === 8) arrived()
    })
    const token = await (await startBareIssuer(t)).token()
    const trusted = await Promise.all(Array.from({ length: 9 }, (_, i) => trust({ url: `${host.origin}/${i}` })))
    const waiting = trusted.slice(0, 8).map((one) => validate(token, one))
    await eight
    isPutOff(t, await validate(token, trusted[8] as (typeof trusted)[number]), 'the ninth')
    t.equal(host.requests.length, 8, 'it was not asked')
    for (const answer of answers) answer()
    await Promise.all(waiting)
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

// One of these tests waits for five seconds, so they run side by side. Those that turn the clock have a relying party of their own.
t.test('what an issuer answers', { jobs: 2 }, async (t) => {
  const shared = await startRelyingParty(t)
  /** Starts an issuer that answers this in place of a document. `bring` validates one of its tokens. */
  async function ask(
    t: Test,
    at: string,
    answer: RequestListener | undefined,
    { party = shared, ...options }: ListenOptions & { party?: RelyingParty } = {}
  ) {
    const issuer = await startBareIssuer(t, { clock: party.clock, ...options })
    issuer.at(at, answer)
    const trusted = await party.trustBare(issuer)
    return { issuer, bring: async () => party.validate(await issuer.token(), trusted) }
  }

  t.test('503 an answer that is none, for a moment', async (t) => {
    const party = await startRelyingParty(t)
    const html = answerWith('<!doctype html><title>Be right back</title>', 200, { 'content-type': 'text/html' })
    const answers: [string, RequestListener][] = [
      ['HTML', html],
      ['500', answerWith('{}', 500)],
      ['404', answerWith('{}', 404)],
      ['204', answerWith('', 204)],
      ['nothing', answerWith('')],
      ['half of a document', answerWith('{"issuer":')],
      ['2 MiB', answerWith(JSON.stringify({ pad: 'x'.repeat(2 * LARGEST) }))],
      ['2 MiB in 2 KB', coded('gzip', gzipSync, JSON.stringify({ pad: 'x'.repeat(2 * LARGEST) }))],
      ['half of what was compressed', coded('gzip', (bytes) => gzipSync(bytes).subarray(0, 12), '{"a":"b"}')],
      ['said to be compressed', coded('gzip', Buffer.from, '{}')],
      ['in a coding nobody knows', coded('compress', Buffer.from, '{}')],
      ['in three codings', coded('gzip, gzip, gzip', (bytes) => gzipSync(gzipSync(gzipSync(bytes))), '{}')],
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
        const { issuer, bring } = await ask(t, path, answer, { party })
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

  t.test('503 an answer that does not end in five seconds', async (t) => {
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
    const trusted = await shared.trust({ url })
    const token = await (await startBareIssuer(t)).token()
    const startedAt = performance.now()
    const ownMs = startStopwatch(t)
    const answers = await Promise.all([...slow.map(({ bring }) => bring()), shared.validate(token, trusted)])
    const ms = performance.now() - startedAt
    for (const answer of answers) isPutOff(t, answer, 'no answer')
    t.ok(ms > 4_900 && ownMs() < 7_000, `it took ${ms.toFixed(0)} ms, ${ownMs().toFixed(0)} of its own`)
  })

  t.test('503 a certificate that is not trusted for it', async (t) => {
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

  t.test('400 a document that says what it must not', async (t) => {
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

  t.test('200 keys that are published elsewhere, and answers of a mebibyte', async (t) => {
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

  t.test('200 whatever is said around a good key', async (t) => {
    const party = await startRelyingParty(t)
    const { issuer: first, bring } = await ask(t, DISCOVERY, undefined, { party })
    const asked: string[] = []
    for (const path of [DISCOVERY, JWKS]) {
      first.at(path, (request, response) => {
        asked.push(`${request.headers.accept} ${request.headers['accept-encoding']}`)
        first.at(path)
        response.writeHead(503).end()
      })
      await bring()
      party.clock.advance(FAILED_FOR_MS)
    }
    isValid(t, await bring(), 'as it is')
    t.strictSame([...new Set(asked)], ['application/jwk-set+json, application/json identity'])

    const set = ({ keys }: BareIssuer) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
    const ways: [string, (text: string) => RequestListener][] = [
      // RFC 9110 §12.5.3: a server may disregard what a client accepts.
      ['gzip', (text) => coded('gzip', gzipSync, text)],
      ['x-gzip in capitals', (text) => coded('X-GZIP', gzipSync, text)],
      ['gzip over identity', (text) => coded('identity, gzip', gzipSync, text)],
      ['gzip twice', (text) => coded('gzip, gzip', (bytes) => gzipSync(gzipSync(bytes)), text)],
      ['deflate', (text) => coded('deflate', deflateSync, text)],
      ['deflate without a wrapper', (text) => coded('deflate', deflateRawSync, text)],
      ['br', (text) => coded('br', brotliCompressSync, text)],
      ['deflate, and br over it', (text) => coded('deflate, br', (b) => brotliCompressSync(deflateSync(b)), text)],
      ['identity, said', (text) => coded('identity', (bytes) => bytes, text)],
      ['a byte order mark', (text) => answerWith(`\ufeff${text}`)],
      ['a byte order mark in gzip', (text) => coded('gzip', gzipSync, `\ufeff${text}`)],
      ['application/jwk-set+json', (text) => answerWith(text, 200, { 'content-type': 'application/jwk-set+json' })],
      ['text/plain', (text) => answerWith(text, 200, { 'content-type': 'text/plain' })]
    ]
    for (const [why, way] of ways) {
      const { issuer, bring } = await ask(t, JWKS, undefined)
      issuer.at(JWKS, way(set(issuer)))
      issuer.at(DISCOVERY, way(JSON.stringify({ issuer: issuer.url, jwks_uri: issuer.url + JWKS })))
      isValid(t, await bring(), why)
    }
  })

  t.test('200 and 400 one good key among strange ones', async (t) => {
    const twin = await makeKey('one')
    const strange: [string, (jwk: JWK) => unknown[]][] = [
      // RFC 7517 §5: what is not understood, not complete or out of range is ignored.
      ['nothing', () => [null, 'x', 7, true, [], [null]]],
      ['an empty key', () => [{}]],
      ['a kind nobody knows', () => [{ kty: 'XX', kid: 'one' }]],
      ['a kind that every object has', () => [{ kty: 'constructor', kid: '__proto__' }]],
      ['a secret', () => [{ kty: 'oct', k: 'AAAA', kid: 'one' }]],
      ['a key for encryption', (jwk) => [{ ...jwk, use: 'enc' }]],
      ['a key for other operations', (jwk) => [{ ...jwk, key_ops: ['sign'] }]],
      ['a key for another algorithm', (jwk) => [{ ...jwk, alg: 'ECDH-ES' }]],
      [
        'half of a key',
        () => [
          { kty: 'RSA', kid: 'one' },
          { kty: 'EC', crv: 'P-256', kid: 'one' }
        ]
      ],
      ['a point that is on no curve', (jwk) => [{ ...jwk, x: jwk.y }]],
      ['a point of no letters', (jwk) => [{ ...jwk, x: '%%%' }]],
      ['a curve nobody knows', (jwk) => [{ ...jwk, crv: 'P-257' }]],
      ['a key of the other curve', (jwk) => [{ ...jwk, crv: 'P-384' }]],
      ['another key of that name', () => [twin.jwk]],
      ['the same key', (jwk) => [jwk]],
      ['forty of the same key', () => Array(40).fill(twin.jwk)],
      ['the same key under another name', (jwk) => [{ ...jwk, kid: 'two' }]],
      ['a key without a name', () => [{ ...twin.jwk, kid: undefined }]]
    ]
    for (const [why, others] of strange) {
      for (const place of ['before', 'after']) {
        const { issuer, bring } = await ask(t, DISCOVERY, undefined)
        const [{ jwk }] = issuer.keys as [ForgedKey]
        const keys = place === 'before' ? [...others(jwk), jwk] : [jwk, ...others(jwk)]
        issuer.at(JWKS, answerWith(JSON.stringify({ keys })))
        isValid(t, await bring(), `${why}, ${place} it`)
      }
    }
    const unusable: [string, (jwk: JWK, key: ForgedKey) => unknown][] = [
      ['for encryption', (jwk) => ({ ...jwk, use: 'enc' })],
      ['for signing', (jwk) => ({ ...jwk, key_ops: ['sign'] })],
      ['for another algorithm', (jwk) => ({ ...jwk, alg: 'ES384' })],
      ['private', (_, { privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), kid: 'one' })],
      ['of another name', (jwk) => ({ ...jwk, kid: 'two' })]
    ]
    for (const [why, change] of unusable) {
      const { issuer, bring } = await ask(t, DISCOVERY, undefined)
      const [key] = issuer.keys as [ForgedKey]
      issuer.at(JWKS, answerWith(JSON.stringify({ keys: [change(key.jwk, key)] })))
      isRefused(t, await bring(), UNKNOWN_KEY, why)
    }
    const usable: [string, (jwk: JWK) => unknown][] = [
      ['without a name', (jwk) => ({ ...jwk, kid: undefined })],
      ['with null for what it does not say', (jwk) => ({ ...jwk, kid: null, use: null, alg: null, key_ops: null })],
      ['with a number for a name', (jwk) => ({ ...jwk, kid: 1 })],
      ['with more operations', (jwk) => ({ ...jwk, use: undefined, key_ops: ['sign', 'verify'] })],
      ['with its algorithm', (jwk) => ({ ...jwk, alg: 'ES256' })],
      ['with members nobody knows', (jwk) => ({ ...jwk, exp: 1, x5c: [null], ext: 'yes', oth: {} })]
    ]
    for (const [why, change] of usable) {
      const { issuer, bring } = await ask(t, DISCOVERY, undefined)
      const [{ jwk }] = issuer.keys as [ForgedKey]
      issuer.at(JWKS, answerWith(JSON.stringify({ keys: [change(jwk)] })))
      isValid(t, await bring(), why)
    }
    const none = await ask(t, JWKS, answerWith('{"keys":[]}'))
    isRefused(t, await none.bring(), UNKNOWN_KEY, 'no key')
  })

  t.test('16 keys are tried, and those of its name first', async (t) => {
    const others = await Promise.all(Array.from({ length: 16 }, () => makeKey('one')))
    const TOO_MANY = 'More keys of the issuer fit it than are tried.'
    for (const [why, kid, count, refusal] of [
      ['fifteen others', 'one', 15, undefined],
      ['sixteen others', 'one', 16, TOO_MANY],
      ['sixteen others without a name', undefined, 16, undefined]
    ] as const) {
      const { issuer, bring } = await ask(t, DISCOVERY, undefined)
      const [{ jwk }] = issuer.keys as [ForgedKey]
      const keys = [...others.slice(0, count).map((other) => ({ ...other.jwk, kid })), jwk]
      issuer.at(JWKS, answerWith(JSON.stringify({ keys })))
      if (refusal === undefined) isValid(t, await bring(), why)
      else isRefused(t, await bring(), refusal, why)
    }
  })
})
