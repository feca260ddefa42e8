/**
 * Both surfaces have one core: the same story must have the same outcome on each, in its own words. Over Redis users decide
 * at one instance and clients poll at another.
 */
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { startApp, type TestApp, type TestClock } from '../support/app.js'
import { BY } from '../support/audit.js'
import { claimsOf } from '../support/client.js'
import { startRedis } from '../support/redis-server.js'
import { sessionOf } from '../support/tokens.js'

/** The outcome of a poll, whatever the surface calls it. */
interface Outcome {
  state: 'pending' | 'slow_down' | 'approved' | 'denied' | 'expired' | 'not there'
  interval?: number
  retryAfter?: number
  cid?: unknown
}

interface Surface {
  start(app: TestApp): Promise<{ code: string; userCode: string }>
  poll(app: TestApp, code: string): Promise<Outcome>
  withdraw(app: TestApp, code: string): Promise<unknown>
}

const dashboard: Surface = {
  async start({ start }) {
    const { grant_code, user_code } = await start()
    return { code: grant_code, userCode: user_code }
  },
  async poll({ poll }, code) {
    const { status, body, headers } = await poll(code)
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
    if (body.status === 'approved') return { state: 'approved', cid: claimsOf(body.jwt).cid }
    if (body.status === 'slow_down') return slowDown(body.interval, headers)
    const states = { authorization_pending: 'pending', access_denied: 'denied', expired_token: 'expired' } as const
    return { state: states[body.status as keyof typeof states] }
  },
  withdraw: ({ call }, grant_code) => call('POST', '/auth/grant/revoke', { body: { grant_code } })
}

const oauth: Surface = {
  async start({ call }) {
    const { body } = await call('POST', '/oauth/device_authorization', { body: { client_id: 'cli' } })
    return { code: body.device_code, userCode: body.user_code }
  },
  async poll({ call }, device_code) {
    const request = { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code }
    const { status, body, headers } = await call('POST', '/oauth/token', { body: request })
    if (status === 200) return { state: 'approved', cid: claimsOf(body.access_token).cid }
    if (status !== 400) throw new Error(`${status} ${JSON.stringify(body)}`)
    if (body.error === 'slow_down') return slowDown(body.interval, headers)
    const states = {
      authorization_pending: 'pending',
      access_denied: 'denied',
      expired_token: 'expired',
      invalid_grant: 'not there'
    } as const
    return { state: states[body.error as keyof typeof states] }
  },
  withdraw: ({ call }, token) => call('POST', '/oauth/revoke', { body: { client_id: 'cli', token } })
}

const slowDown = (interval: number, headers: Record<string, unknown>): Outcome => ({
  state: 'slow_down',
  interval,
  retryAfter: Number(headers['retry-after'])
})

const PENDING: Outcome = { state: 'pending' }
const slow = (seconds: number): Outcome => ({ state: 'slow_down', interval: seconds, retryAfter: seconds })

/** The steps of a story, and the expected outcomes of polls. */
interface Teller {
  polled(...expected: Outcome[]): Promise<void>
  passed(seconds: number): void
  decided(action: 'approve' | 'deny'): Promise<void>
  /** The client withdraws the grant. */
  withdrawn(): Promise<void>
  /** Revokes the authorization of the last poll. */
  revoked(): Promise<void>
  /** The client starts another grant, which the story goes on with. */
  restarted(): Promise<void>
  /** Looks at the user's list. Each row is told in a word. */
  listed(...expected: Row[]): Promise<void>
  /** The user revokes the newest row of their list, without looking whether it was collected. */
  rowRevoked(): Promise<void>
  allRevoked(): Promise<void>
  /** The user takes the approval back. */
  undone(): Promise<void>
  /** The records of the user's authorizations are lost, as by a crash between two servers of a Cluster. */
  rowsLost(): Promise<void>
  /** An instance of an older version approves, which writes the decision alone. */
  approvedByOlder(): Promise<void>
  blocked(isBlocked: boolean): Promise<void>
  /** The user decides, and is refused with this status. */
  refused(action: 'approve' | 'deny', status: number): Promise<void>
}

type Row = 'awaited' | 'lapsed' | 'active' | 'revoked'

const APPROVED: Outcome = { state: 'approved' }
const DENIED: Outcome = { state: 'denied' }
/** Whatever revokes an approval, by name. */
const REVOCATIONS = ['rowRevoked', 'allRevoked', 'undone', 'withdrawn'] as const
/** The revocations that need no record. */
const WITHOUT_A_ROW = ['allRevoked', 'undone', 'withdrawn'] as const

/** `notThere` is the outcome for an unknown grant, which the dashboard API calls expired. */
const STORIES: Record<string, (tell: Teller, notThere: Outcome) => Promise<void>> = {
  'the first poll is free, and who keeps the pace is never told to slow down': async ({ polled, passed }) => {
    for (let i = 0; i < 5; i++) {
      await polled(PENDING)
      passed(4.5)
    }
  },
  'a poll that is sent twice is answered twice and counts once': async ({ polled, passed }) => {
    for (let i = 0; i < 5; i++) {
      await polled(PENDING)
      passed(0.3)
      await polled(PENDING)
      passed(4.2)
    }
    await polled(PENDING)
    passed(0.301)
    await polled(slow(10), slow(15))
  },
  'an early poll is told the longer interval, which stays': async ({ polled, passed }) => {
    await polled(PENDING, PENDING, slow(10), slow(15))
    passed(13.4)
    await polled(slow(20))
    passed(18)
    await polled(PENDING)
  },
  'an approval is heard at once, and again for 30 seconds, then it is spent': async (tell, notThere) => {
    const { polled, passed, decided } = tell
    await polled(PENDING, PENDING, slow(10))
    await decided('approve')
    await polled({ state: 'approved' }, { state: 'approved' })
    passed(30)
    await polled({ state: 'approved' })
    passed(1)
    await polled(notThere, notThere)
  },
  'a denial is heard at once, and stays one until it is forgotten': async (tell, notThere) => {
    const { polled, passed, decided } = tell
    await polled(PENDING)
    await decided('deny')
    await polled({ state: 'denied' }, { state: 'denied' })
    passed(1_199)
    await polled({ state: 'denied' })
    passed(1)
    await polled(notThere)
  },
  'an expired grant says so for five minutes': async ({ polled, passed }, notThere) => {
    passed(899.999)
    await polled(PENDING)
    passed(0.001)
    await polled({ state: 'expired' })
    passed(299.999)
    await polled({ state: 'expired' })
    passed(0.001)
    await polled(notThere)
  },
  'a decision beats the expiry': async ({ polled, passed, decided }) => {
    passed(899.999)
    await decided('approve')
    passed(200)
    await polled({ state: 'approved' })
  },
  'a grant that is withdrawn has expired, until it is forgotten': async ({ polled, passed, withdrawn }, notThere) => {
    await polled(PENDING)
    await withdrawn()
    await polled({ state: 'expired' }, { state: 'expired' })
    await withdrawn()
    passed(1_199.999)
    await polled({ state: 'expired' })
    passed(0.001)
    await polled(notThere)
  },
  'an approval that is withdrawn is not collected, whether or not it was before': async (tell) => {
    const { polled, decided, withdrawn } = tell
    await decided('approve')
    await polled({ state: 'approved' })
    await withdrawn()
    await polled({ state: 'denied' })
  },
  'what was denied cannot be withdrawn': async ({ polled, decided, withdrawn }) => {
    await decided('deny')
    await withdrawn()
    await polled({ state: 'denied' })
  },
  'what was revoked since is not collected again': async ({ polled, decided, revoked }) => {
    await decided('approve')
    await polled({ state: 'approved' })
    await revoked()
    await polled({ state: 'denied' })
  },
  'what is approved is listed at once, waits, and lives from its collection on': async (tell) => {
    const { polled, passed, decided, listed } = tell
    await listed()
    await decided('approve')
    await listed('awaited')
    await decided('approve')
    await listed('awaited')
    passed(1_199)
    await listed('awaited')
    await polled(APPROVED)
    await listed('active')
    passed(29 * 86_400)
    await listed('active')
  },
  'what nobody collects lapses, and is listed as that for 90 days': async (tell, notThere) => {
    const { polled, passed, decided, listed } = tell
    await decided('approve')
    passed(1_200)
    await listed('lapsed')
    await polled(notThere)
    passed(90 * 86_400 - 1)
    await listed('lapsed')
    passed(1)
    await listed()
  },
  'what is denied is not listed': async ({ decided, listed }) => {
    await decided('deny')
    await listed()
  },
  ...Object.fromEntries(
    REVOCATIONS.map((revoke) => [
      `what is approved and not collected can be revoked: ${revoke}`,
      async ({ polled, passed, decided, listed, ...tell }: Teller) => {
        await decided('approve')
        await tell[revoke]()
        await listed('revoked')
        await polled(DENIED, DENIED)
        passed(1_000)
        await polled(DENIED)
        await decided('approve')
        await polled(DENIED)
        await listed('revoked')
        passed(90 * 86_400 - 1_000)
        await listed()
      }
    ])
  ),
  'an approval whose record was lost is collected all the same': async ({ polled, decided, listed, rowsLost }) => {
    await decided('approve')
    await rowsLost()
    await listed()
    await polled(APPROVED, APPROVED)
    await listed('active')
  },
  'so is one of an older version’s instance': async ({ polled, listed, approvedByOlder }) => {
    await approvedByOlder()
    await polled(APPROVED, APPROVED)
    await listed('active')
  },
  ...Object.fromEntries(
    WITHOUT_A_ROW.flatMap((revoke) =>
      (['rowsLost', 'approvedByOlder'] as const).map((how) => [
        `what has no record is not collected after it was revoked: ${how}, ${revoke}`,
        async ({ polled, decided, ...tell }: Teller) => {
          if (how === 'rowsLost') await decided('approve')
          await tell[how]()
          await tell[revoke]()
          await polled(DENIED, DENIED)
        }
      ])
    )
  ),
  'what is approved after everything was revoked is collected, with its record or without': async (tell) => {
    const { polled, decided, listed, allRevoked, rowsLost } = tell
    await allRevoked()
    await decided('approve')
    await rowsLost()
    await polled(APPROVED)
    await listed('active')
    await allRevoked()
    await polled(DENIED)
    await listed('revoked')
  },
  'an older version’s approval is collected if its grant began after everything was revoked': async (tell) => {
    const { polled, passed, allRevoked, approvedByOlder, restarted } = tell
    await allRevoked()
    passed(61)
    await restarted()
    await approvedByOlder()
    await polled(APPROVED)
  },
  'a blocked user may still deny': async ({ polled, blocked, decided }) => {
    await blocked(true)
    await decided('deny')
    await polled(DENIED)
  },
  'a blocked user approves nothing, until they are let be again': async (tell) => {
    const { polled, blocked, refused, listed, decided } = tell
    await blocked(true)
    await refused('approve', 403)
    await listed()
    await polled(PENDING)
    await blocked(false)
    await decided('approve')
    await polled(APPROVED)
  },
  'what a blocked user has approved is not collected, until they are let be again': async (tell) => {
    const { polled, decided, blocked, listed } = tell
    await decided('approve')
    await blocked(true)
    await polled(DENIED, DENIED)
    await listed('awaited')
    await blocked(false)
    await polled(APPROVED)
    await blocked(true)
    await polled(DENIED)
    await blocked(false)
    await polled(APPROVED)
  }
}

async function tellStories(t: Test, app: TestApp, elsewhere = app): Promise<void> {
  let users = 0
  for (const [title, story] of Object.entries(STORIES)) {
    for (const [name, surface] of Object.entries({ dashboard, oauth })) {
      t.test(`${title}, on the ${name} surface`, async (t) => {
        const user = `user ${users++}`
        // Stories take longer than a usual session lasts.
        const token = await sessionOf(user, { expires: '3650d' })
        let { code, userCode } = await surface.start(app)
        let lastCid: unknown
        const seen = new Set<unknown>()
        const decide = (action: 'approve' | 'deny') =>
          elsewhere.call('POST', '/auth/grant/approve', { token, body: { user_code: userCode, action } })
        const rows = async () => (await app.call('GET', '/auth/clients', { token })).body.data
        const { core, storage } = elsewhere.app
        await story(
          {
            async polled(...expected) {
              for (const one of expected) {
                const outcome = await surface.poll(app, code)
                const { cid, ...rest } = outcome
                t.strictSame(rest, one, JSON.stringify(one))
                if (cid !== undefined) seen.add(cid)
                lastCid = cid ?? lastCid
              }
            },
            passed: (seconds) => app.clock.advance(Math.round(seconds * 1000)),
            async decided(action) {
              t.equal((await decide(action)).status, 200)
            },
            async withdrawn() {
              await surface.withdraw(app, code)
            },
            async revoked() {
              t.equal((await app.call('DELETE', `/auth/clients/${lastCid}`, { token })).status, 200)
            },
            async restarted() {
              ;({ code, userCode } = await surface.start(app))
            },
            async listed(...expected) {
              const told = (await rows()).map((row: Record<string, string | null>): Row => {
                if (row.revoked_at !== null) return 'revoked'
                if (row.last_used_at !== null) return 'active'
                return Date.parse(row.expires_at as string) > app.clock() ? 'awaited' : 'lapsed'
              })
              t.strictSame(told, expected, `listed: ${expected}`)
            },
            async rowRevoked() {
              const [row] = await rows()
              t.equal((await elsewhere.call('DELETE', `/auth/clients/${row.id}`, { token })).status, 200)
            },
            async allRevoked() {
              await core.authorizations.revokeAll(user, 'owner', BY)
            },
            async undone() {
              t.strictSame(await core.grants.undo(userCode, user, BY), { kind: 'undone' })
            },
            async rowsLost() {
              for (const { id } of await rows()) await storage.authorizations.delete(user, id)
            },
            async approvedByOlder() {
              const decision = {
                action: 'approve',
                userId: user,
                authorizationId: randomUUID(),
                ip: '192.0.2.1'
              } as const
              t.match(await storage.grants.decide(digestOf(code), decision), { kind: 'decided' })
            },
            blocked: (isBlocked) => (isBlocked ? core.users.block(user, BY) : core.users.unblock(user, BY)),
            async refused(action, status) {
              t.equal((await decide(action)).status, status)
            }
          },
          name === 'oauth' ? { state: 'not there' } : { state: 'expired' }
        )
        t.ok(seen.size <= 1, 'one authorization')
      })
    }
  }

  t.test('a grant started on one surface is collected on the other, by the same client', async (t) => {
    for (const [from, to] of [
      [dashboard, oauth],
      [oauth, dashboard]
    ] as const) {
      const { code, userCode } = await from.start(app)
      t.strictSame(await to.poll(app, code), PENDING)
      app.clock.advance(301)
      t.strictSame(await from.poll(app, code), slow(10), 'and paced as one')
      const token = await sessionOf('alice', { expires: '3650d' })
      const body = { user_code: userCode, action: 'approve' }
      t.equal((await elsewhere.call('POST', '/auth/grant/approve', { token, body })).status, 200)
      const [one, two] = [await to.poll(app, code), await from.poll(app, code)]
      t.equal(one.state, 'approved')
      t.strictSame(one, two)
    }
  })
}

/**
 * The requests of golang.org/x/oauth2 (commit 89ff2e1, DeviceAuth and DeviceAccessToken of a Config with a client id and no
 * secret), recorded against a server that answered each poll with authorization_pending. Until it has had a success it does
 * not know how the server wants its credentials, so every poll is sent twice: by Basic, and 2 to 7 ms later by parameters
 * alone. What the second one is told counts.
 */
const RECORDED = {
  headers: {
    'user-agent': 'Go-http-client/1.1',
    'content-type': 'application/x-www-form-urlencoded',
    'accept-encoding': 'gzip'
  },
  start: 'client_id=cli&scope=openid+offline_access',
  poll: (code: string) =>
    `client_id=cli&device_code=${code}&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&scope=openid+offline_access`,
  pair: [{ authorization: 'Basic Y2xpOg==' }, {}],
  apartMs: [2, 2, 7, 3]
}

/** Polls as recorded, of two instances in turn, until somebody approves after 52 seconds. */
async function replayGo(t: Test, clock: TestClock, instances: TestApp[]): Promise<void> {
  let sent = 0
  const send = async (url: string, payload: string, headers: object = {}) => {
    const { app } = instances[sent++ % instances.length] as TestApp
    const answer = await app.inject({ method: 'POST', url, headers: { ...RECORDED.headers, ...headers }, payload })
    return answer.json()
  }
  const { device_code, user_code, interval } = await send('/oauth/device_authorization', RECORDED.start)
  t.equal(interval, 5)
  const poll = async (pair: number) => {
    const [byBasic, byParameters] = RECORDED.pair
    const body = RECORDED.poll(device_code)
    const first = await send('/oauth/token', body, byBasic)
    if (first.access_token) return first
    clock.advance(RECORDED.apartMs[pair % RECORDED.apartMs.length] as number)
    return send('/oauth/token', body, byParameters)
  }

  const startedAtMs = clock()
  const approveAtMs = startedAtMs + 52_000
  for (let pair = 0; ; pair++) {
    // Its ticker does not drift by what the requests take.
    const atMs = startedAtMs + (pair + 1) * interval * 1000
    if (clock() < approveAtMs && approveAtMs <= atMs) {
      clock.advance(approveAtMs - clock())
      t.equal((await (instances[0] as TestApp).decide(user_code, 'gopher')).status, 200)
    }
    clock.advance(atMs - clock())
    const answer = await poll(pair)
    if (clock() < approveAtMs) t.strictSame(answer, { error: 'authorization_pending' }, `pair ${pair}`)
    else {
      t.match(answer, { access_token: String, token_type: 'Bearer' })
      t.ok(clock() - approveAtMs <= interval * 1000, 'within one interval of the approval')
      return
    }
  }
}

t.test('in memory', async (t) => {
  const app = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' })
  // The stories take longer than a session lasts, so they come last.
  t.test('golang.org/x/oauth2 gets its token within one interval', (t) => replayGo(t, app.clock, [app]))
  await tellStories(t, app)
})

t.test('over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { REDIS_URL: redis.url, LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
  const app = await startApp(t, variables)
  const other = await startApp(t, variables, { testClock: app.clock })
  t.test('golang.org/x/oauth2 gets its token within one interval', (t) => replayGo(t, app.clock, [app]))
  t.test('the same, from two instances', (t) => replayGo(t, app.clock, [app, other]))
  await tellStories(t, app, other)
})
