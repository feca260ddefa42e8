/** Access tokens, what they are refused for, and the keys that sign them: the first one, rotation, another algorithm. */
import { createHmac, randomUUID } from 'node:crypto'
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importPKCS8,
  jwtVerify,
  SignJWT
} from 'jose'
import t, { type Test } from 'tap'
import type { Authorization } from '../../../src/core/authorizations/authorization.js'
import { fault } from '../../../src/core/fault.js'
import { createKeyring } from '../../../src/core/secrets/keyring.js'
import type { AccessTokenClaims, TokenTerms } from '../../../src/core/tokens/access-tokens.js'
import {
  openSigningKey,
  type SigningAlg,
  type SigningKey,
  type SigningKeyStore,
  type StoredSigningKey
} from '../../../src/core/tokens/signing-key.js'
import { createSigningKeys, JWKS_MAX_AGE_SECONDS } from '../../../src/core/tokens/signing-keys.js'
import { createMemorySigningKeyStore } from '../../../src/storage/memory/lock-and-key-stores.js'
import { GRANTD_SECRET, startApp, type TestClock, testClock } from '../../support/app.js'
import { BY, keptNowhere } from '../../support/audit.js'
import { clientsFile } from '../../support/oauth-app.js'
import { respelt } from '../../support/tokens.js'
import { until } from '../../support/until.js'

const ISSUER = 'https://grants.example'

async function service(t: Test, alg = 'ES256', variables: Record<string, string> = {}) {
  const { app, clock } = await startApp(t, { PUBLIC_URL: ISSUER, SIGNING_ALG: alg, ...variables })
  const key = app.core.signingKeys.current() as SigningKey
  const createdAtMs = clock()
  const client: Authorization = {
    id: randomUUID(),
    userId: 'alice',
    clientId: 'cli',
    clientType: 'cli',
    scopes: [],
    resources: [],
    name: 'tool',
    version: undefined,
    label: 'laptop',
    ipAtGrant: '192.0.2.1',
    createdAtMs,
    expiresAtMs: (Math.floor(createdAtMs / 1000) + 2_592_000) * 1000,
    awaitsCollection: false,
    collectedAtMs: createdAtMs,
    lastUsedAtMs: createdAtMs,
    revokedAtMs: undefined,
    tokenLifeMs: undefined
  }
  const terms: TokenTerms = { issuedAtMs: createdAtMs, expiresAtMs: client.expiresAtMs, scopes: [] }
  const token = app.core.accessTokens.mint(client, terms)
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as AccessTokenClaims

  /** Verifies a token in two steps: the key that it names, then its signature and claims. */
  async function verify(token: string): Promise<AccessTokenClaims | undefined> {
    const opened = await app.core.accessTokens.open(token)
    return opened.kind === 'good' ? opened.claims : undefined
  }

  /** Signs a wrong token with a key of the service. */
  async function forge(change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    const payload = Object.fromEntries(
      Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined)
    )
    return new SignJWT(payload)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
      .sign(await importPKCS8(key.privateKey, key.alg))
  }

  return { app, clock, key, client, terms, token, claims, verify, forge }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  t.test(`a client JWT signed with ${alg}`, async (t) => {
    const { app, clock, key, client, token, claims, verify } = await service(t, alg)

    t.test('says what the contract says, and no more', async (t) => {
      t.same(decodeProtectedHeader(token), { alg, typ: 'at+jwt', kid: key.kid })
      t.same(claims, {
        iss: ISSUER,
        sub: 'alice',
        aud: ISSUER,
        iat: Math.floor(client.createdAtMs / 1000),
        exp: Math.floor(client.createdAtMs / 1000) + 2_592_000,
        jti: claims.jti,
        cid: client.id,
        client_id: 'cli',
        client_type: 'cli',
        scope: ''
      })
    })

    t.test('is good here', async (t) => {
      t.same(await verify(token), claims)
    })

    t.test('is good for whoever reads the published keys', async (t) => {
      const keySet = createLocalJWKSet({ keys: app.core.signingKeys.published() })
      const options = {
        issuer: ISSUER,
        audience: ISSUER,
        typ: 'at+jwt',
        algorithms: [alg],
        currentDate: new Date(clock())
      }
      t.same((await jwtVerify(token, keySet, options)).payload, claims)
    })

    t.test('is not good when any of its signature is changed', async (t) => {
      const [header, payload, signature = ''] = token.split('.')
      const bytes = Buffer.from(signature, 'base64url')
      for (let i = 0; i < bytes.length; i++) {
        const changed = Buffer.from(bytes)
        changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8))
        const other = `${header}.${payload}.${changed.toString('base64url')}`
        if ((await verify(other)) !== undefined) t.fail(`byte ${i} does not matter`)
      }
      t.ok(bytes.length >= 64)
      for (const other of ['', bytes.subarray(1).toString('base64url'), bytes.subarray(0, -1).toString('base64url')]) {
        t.equal(await verify(`${header}.${payload}.${other}`), undefined, 'cut')
      }
      for (const other of respelt(token)) t.equal(await verify(other), undefined, 'the same bytes, spelt otherwise')
    })

    t.test('is not good when any claim is changed', async (t) => {
      const [header, , signature] = token.split('.')
      for (const change of [{ sub: 'mallory' }, { cid: 'x' }, { exp: claims.exp + 1 }, { scope: 'admin' }]) {
        t.equal(await verify(`${header}.${encode({ ...claims, ...change })}.${signature}`), undefined)
      }
    })
  })
}

t.test('minted again from the same client it is the same authorization', async (t) => {
  const { app, client, claims, clock, terms } = await service(t, 'EdDSA')
  clock.advance(20_000)
  const again = app.core.accessTokens.mint(client, terms)
  const minted = JSON.parse(Buffer.from(again.split('.')[1] ?? '', 'base64url').toString())
  t.same(minted, { ...claims, jti: minted.jti })
  t.not(minted.jti, claims.jti, 'in a token with a name of its own')
})

t.test('a token that our key signed', async (t) => {
  const { clock, claims, forge, verify, key } = await service(t)
  const seconds = Math.floor(clock() / 1000)

  t.test('is good as it is', async (t) => {
    t.same(await verify(await forge()), claims, 'so that what follows fails for its own reason')
    t.ok(await verify(await forge({ nbf: seconds - 1 })))
    t.ok(await verify(await forge({ something: 'else' })), 'a claim nobody asked for is no harm')
  })

  const wrong: Record<string, [Record<string, unknown>, Record<string, unknown>?]> = {
    'another typ': [{}, { typ: 'JWT' }],
    'the typ of an ID token': [{}, { typ: 'id+jwt' }],
    'no typ': [{}, { typ: undefined }],
    'another kid': [{}, { kid: 'another' }],
    'no kid': [{}, { kid: undefined }],
    'another issuer': [{ iss: 'https://other.example' }],
    'an issuer with a slash more': [{ iss: `${ISSUER}/` }],
    'another audience': [{ aud: 'https://other.example' }],
    'an empty audience': [{ aud: [] }],
    'an expiry that has come': [{ exp: seconds - 1 }],
    'an expiry long ago': [{ exp: 1 }],
    'an expiry that is a text': [{ exp: `${seconds + 1000}` }],
    'a time that has not come': [{ nbf: seconds + 60 }],
    'a client type nobody knows': [{ client_type: 'admin' }],
    'a client type of JavaScript': [{ client_type: '__proto__' }],
    'a subject that is no text': [{ sub: 7 }],
    'a jti that is no UUID': [{ jti: 'another' }],
    'a cid that is no text': [{ cid: 7 }],
    ...Object.fromEntries(
      ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_type'].map((name) => [
        `no ${name}`,
        [{ [name]: undefined }]
      ])
    )
  }
  for (const [name, [change, header]] of Object.entries(wrong)) {
    t.test(`is not good with ${name}`, async (t) => {
      t.equal(await verify(await forge(change, header)), undefined)
    })
  }

  t.test('is good when it was issued by an older version, whose jti was that of the authorization', async (t) => {
    const { claims, forge, verify } = await service(t)
    t.match(await verify(await forge({ jti: claims.cid })), { cid: claims.cid, jti: claims.cid })
  })

  t.test('is good until its last millisecond', async (t) => {
    const { clock, forge, verify } = await service(t)
    const exp = Math.floor(clock() / 1000) + 100
    const token = await forge({ exp })
    clock.advance(exp * 1000 - clock() - 1)
    t.ok(await verify(token))
    clock.advance(1)
    t.equal(await verify(token), undefined)
  })

  t.test('is not made of one with no algorithm or another one', async (t) => {
    const header = { typ: 'at+jwt', kid: key.kid }
    for (const alg of ['none', 'None', 'NONE', '']) {
      t.equal(await verify(`${encode({ ...header, alg })}.${encode(claims)}.`), undefined, `alg "${alg}"`)
    }
    for (const secret of [key.publicKey, key.publicKey.trim(), key.kid, '']) {
      const signed = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`
      const signature = createHmac('sha256', secret).update(signed).digest('base64url')
      t.equal(await verify(`${signed}.${signature}`), undefined, 'HS256 with what is public')
    }
  })

  t.test('is not made of one that somebody else’s key signed in its name', async (t) => {
    for (const alg of ['ES256', 'RS256', 'EdDSA']) {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
      const header = { alg, kid: key.kid, typ: 'at+jwt' }
      t.equal(
        await verify(await new SignJWT({ ...claims }).setProtectedHeader(header).sign(privateKey)),
        undefined,
        alg
      )
      const jwk = await exportJWK(publicKey)
      const brought = { ...header, jwk, jku: 'https://evil.example/jwks', x5u: 'https://evil.example' }
      t.equal(await verify(await new SignJWT({ ...claims }).setProtectedHeader(brought).sign(privateKey)), undefined)
    }
  })

  t.test('is not good with an extension it calls critical', async (t) => {
    const header = { alg: key.alg, kid: key.kid, typ: 'at+jwt', crit: ['exp'], exp: 1 }
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader(header)
      .sign(await importPKCS8(key.privateKey, key.alg), { crit: { exp: true } })
    t.equal(await verify(token), undefined)
  })
})

t.test('a key verifies its own algorithm and its own kind of token alone', async (t) => {
  const { key, claims, forge, verify } = await service(t, 'RS256')
  t.ok(await verify(await forge()))
  for (const alg of ['RS384', 'RS512', 'PS256']) {
    const header = { alg, kid: key.kid, typ: 'at+jwt' }
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader(header)
      .sign(await importPKCS8(key.privateKey, alg))
    t.equal(await verify(token), undefined, `${alg} with a key for RS256`)
  }
  for (const typ of ['JWT', 'id+jwt', undefined]) {
    t.equal(await verify(await forge({}, { typ })), undefined, `typ ${typ}`)
  }
})

t.test('the key a token names', async (t) => {
  const { app, key, claims } = await service(t)
  const kindOf = async (header: Record<string, unknown>) => {
    const token = [{ alg: key.alg, ...header }, claims].map((part) => encode(part)).join('.')
    return (await app.core.accessTokens.open(`${token}.x`)).kind
  }
  t.equal(await kindOf({ typ: 'at+jwt', kid: key.kid }), 'bad', 'ours by its header, and not signed by us')
  t.equal(await kindOf({ typ: 'AT+JWT', kid: key.kid }), 'bad', 'typ is compared without regard to case')
  for (const header of [
    {},
    { typ: 'JWT', kid: key.kid },
    { kid: key.kid },
    { typ: 'at+jwt' },
    { typ: ['at+jwt'], kid: key.kid },
    { typ: 'at+jwt', kid: 7 },
    { typ: 'at+jwt', kid: '__proto__' }
  ]) {
    t.equal(await kindOf(header), 'foreign', JSON.stringify(header))
  }
})

t.test(
  'without a PUBLIC_URL the signature decides alone, so that instances with different guesses agree',
  async (t) => {
    const { token, verify } = await service(t, 'ES256', { PUBLIC_URL: '', PORT: '4444' })
    t.equal((await verify(token))?.iss, 'http://localhost:4444')
  }
)

t.test('rotation of the keys', async (t) => {
  const { app, client, clock, terms, token, verify } = await service(t)
  t.test('leaves the tokens of the old key good', async (t) => {
    const { kid } = await app.core.signingKeys.rotate('now', BY)
    clock.advance(1)
    const next = app.core.accessTokens.mint(client, terms)
    t.equal(decodeProtectedHeader(next).kid, kid)
    t.ok(await verify(next))
    t.ok(await verify(token))
  })
  t.test('lets no key verify what another one signed', async (t) => {
    const next = app.core.accessTokens.mint(client, terms)
    const [header, payload] = token.split('.')
    t.equal(await verify(`${header}.${payload}.${next.split('.')[2]}`), undefined)
  })
})

t.test('the private half of a key rests sealed', async (t) => {
  const { app, key } = await service(t)
  const [stored] = await app.storage.signingKeys.list()
  t.notOk(JSON.stringify(stored).includes('PRIVATE'))
  t.throws(() => createKeyring(['x'.repeat(32)]).open('signing-key', key.kid, stored?.sealedPrivateKey ?? ''))
})

const keyring = createKeyring([GRANTD_SECRET])
const TTL_SECONDS = 3_600
/** The longest caching of a key set, plus a minute in which every instance reads the keys. */
const AHEAD_MS = 360_000

interface Shared {
  store: SigningKeyStore
  clock: TestClock
  /** When the keys were read from the store, by performance.now(). */
  lookedAt: readonly number[]
  instance(options?: { alg?: SigningAlg; secrets?: string[]; offMs?: number }): ReturnType<typeof createSigningKeys>
}

/** Makes a store that several instances share. */
function share(): Shared {
  const memory = createMemorySigningKeyStore()
  const clock = testClock()
  const lookedAt: number[] = []
  const store: SigningKeyStore = {
    async list() {
      lookedAt.push(performance.now())
      return structuredClone(await memory.list())
    },
    succeed: async (...args) => structuredClone(await memory.succeed(...args)),
    clear: () => memory.clear(),
    unreadable: memory.unreadable
  }
  return {
    store,
    clock,
    lookedAt,
    instance: ({ alg = 'ES256', secrets, offMs = 0 } = {}) =>
      createSigningKeys({
        store,
        keyring: secrets ? createKeyring(secrets) : keyring,
        clock: () => clock() + offMs,
        alg,
        tokenTtlSeconds: TTL_SECONDS,
        audit: keptNowhere,
        inTurn: (generation) => generation()
      })
  }
}

const kids = (keys: readonly { kid: string }[]) => keys.map(({ kid }) => kid)

t.test('the first key', async (t) => {
  t.test('is made by whoever starts first, signs at once, and is everybody’s', async (t) => {
    const { instance } = share()
    const instances = [instance(), instance(), instance()]
    for (const keys of instances) t.equal(keys.current(), undefined, 'no key before the first look')
    await Promise.all(instances.map((keys) => keys.refresh()))
    const current = new Set(instances.map((keys) => keys.current()?.kid))
    t.equal(current.size, 1)
    for (const keys of instances) {
      t.same(kids(keys.list()), [...current])
      t.same(kids(keys.published()), [...current])
    }
    const [one, two] = instances
    t.same(one?.current(), two?.current(), 'down to the private half')
    const late = instance()
    await late.refresh()
    t.same(late.current(), one?.current(), 'also for who starts later')
  })

  t.test('is not made again by looking again', async (t) => {
    const { instance, clock } = share()
    const keys = instance()
    for (let i = 0; i < 5; i++) {
      await keys.refresh()
      clock.advance(60_000)
    }
    t.equal(keys.list().length, 1)
  })

  for (const [alg, members] of [
    ['RS256', ['e', 'kty', 'n']],
    ['ES256', ['crv', 'kty', 'x', 'y']],
    ['EdDSA', ['crv', 'kty', 'x']]
  ] as const) {
    t.test(`is published for ${alg} with its public members alone`, async (t) => {
      const keys = share().instance({ alg })
      await keys.refresh()
      const [published = {}] = keys.published()
      t.same(Object.keys(published).sort(), [...members, 'alg', 'kid', 'use'].sort())
      t.match(published, { alg, use: 'sig', kid: /^[\w-]{16}$/ })
      if ('n' in published) t.equal(Buffer.from(String(published.n), 'base64url').length, 256, '2048 bits')
    })
  }
})

t.test('a rotation', async (t) => {
  t.test('publishes the new key six minutes before it signs', async (t) => {
    t.equal(JWKS_MAX_AGE_SECONDS, 300)
    const { instance, clock } = share()
    const keys = instance()
    await keys.refresh()
    const old = keys.current()?.kid as string
    clock.advance(1_000)
    const { kid } = await keys.rotate('published-ahead', BY)
    t.not(kid, old)
    t.same(kids(keys.published()), [old, kid])
    t.equal((await keys.find(kid))?.kid, kid, 'its tokens would be good already')
    clock.advance(AHEAD_MS - 1)
    t.equal(keys.current()?.kid, old)
    clock.advance(1)
    t.equal(keys.current()?.kid, kid)
  })

  t.test('takes effect at once if it has to', async (t) => {
    const { instance, clock } = share()
    const keys = instance()
    await keys.refresh()
    const old = keys.current()?.kid as string
    const { kid } = await keys.rotate('now', BY)
    clock.advance(1)
    t.equal(keys.current()?.kid, kid)
    t.same(kids(keys.published()), [old, kid], 'tokens of the old one stay good')
  })

  t.test('keeps the old key published until its last token has expired, and no longer', async (t) => {
    const { instance, clock } = share()
    const keys = instance()
    await keys.refresh()
    const old = keys.current()?.kid as string
    const { kid } = await keys.rotate('published-ahead', BY)
    clock.advance(AHEAD_MS)
    // The last token of the old key, which it signed a moment ago, expires in this time.
    clock.advance(TTL_SECONDS * 1_000)
    t.same(kids(keys.published()), [old, kid])
    t.equal((await keys.find(old))?.kid, old)
    clock.advance(59_000)
    t.same(kids(keys.published()), [old, kid], 'a minute longer, for clocks that are late')
    clock.advance(1_001)
    t.same(kids(keys.published()), [kid])
    t.equal(await keys.find(old), undefined, 'its tokens are good no more')
    t.equal(keys.current()?.kid, kid)
    await keys.refresh()
    t.same(kids(keys.published()), [kid])
    const { kid: third } = await keys.rotate('published-ahead', BY)
    t.same(kids(keys.list()), [kid, third], 'the next rotation drops it for good')
  })

  t.test('can follow another before that one signs: the last one made signs last', async (t) => {
    const { instance, clock } = share()
    const keys = instance()
    await keys.refresh()
    const first = keys.current()?.kid
    const second = await keys.rotate('published-ahead', BY)
    clock.advance(60_000)
    const third = await keys.rotate('published-ahead', BY)
    // Keys must be a millisecond apart for their order to be certain.
    clock.advance(1)
    const signing: (string | undefined)[] = []
    for (const ms of [0, AHEAD_MS - 60_000, 60_000, AHEAD_MS]) {
      clock.advance(ms)
      signing.push(keys.current()?.kid)
    }
    t.same(signing, [first, second.kid, third.kid, third.kid])
    t.equal(keys.published().length, 3)
  })

  t.test('of two at once one counts, and the other says so', async (t) => {
    const { instance } = share()
    const [one, two] = [instance(), instance()]
    await one.refresh()
    await two.refresh()
    const results = await Promise.allSettled([one.rotate('now', BY), two.rotate('now', BY)])
    t.same(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    const lost = results.find((result) => result.status === 'rejected')
    t.match(lost?.status === 'rejected' && lost.reason, /another rotation came first/)
    await Promise.all([one.refresh(), two.refresh()])
    t.same(kids(one.list()), kids(two.list()))
    t.equal(one.list().length, 2)
  })

  t.test('by an instance whose clock is behind still comes after what is there', async (t) => {
    const { instance, clock } = share()
    const [ahead, behind] = [instance(), instance({ offMs: -30_000 })]
    await ahead.refresh()
    await behind.refresh()
    t.ok(behind.current(), 'a key from the future signs when there is no other')
    const { kid } = await behind.rotate('published-ahead', BY)
    await ahead.refresh()
    t.equal(ahead.list().at(-1)?.kid, kid)
    clock.advance(AHEAD_MS + 30_001)
    t.same([ahead.current()?.kid, behind.current()?.kid], [kid, kid])
  })

  t.test('of another instance is learned by looking again', async (t) => {
    const { instance, clock } = share()
    const [one, two] = [instance(), instance()]
    await one.refresh()
    await two.refresh()
    const { kid } = await one.rotate('published-ahead', BY)
    t.equal(two.published().length, 1)
    await two.refresh()
    t.same(kids(two.published()), kids(one.published()))
    clock.advance(AHEAD_MS + 1)
    t.equal(two.current()?.kid, kid)
  })
})

t.test('a kid nobody knows', async (t) => {
  t.test('is looked for in the store before it is said to be none, at most ten times a second', async (t) => {
    const { instance, lookedAt } = share()
    const [one, two] = [instance(), instance()]
    await one.refresh()
    await two.refresh()
    const { kid } = await one.rotate('now', BY)
    const before = lookedAt.length
    const all = await Promise.all([
      ...Array.from({ length: 100 }, () => two.find(kid)),
      ...Array.from({ length: 100 }, (_, i) => two.find(`guess ${i}`))
    ])
    t.same([...new Set(all.map((key) => key?.kid))], [kid, undefined], 'found, though it had just read the keys')
    t.equal(lookedAt.length, before + 1, 'two hundred at once cost one look')

    const from = lookedAt.length
    for (let i = 0; i < 4; i++) t.equal(await two.find(`another guess ${i}`), undefined)
    const looks = lookedAt.slice(from)
    t.equal(looks.length, 4)
    for (const [i, at] of looks.slice(1).entries()) {
      const ms = at - (looks[i] as number)
      // Timers of Node.js count from the beginning of the turn that sets them, so they may be early.
      t.ok(ms >= 50, `${ms} ms after the one before`)
    }
    const { kid: next } = await one.rotate('now', BY)
    t.equal((await two.find(next))?.kid, next, 'whatever strangers have asked for')
  })

  t.test('is not looked for in a read that began before', async (t) => {
    const { instance, store } = share()
    const [one, two] = [instance(), instance()]
    await one.refresh()
    await two.refresh()
    const { list } = store
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    let isRead = false
    store.list = async () => {
      const keys = await list()
      store.list = list
      isRead = true
      await answered
      return keys
    }
    const early = two.find('guess')
    await until(async () => isRead)
    const { kid } = await one.rotate('now', BY)
    const late = two.find(kid)
    answer()
    t.equal((await late)?.kid, kid)
    t.equal(await early, undefined)
  })

  for (const hasKeys of [false, true]) {
    t.test(
      `is unavailable while the store does not answer an instance ${hasKeys ? 'with' : 'without'} keys`,
      async (t) => {
        const { instance, store } = share()
        const [one, two] = [instance(), instance()]
        await one.refresh()
        if (hasKeys) await two.refresh()
        const { kid } = await one.rotate('now', BY)
        const { list } = store
        store.list = async () => {
          throw fault('unavailable')
        }
        const unavailable = { name: 'Fault', code: 'unavailable' }
        await t.rejects(two.refresh(), unavailable, 'as a timer does it')
        for (let i = 0; i < 3; i++) await t.rejects(two.find(kid), unavailable, `time ${i + 1}`)
        const together = await Promise.allSettled(Array.from({ length: 20 }, () => two.find(kid)))
        t.ok(together.every(({ status }) => status === 'rejected'))
        store.list = list
        t.equal((await two.find(kid))?.kid, kid, 'at once when it answers again')
        t.equal(await two.find('guess'), undefined)
      }
    )
  }

  t.test('is unavailable while one of the keys does not open, and so is one that does', async (t) => {
    const { instance, store } = share()
    const [one, two] = [instance(), instance()]
    await one.refresh()
    await two.refresh()
    const [second, third] = [await one.rotate('now', BY), await one.rotate('now', BY)]
    const { list } = store
    store.list = async () =>
      (await list()).map((key) => (key.kid === third.kid ? { ...key, sealedPrivateKey: 'v1.a.b.c' } : key))
    for (let i = 0; i < 2; i++) {
      for (const { kid } of [second, third]) await t.rejects(two.find(kid), { code: 'unavailable' })
    }
    store.list = list
    t.equal((await two.find(second.kid))?.kid, second.kid)
  })

  t.test('costs no look when it is known', async (t) => {
    const { instance, clock, lookedAt } = share()
    const keys = instance()
    await keys.refresh()
    const kid = keys.current()?.kid as string
    clock.advance(60_000)
    const before = lookedAt.length
    t.ok(await keys.find(kid))
    t.equal(lookedAt.length, before)
  })

  t.test('may be a name of JavaScript', async (t) => {
    const keys = share().instance()
    await keys.refresh()
    for (const kid of ['__proto__', 'constructor', 'toString', 'newest', '']) t.equal(await keys.find(kid), undefined)
  })
})

t.test('a key that cannot be opened stops the start and is named, the secret is not', async (t) => {
  const { instance } = share()
  const mine = instance()
  await mine.refresh()
  const kid = mine.current()?.kid as string
  const secret = 'another secret that does not open the key'
  const failure = await instance({ secrets: [secret] })
    .refresh()
    .then(
      () => 'it was opened',
      (error) => String(error)
    )
  t.match(failure, `${kid} cannot be opened with GRANTD_SECRET`)
  t.notOk(failure.includes(secret))
  const rotated = instance({ secrets: [secret, GRANTD_SECRET] })
  await rotated.refresh()
  t.equal(rotated.current()?.kid, kid, 'with the old secret second in the list it opens')
})

t.test('a stored key opens for its own kid alone', async (t) => {
  const { instance, store } = share()
  await instance().refresh()
  const stored = (await store.list())[0] as StoredSigningKey
  t.ok(openSigningKey(stored, keyring))
  t.throws(() => openSigningKey({ ...stored, kid: 'another' }, keyring), /another cannot be opened/)
  t.notOk(JSON.stringify(stored).includes('PRIVATE KEY'))
})

t.test('another algorithm', async (t) => {
  t.test('at the start makes a successor, which is published ahead as any other', async (t) => {
    const { instance, clock } = share()
    const before = instance({ alg: 'RS256' })
    await before.load()
    const old = before.current()
    const after = instance({ alg: 'EdDSA' })
    await after.load()
    t.equal(after.current()?.kid, old?.kid)
    t.same(
      after.published().map(({ alg }) => alg),
      ['RS256', 'EdDSA']
    )
    clock.advance(AHEAD_MS + 1)
    t.equal(after.current()?.alg, 'EdDSA')
    t.equal((await after.find(old?.kid as string))?.alg, 'RS256', 'a key keeps the algorithm it was made for')
    await after.refresh()
    t.equal(after.list().length, 2, 'once')
  })

  t.test('wanted by new instances is not undone by old ones that still run', async (t) => {
    const { instance, clock } = share()
    const [before, after] = [instance({ alg: 'ES256' }), instance({ alg: 'EdDSA' })]
    await before.load()
    await after.load()
    // This is a rolling deployment of five minutes, in which every instance reads the keys once a minute.
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000)
      await before.refresh()
      await after.refresh()
    }
    t.equal(after.list().length, 2, 'one key of each kind is all there is')
  })
})

t.test(
  'a key that signs no more is published until the last token of any kind that it signed has expired',
  async (t) => {
    const DAY_SECONDS = 86_400
    const cases: [string, object[], number][] = [
      ['an ID token, when nothing else lives longer', [], 3_600],
      [
        'the access token of the client whose tokens live longest',
        [{ client_id: 'a', ...ttl(2 * DAY_SECONDS) }],
        2 * DAY_SECONDS
      ]
    ]
    for (const [about, clients, lastSeconds] of cases) {
      const variables = {
        SIGNING_ALG: 'EdDSA',
        CLIENT_TOKEN_TTL_SECONDS: '60',
        OAUTH_CLIENTS_FILE: clientsFile(t, clients)
      }
      const { app, clock } = await startApp(t, variables)
      await app.core.signingKeys.rotate('now', BY)
      clock.advance((lastSeconds + 59) * 1000)
      t.equal(app.core.signingKeys.published().length, 2, about)
      clock.advance(2_000)
      t.equal(app.core.signingKeys.published().length, 1, `${about}: no longer`)
    }
  }
)

const ttl = (seconds: number) => ({ access_token_ttl_seconds: seconds })
