/** The revocation feed over Redis: what is revoked on one instance is told by the other, whatever breaks in between. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createVerifier, isVerifyError } from '@grantd/verify'
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { createKeys } from '../../src/storage/redis/keys.js'
import { PATIENT } from '../support/app.js'
import { BY } from '../support/audit.js'
import { fillFeed } from '../support/full-feed.js'
import { heapInUse } from '../support/heap.js'
import { API, basicAuth, CLI, clientsFile, DEVICE_CODE, type OAuthApp, startOAuthApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { startRedisWithSentinels } from '../support/redis-sentinel.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

/** Half of the time after which an instance that is not told looks for itself. bench/verify.ts measures what is promised, 50 ms. */
const TOLD_WITHIN_MS = 500

const ENTRIES = 100_000
/** What an answer has of them, and a script. */
const [PAGE, PIECE] = [1_000, 200]
/** The promise of a verifier: 10,000 revocations in 4 MB. */
const MOST_BYTES_HELD = 400

const cidOf = ({ access_token }: { access_token: string }) => String(decodeJwt(access_token).cid)

interface Reading {
  status: number
  body: { revocations: { cid: string }[]; cursor: string; more: boolean }
}

function reader({ call }: OAuthApp) {
  const headers = basicAuth(API)
  return (after?: string, prefer?: string): Promise<Reading> =>
    call('GET', `/oauth/revocations${after === undefined ? '' : `?after=${after}`}`, {
      headers: { ...headers, ...(prefer !== undefined && { prefer }) }
    })
}

const cidsOf = ({ body }: Reading) => body.revocations.map(({ cid }) => cid)

async function startTwo(t: Test, variables: Record<string, string>): Promise<[OAuthApp, OAuthApp]> {
  const all = { ...PATIENT, ...variables, OAUTH_CLIENTS_FILE: clientsFile(t) }
  return [await startOAuthApp(t, all), await startOAuthApp(t, all)]
}

const isHeldAt = ({ app }: OAuthApp) => until(async () => app.core.heldPolls.count() > 0)

t.test('two instances over one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const place = { REDIS_URL: redis.url, PUBLIC_URL: issuer }
  const [one, two] = await startTwo(t, place)
  const read = reader(two)

  t.test('each way of revoking ends the wait of who is held at the other one', async (t) => {
    const ways: Record<string, (tokens: Awaited<ReturnType<OAuthApp['tokens']>>) => Promise<unknown>> = {
      owner: async (tokens) =>
        one.call('DELETE', `/auth/clients/${cidOf(tokens)}`, { token: await one.session('ann') }),
      token: ({ access_token }) => one.revoke(access_token),
      'refresh token': ({ refresh_token }) => one.revoke(refresh_token),
      'device code': ({ device_code }) => one.revoke(device_code),
      replay: async ({ refresh_token }) => {
        await one.refresh(refresh_token)
        for (const { clock } of [one, two]) clock.advance(31_000)
        return one.refresh(refresh_token)
      },
      all: () => one.app.core.authorizations.revokeAll('ann', 'owner', BY)
    }
    for (const [way, revoke] of Object.entries(ways)) {
      const tokens = await one.tokens()
      const { cursor } = (await read()).body
      const held = read(cursor, 'wait=30')
      await isHeldAt(two)
      await revoke(tokens)
      const answer = await held
      t.strictSame(cidsOf(answer), [cidOf(tokens)], way)
      t.strictSame(cidsOf(await reader(one)(cursor)), [cidOf(tokens)], `${way}, here as well`)
    }
  })

  t.test('at once, and without looking', async (t) => {
    const { revocations } = two.app.storage
    const { head } = revocations
    let looks = 0
    revocations.head = async () => {
      looks += 1
      throw new Error('nobody looks')
    }
    t.teardown(() => {
      revocations.head = head
    })
    const delays: number[] = []
    for (let i = 0; i < 100; i++) {
      const tokens = await one.tokens(CLI, undefined, `user-${i}`)
      const { cursor } = (await read()).body
      const held = read(cursor, 'wait=30').then((answer) => [answer, performance.now()] as const)
      await isHeldAt(two)
      await one.revoke(tokens.access_token)
      const revokedAt = performance.now()
      const [answer, toldAt] = await held
      t.strictSame(cidsOf(answer), [cidOf(tokens)])
      delays.push(Math.max(0, toldAt - revokedAt))
    }
    delays.sort((a, b) => a - b)
    t.comment(`p50 ${delays[50]?.toFixed(1)} ms, most ${delays[99]?.toFixed(1)} ms`)
    t.comment(`${looks} looks, which found nothing`)
    t.ok((delays[50] as number) < TOLD_WITHIN_MS, `half of them within ${delays[50]} ms`)
  })

  t.test('what an instance knew nothing of, because it was not there, is told by it', async (t) => {
    const tokens = await one.tokens()
    const { cursor } = (await read()).body
    await two.app.close()
    await one.revoke(tokens.access_token)
    const again = await startOAuthApp(t, { ...PATIENT, ...place, OAUTH_CLIENTS_FILE: clientsFile(t) })
    t.strictSame(cidsOf(await reader(again)(cursor, 'wait=30')), [cidOf(tokens)])
  })

  t.test('a Redis that was started again has it all, and those who wait hear of the next one', async (t) => {
    const ours = reader(one)
    const { cursor } = (await ours()).body
    await redis.kill()
    await redis.start()
    await until(async () => (await ours(cursor)).status === 200 && one.app.storage.decisions.isUp())
    const tokens = await one.tokens()
    const held = ours(cursor, 'wait=30')
    await isHeldAt(one)
    await one.revoke(tokens.access_token)
    t.strictSame(cidsOf(await held), [cidOf(tokens)])
  })

  t.test('a feed that lost its last entries does not pass for the one it was', async (t) => {
    const ours = reader(one)
    const feed = Object.values(createKeys('grantd:').revocations).slice(0, 5)
    const save = () => Promise.all(feed.map((key) => redis.client.dumpBuffer(key)))
    const { cursor: kept } = (await ours()).body
    const before = await save()
    await one.revoke((await one.tokens()).access_token)
    const { cursor: lost } = (await ours()).body
    for (const [i, key] of feed.entries()) {
      await redis.client.del(key)
      if (before[i]) await redis.client.restore(key, 0, before[i] as Buffer)
    }
    const tokens = await one.tokens()
    await one.revoke(tokens.access_token)
    t.equal((await ours()).body.cursor.split('.')[0], lost.split('.')[0], 'another entry has its number')
    for (const prefer of [undefined, 'wait=30']) t.equal((await ours(lost, prefer)).status, 410)
    t.strictSame(cidsOf(await ours(kept)), [cidOf(tokens)], 'whoever read no further goes on')
  })

  t.test('100,000 entries', async (t) => {
    await forget(redis)
    const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1])
    const before = await usedBytes()
    await fillFeed(one.app.storage.revocations, ENTRIES, one.clock())
    const bytes = ((await usedBytes()) - before) / ENTRIES

    t.test('are some hundred bytes each, and read in pages', async (t) => {
      t.comment(`${bytes.toFixed(0)} bytes an entry`)
      t.ok(bytes < 600, `${bytes} bytes`)
      const ours = reader(one)
      const sizes: number[] = []
      let cursor = '0'
      for (let more = true; more; ) {
        const { body } = await ours(cursor)
        sizes.push(body.revocations.length)
        ;({ cursor, more } = body)
      }
      t.strictSame(sizes, Array(ENTRIES / PAGE).fill(PAGE))
    })

    t.test('take a verifier that begins so many small steps, and between them everybody else is served', async (t) => {
      const other = await startOAuthApp(t, { ...PATIENT, ...place, OAUTH_CLIENTS_FILE: clientsFile(t) })
      other.clock.advance(one.clock() - other.clock())
      await one.app.listen({ port, host: '127.0.0.1' })
      const [good, revoked] = [await one.tokens(), await one.tokens()]
      const pages = ENTRIES / PAGE + 1
      const pending = await Promise.all(Array.from({ length: 2 * pages }, () => one.authorize()))
      const waiting = await one.authorize()
      const held = other.post(
        '/oauth/token',
        { ...CLI, grant_type: DEVICE_CODE, device_code: waiting.device_code },
        { prefer: 'wait=30' }
      )
      await isHeldAt(other)
      const commands = await commandsOf(t, redis)

      // With each request of the verifier, one poll to either instance.
      const answers: string[] = []
      /** How many polls had been answered when the verifier asked for each of its pages. */
      const answered: number[] = []
      let heldUntilPage = Number.POSITIVE_INFINITY
      held.then(() => {
        heldUntilPage = answered.length
      })
      const changes: Promise<unknown>[] = []
      const poll = ({ redeem }: OAuthApp) => {
        const { device_code } = pending.pop() as { device_code: string }
        redeem(device_code).then(({ body }) => answers.push(body.error))
      }
      const asked = (message: unknown) => {
        const { path } = (message as { request: { path: string } }).request
        if (!path.startsWith('/oauth/revocations')) return
        answered.push(answers.length)
        if (pending.length > 0) for (const instance of [one, other]) poll(instance)
        if (answered.length === Math.floor(pages / 2)) {
          changes.push(one.approve(waiting.user_code), other.revoke(revoked.access_token))
        }
      }
      subscribe('undici:request:create', asked)
      t.teardown(() => unsubscribe('undici:request:create', asked))
      const heapBefore = heapInUse()
      const verifier = createVerifier({
        ...{ issuer, audience: issuer, revocations: 'feed', clock: one.clock },
        credentials: { clientId: API.client_id, clientSecret: API.client_secret ?? '' }
      })
      t.teardown(() => verifier.close())
      // The request after the last page is the one that is held.
      await until(async () => answered.length > pages)
      await isHeldAt(one)
      await Promise.all(changes)

      t.equal(answered.length, pages + 1)
      // A page may be faster than the polls beside it, which wait some milliseconds for others: the last one has a single entry.
      const late = answered.filter((polls, i) => polls < 2 * (i - 1))
      t.strictSame(late, [], 'each poll was answered before the page after the one that was asked for at the same time')
      t.strictSame(answers, Array(2 * pages).fill('authorization_pending'))
      t.match(await held, { status: 200, body: { access_token: String } })
      t.ok(heldUntilPage < pages, `a held poll was answered at page ${heldUntilPage}, before the last one`)

      t.equal(verifier.feed()?.revocations, ENTRIES + 1)
      const bytes = heapInUse() - heapBefore
      t.comment(`${Math.round(bytes / ENTRIES)} bytes of the verifier for each`)
      t.ok(bytes > ENTRIES && bytes <= ENTRIES * MOST_BYTES_HELD, `${bytes} bytes`)
      t.match(await verifier.verify(good.access_token), { sub: 'ann' })
      const refusal = await verifier.verify(revoked.access_token).catch((error) => error)
      t.equal(isVerifyError(refusal) && refusal.reason, 'revoked', 'what was revoked meanwhile is on the last page')

      const { entries, order, positions } = createKeys('grantd:').revocations
      const scripts = commands.filter(({ name, key, keys }) => name === 'evalsha' && key === entries && keys === 3)
      // The request that is held, if it looked at all, looked last, and at one place as often as it had reason to.
      const lastPlace = scripts.at(-1)?.after
      const read = scripts.filter(({ after }) => after !== lastPlace)
      // One more for the last page, which is the last place if the held request has not looked.
      t.ok([0, 1].includes(read.length - ENTRIES / PIECE), `${read.length} pieces, each once`)
      t.equal(new Set(read.map(({ after }) => after)).size, read.length)
      const ofPages = [entries, order, positions]
      const inside = commands.filter(({ source, key }) => source === 'lua' && ofPages.includes(key))
      t.ok(inside.length >= 4 * scripts.length, `${inside.length} commands in scripts`)
      const largest = Math.max(...inside.map(({ size }) => size))
      t.ok(largest <= PIECE + 2, `none of which names more than ${largest} keys, fields and options`)
      const ranges = inside.filter(({ name }) => name === 'zrange')
      t.ok(ranges.length >= scripts.length)
      t.strictSame([...new Set(ranges.map(({ limit }) => limit))].sort(), [PIECE + 1, undefined])
    })
  })
})

t.test(
  'a status list: what is revoked on one instance is in that of the other, as a library of others reads it',
  async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const [one, two] = await startTwo(t, {
      REDIS_URL: redis.url,
      TOKEN_STATUS_LIST: 'on',
      PUBLIC_URL: 'https://a.example'
    })
    // The second one started later: the clocks are one, for a list says from when on it is fetched anew.
    one.clock.advance(two.clock() - one.clock())
    const statusAt = async ({ call }: OAuthApp, { access_token }: { access_token: string }) => {
      const { idx, uri } = getStatusListFromJWT(access_token)
      const { status, body } = await call('GET', new URL(uri).pathname)
      return status === 200 ? getListFromStatusListJWT(body).getStatus(idx) : status
    }
    const advance = () => [one, two].map(({ clock }) => clock.advance(5_000))
    const [tokens, others] = [await one.tokens(), await two.tokens()]
    for (const instance of [one, two]) t.equal(await statusAt(instance, tokens), 0)
    await one.revoke(tokens.access_token)
    advance()
    for (const instance of [one, two]) {
      t.strictSame([await statusAt(instance, tokens), await statusAt(instance, others)], [1, 0])
    }
    const [here, there] = await Promise.all([one, two].map(({ call }) => call('GET', '/oauth/status-lists/0')))
    t.equal(here?.headers.etag, there?.headers.etag, 'whoever holds one of them is told 304 by the other')

    t.test('an entry by an instance that knows no lists is only in the feed', async (t) => {
      const untilMs = one.clock() + 60_000
      await one.app.storage.revocations.announce([{ userId: 'a', authorizationId: 'b', revokedAtMs: 1, untilMs }])
      advance()
      t.equal(await statusAt(two, tokens), 1)
    })

    t.test('the next list begins when enough places are taken', async (t) => {
      const { counts, taken } = createKeys('grantd:').statusIndices
      await redis.client.hset(counts, 'taken', 65_535)
      const [last, next] = [await one.tokens(), await one.tokens()]
      t.strictSame(
        [last, next].map(({ access_token }) => getStatusListFromJWT(access_token).uri.at(-1)),
        ['0', '1']
      )
      t.equal((await redis.client.strlen(taken)) > 0, true)
      t.equal(await statusAt(two, next), 0, 'at once')
      await two.revoke(next.access_token)
      advance()
      t.equal(await statusAt(one, next), 1)
      t.equal(await statusAt(one, tokens), 1, 'the list before is still there')
    })

    t.test('without Redis it is 503, and no place is given', async (t) => {
      await redis.kill()
      advance()
      t.equal(await statusAt(one, tokens), 503)
      await redis.start()
      await until(async () => (await statusAt(one, tokens)) === 1)
    })
  }
)

interface Ran {
  name: string
  /** Where it was called: an address, or `lua` in a script. */
  source: string
  /** The first key, of scripts as well, and how many keys a script has. */
  key: string
  keys: number
  /** Where the piece of the feed begins that a script with three keys is asked for. */
  after: string | undefined
  /** How many arguments it has. */
  size: number
  /** The most elements that it asks for, if it says so. */
  limit: number | undefined
}

/** What Redis runs from now on. */
async function commandsOf(t: Test, { client }: RedisServer): Promise<Ran[]> {
  const ran: Ran[] = []
  const monitor = await client.monitor()
  t.teardown(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, [command = '', ...args]: string[], source: string) => {
    const name = command.toLowerCase()
    const [key = ''] = name === 'evalsha' ? args.slice(2) : args
    const limitAt = args.indexOf('LIMIT')
    const limit = limitAt < 0 ? undefined : Number(args[limitAt + 2])
    const keys = name === 'evalsha' ? Number(args[1]) : 0
    ran.push({ name, source, key, keys, after: keys === 3 ? args[6] : undefined, size: args.length, limit })
  })
  return ran
}

/** A feed without entries, as a Redis that lost its data has it. */
async function forget({ client }: RedisServer): Promise<void> {
  await client.del(Object.values(createKeys('grantd:').revocations).slice(0, 5))
}

t.test('a failover loses nothing that was acknowledged, and says so if anything else is lost', async (t) => {
  const redis = await startRedisWithSentinels()
  t.teardown(() => redis.stop())
  const [one, two] = await startTwo(t, {
    ...{ REDIS_SENTINELS: redis.sentinels, REDIS_SENTINEL_NAME: redis.name, REDIS_WAIT_REPLICAS: '1' }
  })
  const tokens = await Promise.all([one.tokens(), one.tokens()])
  const ask = reader(two)
  /** Reads once there is a primary: a busy machine may have another failover of its own. */
  async function read(after?: string): Promise<Reading> {
    let answer = await ask(after)
    await until(async () => {
      if (answer.status === 503) answer = await ask(after)
      return answer.status !== 503
    })
    return answer
  }
  const { cursor } = (await read()).body
  await until(async () => (await one.revoke(tokens[0].access_token)).status === 200)
  const primary = await redis.primary()
  await primary.kill()
  t.strictSame(cidsOf(await read(cursor)), [cidOf(tokens[0])])
  await primary.start()
  await until(async () => (await one.revoke(tokens[1].access_token)).status === 200)
  t.ok(cidsOf(await read(cursor)).includes(cidOf(tokens[1])))
})
