/**
 * The rules of an operator, at the question and again at the decision: for devices and for programs on the same device, on the pages and
 * by the dashboard API. Over Redis users decide at one instance and clients poll at another.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { newGrantCode } from '../../src/core/grants/codes.js'
import { type Answer, startApp, type TestApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { answer, codeRequest, LOOPBACK, redeemCode } from '../support/code-flow.js'
import { clientsFile } from '../support/oauth-app.js'
import { startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'
import { sessionOf } from '../support/tokens.js'
import { createVisitor, signedIn, type Visitor } from '../support/visitor.js'

const EDGE = { EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '127.0.0.1', LIMITS: 'off' }
const from = (country: string, ip?: string) => ({
  'cf-ipcity': 'Somewhere',
  'cf-ipcountry': country,
  ...(ip !== undefined && { 'x-forwarded-for': ip })
})

function rulesFile(t: Pick<Test, 'teardown'>, rules: object): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-rules-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'rules.json')
  writeFileSync(file, JSON.stringify(rules))
  return file
}

const withRules = (t: Test, rules: readonly object[], more: Record<string, string> = {}) =>
  startApp(t, { ...EDGE, RULES_FILE: rulesFile(t, rules), ...more })

/** Starts a grant of the command line from a country. */
async function startFrom({ call }: TestApp, country: string, headers: Record<string, string> = {}) {
  const body = { client_type: 'cli' }
  const all = { 'user-agent': 'acme/1.0', ...from(country), ...headers }
  return (await call('POST', '/auth/grant/code', { body, headers: all })).body as {
    grant_code: string
    user_code: string
  }
}

const peek = ({ call }: TestApp, userCode: string, country: string, user = 'ann') =>
  call('GET', `/auth/grant/peek?user_code=${userCode}`, { user, headers: from(country) })
const approve = ({ call }: TestApp, user_code: string, country: string, user = 'ann') =>
  call('POST', '/auth/grant/approve', { user, headers: from(country), body: { user_code, action: 'approve' } })

const ABROAD = 'Approve this at home.'
const refuseAbroad = {
  ...{ name: 'abroad', when: { client_type: 'cli', flow: 'device', country_mismatch: true } },
  ...{ then: 'refuse', say: ABROAD }
}

async function metric({ call }: TestApp, line: string): Promise<string | undefined> {
  const { body } = await call('GET', '/metrics')
  return String(body)
    .split('\n')
    .find((one) => one.startsWith(line))
    ?.slice(line.length + 1)
}
const refusals = (app: TestApp, rule: string, flow = 'device') =>
  metric(app, `grantd_rule_refusals_total{rule="${rule}",flow="${flow}"}`)

/** Two instances on one Redis, or one that keeps everything in its memory. */
async function engines(
  t: Test,
  tell: (t: Test, rules: readonly object[], start: typeof withRules) => Promise<void>,
  rules: readonly object[]
) {
  t.test('in memory', (t) => tell(t, rules, withRules))
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  t.test('over Redis', (t) =>
    tell(t, rules, (t, rules, more) => withRules(t, rules, { REDIS_URL: redis.url, ...more }))
  )
}

t.test('a refusal by the dashboard API', (t) =>
  engines(
    t,
    async (t, rules, start) => {
      const app = await start(t, rules)
      const other = app.app.config.redis ? await start(t, rules) : app

      t.test('403 at the question, with what the rule says, and the client is told access_denied', async (t) => {
        const { user_code, grant_code } = await startFrom(app, 'NO')
        t.strictSame((await peek(app, user_code, 'NO')).status, 200, 'at home it is asked')
        const answer = await peek(app, user_code, 'SE')
        t.strictSame([answer.status, answer.body], [403, { error: ABROAD }])
        t.strictSame((await other.poll(grant_code)).body, { status: 'access_denied' })
        t.strictSame((await other.poll(grant_code)).body, { status: 'access_denied' }, 'for good')
        t.equal((await approve(other, user_code, 'NO')).status, 403, 'and tells its user so again')
        t.strictSame((await peek(other, user_code, 'NO')).body, { error: ABROAD })
        t.equal((await peek(other, user_code, 'NO', 'bob')).status, 404, 'to anybody else it is decided')
        t.equal(await refusals(app, 'abroad'), '1', 'counted once')
        const { events } = await app.app.storage.events.after(undefined, 200)
        t.match(
          events.filter(({ type }) => type === 'rule.refused' || type === 'grant.denied'),
          [
            {
              type: 'rule.refused',
              actor: 'service',
              userId: 'ann',
              clientId: 'cli',
              detail: 'abroad',
              location: /SE$/
            }
          ],
          'and told once'
        )
      })

      t.test('403 at the decision, though the question was asked', async (t) => {
        const { user_code, grant_code } = await startFrom(app, 'NO')
        t.equal((await peek(app, user_code, 'NO')).status, 200)
        const answer = await approve(app, user_code, 'SE')
        t.strictSame([answer.status, answer.body], [403, { error: ABROAD }])
        t.strictSame((await other.poll(grant_code)).body, { status: 'access_denied' })
        t.strictSame(
          (await app.call('GET', '/auth/clients', { user: 'ann' })).body.data.length,
          0,
          'nothing is left of it'
        )
      })

      t.test('200 a denial from anywhere, which is no refusal of a rule', async (t) => {
        const before = await refusals(app, 'abroad')
        const { user_code } = await startFrom(app, 'NO')
        const body = { user_code, action: 'deny' }
        const denied = await app.call('POST', '/auth/grant/approve', { user: 'ann', headers: from('SE'), body })
        t.strictSame(denied.body, { status: 'deny' })
        t.equal(await refusals(app, 'abroad'), before)
        t.equal((await peek(app, user_code, 'SE')).status, 404, 'nor does it become one')
      })

      t.test('200 an approval that stands, whatever the rules say when it is repeated', async (t) => {
        const { user_code, grant_code } = await startFrom(app, 'NO')
        t.equal((await approve(app, user_code, 'NO')).status, 200)
        t.strictSame((await approve(other, user_code, 'SE')).body, { status: 'approve' })
        t.equal((await other.poll(grant_code)).body.status, 'approved')
      })

      t.test('the OAuth surface tells its client the same', async (t) => {
        const headers = { 'user-agent': 'acme/1.0', ...from('NO') }
        const { body } = await app.call('POST', '/oauth/device_authorization', { body: { client_id: 'cli' }, headers })
        t.equal((await peek(app, body.user_code, 'SE')).status, 403)
        const request = { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code: body.device_code }
        t.match(await other.call('POST', '/oauth/token', { body: request }), {
          status: 400,
          body: { error: 'access_denied' }
        })
      })
    },
    [refuseAbroad]
  )
)

t.test('a rule about whoever asks without a User-Agent outlives the start', (t) =>
  engines(
    t,
    async (t, rules, start) => {
      const app = await start(t, rules)
      const headers = { 'user-agent': '' }
      const silent = await startFrom(app, 'NO', headers)
      t.strictSame(
        (await peek(app, silent.user_code, 'NO')).body,
        { error: 'Access Forbidden' },
        'a rule need not say anything'
      )
      const named = await startFrom(app, 'NO')
      t.equal((await peek(app, named.user_code, 'NO')).status, 200)
      t.equal(await refusals(app, '1'), '1', 'a rule without a name has its number')
    },
    [{ when: { user_agent_missing: true }, then: 'refuse' }]
  )
)

t.test('networks are what limits count as one address', async (t) => {
  const rules = [{ when: { network_mismatch: true }, then: 'warn', say: 'Another network.' }]
  const app = await withRules(t, rules, { TRUSTED_CALLERS: '198.51.100.7' })
  const rows: [asker: string, answerer: string, warns: boolean][] = [
    ['192.0.2.1', '192.0.2.1', false],
    ['192.0.2.1', '192.0.2.2', true],
    ['2001:db8:0:1::1', '2001:db8:0:1::2', false],
    ['2001:db8:0:1::1', '2001:db8:0:2::1', true],
    ['192.0.2.1', '2001:db8:0:1::1', false],
    ['192.0.2.1', '198.51.100.7', false]
  ]
  for (const [asker, answerer, warns] of rows) {
    const { user_code } = await startFrom(app, 'NO', { 'x-forwarded-for': asker })
    const headers = from('NO', answerer)
    const { body } = await app.call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann', headers })
    t.strictSame(body.warnings, warns ? ['Another network.'] : undefined, `${asker} and ${answerer}`)
  }
})

t.test('a new sign-in by the dashboard API', (t) =>
  engines(
    t,
    async (t, rules, start) => {
      const app = await start(t, rules)
      // Redis has its own time, and the clock of this test stands still.
      app.clock.advance(Date.now() - app.clock())
      const now = Math.floor(app.clock() / 1000)
      const { user_code, grant_code } = await startFrom(app, 'NO')
      const ask = async (claims: Record<string, unknown>) => {
        const token = await sessionOf('ann', { claims })
        const body = { user_code, action: 'approve' }
        return {
          question: await app.call('GET', `/auth/grant/peek?user_code=${user_code}`, { token }),
          answer: () => app.call('POST', '/auth/grant/approve', { token, body })
        }
      }
      const older = await ask({ auth_time: now - 60 })
      t.match(older.question, { status: 200, body: { sign_in_again: true, warnings: ['Sign in for this.'] } })
      const refused = await older.answer()
      t.match(refused, {
        ...{ status: 401, body: { error: 'The user has to sign in again.' } },
        headers: { 'www-authenticate': 'Bearer error="insufficient_user_authentication"' }
      })
      t.equal((await app.poll(grant_code)).body.status, 'authorization_pending', 'it waits')
      const inMs = await ask({ auth_time: app.clock() })
      t.equal(inMs.question.body.sign_in_again, true, 'a time that is none proves nothing')
      const newer = await ask({ auth_time: now + 20 })
      t.equal(newer.question.body.sign_in_again, undefined)
      t.equal((await newer.answer()).status, 200)
    },
    [{ when: { client_type: 'cli' }, then: 'reauthenticate', say: 'Sign in for this.' }]
  )
)

const SCRIPTED = 'Only <b>"here"</b> & now.'

t.test('the pages of a device', async (t) => {
  const rules = [refuseAbroad, { when: { client_id: 'cli', country_not: ['NO'] }, then: 'warn', say: SCRIPTED }]
  const app = await withRules(t, rules)
  const ann = await signedIn(app)
  const confirm = (visitor: Visitor, country: string, action = 'approve') =>
    visitor.post('/device/confirm', { action, same: 'yes' }, { headers: from(country) })

  t.test('403 at the question: a page with what the rule says', async (t) => {
    const { user_code, grant_code } = await startFrom(app, 'NO')
    await ann.follow(ann.get('/device'))
    await ann.post('/device', { user_code })
    const page = await ann.get('/device/confirm', { headers: from('SE') })
    t.equal(page.status, 403)
    t.match(page.text, ABROAD)
    t.match(page.text, 'Nothing was approved')
    t.equal((await app.poll(grant_code)).body.status, 'access_denied')
    t.equal((await ann.get('/device/confirm')).location, '/device', 'there is nothing more to answer')
    t.equal(await refusals(app, 'abroad'), '1')
  })

  t.test('403 at the decision', async (t) => {
    const { user_code, grant_code } = await startFrom(app, 'NO')
    await ann.get('/device')
    await ann.post('/device', { user_code })
    t.equal((await ann.get('/device/confirm', { headers: from('NO') })).status, 200)
    const page = await confirm(ann, 'SE')
    t.equal(page.status, 403)
    t.match(page.text, ABROAD)
    t.equal((await app.poll(grant_code)).body.status, 'access_denied')
  })

  t.test('303 a denial is taken from anywhere', async (t) => {
    const { user_code } = await startFrom(app, 'NO')
    await ann.get('/device')
    await ann.post('/device', { user_code })
    await ann.get('/device/confirm', { headers: from('NO') })
    t.equal((await confirm(ann, 'SE', 'deny')).location, '/device/done')
  })

  t.test('200 warnings stand in the question, escaped, and stay when it is asked again', async (t) => {
    const { user_code } = await startFrom(app, 'SE')
    await ann.get('/device')
    await ann.post('/device', { user_code })
    const page = await ann.get('/device/confirm', { headers: from('SE') })
    t.match(page.text, SCRIPTED)
    t.notMatch(page.body, '<b>')
    t.match(page.body, 'class="warning strong"')
    const again = await ann.post('/device/confirm', { action: 'approve' }, { headers: from('SE') })
    t.equal(again.status, 400)
    t.match(again.text, SCRIPTED)
    t.equal((await confirm(ann, 'SE')).location, '/device/done', 'and who has read them may approve')
  })
})

t.test('a new sign-in on the pages', async (t) => {
  const rules = [{ when: { client_id: ['cli'] }, then: 'reauthenticate' }]

  t.test('of a device, by name', async (t) => {
    const app = await withRules(t, rules)
    const ann = await signedIn(app)
    app.clock.advance(5_000)
    const { user_code, grant_code } = await startFrom(app, 'NO')
    app.clock.advance(5_000)
    await ann.get('/device')
    await ann.post('/device', { user_code })
    t.equal((await ann.get('/device/confirm')).location, '/login')
    t.match((await ann.get('/login')).text, 'Sign in once more')
    const question = await ann.follow(ann.post('/login', { name: 'ann' }))
    t.equal(question.url, '/device/confirm')
    t.equal((await ann.post('/device/confirm', { action: 'approve', same: 'yes' })).location, '/device/done')
    t.equal((await app.poll(grant_code)).body.status, 'approved')
  })

  t.test('of a device, at the decision, though the question was seen', async (t) => {
    const app = await withRules(t, [
      { when: { client_id: ['cli'], country_mismatch: true }, then: 'reauthenticate', say: 'You have moved.' }
    ])
    const ann = await signedIn(app)
    app.clock.advance(5_000)
    const { user_code, grant_code } = await startFrom(app, 'NO')
    await ann.get('/device')
    await ann.post('/device', { user_code })
    t.equal((await ann.get('/device/confirm', { headers: from('NO') })).status, 200)
    const sent = await ann.post('/device/confirm', { action: 'approve', same: 'yes' }, { headers: from('SE') })
    t.equal(sent.location, '/login')
    t.equal((await app.poll(grant_code)).body.status, 'authorization_pending')
  })
})

t.test('a program on the same device', async (t) => {
  const player = { client_id: 'player', scope: 'openid offline_access', optional_scope: 'offline_access' }
  const rules = [
    { name: 'home', when: { flow: 'code', country_not: ['NO'] }, then: 'refuse', say: 'Not from abroad.' },
    { when: { flow: ['code'] }, then: 'warn', say: SCRIPTED },
    { when: { flow: 'device' }, then: 'refuse' }
  ]
  const OAUTH_CLIENTS_FILE = clientsFile(t, [{ ...player, redirect_uris: [LOOPBACK] }])
  const app = await withRules(t, rules, { OAUTH_CLIENTS_FILE })
  const post = (url: string, body: object): Promise<Answer> => app.call('POST', url, { body })

  t.test('403 at the question: the reason, and a link that tells the program', async (t) => {
    const ann = await signedIn(app)
    const request = codeRequest()
    const first = await ann.get(request.path, { headers: from('NO') })
    const page = await ann.get(String(first.location), { headers: from('SE') })
    t.equal(page.status, 403)
    t.match(page.text, 'Not from abroad.')
    const [, href = ''] = /href="(http:\/\/127\.0\.0\.1:52525[^"]*)"/.exec(page.body) ?? []
    const told = new URL(href.replaceAll('&amp;', '&')).searchParams
    t.strictSame([told.get('error'), told.get('state'), told.get('code')], ['access_denied', 'a state', null])
    t.notMatch(page.body, 'http-equiv="refresh"', 'the reason stays to be read')
    t.equal((await ann.get(String(first.location))).status, 400, 'there is nothing more to answer')
    t.equal(await refusals(app, 'home', 'code'), '1')
  })

  t.test('403 at the decision, and no code is good', async (t) => {
    const ann = await signedIn(app)
    const request = codeRequest()
    await ann.follow(ann.get(request.path))
    const path = ann.shown.url
    const page = await ann.post(path, { action: 'approve', sure: 'yes' }, { headers: from('SE') })
    t.equal(page.status, 403)
    t.match(page.text, 'Not from abroad.')
    t.notMatch(page.body, 'code=')
    t.strictSame((await app.call('GET', '/auth/clients', { user: 'ann' })).body.data, [])
  })

  t.test('an approval that stands is judged no more, wherever it is given again, and however narrow', async (t) => {
    const { grants } = app.app.core
    const asking = codeRequest({ client_id: 'player', scope: 'openid offline_access' })
    const request = {
      ...{ clientId: 'player', clientType: 'other' as const, metadata: {}, scopes: ['openid', 'offline_access'] },
      ...{ codeChallenge: String(asking.sent.code_challenge), redirectUri: LOOPBACK, ip: '192.0.2.1' }
    }
    const code = newGrantCode()
    const approveFrom = (country: string, leftOut: string[] = []) => {
      const by = { ...BY, userId: 'carol', place: { text: country, country }, leftOut }
      return grants.answerCode({ code, request, askedAtMs: app.clock() }, 'approve', by)
    }
    const before = await refusals(app, 'home', 'code')
    const first = await approveFrom('NO')
    t.match(first, { kind: 'decided' })
    t.strictSame(await approveFrom('SE'), first, 'the same authorization, whatever the rules say there')
    t.strictSame(await approveFrom('SE', ['offline_access']), { kind: 'resolved' }, 'what stands is not narrowed')
    t.equal(await refusals(app, 'home', 'code'), before, 'and no refusal is told')
    const { status, body } = await redeemCode({ post }, code, asking, {}, { client_id: 'player' })
    t.strictSame([status, typeof body.refresh_token], [200, 'string'], body)
    t.strictSame(await approveFrom('SE'), { kind: 'resolved' }, 'a code that is spent leads nowhere')
  })

  t.test('200 a warning, an approval', async (t) => {
    const ann = await signedIn(app, 'bob')
    const request = codeRequest()
    const shown = await ann.follow(ann.get(request.path))
    t.match(shown.text, SCRIPTED)
    t.match(shown.body, 'class="warning strong"')
    const code = (await answer(ann)).searchParams.get('code') ?? ''
    t.equal((await redeemCode({ post }, code, request)).status, 200)
  })
})

t.test('a new sign-in for a program on the same device', async (t) => {
  const app = await withRules(t, [{ when: { flow: 'code' }, then: 'reauthenticate', say: 'Sign in for this.' }])
  const ann = await signedIn(app)
  app.clock.advance(5_000)
  const request = codeRequest()
  const { location } = await ann.get(request.path)
  const sent = await ann.get(String(location))
  t.match(sent.location, /^\/login\?ask=/)
  t.match((await ann.get(String(sent.location))).text, 'Sign in once more')
  app.clock.advance(5_000)
  const [, ask] = /ask=(.+)/.exec(String(sent.location)) ?? []
  const question = await ann.follow(ann.post('/login', { name: 'ann', ask }))
  t.equal(question.url, location)
  t.match(question.text, 'Sign in for this.', 'what the rule says is why')
  t.ok((await answer(ann)).searchParams.get('code'))
  const stranger = createVisitor(app)
  await stranger.follow(stranger.get(codeRequest().path))
  t.match(stranger.shown.url, '/login', 'and who is not signed in has done so since it was asked')
})

t.test('the examples of docs/rules.md and docs/oauth.md are read as they stand', async (t) => {
  const blocks = (path: string) =>
    [...readFileSync(inRoot(path), 'utf8').matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text = '']) =>
      JSON.parse(text)
    )
  const examples = blocks('docs/rules.md')
  t.equal(examples.length, 4)
  for (const rules of examples) {
    const { app } = await withRules(t, rules)
    t.equal(app.config.rules.length, rules.length)
  }
  const [changes] = blocks('docs/oauth.md').filter(({ clients }) => clients?.some((one: object) => 'built_in' in one))
  const { app } = await startApp(t, { OAUTH_CLIENTS_FILE: rulesFile(t, changes) })
  t.strictSame(
    [app.core.clients.find('demo'), app.core.clients.find('mcp')?.scopes],
    [undefined, ['openid', 'offline_access']]
  )
})
