import t from 'tap'
import { createKeyring } from '../../../src/core/secrets/keyring.js'
import {
  openSigningKey,
  type SigningAlg,
  type SigningKeyStore,
  type StoredSigningKey
} from '../../../src/core/tokens/signing-key.js'
import { createSigningKeys, JWKS_MAX_AGE_SECONDS } from '../../../src/core/tokens/signing-keys.js'
import { createMemorySigningKeyStore } from '../../../src/storage/memory/signing-key-store.js'
import { GRANTD_SECRET, startApp, type TestClock, testClock } from '../../support/app.js'
import { clientsFile } from '../../support/oauth-app.js'

const keyring = createKeyring([GRANTD_SECRET])
const TTL_SECONDS = 3_600
/** The longest caching of a key set, plus a minute in which every instance reads the keys. */
const AHEAD_MS = 360_000

interface Shared {
  store: SigningKeyStore
  clock: TestClock
  /** Returns how often the keys were read from the store. */
  looks(): number
  instance(options?: { alg?: SigningAlg; secrets?: string[]; offMs?: number }): ReturnType<typeof createSigningKeys>
}

/** Makes a store that several instances share. */
function share(): Shared {
  const memory = createMemorySigningKeyStore()
  const clock = testClock()
  let looks = 0
  const store: SigningKeyStore = {
    async list() {
      looks += 1
      return structuredClone(await memory.list())
    },
    succeed: async (...args) => structuredClone(await memory.succeed(...args)),
    clear: () => memory.clear()
  }
  return {
    store,
    clock,
    looks: () => looks,
    instance: ({ alg = 'ES256', secrets, offMs = 0 } = {}) =>
      createSigningKeys({
        store,
        keyring: secrets ? createKeyring(secrets) : keyring,
        clock: () => clock() + offMs,
        alg,
        tokenTtlSeconds: TTL_SECONDS
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
    const { kid } = await keys.rotate('published-ahead')
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
    const { kid } = await keys.rotate('now')
    clock.advance(1)
    t.equal(keys.current()?.kid, kid)
    t.same(kids(keys.published()), [old, kid], 'tokens of the old one stay good')
  })

  t.test('keeps the old key published until its last token has expired, and no longer', async (t) => {
    const { instance, clock } = share()
    const keys = instance()
    await keys.refresh()
    const old = keys.current()?.kid as string
    const { kid } = await keys.rotate('published-ahead')
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
    const { kid: third } = await keys.rotate('published-ahead')
    t.same(kids(keys.list()), [kid, third], 'the next rotation drops it for good')
  })

  t.test('can follow another before that one signs: the last one made signs last', async (t) => {
    const { instance, clock } = share()
    const keys = instance()
    await keys.refresh()
    const first = keys.current()?.kid
    const second = await keys.rotate('published-ahead')
    clock.advance(60_000)
    const third = await keys.rotate('published-ahead')
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
    const results = await Promise.allSettled([one.rotate('now'), two.rotate('now')])
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
    const { kid } = await behind.rotate('published-ahead')
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
    const { kid } = await one.rotate('published-ahead')
    t.equal(two.published().length, 1)
    await two.refresh()
    t.same(kids(two.published()), kids(one.published()))
    clock.advance(AHEAD_MS + 1)
    t.equal(two.current()?.kid, kid)
  })
})

t.test('a kid nobody knows', async (t) => {
  t.test('is looked for in the store, at most once in five seconds', async (t) => {
    const { instance, clock, looks } = share()
    const [one, two] = [instance(), instance()]
    await one.refresh()
    await two.refresh()
    const { kid } = await one.rotate('now')
    const before = looks()
    t.equal(await two.find(kid), undefined, 'it has just looked')
    t.equal(looks(), before)
    clock.advance(4_999)
    t.equal(await two.find('never made'), undefined)
    t.equal(looks(), before)
    clock.advance(1)
    t.equal((await two.find(kid))?.kid, kid, 'now it looks, and finds the other’s key')
    t.equal(looks(), before + 1)
    await Promise.all(Array.from({ length: 100 }, (_, i) => two.find(`guess ${i}`)))
    t.equal(looks(), before + 1)
    clock.advance(5_000)
    const found = await Promise.all(Array.from({ length: 100 }, (_, i) => two.find(`guess ${i}`)))
    t.ok(found.every((key) => key === undefined))
    t.equal(looks(), before + 2, 'a hundred at once cost one look')
  })

  t.test('costs no look when it is known', async (t) => {
    const { instance, clock, looks } = share()
    const keys = instance()
    await keys.refresh()
    const kid = keys.current()?.kid as string
    clock.advance(60_000)
    const before = looks()
    t.ok(await keys.find(kid))
    t.equal(looks(), before)
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
      await app.core.signingKeys.rotate('now')
      clock.advance((lastSeconds + 59) * 1000)
      t.equal(app.core.signingKeys.published().length, 2, about)
      clock.advance(2_000)
      t.equal(app.core.signingKeys.published().length, 1, `${about}: no longer`)
    }
  }
)

const ttl = (seconds: number) => ({ access_token_ttl_seconds: seconds })
