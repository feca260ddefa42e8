/**
 * The keys of an issuer rotate by schedule and on command. Tokens verify for their whole life, and no token carries a
 * kid that a relying party may not know yet.
 */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { rotateIssuerKey } from '../../src/cli/issuers.js'
import { GRANTD_SECRET, type TestClock } from '../support/app.js'
import { runProgram } from '../support/programs.js'
import { startRedis } from '../support/redis-server.js'
import { issuerOf, kidOf, mint, publishedKids, startListeningApp, verify } from '../support/relying-party.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { type Ids, makeOneOfEach, startTokensApp, type TokensApp } from '../support/tokens-client.js'

const DAY_MS = 86_400_000
const LONGEST_SECONDS = 172_800
/** The time from the publication of a key to its first signature: the longest caching of a key set, plus a minute. */
const AHEAD_MS = 360_000
/** How long the predecessor stays published after the new key signs: the longest life of a token, plus a minute. */
const STAYS_MS = LONGEST_SECONDS * 1000 + 60_000

/** Fetches the key set of an issuer, and the time until which it may be cached. */
async function fetchKeySet(service: TokensApp, { providerId }: Ids) {
  const { body, headers } = await service.send({
    method: 'GET',
    url: `/${providerId}/.well-known/jwks.json`,
    headers: {}
  })
  const [, seconds] = /max-age=(\d+)/.exec(String(headers['cache-control'])) ?? []
  return { keys: createLocalJWKSet(body as JSONWebKeySet), untilMs: service.clock() + Number(seconds) * 1000 }
}

/** Starts two instances over one Redis with one clock. */
async function startTwo(t: Test, variables: Record<string, string> = {}) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const shared = { REDIS_URL: redis.url, PUBLIC_URL: 'https://grants.example.com', LIMITS: 'off', ...variables }
  const one = await startTokensApp(t, shared)
  const two = await startTokensApp(t, shared, { testClock: one.clock })
  // The key of an owner works on every instance.
  return { redis, one, two: { ...two, clock: one.clock, api: two.by(one.key) } }
}

const seconds = (clock: TestClock) => Math.floor(clock() / 1000)

t.test('by schedule', async (t) => {
  const service = await startListeningApp(t)
  const { api, clock, fetch } = service
  const ids = await makeOneOfEach(api)
  const first = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
  const issuer = issuerOf(first)
  const madeAtMs = clock()

  await t.test('a key is the only one for a day', async (t) => {
    t.strictSame(await publishedKids(service, ids), [kidOf(first)])
    clock.advance(DAY_MS - 1)
    t.strictSame(await publishedKids(service, ids), [kidOf(first)])
    t.equal(kidOf(await mint(api, ids)), kidOf(first))
  })

  let second = ''
  await t.test('then the next one is published, and signs six minutes later', async (t) => {
    // An instance uses the keys that it knows for up to a minute.
    clock.advance(60_000)
    const kids = await publishedKids(service, ids)
    t.equal(kids.length, 2)
    t.equal(kids[0], kidOf(first))
    second = kids[1] as string
    clock.advance(AHEAD_MS - 1)
    t.equal(kidOf(await mint(api, ids)), kidOf(first), 'not a moment earlier')
    const last = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
    clock.advance(1)
    const next = await mint(api, ids)
    t.equal(kidOf(next), second)
    for (const token of [first, last, next]) await verify(t, token, issuer, fetch, clock())
  })

  await t.test('the old one stays published until the last token it signed has ended, and goes then', async (t) => {
    // Nobody asks for this issuer in between, and its keys rotate only when somebody asks.
    const last = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
    t.equal(kidOf(last), second)
    clock.advance(STAYS_MS - 1)
    t.equal((await publishedKids(service, ids))[0], kidOf(first), 'to the millisecond')
    clock.advance(1_000)
    const kids = await publishedKids(service, ids)
    t.notOk(kids.includes(kidOf(first)))
    t.equal(kids[0], second)
    t.ok(clock() - madeAtMs >= 2 * DAY_MS)
  })

  await t.test('where nobody asks for a month, the next key is made once somebody does', async (t) => {
    const before = await publishedKids(service, ids)
    clock.advance(30 * DAY_MS)
    const token = await mint(api, ids)
    t.equal(kidOf(token), before.at(-1), 'the newest one goes on signing meanwhile')
    await verify(t, token, issuer, fetch, clock())
    const kids = await publishedKids(service, ids)
    t.equal(kids.length, 2)
    clock.advance(AHEAD_MS)
    t.equal(kidOf(await mint(api, ids)), kids[1])
  })
})

t.test('by schedule, as it is configured', async (t) => {
  const service = await startTokensApp(t, { PROVIDER_KEY_SECONDS: '3600', LIMITS: 'off' })
  const { api, clock } = service
  const ids = await makeOneOfEach(api)
  t.equal((await publishedKids(service, ids)).length, 1)
  for (let count = 2; count <= 5; count++) {
    clock.advance(3_600_000)
    t.equal((await publishedKids(service, ids)).length, count, 'all of them, while their tokens may live')
  }
})

t.test('48 hours of rotations every hour: whatever was signed verifies until it ends', async (t) => {
  const service = await startTokensApp(t, { PROVIDER_KEY_SECONDS: '3600', LIMITS: 'off' })
  const { api, clock } = service
  const ids = await makeOneOfEach(api)
  const tokens: { token: string; exp: number }[] = []
  const kids = new Set<string>()
  for (let hour = 0; hour < 120; hour++) {
    const token = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
    tokens.push({ token, exp: seconds(clock) + LONGEST_SECONDS })
    kids.add(kidOf(token))
    clock.advance(3_600_000)
    const { keys } = await fetchKeySet(service, ids)
    const living = tokens.filter(({ exp }) => exp > seconds(clock))
    for (const { token } of living) await jwtVerify(token, keys, { currentDate: new Date(clock()) })
  }
  t.ok(kids.size > 100, `${kids.size} keys`)
  const published = (await publishedKids(service, ids)).length
  t.ok(published >= 48 && published <= 52, `${published} of them are still published`)
  const kept = await service.app.storage.signingKeysOf(ids.providerId as string).list()
  t.ok(kept.length <= published + 1, `and ${kept.length} kept`)
})

t.test('no token carries a kid that a key set lacks which may still be kept', async (t) => {
  const { one, two } = await startTwo(t)
  const { clock } = one
  const ids = await makeOneOfEach(one.api)
  clock.advance(1_000)
  await publishedKids(two, ids)
  // The second instance has just read the keys, so it uses the old ones for the longest allowed time.
  await rotateIssuerKey(one.app.core, ids.providerId as string, false)
  const kept: Awaited<ReturnType<typeof fetchKeySet>>[] = []
  const steps = [0, 30_000, 29_999, 1, 998, 1, 1, 28_000, 210_000, 1_000, 59_000, 999, 1, 998, 1, 1, 60_000]
  const used = new Set<string>()
  for (const step of steps) {
    clock.advance(step)
    for (const service of [one, two]) kept.push(await fetchKeySet(service, ids))
    for (const service of [one, two]) {
      const token = await mint(service.api, ids)
      used.add(kidOf(token))
      for (const { keys, untilMs } of kept) {
        if (untilMs > clock()) await t.resolves(jwtVerify(token, keys, { currentDate: new Date(clock()) }))
      }
    }
  }
  t.equal(used.size, 2, 'the new key has come into use')
})

t.test('two instances', async (t) => {
  const { redis, one, two } = await startTwo(t)
  const { clock } = one
  const worlds = await Promise.all(Array.from({ length: 8 }, () => makeOneOfEach(one.api)))

  await t.test('one of them makes the next key, however they are asked', async (t) => {
    for (const ids of worlds) {
      t.strictSame(await publishedKids(one, ids), await publishedKids(two, ids))
      t.equal((await publishedKids(one, ids)).length, 1)
    }
    clock.advance(DAY_MS)
    await Promise.all(
      worlds.flatMap((ids, i) =>
        [one, two].map((service): Promise<unknown> => (i % 2 ? mint(service.api, ids) : publishedKids(service, ids)))
      )
    )
    for (const ids of worlds) {
      const kids = await publishedKids(one, ids)
      t.equal(kids.length, 2)
      t.strictSame(await publishedKids(two, ids), kids)
      const fields = await redis.client.hkeys(`grantd:signing-keys:${ids.providerId}`)
      t.strictSame(fields.sort(), [...kids, 'newest'].sort(), 'nothing is left of the one that lost')
    }
  })

  await t.test('they sign with one key, and change to the next at one time', async (t) => {
    for (const ids of worlds.slice(0, 2)) {
      t.equal(kidOf(await mint(one.api, ids)), kidOf(await mint(two.api, ids)))
    }
    clock.advance(AHEAD_MS)
    for (const ids of worlds.slice(0, 2)) {
      const [, next] = await publishedKids(one, ids)
      t.strictSame([kidOf(await mint(one.api, ids)), kidOf(await mint(two.api, ids))], [next, next])
    }
  })

  await t.test('of providers made by either, each has keys of its own', async (t) => {
    const made = await Promise.all([one, two, one, two].map(({ api }) => makeOneOfEach(api)))
    const kids = await Promise.all(made.map((ids) => publishedKids(two, ids)))
    t.equal(new Set(kids.flat()).size, 4)
  })
})

t.test('on command', async (t) => {
  const { redis, one, two } = await startTwo(t)
  const { clock } = one
  const ids = await makeOneOfEach(one.api)
  const providerId = ids.providerId as string
  const old = await mint(two.api, ids, { expiresIn: LONGEST_SECONDS })
  clock.advance(1_000)

  await t.test('the next key is published within a minute, and signs six minutes later', async (t) => {
    const [line = ''] = await rotateIssuerKey(one.app.core, providerId, false)
    const [, kid, from] = /^([\w-]{16}) signs from (\S+); instances learn of it within a minute$/.exec(line) ?? []
    t.equal(Date.parse(from ?? ''), clock() + AHEAD_MS)
    clock.advance(1_000)
    t.strictSame(await publishedKids(one, ids), [kidOf(old), kid])
    clock.advance(59_000)
    t.strictSame(await publishedKids(two, ids), [kidOf(old), kid])
    t.equal(kidOf(await mint(one.api, ids)), kidOf(old))
    clock.advance(AHEAD_MS - 60_000)
    for (const service of [one, two]) t.equal(kidOf(await mint(service.api, ids)), kid)
  })

  await t.test('with haste it signs at once here, and within a minute everywhere', async (t) => {
    const before = kidOf(await mint(two.api, ids))
    const [line = ''] = await rotateIssuerKey(one.app.core, providerId, true)
    const kid = line.slice(0, 16)
    t.equal(kidOf(await mint(one.api, ids)), kid)
    t.equal(kidOf(await mint(two.api, ids)), before)
    clock.advance(60_000)
    t.equal(kidOf(await mint(two.api, ids)), kid)
    t.strictSame(await publishedKids(two, ids), [kidOf(old), before, kid], 'and the others stay')
  })

  await t.test('what was signed before still verifies, for as long as it lives', async (t) => {
    const { exp = 0 } = JSON.parse(Buffer.from(old.split('.')[1] ?? '', 'base64url').toString())
    clock.advance(exp * 1000 - 1 - clock())
    for (const service of [one, two]) {
      const { keys } = await fetchKeySet(service, ids)
      await t.resolves(jwtVerify(old, keys, { currentDate: new Date(clock()) }))
    }
  })

  await t.test('of a provider that is not there it tells', async (t) => {
    for (const id of ['00000000-0000-4000-8000-000000000000', 'x', '']) {
      await t.rejects(rotateIssuerKey(one.app.core, id, true), { message: `there is no provider ${id}` })
    }
    const gone = await makeOneOfEach(one.api)
    await one.api.deleteProvider(gone)
    await t.rejects(rotateIssuerKey(one.app.core, gone.providerId as string, false), /there is no provider/)
    t.strictSame(await redis.client.keys(`*signing-keys:${gone.providerId}`), [], 'and makes no key for it')
  })

  await t.test('by the program itself, beside the service', async (t) => {
    const env = { REDIS_URL: redis.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await runProgram('cli.js', ['providers', ...args], env)
      return { failed: code !== 0, stdout, stderr }
    }
    const fresh = await makeOneOfEach(one.api)
    const id = fresh.providerId as string
    const before = await publishedKids(one, fresh)
    const { failed, stdout, stderr } = await run('rotate-key', id)
    t.strictSame([failed, stderr], [false, ''])
    t.match(stdout, /^[\w-]{16} signs from \d{4}-\S+Z; instances learn of it within a minute\n$/)
    clock.advance(60_000)
    t.strictSame(await publishedKids(one, fresh), [...before, stdout.slice(0, 16)])
    t.match((await run('rotate-key', id, '--now')).stdout, /^[\w-]{16} signs from /)
    t.match(await run('rotate-key', 'x'), { failed: true, stdout: '', stderr: 'grantd: there is no provider x\n' })
    for (const args of [['rotate-key'], ['rotate', id]]) {
      const answer = await run(...args)
      t.match(answer, { failed: true, stdout: '', stderr: /^grantd: usage: / }, args.join(' '))
    }
  })
})

t.test('of several commands at once each has made a key, or says that it has not', async (t) => {
  const { one, two } = await startTwo(t)
  const ids = await makeOneOfEach(one.api)
  const commands = [one, two, one, two].map(({ app }) => rotateIssuerKey(app.core, ids.providerId as string, true))
  const outcomes = await Promise.allSettled(commands)
  const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value[0]?.slice(0, 16)] : []))
  t.ok(made.length >= 1, `${made.length} of them`)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.match(outcome.reason, /another rotation came first; nothing was changed/)
  }
  one.clock.advance(60_000)
  const kids = await publishedKids(one, ids)
  t.strictSame(kids.slice(1).sort(), made.sort(), 'exactly those are there')
})

t.test('a new algorithm comes with the next key, and the old one stays beside it', async (t) => {
  const { redis, one } = await startTwo(t, { PROVIDER_SIGNING_ALG: 'ES256' })
  const ids = await makeOneOfEach(one.api)
  const old = await mint(one.api, ids)
  const variables = { REDIS_URL: redis.url, PUBLIC_URL: 'https://grants.example.com', LIMITS: 'off' }
  const later = await startTokensApp(t, { ...variables, PROVIDER_SIGNING_ALG: 'RS256' }, { testClock: one.clock })
  t.strictSame(
    await publishedKids(later, ids),
    [kidOf(old)],
    'not at once: instances that differ must not outbid each other'
  )
  one.clock.advance(DAY_MS)
  const [first, next] = await publishedKids(later, ids)
  t.equal(first, kidOf(old))
  const { body } = await later.send({
    method: 'GET',
    url: `/${ids.providerId}/.well-known/openid-configuration`,
    headers: {}
  })
  t.strictSame(body.id_token_signing_alg_values_supported, ['ES256', 'RS256'])
  one.clock.advance(AHEAD_MS)
  const token = await mint(later.by(one.key), ids)
  t.equal(kidOf(token), next)
  const { keys } = await fetchKeySet(later, ids)
  await t.resolves(jwtVerify(token, keys, { currentDate: new Date(one.clock()), algorithms: ['RS256'] }))
})

t.test('who asks for the keys of a provider that is gone makes none', async (t) => {
  const { redis, one, two } = await startTwo(t)
  const ids = await makeOneOfEach(one.api)
  await mint(two.api, ids)
  // This is the state that a request meets if its issuer is deleted right after it has read it.
  await one.api.deleteProvider(ids)
  one.clock.advance(60_000)
  for (const { app } of [one, two]) await app.core.issuerKeys.of(ids.providerId as string).catch(() => {})
  t.strictSame(await redis.client.keys(`*signing-keys:${ids.providerId}`), [])
})
