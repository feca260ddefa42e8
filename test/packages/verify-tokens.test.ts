/**
 * @grantd/verify by itself: tokens of any issuer of RFC 9068, what it says when it refuses, its keys, its plugin and its middleware,
 * and what it holds in memory.
 */
import { randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  createVerifier,
  type FeedState,
  isVerifyError,
  resourceMetadataUrl,
  type VerifierOptions
} from '@grantd/verify'
import { verifyTokens } from '@grantd/verify/fastify'
import { requireToken, serveMetadata } from '@grantd/verify/middleware'
import Fastify from 'fastify'
import { SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { createFeedPace } from '../../packages/verify/src/feed-pace.js'
import { createRevocations } from '../../packages/verify/src/revocations.js'
import { testClock } from '../support/app.js'
import { heapInUse } from '../support/heap.js'
import { freePort } from '../support/ports.js'
import {
  answerWith,
  type BareIssuer,
  type BareOptions,
  DISCOVERY,
  type ForgedKey,
  JWKS,
  makeKey,
  startBareIssuer,
  startRealIssuer
} from '../support/trusted-issuer.js'
import { until } from '../support/until.js'

const AUDIENCE = 'https://api.acme.example'
/** The claims of RFC 9068 beside those that a bare issuer adds by itself. */
const profile = () => ({ aud: AUDIENCE, client_id: 'tv', jti: randomUUID(), scope: 'films.read films.write' })

async function startIssuer(t: Test, options: BareOptions = {}) {
  const clock = testClock()
  const issuer = await startBareIssuer(t, { isPlain: true, clock, ...options })
  const token = (claims: Record<string, unknown> = {}, parts: Parameters<BareIssuer['token']>[1] = {}) =>
    issuer.token({ ...profile(), ...claims }, { ...parts, header: { typ: 'at+jwt', ...parts.header } })
  return { issuer, clock, token }
}

/** An answer of more characters is none. */
const TOO_MUCH = 'x'.repeat(4 * 1_024 * 1_024)

const optionsFor = (issuer: string): VerifierOptions => ({ issuer, audience: AUDIENCE, revocations: 'none' })

/** Returns `good`, or the reason of the refusal. */
const outcomeOf = (verifying: Promise<unknown>): Promise<string> =>
  verifying.then(
    () => 'good',
    (error) => {
      if (!isVerifyError(error)) throw error
      return error.reason
    }
  )

t.test('a token of an issuer that others wrote', async (t) => {
  const issuer = await startRealIssuer(t, { isPlain: true })
  const verifier = createVerifier(optionsFor(issuer.url))
  const claims = await verifier.verify(await issuer.token(AUDIENCE))
  t.match(claims, { iss: issuer.url, aud: AUDIENCE, client_id: 'job', sub: 'job' })
  t.equal(await outcomeOf(verifier.verify(await issuer.token('https://other.example'))), 'audience')
})

t.test('every way to be no token for this API', async (t) => {
  const { issuer, clock, token } = await startIssuer(t)
  const verifier = createVerifier({ ...optionsFor(issuer.url), clock })
  const nowSeconds = Math.floor(clock() / 1_000)
  const other = await makeKey('other')
  const [header, payload, signature] = (await token()).split('.')
  const plain = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
  // jose signs nothing of the kind.
  const signed = (header: object) => {
    const text = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}`
    const { privateKey } = issuer.keys[0] as ForgedKey
    const mark = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${text}.${mark.toString('base64url')}`
  }
  const extended = { alg: 'ES256', kid: 'one', typ: 'at+jwt', 'urn:a': 1 }
  const secret = new TextEncoder().encode(JSON.stringify(issuer.keys[0]?.jwk))
  const symmetric = new SignJWT({ ...profile(), iss: issuer.url, sub: 'a', exp: nowSeconds + 60, iat: nowSeconds })

  const cases: [string, string, string | undefined | Promise<string>][] = [
    ['nothing', 'missing', undefined],
    ['an empty text', 'missing', ''],
    ['garbage', 'malformed', 'garbage'],
    ['two parts', 'malformed', `${header}.${payload}`],
    ['a header that is no JSON', 'malformed', `AAAA.${payload}.${signature}`],
    ['more than 16,384 characters', 'malformed', 'x'.repeat(16_385)],
    ['no signature', 'signature', `${plain}.${payload}.`],
    ['another payload', 'signature', token({ sub: 'b' }).then((b) => `${header}.${b.split('.')[1]}.${signature}`)],
    ['a key that nobody knows', 'signature', token({}, { key: other })],
    ['the name of a known key', 'signature', token({}, { key: { ...other, kid: 'one' } })],
    [
      'the public key as a secret',
      'signature',
      symmetric.setProtectedHeader({ alg: 'HS256', kid: 'one', typ: 'at+jwt' }).sign(secret)
    ],
    ['an extension that must be known', 'signature', signed({ ...extended, crit: ['urn:a'] })],
    ['an extension that need not be known', 'good', signed(extended)],
    ['typ of an ID token', 'type', token({}, { header: { typ: 'JWT' } })],
    ['no typ', 'type', token({}, { header: { typ: undefined } })],
    ['another issuer', 'issuer', token({ iss: 'https://other.example' })],
    ['another audience', 'audience', token({ aud: 'https://other.example' })],
    ['an audience by prefix', 'audience', token({ aud: `${AUDIENCE}/` })],
    ['other audiences', 'audience', token({ aud: ['a', 'b'] })],
    ['one that ended', 'expired', token({ exp: nowSeconds - 5 })],
    ['one that begins later', 'not-yet', token({ nbf: nowSeconds + 6 })],
    ...['iss', 'aud', 'exp', 'sub', 'client_id', 'iat', 'jti'].map(
      (claim) => [`no ${claim}`, 'claims', token({ [claim]: undefined })] as [string, string, Promise<string>]
    ),
    ['an end in words', 'claims', token({ exp: 'tomorrow' })],
    ['a subject that is a number', 'claims', token({ sub: 7 })],
    ['an empty client', 'claims', token({ client_id: '' })],
    ['scopes in a list', 'claims', token({ scope: ['films.read'] })],
    ['one that is bound to a key', 'claims', token({ cnf: { jkt: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' } })],
    ['ended within the tolerance', 'good', token({ exp: nowSeconds - 4 })],
    ['beginning within the tolerance', 'good', token({ nbf: nowSeconds + 5 })],
    ['several audiences', 'good', token({ aud: ['a', AUDIENCE] })],
    ['the long form of typ', 'good', token({}, { header: { typ: 'application/AT+JWT' } })],
    ['no scope at all', 'good', token({ scope: undefined })]
  ]
  for (const [name, expected, made] of cases) {
    t.equal(await outcomeOf(verifier.verify(await made)), expected, name)
  }
  t.equal(cases.length, 38)

  const strict = createVerifier({ ...optionsFor(issuer.url), clock, clockToleranceSeconds: 0, algorithms: ['RS256'] })
  t.equal(await outcomeOf(strict.verify(await token())), 'signature', 'an algorithm that is not among the accepted')
  const exact = createVerifier({ ...optionsFor(issuer.url), clock, clockToleranceSeconds: 0 })
  t.equal(await outcomeOf(exact.verify(await token({ exp: nowSeconds }))), 'expired', 'without tolerance')
})

t.test('scopes: all of those that are needed', async (t) => {
  const { issuer, clock, token } = await startIssuer(t)
  const verifier = createVerifier({ ...optionsFor(issuer.url), clock })
  const made = await token()
  for (const scope of ['films.read', 'films.write films.read', ['films.read', 'films.write'], []]) {
    t.equal(await outcomeOf(verifier.verify(made, { scope })), 'good', `${scope}`)
  }
  for (const scope of ['films', 'films.read films.delete', ['films.delete']]) {
    t.equal(await outcomeOf(verifier.verify(made, { scope })), 'scope', `${scope}`)
  }
  t.equal(await outcomeOf(verifier.verify(await token({ scope: undefined }), { scope: 'films.read' })), 'scope')
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(verifyTokens, { verifier })
  for (const scope of ['', 'a"b', 'a  b', 'ä', 'a\nb', ['a', 'b\\']]) {
    await t.rejects(verifier.verify(made, { scope }), TypeError, JSON.stringify(scope))
    t.throws(() => requireToken(verifier, { scope }), TypeError, 'and a route is not made with it')
    t.throws(() => app.requireToken({ scope }), TypeError)
  }
})

t.test('what is sent with a refusal', async (t) => {
  const { issuer, clock, token } = await startIssuer(t)
  const metadata = { scopes_supported: ['films.read'] }
  const verifier = createVerifier({ ...optionsFor(issuer.url), clock, audience: `${AUDIENCE}/v1?a=b`, metadata })
  const address = 'https://api.acme.example/.well-known/oauth-protected-resource/v1?a=b'
  t.strictSame(verifier.metadata, {
    url: address,
    path: '/.well-known/oauth-protected-resource/v1?a=b',
    document: {
      authorization_servers: [issuer.url],
      bearer_methods_supported: ['header'],
      scopes_supported: ['films.read'],
      resource: `${AUDIENCE}/v1?a=b`
    }
  })
  const refusalOf = (authorization?: string, scope = 'films.read') =>
    verifier.authenticate(authorization, { scope }).then(
      () => undefined,
      (error) => error
    )
  for (const nothing of [undefined, '', 'Basic YTpi', 'DPoP x.y.z', 'Bearer', 'Bearer ']) {
    t.match(await refusalOf(nothing), {
      ...{ code: 'missing_token', status: 401, body: {} },
      wwwAuthenticate: `Bearer resource_metadata="${address}"`
    })
  }
  const invalid = await refusalOf(`bearer ${await token()}`)
  t.match(invalid, { name: 'VerifyError', code: 'invalid_token', reason: 'audience', status: 401 })
  const description = 'The access token is malformed, expired, revoked, or not for this resource'
  t.strictSame(invalid.body, { error: 'invalid_token', error_description: description })
  t.strictSame(invalid.headers, {
    'cache-control': 'no-store',
    'www-authenticate': `Bearer error="invalid_token", error_description="${description}", resource_metadata="${address}"`
  })
  t.match(invalid.cause, { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })
  const lacking = await refusalOf(`Bearer ${await token({ aud: `${AUDIENCE}/v1?a=b` })}`, 'films.delete films.read')
  t.match(lacking, { code: 'insufficient_scope', status: 403 })
  t.match(lacking.wwwAuthenticate, 'error="insufficient_scope"')
  t.match(lacking.wwwAuthenticate, `scope="films.delete films.read", resource_metadata="${address}"`)
})

t.test('the address of the metadata (RFC 9728 §3.1)', async (t) => {
  const paths = ['', '/', '/a', '/a/', '/a/b?c=d', '?c=d']
  t.strictSame(
    paths.map((path) => resourceMetadataUrl(`https://h.example:8443${path}`).slice('https://h.example:8443'.length)),
    ['', '', '/a', '/a/', '/a/b?c=d', '?c=d'].map((rest) => `/.well-known/oauth-protected-resource${rest}`)
  )
  for (const bad of ['urn:api', 'api', 'https://h.example/#a']) t.throws(() => resourceMetadataUrl(bad), TypeError)
  t.throws(() => createVerifier({ ...optionsFor('https://a.example'), audience: 'films', metadata: {} }), TypeError)
})

t.test('the metadata of the issuer', async (t) => {
  t.test('is that of RFC 8414 where there is one, between host and path', async (t) => {
    const { issuer, token } = await startIssuer(t)
    issuer.at(
      '/.well-known/oauth-authorization-server',
      answerWith(JSON.stringify({ issuer: issuer.url, jwks_uri: issuer.url + JWKS }))
    )
    t.equal(await outcomeOf(createVerifier(optionsFor(issuer.url)).verify(await token())), 'good')
    t.strictSame(issuer.requests, ['/.well-known/oauth-authorization-server', JWKS])
  })

  t.test('is that of OpenID Connect elsewhere, after the path', async (t) => {
    const { issuer, token } = await startIssuer(t, { path: '/tenant' })
    t.equal(await outcomeOf(createVerifier(optionsFor(issuer.url)).verify(await token())), 'good')
    t.strictSame(issuer.requests, [
      '/.well-known/oauth-authorization-server/tenant',
      `/tenant${DISCOVERY}`,
      `/tenant${JWKS}`
    ])
  })

  t.test('is refused if it is of another issuer, or sends elsewhere', async (t) => {
    for (const metadata of [
      { issuer: 'https://other.example' },
      { jwks_uri: undefined },
      { jwks_uri: 'file:///etc/passwd' },
      { jwks_uri: 7 }
    ]) {
      const { issuer, token } = await startIssuer(t)
      issuer.metadata = metadata
      t.equal(await outcomeOf(createVerifier(optionsFor(issuer.url)).verify(await token())), 'keys')
      t.equal(issuer.count(JWKS), 0)
    }
  })

  t.test('is looked for at the second path whatever the first one answers, as long as it answers', async (t) => {
    const first = '/.well-known/oauth-authorization-server'
    const page = answerWith('<!doctype html>', 200, { 'content-type': 'text/html' })
    const other = 'https://other.example'
    for (const [name, answerOf] of Object.entries({
      'a page': () => page,
      'a redirect': () => answerWith('', 302, { location: '/login' }),
      'the metadata of another': () => answerWith(JSON.stringify({ issuer: other, jwks_uri: `${other}/jwks` })),
      'metadata without keys, which RFC 8414 allows': (url: string) => answerWith(JSON.stringify({ issuer: url })),
      'no object': () => answerWith('[]')
    })) {
      const { issuer, token } = await startIssuer(t)
      issuer.at(first, answerOf(issuer.url))
      t.equal(await outcomeOf(createVerifier(optionsFor(issuer.url)).verify(await token())), 'good', name)
      issuer.at(DISCOVERY, page)
      t.equal(await outcomeOf(createVerifier(optionsFor(issuer.url)).verify(await token())), 'keys', name)
      t.notOk(issuer.requests.includes('/login'))
    }
  })

  t.test('is not asked for by every token while the issuer is away', async (t) => {
    const { issuer, clock, token } = await startIssuer(t)
    const verifier = createVerifier({ ...optionsFor(issuer.url), clock })
    const made = await token()
    issuer.at(DISCOVERY, answerWith('{}', 503))
    for (let i = 0; i < 3; i++) t.equal(await outcomeOf(verifier.verify(made)), 'keys')
    t.equal(issuer.count(DISCOVERY), 1)
    issuer.at(DISCOVERY)
    clock.advance(999)
    t.equal(await outcomeOf(verifier.verify(made)), 'keys')
    clock.advance(1)
    t.equal(await outcomeOf(verifier.verify(made)), 'good')
  })
})

t.test('keys', async (t) => {
  const { issuer, clock, token } = await startIssuer(t)
  // jose has its own idea of the time.
  const now = Date.now
  Date.now = clock
  t.teardown(() => {
    Date.now = now
  })
  const verifier = createVerifier({ ...optionsFor(issuer.url), clock })
  const lasting = { exp: Math.floor(clock() / 1_000) + 86_400 }
  const old = await token(lasting)
  await verifier.ready()
  for (let i = 0; i < 10; i++) t.equal(await outcomeOf(verifier.verify(old)), 'good')
  t.equal(issuer.count(JWKS), 1, 'are fetched once')

  const next = await makeKey('next')
  issuer.keys = [...issuer.keys, next]
  const young = await token(lasting, { key: next })
  clock.advance(31_000)
  t.equal(await outcomeOf(verifier.verify(young)), 'good', 'one that is new is looked up')
  const nameless = await token(lasting, { key: next, header: { kid: undefined } })
  t.equal(await outcomeOf(verifier.verify(nameless)), 'good', 'a token may leave open which one it is')
  const forged = await token(lasting, { key: await makeKey('forged'), header: { kid: undefined } })
  t.equal(await outcomeOf(verifier.verify(forged)), 'signature')

  const unknown = await token(lasting, { key: await makeKey('unknown') })
  const asked = issuer.count(JWKS)
  for (let i = 0; i < 10; i++) t.equal(await outcomeOf(verifier.verify(unknown)), 'signature')
  t.equal(issuer.count(JWKS), asked, 'those that nobody knows are looked up once in a while')

  for (const junk of ['{}', '[]', '{"keys":{}}', '{"keys":[1]}', '<!doctype html>', `{"keys":[],"a":"${TOO_MUCH}"}`]) {
    issuer.at(JWKS, answerWith(junk))
    clock.advance(301_000)
    const before = issuer.count(JWKS)
    for (let i = 0; i < 3; i++) t.equal(await outcomeOf(verifier.verify(old)), 'good', 'do while there are no others')
    t.equal(issuer.count(JWKS) - before, 1, `for which nobody asks again at once: ${junk.slice(0, 20)}`)
  }
  issuer.at(JWKS, answerWith('{}', 500))
  clock.advance(301_000)
  t.equal(await outcomeOf(verifier.verify(old)), 'good', 'do while the issuer is away')
  clock.advance(31_000)
  t.equal(await outcomeOf(verifier.verify(unknown)), 'keys', 'though nobody can say that there are no others')
  const failing = issuer.count(JWKS)
  for (let i = 0; i < 10; i++) await outcomeOf(verifier.verify(unknown))
  t.equal(issuer.count(JWKS), failing, 'and it is left in peace')
  clock.advance(3_600_000)
  t.equal(await outcomeOf(verifier.verify(old)), 'keys', 'not for ever')
  issuer.at(JWKS)
  issuer.keys = [next]
  clock.advance(1_000)
  t.equal(await outcomeOf(verifier.verify(young)), 'good')
  t.equal(await outcomeOf(verifier.verify(old)), 'signature', 'one that was withdrawn is not accepted')
})

t.test('options that make no sense are refused at once', async (t) => {
  const good = {
    ...optionsFor('https://grants.example.com'),
    revocations: 'feed',
    credentials: { apiKey: 'x' }
  } as const
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ issuer: 'grants.example.com' }, /issuer/],
    [{ issuer: 'http://grants.example.com' }, /issuer/],
    [{ issuer: 'https://grants.example.com?a' }, /issuer/],
    [{ issuer: 'https://grants.example.com#' }, /issuer/],
    [{ audience: '' }, /audience/],
    [{ audience: [] }, /audience/],
    [{ audience: undefined }, /audience/],
    [{ revocations: undefined }, /revocations/],
    [{ revocations: 'sometimes' }, /revocations/],
    [{ credentials: undefined }, /credentials/],
    [{ credentials: { apiKey: '' } }, /credentials/],
    [{ credentials: { clientId: 'api' } }, /credentials/],
    [{ revocations: 'introspection', credentials: undefined }, /credentials/],
    [{ onStale: 'maybe' }, /onStale/],
    [{ staleAfterSeconds: 2 }, /staleAfterSeconds/],
    [{ staleAfterSeconds: Number.NaN }, /staleAfterSeconds/],
    [{ staleAfterSeconds: 3_601 }, /staleAfterSeconds/],
    [{ clockToleranceSeconds: -1 }, /clockToleranceSeconds/],
    [{ clockToleranceSeconds: 301 }, /clockToleranceSeconds/]
  ]
  for (const [change, message] of wrong) {
    t.throws(() => createVerifier({ ...good, ...change } as VerifierOptions), { name: 'TypeError', message })
  }
})

const FEED = '/oauth/revocations'

/** What a feed is asked for, and what it answers. */
type FeedAnswers = (asked: { after: string | null; isHeld: boolean }) => object | number | Promise<object | number>

/** A verifier of a feed that answers whatever a test says. */
async function startFeed(t: Test, answers: FeedAnswers) {
  const { issuer, clock, token } = await startIssuer(t)
  const asked: { after: string | null; isHeld: boolean }[] = []
  issuer.at(FEED, async (request, response) => {
    const { searchParams } = new URL(request.url ?? '', issuer.url)
    const one = { after: searchParams.get('after'), isHeld: request.headers.prefer !== undefined }
    asked.push(one)
    const answer = await answers(one)
    if (typeof answer === 'number') return void response.writeHead(answer).end('{}')
    const headers = one.isHeld ? { 'preference-applied': 'wait=1' } : {}
    response.writeHead(200, headers).end(JSON.stringify({ revocations: [], more: false, ...answer }))
  })
  const states: FeedState[] = []
  const verifier = createVerifier({
    ...{ ...optionsFor(issuer.url), revocations: 'feed', credentials: { apiKey: 'x' }, clock },
    onFeed: ({ state }) => states.push(state)
  })
  t.teardown(() => verifier.close())
  const lasting = { exp: Math.floor(clock() / 1_000) + 86_400 }
  const judge = async (cid = 'a') => outcomeOf(verifier.verify(await token({ cid, ...lasting })))
  return { verifier, clock, asked, states, judge, causeOf: () => String((verifier.feed()?.error as Error)?.message) }
}

/** Never answers. */
const held = () => new Promise<never>(() => {})

t.test('a feed that is none', async (t) => {
  t.test('that forgets each cursor is left in peace, and what it said counts', async (t) => {
    const { asked, states, judge, causeOf } = await startFeed(t, ({ after }) =>
      after === null ? { revocations: [{ cid: 'a', until: 4e9 }], cursor: '1.a' } : 410
    )
    await until(async () => states.includes('lost'))
    t.match(causeOf(), /forgets/)
    t.strictSame(
      asked.map(({ after }) => after),
      [null, '1.a', null, '1.a', null, '1.a'],
      'it starts over twice'
    )
    t.strictSame([await judge('a'), await judge('b')], ['revoked', 'stale'])
  })

  t.test('of which more is to be read than there was time for', async (t) => {
    let tellMore = (_page: object) => {}
    const { judge, states, asked } = await startFeed(t, ({ after, isHeld }) => {
      if (after === '2.a') return 503
      if (!isHeld) return { cursor: '1.a' }
      return new Promise<object>((resolve) => {
        tellMore = resolve
      })
    })
    t.equal(await judge(), 'good')
    await until(async () => asked.length === 2)
    tellMore({ cursor: '2.a', more: true })
    await until(async () => states.includes('lost'))
    t.equal(await judge(), 'stale', 'though what is known is young, it is known not to be all')
  })

  t.test('that never comes to an end is not waited for, and not asked for the same again and again', async (t) => {
    const [cut, long] = [
      await startFeed(t, () => ({ revocations: [{ cid: 'a', until: 4e9 }], cursor: '1.a', more: true })),
      await startFeed(t, async ({ after }) => {
        await sleep(20)
        return { cursor: `${Number.parseInt(after ?? '0', 10) + 1}.a`, more: true }
      })
    ]
    t.strictSame(await Promise.all([cut.judge('b'), long.judge()]), ['unread', 'unread'])
    t.match(cut.causeOf(), /does not go on/)
    t.strictSame(cut.states, ['lost'], 'and each try is no news')
    t.equal(await cut.judge('a'), 'revoked', 'what it said counts')
  })

  t.test('that says it holds requests, and does not', async (t) => {
    const { asked, states } = await startFeed(t, () => ({ cursor: '1.a' }))
    await until(async () => asked.length >= 5)
    t.strictSame(states, ['live'])
    const pace = createFeedPace()
    const pauseAfter = (heldMs: number) =>
      pace.afterHold({ revocations: [], cursor: '1.a', isMore: false, isHeld: true }, heldMs)
    t.equal(pauseAfter(5), 0, 'an instance that stops does so once')
    t.ok(pauseAfter(5) >= 500, 'is not asked as fast as it answers')
    t.ok(pauseAfter(5) >= 500)
    t.equal(pauseAfter(30_000), 0, 'and as before when it holds again')
  })

  t.test('that answers with too much', async (t) => {
    const { judge, causeOf } = await startFeed(t, () => ({ cursor: '1.a', a: TOO_MUCH }))
    t.equal(await judge(), 'unread')
    t.match(causeOf(), /too much/)
  })

  t.test('of all that were asked for patience none comes back at the very time', async (t) => {
    const error = Object.assign(new Error(), { status: 503, retryAfterMs: 2_000 })
    const pauses = Array.from({ length: 20 }, () => createFeedPace().afterFailure(error, 30_000, true))
    t.ok(
      pauses.every((ms) => ms > 2_000),
      'nobody too early'
    )
    t.ok(new Set(pauses).size > 10)
  })
})

t.test('a clock that was ahead: what was dropped for it is read again before anything is accepted', async (t) => {
  let isLate = false
  const { judge, clock, verifier, asked } = await startFeed(t, ({ after, isHeld }) => {
    if (isHeld) return held()
    if (after !== null || isLate) return { cursor: '1.a' }
    return { revocations: [{ cid: 'a', until: Math.floor(start / 1_000) + 3_600 }], cursor: '1.a' }
  })
  const start = clock()
  t.strictSame([await judge('a'), await judge('b')], ['revoked', 'good'])
  clock.advance(7_200_000)
  t.equal(await judge('a'), 'good', 'it has ended, by this clock')
  t.equal(verifier.feed()?.revocations, 0)
  clock.advance(-7_100_000)
  t.equal(await judge('a'), 'revoked')
  t.equal(asked.filter(({ after }) => after === null).length, 2, 'all was read twice')
  // A clock that is set back while nothing was dropped is no matter.
  clock.advance(-50_000)
  t.strictSame([await judge('a'), await judge('b')], ['revoked', 'good'])
  t.equal(asked.filter(({ after }) => after === null).length, 2)

  isLate = true
  clock.advance(3_600_000)
  t.equal(await judge('a'), 'good', 'when it has really ended it is gone for good')
})

t.test('a Fastify application', async (t) => {
  const { issuer, token } = await startIssuer(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(verifyTokens, { ...optionsFor(issuer.url), metadata: { resource_name: 'Films' } })
  app.addHook('onRequest', app.requireToken())
  app.get('/me', async (request) => ({ sub: request.token?.sub }))
  app.delete('/films', { onRequest: app.requireToken({ scope: 'films.delete' }) }, async () => ({}))
  const call = async (method: 'GET' | 'DELETE', url: string, bearer?: string) =>
    app.inject({ method, url, headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } })

  const good = await token()
  t.match(await call('GET', '/me', good), { statusCode: 200, body: '{"sub":"job-1"}' })
  const none = await call('GET', '/me')
  t.equal(none.statusCode, 401)
  const address = `${AUDIENCE}/.well-known/oauth-protected-resource`
  t.match(none.headers, { 'www-authenticate': `Bearer resource_metadata="${address}"`, 'cache-control': 'no-store' })
  const bad = await call('GET', '/me', 'garbage')
  t.match(bad, { statusCode: 401, headers: { 'www-authenticate': /^Bearer error="invalid_token"/ } })
  t.match(bad.json(), { statusCode: 401, code: 'invalid_token' })
  t.match(await call('DELETE', '/films', good), {
    ...{ statusCode: 403, headers: { 'www-authenticate': /scope="films.delete"/ } }
  })

  const document = await call('GET', new URL(address).pathname)
  t.match(document, { statusCode: 200, headers: { 'access-control-allow-origin': '*' } })
  t.match(document.headers['content-type'], /^application\/json/)
  t.match(document.json(), { resource: AUDIENCE, authorization_servers: [issuer.url], resource_name: 'Films' })
  await app.close()
  t.equal(await outcomeOf(app.verifier.verify(good)), 'closed', 'the verifier ends with the application')

  for (const [options, isRefused] of [
    [{ metadata: {} }, true],
    [{}, false]
  ] as const) {
    const below = Fastify()
    t.teardown(() => below.close())
    below.register(async (scope) => scope.register(verifyTokens, { ...optionsFor(issuer.url), ...options }), {
      prefix: '/v1'
    })
    const ready = async () => void (await below.ready())
    if (isRefused) await t.rejects(ready, /outside of \/v1/, 'nobody would look for the metadata there')
    else await ready()
  }
})

t.test('middleware on node:http', async (t) => {
  const { issuer, token } = await startIssuer(t)
  const verifier = createVerifier({ ...optionsFor(issuer.url), metadata: {} })
  const [metadata, authenticate] = [serveMetadata(verifier), requireToken(verifier, { scope: 'films.read' })]
  const server = createServer((request, response) => {
    metadata(request, response, () =>
      authenticate(request, response, () => {
        response.end(JSON.stringify((request as { token?: object }).token))
      })
    )
  })
  server.listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const call = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init)
  const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` } })

  const claims = await (await call('/', bearer(await token()))).json()
  t.match(claims, { sub: 'job-1', client_id: 'tv' })
  const none = await call('/')
  t.match([none.status, await none.text()], [401, ''])
  const bad = await call('/', bearer('garbage'))
  t.equal(bad.status, 401)
  t.equal(bad.headers.get('content-type'), 'application/json')
  t.match(await bad.json(), { error: 'invalid_token' })
  t.equal((await call('/', bearer(await token({ scope: 'films.write' })))).status, 403)
  const wellKnown = '/.well-known/oauth-protected-resource'
  t.match(await (await call(wellKnown)).json(), { resource: AUDIENCE })
  t.match(
    [(await call(wellKnown, { method: 'HEAD' })).status, (await call(wellKnown, { method: 'POST' })).status],
    [200, 401]
  )

  const failing = { authenticate: async () => Promise.reject(new Error('of another kind')) }
  const passed = await new Promise((resolve) => {
    requireToken({ ...verifier, ...failing })({ headers: {} }, server as never, resolve)
  })
  t.match(passed, { message: 'of another kind' }, 'what is no refusal is handed on')
})

t.test('revocations in memory', async (t) => {
  t.test('10,000 take less than 4 MB', async (t) => {
    const before = heapInUse()
    const revocations = createRevocations()
    // As they come from the wire.
    const entries = Array.from({ length: 10_000 }, () => ({ cid: randomUUID(), until: 1_900_000_000 }))
    for (const { cid, until } of JSON.parse(JSON.stringify(entries))) revocations.add(cid, until)
    entries.length = 1
    const bytes = heapInUse() - before
    t.equal(revocations.size, 10_000)
    t.ok(revocations.has(entries[0]?.cid ?? ''))
    t.comment(`${bytes} bytes, ${Math.round(bytes / 10_000)} for each`)
    t.ok(bytes > 100_000 && bytes <= 4_000_000, `${bytes} bytes`)
  })

  t.test('go when they have ended, and a later end counts', async (t) => {
    const revocations = createRevocations()
    revocations.add('a', 100)
    revocations.add('b', 200)
    revocations.add('b', 150)
    revocations.drop(100)
    t.equal(revocations.size, 2)
    revocations.drop(101)
    t.strictSame([revocations.has('a'), revocations.has('b'), revocations.size], [false, true, 1])
    revocations.drop(200)
    t.ok(revocations.has('b'))
    revocations.drop(201)
    t.equal(revocations.size, 0)
    t.strictSame(
      [199, 200, 201].map(revocations.lacks),
      [true, true, false],
      'a clock that is set back needs them again'
    )
  })
})
