/**
 * @grantd/verify against the built service: what it accepts, and that it accepts nothing that is revoked, whatever becomes of its
 * connection to the feed, of the instance at the other end, and of the Redis behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier, type FeedState, isVerifyError, type Verifier, type VerifierOptions } from '@grantd/verify'
import t, { type Test } from 'tap'
import { testClock } from '../support/app.js'
import { claimsOf } from '../support/client.js'
import { API, BOX, basicAuth, clientsFile } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { startRedisWithSentinels } from '../support/redis-sentinel.js'
import type { RedisServer } from '../support/redis-server.js'
import { INVOICES, LOSE_ALL, LOSE_CALLED, REPORTS, startRevocable } from '../support/revocable.js'
import { startService } from '../support/service.js'
import { until } from '../support/until.js'

/** Half of the time after which an instance that is not told looks for itself. bench/verify.ts measures what is promised, 50 ms. */
const TOLD_WITHIN_MS = 500

const service = await startRevocable(t)
const { issuer, credentials, proxy } = service

interface Watched {
  verifier: Verifier
  /** The states that the feed has been in since it began. */
  states: FeedState[]
  clock: ReturnType<typeof testClock>
  /** What becomes of a token: `good`, or the reason why it is refused. */
  judge(token: string, scope?: string): Promise<string>
  isLive(): Promise<boolean>
}

/** A verifier of the feed at the API of reports, whose clock stands still. */
function watch(t: Test, options: Partial<VerifierOptions> = {}): Watched {
  const states: FeedState[] = []
  const clock = testClock()
  const verifier = createVerifier({
    ...{ issuer, audience: REPORTS, revocations: 'feed', credentials, clock },
    onFeed: ({ state }) => states.push(state),
    ...options
  })
  t.teardown(() => verifier.close())
  return {
    ...{ verifier, states, clock },
    judge: (token, scope) =>
      verifier.verify(token, scope === undefined ? {} : { scope }).then(
        () => 'good',
        (error) => {
          if (!isVerifyError(error)) throw error
          return error.reason
        }
      ),
    isLive: async () => verifier.feed()?.state === 'live'
  }
}

const rejection = (verifying: Promise<unknown>) =>
  verifying.then(
    () => undefined,
    (error) => error
  )

t.test('a token of the service is good, with its claims; refused are garbage and missing scopes', async (t) => {
  const { verifier, judge } = watch(t)
  await verifier.ready()
  const token = await service.token()
  const claims = await verifier.authenticate(`Bearer ${token}`, { scope: 'reports.read' })
  t.strictSame(claims, claimsOf(token))
  t.match(claims, { iss: issuer, aud: REPORTS, client_id: BOX.client_id, scope: 'reports.read', cid: /./ })

  t.equal(await judge('garbage'), 'malformed')
  t.equal(await judge(`${token.slice(0, -8)}AAAAAAAA`), 'signature')
  t.equal(await judge(token, 'reports.read reports.write'), 'scope')
  t.match(await rejection(verifier.verify(token, { scope: 'reports.write' })), {
    ...{ code: 'insufficient_scope', status: 403 },
    headers: { 'www-authenticate': /^Bearer error="insufficient_scope", .*, scope="reports.write"$/ }
  })

  // What else the service hands out is no access token.
  const { id_token, refresh_token } = await service.tokens('openid offline_access reports.read', REPORTS)
  t.equal(await judge(id_token), 'type')
  t.equal(await judge(refresh_token), 'malformed')
})

for (const revocations of ['feed', 'introspection', 'none'] as const) {
  t.test(`a token is good at the API that it is for and at no other (${revocations})`, async (t) => {
    const at = (audience: string | string[]) => watch(t, { revocations, audience }).judge
    const apis = [at(REPORTS), at(INVOICES), at(issuer), at([INVOICES, REPORTS])]
    const judged = (token: string, scope?: string) => Promise.all(apis.map((judge) => judge(token, scope)))

    const scope = 'offline_access reports.read reports.write invoices.read'
    const reports = await service.tokens(scope, [REPORTS, INVOICES])
    t.strictSame(await judged(reports.access_token, 'reports.read'), ['good', 'audience', 'audience', 'good'])
    const { body: invoices } = await service.refresh(reports.refresh_token, { resource: INVOICES })
    t.strictSame(
      await judged(invoices.access_token, 'invoices.read reports.read'),
      ['audience', 'good', 'audience', 'good'],
      'one of the same authorization, asked for with the refresh token'
    )
    t.strictSame(
      await judged(invoices.access_token, 'reports.write'),
      ['audience', 'scope', 'audience', 'scope'],
      'which has the scopes of its API alone'
    )
    const { access_token: own } = await service.tokens('openid')
    t.strictSame(await judged(own), ['audience', 'audience', 'good', 'audience'], 'one for the service itself')

    // Fewer scopes can be asked for, and no other API and no further scope than what was approved.
    const { body: fewer } = await service.refresh(invoices.refresh_token, { resource: REPORTS, scope: 'reports.read' })
    t.equal(await apis[0]?.(fewer.access_token, 'reports.read'), 'good')
    t.equal(await apis[0]?.(fewer.access_token, 'reports.write'), 'scope')
    for (const [asked, error] of [
      [{ resource: 'https://elsewhere.example' }, 'invalid_target'],
      [{ resource: issuer }, 'invalid_target'],
      [{ resource: INVOICES, scope: 'reports.write invoices.write' }, 'invalid_scope']
    ] as const) {
      t.match(await service.refresh(fewer.refresh_token, asked), { status: 400, body: { error } })
    }
    const { access_token: single } = await service.tokens('reports.read', REPORTS)
    t.strictSame(await judged(single), ['good', 'audience', 'audience', 'good'])

    if (revocations === 'none') return
    await service.revoke(invoices.access_token)
    await until(async () => (await apis[0]?.(reports.access_token)) === 'revoked')
    await until(async () => (await apis[1]?.(invoices.access_token)) === 'revoked')
    t.equal(await apis[0]?.(single), 'good', 'the authorization is revoked at every API, and no other authorization is')
  })
}

t.test('the first token waits for the first reading, in which all that is in force is', async (t) => {
  const [revoked, good] = [await service.token(), await service.token()]
  await service.revoke(revoked)
  // Without ready().
  t.equal(await watch(t).judge(revoked), 'revoked')
  t.equal(await watch(t).judge(good), 'good')
})

t.test('a revocation at another instance arrives without a request of the verifier', async (t) => {
  const { verifier, judge, states } = watch(t)
  const token = await service.token()
  t.equal(await judge(token), 'good')
  await service.revoke(token)
  await until(async () => (await judge(token)) === 'revoked')
  t.strictSame(states, ['live'], 'the held request told of it')
  t.match(await rejection(verifier.authenticate(`bearer ${token}`)), {
    ...{ code: 'invalid_token', reason: 'revoked', status: 401, body: { error: 'invalid_token' } },
    wwwAuthenticate: /^Bearer error="invalid_token", error_description="[^"]+"$/
  })
})

t.test('without a reading nothing is accepted, unless that is what the operator wants', async (t) => {
  const wrong = { credentials: { clientId: 'api', clientSecret: 'not the secret' } }
  const token = await service.token()
  const { verifier, judge } = watch(t, wrong)
  const refused = await rejection(verifier.verify(token))
  t.match(refused, { code: 'temporarily_unavailable', reason: 'unread', status: 503, wwwAuthenticate: undefined })
  t.ok(Number(refused.headers['retry-after']) >= 1)
  t.match(refused.cause.message, '/oauth/revocations answered 401')
  t.match(await rejection(verifier.ready()), { reason: 'unread' })
  t.equal(await judge('garbage'), 'malformed', 'what is bad is bad all the same')
  t.equal(await watch(t, { ...wrong, onStale: 'accept' }).judge(token), 'good')
})

t.test('a held request that is cut is renewed at once', async (t) => {
  const { judge, states, isLive } = watch(t)
  await until(isLive)
  const token = await service.token()
  service.proxy.cut()
  await until(async () => states.length >= 3 && isLive())
  // Had it waited, it would have been lost first. It may still take for its next request a connection that was cut as well.
  t.strictSame(states.slice(0, 2), ['live', 'reading'])
  t.equal(await judge(token), 'good')
})

t.test('an answer that is lost with its news is caught up before anything is accepted', async (t) => {
  const { judge, states, isLive } = watch(t)
  const token = await service.token()
  t.equal(await judge(token), 'good')
  await until(isLive)
  service.loseNext()
  await service.revoke(token)
  await until(async () => states.length > 1)
  t.equal(await judge(token), 'revoked')
})

/** Judges again and again until the token is refused as revoked, and returns everything that was said before. */
async function judgedUntilRevoked(judge: Watched['judge'], token: string): Promise<string[]> {
  const said: string[] = []
  await until(async () => {
    said.push(await judge(token))
    return said.at(-1) === 'revoked'
  })
  return [...new Set(said.slice(0, -1))]
}

t.test('a connection that stays cut: refused as stale, then caught up, never accepted', async (t) => {
  const { verifier, judge, states, clock, isLive } = watch(t)
  const accepting = watch(t, { onStale: 'accept' })
  await until(async () => (await isLive()) && accepting.isLive())
  const [token, other] = [await service.token(), await service.token()]
  t.equal(await judge(other), 'good')
  t.equal(await accepting.judge(other), 'good')
  proxy.lose(LOSE_ALL)
  t.teardown(() => proxy.lose(LOSE_CALLED))
  proxy.cut()
  await until(async () => states.includes('lost'))
  await service.revoke(token)

  clock.advance(59_000)
  t.equal(await judge(other), 'good', 'what was known less than 60 seconds ago does')
  clock.advance(2_000)
  accepting.clock.advance(61_000)
  t.equal(await judge(other), 'stale')
  t.match(await rejection(verifier.verify(token)), { status: 503, reason: 'stale', retryAfterSeconds: /^\d+$/ })
  t.equal(await accepting.judge(other), 'good', 'with onStale: accept')

  proxy.lose(LOSE_CALLED)
  t.strictSame(
    (await judgedUntilRevoked(judge, token)).filter((one) => one !== 'stale'),
    []
  )
  t.equal(await judge(other), 'good')
})

t.test('a connection that has died without an end: refused as stale, then caught up', async (t) => {
  const { judge, clock, isLive } = watch(t, { staleAfterSeconds: 5 })
  const token = await service.token()
  // With five seconds the first reading has half of one, and is repeated if that was not enough.
  await until(isLive)
  t.equal(await judge(token), 'good')
  const release = proxy.hold()
  t.teardown(release)
  await service.revoke(token)
  clock.advance(6_000)
  t.equal(await judge(token), 'stale', 'a new reading was tried, and was not answered')
  release()
  t.strictSame(
    (await judgedUntilRevoked(judge, token)).filter((one) => one !== 'stale'),
    []
  )
})

t.test('a machine that was asleep reads before it accepts', async (t) => {
  const { judge, clock, states, isLive } = watch(t)
  const token = await service.token()
  t.equal(await judge(token), 'good')
  await until(isLive)
  clock.advance(70_000)
  t.equal(await judge(token), 'good')
  t.strictSame(states, ['live', 'reading', 'live'])
})

t.test('410: it starts over, and what it held stays revoked', async (t) => {
  const { judge, states, isLive } = watch(t)
  const [first, second, third] = [await service.token(), await service.token(), await service.token()]
  await service.revoke(first)
  await until(async () => (await judge(first)) === 'revoked')
  await until(isLive)
  // The service loses its list, as with a Redis that comes back from a backup, and knows no cursor of before.
  const { client } = service.redis
  const names = await client.keys('*revocation:{revocations}:*')
  t.ok(names.length >= 3, `${names.length} keys`)
  await client.del(...names)
  await service.revoke(second)
  await until(async () => (await judge(second)) === 'revoked')
  await until(isLive)
  t.strictSame(states, ['live', 'reading', 'live'])
  t.equal(await judge(first), 'revoked')
  t.equal(await judge(third), 'good')
})

t.test('no request per token', async (t) => {
  const { judge, verifier } = watch(t, { staleAfterSeconds: 3_600 })
  await verifier.ready()
  const [good, revoked] = [await service.token(), await service.token()]
  await service.revoke(revoked)
  await until(async () => (await judge(revoked)) === 'revoked')
  const [before, startedAt] = [proxy.pieces(), performance.now()]
  const counts: Record<string, number> = {}
  for (let round = 0; round < 100; round++) {
    const said = await Promise.all(Array.from({ length: 50 }, (_, i) => judge(i % 2 === 0 ? good : revoked)))
    for (const one of said) counts[one] = (counts[one] ?? 0) + 1
  }
  t.strictSame(counts, { good: 2_500, revoked: 2_500 })
  // The held request is renewed every 30 seconds, and once after its news.
  const renewals = 2 + Math.floor((performance.now() - startedAt) / 30_000)
  t.ok(proxy.pieces() - before <= renewals, `${proxy.pieces() - before} requests`)
})

t.test('introspection', async (t) => {
  const { verifier, judge } = watch(t, { revocations: 'introspection' })
  await verifier.ready()
  t.equal(verifier.feed(), undefined)
  const token = await service.token()

  t.test('asks for each token that is genuine, and for no other', async (t) => {
    const before = proxy.pieces()
    t.equal(await judge('garbage'), 'malformed')
    t.equal(await judge(`${token.slice(0, -8)}AAAAAAAA`), 'signature')
    t.equal(await watch(t, { revocations: 'introspection', audience: 'https://a.example' }).judge('x.y.z'), 'malformed')
    t.equal(proxy.pieces(), before)
    t.equal(await judge(token), 'good')
    t.equal(await judge(token), 'good')
    t.ok(proxy.pieces() - before >= 2)
    t.equal(await judge(token, 'reports.write'), 'scope')
  })

  t.test('is 503 while nobody answers, or the credentials are not good', async (t) => {
    service.loseNext()
    t.equal(await judge(token), 'introspection')
    t.equal(await judge(token), 'good')
    const wrong = watch(t, { revocations: 'introspection', credentials: { apiKey: 'uga_none.none' } })
    t.match(await rejection(wrong.verifier.verify(token)), { status: 503, cause: { status: 401 } })
  })

  t.test('refuses a revoked token from the next request on', async (t) => {
    await service.revoke(token)
    t.equal(await judge(token), 'revoked')
  })
})

/**
 * Judges tokens over and over until `stop`, which does so once more and returns everything that was said of each, and how often they
 * were judged; or until the test ends.
 */
function keepJudging(t: Test, judge: Watched['judge'], tokens: Record<string, string>) {
  const said: Record<string, string[]> = {}
  let rounds = 0
  let isOver = false
  async function judgeOne(name: string, token: string): Promise<void> {
    const one = await judge(token)
    said[name] ??= []
    if (!said[name].includes(one)) said[name].push(one)
  }
  async function judgeAll(): Promise<void> {
    rounds += 1
    await Promise.all(Object.entries(tokens).map(([name, token]) => judgeOne(name, token)))
  }
  async function judgeOn(): Promise<void> {
    while (!isOver) {
      await judgeAll()
      await sleep(5)
    }
  }
  const judging = judgeOn()
  t.teardown(() => {
    isOver = true
    return judging
  })
  async function stop() {
    isOver = true
    await judging
    await judgeAll()
    return { said, rounds }
  }
  return { stop }
}

const connectedReplicas = async ({ client }: RedisServer) =>
  (await client.info('replication')).match(/state=online/g)?.length ?? 0

/** Cuts a replica off its primary, from which it then gets nothing, or has it follow the primary again. */
async function isolate({ client }: RedisServer, isCut: boolean): Promise<void> {
  await client.config('SET', 'masterauth', isCut ? 'not a password of it' : '')
  if (isCut) await client.call('CLIENT', 'KILL', 'TYPE', 'master')
}

t.test('failovers: what was acknowledged is never accepted, and what was lost is found out', async (t) => {
  const redis = await startRedisWithSentinels({ replicas: 2 })
  t.teardown(() => redis.stop())
  const [first] = redis.servers as [RedisServer]
  const service = await startRevocable(
    t,
    {
      ...{ REDIS_SENTINELS: redis.sentinels, REDIS_SENTINEL_NAME: redis.name, REDIS_WAIT_REPLICAS: '1' },
      REDIS_TIMEOUT_MS: '4000'
    },
    first
  )
  const { issuer, proxy } = service
  const { judge, states, clock, isLive } = watch(t, { issuer })
  const isRevoked = (token: string) => async () => (await judge(token)) === 'revoked'
  /** Asks again as long as there is no answer: replicas that begin anew may make a caller wait for longer than it can. */
  async function patient<T>(ask: () => Promise<T | undefined>): Promise<T> {
    let answer: T | undefined
    await until(async () => {
      answer = await ask().catch(() => undefined)
      return answer !== undefined
    })
    return answer as T
  }
  /** Whether the service says that it is revoked. */
  const revoke = (token: string) =>
    service.revoke(token).then(
      () => true,
      () => false
    )
  const readFeed = (after: string) =>
    patient(async () => {
      const answer = await fetch(`${service.here.url}/oauth/revocations?after=${after}`, { headers: basicAuth(API) })
      return answer.status === 503 ? undefined : answer
    })

  const [good, known, late, meanwhile, unsaid, missed] = (await Promise.all(
    Array.from({ length: 6 }, () => patient(service.token))
  )) as [string, string, string, string, string, string]
  await until(() => revoke(known))
  await until(isRevoked(known))
  await until(isLive)

  t.test('of a primary that is killed', async (t) => {
    await until(() => revoke(late))
    await first.kill()
    // What the verifier knows is too old from here on: it has to ask, and there is nobody who could answer.
    clock.advance(61_000)
    const killedAt = performance.now()
    const judged = keepJudging(t, judge, { good, known, late })
    await until(async () => states.includes('lost'))
    await until(() => revoke(meanwhile))
    await until(isRevoked(meanwhile))
    await until(async () => (await judge(good)) === 'good')
    t.comment(`${Math.round(performance.now() - killedAt)} ms until all was as before`)
    const { said, rounds } = await judged.stop()
    t.ok(rounds > 20, `${rounds} rounds`)
    t.strictSame(said.known, ['revoked'])
    t.strictSame(said.good, ['stale', 'good'], 'refused as stale, and good again')
    t.strictSame(new Set([...(said.late ?? []), 'stale', 'revoked']), new Set(['stale', 'revoked']), 'never accepted')
    t.equal(said.late?.at(-1), 'revoked')
  })

  t.test('after which it is told of revocations as before', async (t) => {
    const delaysMs: number[] = []
    for (let i = 0; i < 21; i++) {
      const token = await patient(service.token)
      await until(isLive)
      t.equal(await judge(token), 'good')
      await until(() => revoke(token))
      const revokedAt = performance.now()
      while ((await judge(token)) !== 'revoked') await sleep(1)
      delaysMs.push(performance.now() - revokedAt)
    }
    delaysMs.sort((a, b) => a - b)
    t.comment(`median ${delaysMs[10]?.toFixed(1)} ms, most ${delaysMs[20]?.toFixed(1)} ms`)
    // An instance that is not told looks for itself, each second.
    t.ok((delaysMs[10] as number) < TOLD_WITHIN_MS, `half of them within ${delaysMs[10]} ms`)
  })

  t.test('of a primary that had entries which no replica has: 410, and it starts over', async (t) => {
    await until(async () => (await redis.named()).length === 1)
    const primary = await redis.primary()
    await first.start('--replicaof', `127.0.0.1 ${primary.port}`)
    await until(async () => (await connectedReplicas(primary)) === 2)
    const replicas = redis.servers.filter((server) => server !== primary)
    for (const replica of replicas) await isolate(replica, true)
    await until(async () => (await connectedReplicas(primary)) === 0)
    t.notOk(await revoke(unsaid), 'nobody is told that it was revoked')
    await until(isRevoked(unsaid))
    const { cursor } = (await (await readFeed('0')).json()) as { cursor: string }
    t.equal((await readFeed(cursor)).status, 200)

    // The verifier is not there when the entry after the lost one gets its number.
    proxy.lose(LOSE_ALL)
    proxy.cut()
    const before = states.length
    await until(async () => states.slice(before).includes('lost'))
    clock.advance(61_000)
    const judged = keepJudging(t, judge, { good, known, late, meanwhile, unsaid })
    await primary.kill()
    for (const replica of replicas) await isolate(replica, false)
    await until(() => redis.promote())
    await until(() => revoke(missed))
    t.equal(await judge(missed), 'stale')
    const ofMissed = keepJudging(t, judge, { missed })
    t.equal((await readFeed(cursor)).status, 410)
    proxy.lose(LOSE_CALLED)
    await until(isRevoked(missed))
    await until(async () => (await judge(good)) === 'good')
    const { said } = await judged.stop()
    t.strictSame(said, {
      ...{ good: ['stale', 'good'], known: ['revoked'], late: ['revoked'], meanwhile: ['revoked'] },
      unsaid: ['revoked']
    })
    t.strictSame(
      ((await ofMissed.stop()).said.missed ?? []).filter((one) => one !== 'stale'),
      ['revoked'],
      'caught up'
    )
  })
})

// They mostly wait, for instances that no other of them uses, so they run side by side. A failover is none of them: Sentinels that have
// to wait for a core would have it before the test does.
t.test('services that go away or are busy', { jobs: 2 }, async (t) => {
  t.test('an instance that is restarted', async (t) => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await t.test(`${signal}: refused as stale, then caught up`, async (t) => {
        const { judge, clock, states, isLive } = watch(t)
        const token = await service.token()
        t.equal(await judge(token), 'good')
        await until(isLive)
        await service.there().stop(signal)
        await until(async () => states.includes('lost'))
        await service.revoke(token)
        clock.advance(61_000)
        t.equal(await judge(token), 'stale')
        await service.restart()
        t.strictSame(
          (await judgedUntilRevoked(judge, token)).filter((one) => one !== 'stale'),
          []
        )
        t.equal(await judge(await service.token()), 'good')
      })
    }
  })

  t.test('a service that asks for patience gets it', async (t) => {
    const PORT = await freePort()
    const url = `http://127.0.0.1:${PORT}`
    const limits = { LIMIT_INTROSPECT_PER_MINUTE: '1' }
    await startService(t, { PORT: `${PORT}`, PUBLIC_URL: url, OAUTH_CLIENTS_FILE: clientsFile(t), ...limits })
    const options = { issuer: url, audience: url, revocations: 'feed', credentials } as const
    const [one, other] = [createVerifier(options), createVerifier(options)]
    t.teardown(() => Promise.all([one.close(), other.close()]))
    const errors = (await Promise.all([one, other].map((each) => rejection(each.ready())))).filter(Boolean)
    t.equal(errors.length, 1, 'one of the two had the only reading of this minute')
    // Of its own accord it would come back within 4 seconds.
    t.match(errors[0], { reason: 'unread', cause: { status: 429 } })
    t.ok(errors[0].retryAfterSeconds > 4, `${errors[0].retryAfterSeconds}`)
  })
})

t.test('close ends the feed, and everything is refused', async (t) => {
  const { verifier, judge } = watch(t)
  await verifier.ready()
  const token = await service.token()
  await verifier.close()
  await verifier.close()
  t.equal(await judge(token), 'closed')
  t.match(await rejection(verifier.ready()), { reason: 'closed' })

  const controller = new AbortController()
  const aborted = watch(t, { signal: controller.signal })
  await t.rejects(aborted.verifier.ready({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  controller.abort()
  t.equal(await aborted.judge(token), 'closed')
  t.equal(aborted.verifier.feed()?.state, 'closed')
})
