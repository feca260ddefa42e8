/**
 * An instance may end after any step of a change. The state must then be as before the change or as after it: nothing
 * half deleted answers callers or relying parties, and nothing is blocked for ever.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { isFault } from '../../src/core/fault.js'
import { newGrantCode } from '../../src/core/grants/codes.js'
import { loadScripts } from '../../src/storage/redis/scripts.js'
import type { Answer } from '../support/app.js'
import { BY } from '../support/audit.js'
import { answerAs, codeRequest, redeemCode } from '../support/code-flow.js'
import { startDnsServer } from '../support/dns-server.js'
import { type OAuthApp, startConnectedApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { issuerOf, kidOf, mint } from '../support/relying-party.js'
import {
  BODIES,
  bodyFor,
  type Ids,
  makeOneOfEach,
  type OperationId,
  startTokensApp,
  type TokensApp,
  type TokensClient
} from '../support/tokens-client.js'

const BASE_DOMAIN = 'tokens.example.com'
const PUBLIC_URL = 'https://grants.example.com'
/** No change takes more steps than this. */
const MOST_STEPS = 60
/** A redemption looks at the code first, and claims it with an id of twelve characters. */
const CLAIM_OF_A_CODE = new RegExp(`${loadScripts()['grant-redeem'].sha}[^]*\\r\\n\\$12\\r\\n`)

/**
 * Starts a proxy between an instance and Redis that drops all requests after a given number, for good. It can also drop the answer
 * to the last request that it passes on, which is then applied without the instance knowing.
 */
async function startCutter(redisPort: number) {
  const sockets = new Set<Socket>()
  let left = Number.POSITIVE_INFINITY
  let losesLastAnswer = false
  let last: RegExp | undefined
  const server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1')
    const end = () => {
      client.destroy()
      redis.destroy()
    }
    for (const socket of [client, redis]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', end)
    }
    client.on('data', (request) => {
      if (last?.test(request.toString('latin1'))) left = 1
      if (left-- > 0) redis.write(request)
      else cut()
    })
    redis.on('data', (reply) => (losesLastAnswer && left <= 0 ? cut() : client.write(reply)))
  })
  function cut(): void {
    left = 0
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  server.listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    cutAfter(requests: number, options: { losesLastAnswer?: boolean } = {}) {
      left = requests
      losesLastAnswer = options.losesLastAnswer === true
    },
    /** The first request that matches is the last one that is passed on, and its answer is dropped. */
    cutAt(request: RegExp) {
      last = request
      losesLastAnswer = true
    }
  }
}

async function startWorld(t: Test) {
  const [redis, dns] = [await startRedis(), await startDnsServer(t)]
  t.teardown(() => redis.stop())
  const variables = { PUBLIC_URL, TOKENS_BASE_DOMAIN: BASE_DOMAIN, DNS_RESOLVER: dns.address, LIMITS: 'off' }
  /** The surviving instance, through which the state is checked. */
  const survivor = await startTokensApp(t, { ...variables, REDIS_URL: redis.url })
  const { api, clock, send } = survivor
  const stranger = survivor.by(await survivor.newKey('stranger'))
  const elsewhere = await makeOneOfEach(stranger)

  /** Returns whether a change succeeded on an instance that is cut off from Redis after this many requests. */
  async function comesThrough(steps: number, change: (api: TokensClient) => Promise<Answer>): Promise<boolean> {
    const cutter = await startCutter(redis.port)
    const victim = await startTokensApp(t, { ...variables, REDIS_URL: cutter.url }, { testClock: clock })
    const before = await victim.by(survivor.key).listProviders()
    if (before.status !== 200) throw new Error(`it never was well: ${before.status}`)
    cutter.cutAfter(steps)
    const { status } = await change(victim.by(survivor.key))
    cutter.cut()
    // An interrupted change may only be answered with 503.
    if (status !== 503 && status >= 300) throw new Error(`it answered ${status}`)
    // Instances cache public documents for a second.
    clock.advance(1_000)
    return status !== 503
  }

  return {
    survivor,
    api,
    clock,
    stranger,
    elsewhere,
    comesThrough,

    /** Interrupts a change after no step, after one, after two and so on, until it succeeds. */
    async interrupt(
      t: Test,
      prepare: () => Promise<Record<string, string>>,
      change: (api: TokensClient, ids: Ids) => Promise<Answer>,
      check: (t: Test, ids: Ids) => Promise<void>
    ): Promise<number> {
      for (let steps = 0; steps < MOST_STEPS; steps++) {
        const ids = await prepare()
        const isDone = await comesThrough(steps, (victim) => change(victim, ids))
        await t.test(isDone ? `at the end, after ${steps}` : `after ${steps}`, (t) => check(t, ids))
        if (isDone) return steps
      }
      throw new Error('it never came through')
    },

    /** Creates one resource of each kind, with a verified domain and a second, unverified one. */
    async makeProvider(): Promise<Record<string, string>> {
      const ids = await makeOneOfEach(api)
      const { body: domain } = await api.getDomain(ids)
      dns.publish(domain.challengeName, domain.challenge)
      const { body: result } = await api.verifyDomain(ids)
      if (!result.verified) throw new Error(result.message)
      const { body: second } = await api.addDomain(ids, { domain: `second.${domain.domain}` })
      return { ...ids, domain: domain.domain, secondDomain: second.domain }
    },

    publish: dns.publish,

    /** Returns the statuses of an issuer's public documents under each of its addresses; what is the service's own counts as 404. */
    async publicStatuses({ providerId, domain }: Ids): Promise<number[]> {
      const places = [
        ['grants.example.com', `/${providerId}`],
        [`${providerId}.${BASE_DOMAIN}`, ''],
        [domain as string, '']
      ] as const
      const answers = await Promise.all(
        places.flatMap(([host, at]) =>
          ['openid-configuration', 'jwks'].map((name) =>
            send({ method: 'GET', url: `${at}/.well-known/${name}`, headers: { host } })
          )
        )
      )
      return answers.map(({ status, body }) => (body.issuer === PUBLIC_URL ? 404 : status))
    },

    /** Checks that another owner can have a domain, and that discovery then finds that owner's issuer. */
    async isFree(t: Test, domain: string): Promise<void> {
      const { status, body } = await stranger.addDomain(elsewhere, { domain })
      t.equal(status, 201, `${domain} is free for somebody else`)
      if (status !== 201) return
      dns.publish(body.challengeName, body.challenge)
      t.equal((await stranger.verifyDomain({ ...elsewhere, domainId: body.id })).body.verified, true)
      const { body: metadata } = await send({
        method: 'GET',
        url: '/.well-known/openid-configuration',
        headers: { host: domain }
      })
      t.equal(metadata.issuer, `https://${domain}`)
      await stranger.deleteDomain({ ...elsewhere, domainId: body.id })
    },

    /** Checks that discovery under the `iss` of an issuer's tokens names that issuer and has their key. */
    async isIssuer(t: Test, ids: Ids): Promise<void> {
      for (const wish of [{}, { forceDefaultDomain: true }]) {
        const token = await mint(api, ids, wish)
        const { host, origin } = new URL(issuerOf(token))
        const ask = (name: string) => send({ method: 'GET', url: `/.well-known/${name}`, headers: { host } })
        const [metadata, keySet] = [await ask('openid-configuration'), await ask('jwks')]
        t.strictSame([metadata.status, metadata.body.issuer], [200, origin], `discovery of ${origin}`)
        const kids = (keySet.body.keys ?? []).map(({ kid }: { kid: string }) => kid)
        t.ok(kids.includes(kidOf(token)), 'holds the key of the token')
      }
    }
  }
}

/** Returns the statuses of these operations, none of which changes what a later check looks at. */
const statusesOf = (api: TokensClient, ids: Ids, operations: readonly OperationId[]) =>
  Promise.all(operations.map(async (id) => (await api[id](ids, bodyFor(id, ids))).status))

const isListed = async ({ api }: Pick<TokensApp, 'api'>, id: OperationId, ids: Ids, wanted: string | undefined) =>
  (await api[id](ids)).body.some((one: { id: string }) => one.id === wanted)

t.test('a provider is deleted', async (t) => {
  const world = await startWorld(t)
  const { api } = world
  const OF_A_PROVIDER: OperationId[] = [
    'getProvider',
    'listClients',
    'getClient',
    'createAccessToken',
    'listDomains',
    'getDomain',
    'verifyDomain'
  ]
  const steps = await world.interrupt(
    t,
    world.makeProvider,
    (victim, ids) => victim.deleteProvider(ids),
    async (t, ids) => {
      const statuses = await statusesOf(api, ids, OF_A_PROVIDER)
      const isThere = await isListed(world, 'listProviders', {}, ids.providerId)
      if (isThere) {
        t.strictSame(statuses, [200, 200, 200, 201, 200, 200, 200], 'it is there, with all that belongs to it')
        t.strictSame(await world.publicStatuses(ids), Array(6).fill(200), 'and for relying parties')
        await world.isIssuer(t, ids)
        t.equal((await api.deleteProvider(ids)).status, 204, 'and may be deleted again')
      }
      const gone = await statusesOf(api, ids, OF_A_PROVIDER)
      t.strictSame(
        gone,
        OF_A_PROVIDER.map(() => 404),
        'nothing of it is there'
      )
      t.strictSame(await world.publicStatuses(ids), Array(6).fill(404), 'nor for relying parties')
      t.equal((await api.deleteProvider(ids)).status, 404)
      for (const domain of [ids.domain, ids.secondDomain]) await world.isFree(t, domain as string)
    }
  )
  t.ok(steps >= 12, `${steps} steps`)
})

t.test('a tenant is deleted', async (t) => {
  const world = await startWorld(t)
  const { api } = world
  const OF_A_TENANT: OperationId[] = [
    'getTenant',
    'listTenantProviders',
    'getTenantProvider',
    'listTenantProviderPolicies',
    'getTenantProviderPolicy',
    'validateToken'
  ]
  const check = (listing: OperationId, deletion: OperationId, name: string, operations: OperationId[]) => {
    // validateToken answers 400 to a malformed token if the policy exists.
    const there = operations.map((id) => (id === 'validateToken' ? 400 : 200))
    return async (t: Test, ids: Ids) => {
      const statuses = await statusesOf(api, ids, operations)
      if (await isListed(world, listing, ids, ids[name])) {
        t.strictSame(statuses, there, 'it is there, with all that belongs to it')
        t.equal((await api[deletion](ids)).status, 204, 'and may be deleted again')
      }
      const gone = await statusesOf(api, ids, operations)
      t.strictSame(
        gone,
        operations.map(() => 404),
        'nothing of it is there'
      )
      t.notOk(await isListed(world, listing, ids, ids[name]))
    }
  }
  const prepare = async () => {
    const ids = await makeOneOfEach(api)
    await api.createTenantProviderPolicy(ids, BODIES.createTenantProviderPolicy)
    const another = { ...BODIES.createTenantProvider, audience: 'another' }
    const { body } = await api.createTenantProvider(ids, another)
    await api.createTenantProviderPolicy({ ...ids, tenantProviderId: body.id }, BODIES.createTenantProviderPolicy)
    return ids
  }

  const steps = await world.interrupt(
    t,
    prepare,
    (victim, ids) => victim.deleteTenant(ids),
    check('listTenants', 'deleteTenant', 'tenantId', OF_A_TENANT)
  )
  t.ok(steps >= 9, `${steps} steps`)

  await t.test('or a trusted issuer alone', async (t) => {
    const below = OF_A_TENANT.slice(2)
    const steps = await world.interrupt(
      t,
      prepare,
      (victim, ids) => victim.deleteTenantProvider(ids),
      check('listTenantProviders', 'deleteTenantProvider', 'tenantProviderId', below)
    )
    t.ok(steps >= 6, `${steps} steps`)
  })
})

t.test('a domain is deleted', async (t) => {
  const world = await startWorld(t)
  const { api } = world
  const steps = await world.interrupt(
    t,
    world.makeProvider,
    (victim, ids) => victim.deleteDomain(ids),
    async (t, ids) => {
      await world.isIssuer(t, ids)
      const isThere = (await api.getDomain(ids)).status === 200
      t.equal(await isListed(world, 'listDomains', ids, ids.domainId), isThere)
      if (isThere) {
        t.equal((await api.deleteDomain(ids)).status, 204, 'it is there, and may be deleted again')
        await world.isIssuer(t, ids)
      }
      t.equal((await api.getDomain(ids)).status, 404)
      t.strictSame(await world.publicStatuses(ids), [200, 200, 200, 200, 404, 404], 'nothing is found there')
      t.equal(issuerOf(await mint(api, ids)), `https://${ids.providerId}.${BASE_DOMAIN}`)
      await world.isFree(t, ids.domain as string)
      await world.isIssuer(t, ids)
    }
  )
  t.ok(steps >= 6, `${steps} steps`)
})

t.test('a domain is verified', async (t) => {
  const world = await startWorld(t)
  const { api } = world
  const steps = await world.interrupt(
    t,
    async () => {
      const ids = await makeOneOfEach(api)
      const { body } = await api.getDomain(ids)
      world.publish(body.challengeName, body.challenge)
      return { ...ids, domain: body.domain }
    },
    (victim, ids) => victim.verifyDomain(ids),
    async (t, ids) => {
      await world.isIssuer(t, ids)
      const { status, body } = await api.verifyDomain(ids)
      t.strictSame([status, body.verified], [200, true], 'who asks again is told that it is')
      t.equal((await api.getDomain(ids)).body.verified, true)
      t.equal(issuerOf(await mint(api, ids)), `https://${ids.domain}`, 'and tokens carry it')
      t.strictSame(await world.publicStatuses(ids), Array(6).fill(200))
      await world.isIssuer(t, ids)
    }
  )
  t.ok(steps >= 5, `${steps} steps`)
})

t.test('a domain is added', async (t) => {
  const world = await startWorld(t)
  const { api } = world
  let made = 0
  const steps = await world.interrupt(
    t,
    async () => ({ ...(await makeOneOfEach(api)), domain: `added-${made++}.example` }),
    (victim, ids) => victim.addDomain(ids, { domain: ids.domain }),
    async (t, ids) => {
      const entries = (await api.listDomains(ids)).body.filter(
        ({ domain }: { domain: string }) => domain === ids.domain
      )
      t.ok(entries.length <= 1)
      for (const { id: domainId, challengeName, challenge } of entries) {
        const { status, body } = await world.stranger.addDomain(world.elsewhere, { domain: ids.domain })
        t.equal(status, 201, 'it keeps nobody out')
        world.publish(challengeName, challenge, body.challenge ?? '')
        const { body: result } = await api.verifyDomain({ ...ids, domainId })
        t.equal(result.verified, true, 'and can be proved')
        await world.stranger.deleteDomain({ ...world.elsewhere, domainId: body.id })
        t.equal((await api.deleteDomain({ ...ids, domainId })).status, 204)
      }
      await world.isFree(t, ids.domain as string)
      const { status, body } = await api.addDomain(ids, { domain: ids.domain })
      t.equal(status, 201, 'nor does what is left of it keep out its own provider')
      await api.deleteDomain({ ...ids, domainId: body.id })
    }
  )
  t.ok(steps >= 4, `${steps} steps`)
})

t.test('a provider is created', async (t) => {
  const world = await startWorld(t)
  const { api } = world
  const before = new Set<string>()
  const steps = await world.interrupt(
    t,
    async () => {
      for (const { id } of (await api.listProviders()).body) before.add(id)
      return {}
    },
    (victim) => victim.createProvider({}, BODIES.createProvider),
    async (t) => {
      const made = (await api.listProviders()).body.filter(({ id }: { id: string }) => !before.has(id))
      t.ok(made.length <= 1)
      for (const { id: providerId } of made) {
        t.equal((await api.getProvider({ providerId })).status, 200)
        const { body: client } = await api.createClient({ providerId }, BODIES.createClient)
        const ids = { providerId, clientId: client.id, domain: 'none.example' }
        t.strictSame(await world.publicStatuses(ids), [200, 200, 200, 200, 404, 404], 'what is listed is found')
        await world.isIssuer(t, ids)
      }
    }
  )
  t.ok(steps >= 4, `${steps} steps`)
})

/** A change of the core has no answer of its own, and may only fail as one that is answered with 503. */
async function statusOf(change: Promise<unknown>): Promise<number> {
  try {
    await change
    return 200
  } catch (error) {
    if (isFault(error) && error.code === 'unavailable') return 503
    throw error
  }
}

/** What an instance that is cut off from Redis is to do, and how what it leaves is checked. */
interface Interrupted {
  act(victim: OAuthApp): Promise<number>
  check(t: Test, status: number): Promise<void>
}

interface OAuthWorld {
  redis: RedisServer
  survivor: OAuthApp
}

/** Lets an instance that is cut off from Redis, as `arm` says, do what a user and a client do with a grant. */
async function cutOff(
  t: Test,
  { redis, survivor }: OAuthWorld,
  act: Interrupted['act'],
  arm: (cutter: Awaited<ReturnType<typeof startCutter>>) => void
): Promise<number> {
  const cutter = await startCutter(redis.port)
  const victim = await startConnectedApp(t, { REDIS_URL: cutter.url }, { testClock: survivor.clock })
  const { status: healthy } = await victim.call('GET', '/auth/clients', { token: await victim.session('nobody') })
  if (healthy !== 200) throw new Error(`it never was well: ${healthy}`)
  arm(cutter)
  const status = await act(victim)
  cutter.cut()
  await victim.app.close()
  return status
}

/**
 * Cuts an instance off after no request, after one, and so on, until it comes through. The last request is applied, and its answer is
 * lost. The survivor then does the same again.
 */
async function interruptOAuth(t: Test, world: OAuthWorld, prepare: () => Promise<Interrupted>): Promise<void> {
  for (let steps = 0; ; steps++) {
    if (steps > MOST_STEPS) throw new Error('it never came through')
    const { act, check } = await prepare()
    const status = await cutOff(t, world, act, ({ cutAfter }) => cutAfter(steps, { losesLastAnswer: true }))
    await t.test(`${steps} requests were applied, and it answered ${status}`, (t) => check(t, status))
    if (status === 200) break
    t.equal(status, 503)
  }
}

t.test('a grant is approved, collected and revoked', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const survivor = await startConnectedApp(t, { REDIS_URL: redis.url })
  const { call, session, start, approve, poll } = survivor
  const rowsOf = async (user: string) => (await call('GET', '/auth/clients', { token: await session(user) })).body.data
  let users = 0

  type Codes = { grant_code: string; user_code: string; user: string }
  type Act = (at: typeof survivor, codes: Codes) => Promise<number>
  const approval: Act = async (at, { user_code, user }) => (await at.approve(user_code, user)).status
  const collection: Act = async (at, { grant_code }) => {
    const { status, body } = await at.poll(grant_code)
    return status === 200 && body.status !== 'approved' ? 500 : status
  }
  const undoing: Act = (at, { user_code, user }) => statusOf(at.app.core.grants.undo(user_code, user, BY))
  const revocation: Act = (at, { user }) => statusOf(at.app.core.authorizations.revokeAll(user, 'owner', BY))

  const interrupt = (
    t: Test,
    { before = [], act }: { before?: Act[]; act: Act },
    check: (t: Test, codes: Codes) => Promise<void>
  ) =>
    interruptOAuth(t, { redis, survivor }, async () => {
      const codes = { ...(await start()), user: `user-${users++}` }
      for (const one of before) await one(survivor, codes)
      return { act: (victim) => act(victim, codes), check: (t) => check(t, codes) }
    })

  await t.test('approved', (t) =>
    interrupt(t, { act: approval }, async (t, codes) => {
      const { status } = (await poll(codes.grant_code)).body
      const before = await rowsOf(codes.user)
      t.ok(before.length <= 1, `${before.length} rows`)
      if (status === 'approved') t.equal(before.length, 1, 'no approval is without its row')
      else t.equal(status, 'authorization_pending')
      t.equal(await approval(survivor, codes), 200, 'and is made again')
      t.equal(await collection(survivor, codes), 200)
      t.strictSame([(await rowsOf(codes.user)).length], [1])
    })
  )

  await t.test('approved, and revoked before it is collected', (t) =>
    interrupt(t, { act: approval }, async (t, codes) => {
      await revocation(survivor, codes)
      const stands = (await survivor.app.core.grants.peek(codes.user_code)).kind !== 'pending'
      if (stands) {
        t.strictSame((await poll(codes.grant_code)).body, { status: 'access_denied' })
        return
      }
      t.equal(await approval(survivor, codes), 200, 'what never came to stand is approved anew')
      t.equal(await collection(survivor, codes), 200, 'and collected')
      const active = (await rowsOf(codes.user)).filter(({ revoked_at }: Record<string, unknown>) => revoked_at === null)
      t.equal(active.length, 1)
    })
  )

  await t.test('approved, and then denied', (t) =>
    interrupt(t, { act: approval }, async (t, codes) => {
      const { status } = await approve(codes.user_code, codes.user, 'deny')
      t.strictSame([status, (await rowsOf(codes.user)).length], status === 200 ? [200, 0] : [404, 1])
    })
  )

  await t.test('collected', (t) =>
    interrupt(t, { before: [approval], act: collection }, async (t, codes) => {
      t.equal((await rowsOf(codes.user)).length, 1)
      t.equal(await collection(survivor, codes), 200)
      t.equal((await rowsOf(codes.user)).length, 1)
      await revocation(survivor, codes)
      t.strictSame((await poll(codes.grant_code)).body, { status: 'access_denied' })
    })
  )

  for (const [title, act] of Object.entries({ revoked: revocation, undone: undoing })) {
    await t.test(title, (t) =>
      interrupt(t, { before: [approval], act }, async (t, codes) => {
        t.equal(await act(survivor, codes), 200)
        t.strictSame((await poll(codes.grant_code)).body, { status: 'access_denied' })
        t.equal((await rowsOf(codes.user)).length, 1)
      })
    )
  }
})

t.test('a code is approved and redeemed', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const survivor = await startConnectedApp(t, { REDIS_URL: redis.url })
  const { app, userinfo } = survivor
  const rowsOf = (user: string) => app.core.authorizations.list(user)
  let users = 0

  await t.test('approved', (t) =>
    interruptOAuth(t, { redis, survivor }, async () => {
      const [request, user, code] = [codeRequest(), `user-${users++}`, newGrantCode()]
      return {
        act: (victim) => statusOf(answerAs(victim, request, user, { code })),
        async check(t) {
          t.equal(await statusOf(answerAs(survivor, request, user, { code })), 200, 'and is made again')
          const { status, body } = await redeemCode(survivor, code, request)
          t.strictSame([status, (await rowsOf(user)).length], [200, 1], 'one authorization')
          t.equal((await userinfo(body.access_token)).status, 200)
        }
      }
    })
  )

  /** How often a code that was presented again was good still, and how often it had been used. */
  const again = { tokens: 0, revoked: 0 }
  const redemption = async (): Promise<Interrupted> => {
    const [request, user] = [codeRequest(), `user-${users++}`]
    const code = await answerAs(survivor, request, user)
    let got: Answer | undefined
    return {
      async act(victim) {
        got = await redeemCode(victim, code, request)
        return got.status
      },
      async check(t, status) {
        const second = await redeemCode(survivor, code, request)
        t.equal((await rowsOf(user)).length, 1)
        if (second.status === 200) {
          again.tokens += 1
          t.equal(status, 503, 'it was not used yet')
          t.equal((await userinfo(second.body.access_token)).status, 200)
          return
        }
        again.revoked += 1
        t.equal(second.body.error, 'invalid_grant')
        t.ok((await rowsOf(user))[0]?.revokedAtMs, 'whatever it led to has ended')
        if (status === 200) t.equal((await userinfo(got?.body.access_token)).status, 401)
      }
    }
  }
  await t.test('redeemed', (t) => interruptOAuth(t, { redis, survivor }, redemption))
  t.ok(again.tokens >= 2, `${again.tokens} were not used yet`)

  await t.test('redeemed, and the answer to the claim is lost', async (t) => {
    const { act, check } = await redemption()
    const revoked = again.revoked
    // How many requests are made before it depends on what the instance asks for itself meanwhile.
    t.equal(await cutOff(t, { redis, survivor }, act, ({ cutAt }) => cutAt(CLAIM_OF_A_CODE)), 503)
    await check(t, 503)
    t.equal(again.revoked, revoked + 1)
  })
})
