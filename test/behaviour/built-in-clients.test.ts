/** Built-in clients that the operator has changed in OAUTH_CLIENTS_FILE, on every surface. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { startApp } from '../support/app.js'
import { claimsOf } from '../support/client.js'
import { codeRequest } from '../support/code-flow.js'
import { startRedis } from '../support/redis-server.js'
import { createVisitor } from '../support/visitor.js'

const START = '/auth/grant/code'
const NOT_ALLOWED = { error: 'client_type is not allowed here.' }

function clientsFile(t: Pick<Test, 'teardown'>, ...clients: object[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-clients-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'clients.json')
  writeFileSync(file, JSON.stringify({ clients: clients.map((client) => ({ built_in: true, ...client })) }))
  return file
}

t.test('one that is off is unknown on every surface', async (t) => {
  const OAUTH_CLIENTS_FILE = clientsFile(t, { client_id: 'cli', off: true })
  const service = await startApp(t, { LIMITS: 'off', OAUTH_CLIENTS_FILE })
  const { call } = service
  const refused = await call('POST', START, { body: { client_type: 'cli' } })
  t.strictSame([refused.status, refused.body], [400, NOT_ALLOWED])
  const device = await call('POST', '/oauth/device_authorization', { body: { client_id: 'cli' } })
  t.match(device, { status: 401, body: { error: 'invalid_client' } })
  const page = await createVisitor(service).get(codeRequest().path)
  t.equal(page.status, 400)
  t.match(page.text, 'is not known to this service', 'and nobody is sent back to it')
  t.equal((await call('POST', START, { body: { client_type: 'mcp' } })).status, 200, 'the others go on')
})

t.test('one that is switched off while it is in use', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { LIMITS: 'off', REDIS_URL: redis.url }
  const before = await startApp(t, variables)
  const jwt = await before.collect('ann')
  const waiting = await before.start()
  const after = await startApp(t, { ...variables, OAUTH_CLIENTS_FILE: clientsFile(t, { client_id: 'cli', off: true }) })
  t.equal((await before.call('GET', '/auth/clients', { token: jwt })).status, 200)
  t.equal((await after.call('GET', '/auth/clients', { token: jwt })).status, 401, 'its tokens are refused')
  t.equal((await after.decide(waiting.user_code, 'ann')).status, 200)
  t.strictSame((await after.poll(waiting.grant_code)).body, { status: 'access_denied' }, 'nothing is collected for it')
  t.equal(
    (await after.call('GET', '/auth/clients', { user: 'ann' })).body.data.length,
    2,
    'its user sees what there was'
  )
})

t.test('one without a device grant keeps the other', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { LIMITS: 'off', REDIS_URL: redis.url }
  const before = await startApp(t, variables)
  const waiting = await before.start()
  await before.decide(waiting.user_code, 'ann')
  const grant_types = ['authorization_code', 'refresh_token']
  const OAUTH_CLIENTS_FILE = clientsFile(t, { client_id: 'cli', grant_types })
  const { call, poll } = await startApp(t, { ...variables, OAUTH_CLIENTS_FILE })
  t.strictSame((await call('POST', START, { body: { client_type: 'cli' } })).body, NOT_ALLOWED)
  const device = await call('POST', '/oauth/device_authorization', { body: { client_id: 'cli' } })
  t.match(device, { status: 400, body: { error: 'unauthorized_client' } })
  t.strictSame((await poll(waiting.grant_code)).body, { status: 'access_denied' }, 'what waits is not collected')
  const request = { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code: waiting.grant_code }
  t.match(await call('POST', '/oauth/token', { body: request }), {
    status: 400,
    body: { error: 'unauthorized_client' }
  })
  const pages = await startApp(t, { LIMITS: 'off', OAUTH_CLIENTS_FILE })
  const visitor = createVisitor(pages)
  t.match((await visitor.get(codeRequest().path)).location, /^\/authorize\//, 'by code it may ask')
})

t.test('other scopes and lifetimes', async (t) => {
  const OAUTH_CLIENTS_FILE = clientsFile(
    t,
    { client_id: 'cli', scope: 'openid films', device_scope: 'films', authorization_ttl_seconds: 3_600 },
    { client_id: 'mcp', access_token_ttl_seconds: 600 }
  )
  const { call, decide, poll, clock } = await startApp(t, { LIMITS: 'off', OAUTH_CLIENTS_FILE })
  const start = (client_type: string, scope: string) => call('POST', START, { body: { client_type, scope } })
  for (const scope of ['email', 'openid', 'films openid']) {
    t.equal((await start('cli', scope)).status, 400, scope)
  }
  const lifeOf = async (client_type: string, scope: string) => {
    const { grant_code, user_code } = (await start(client_type, scope)).body
    await decide(user_code, 'ann')
    const { exp, iat } = claimsOf((await poll(grant_code)).body.jwt)
    return Number(exp) - Number(iat)
  }
  t.equal(await lifeOf('cli', 'films'), 3_600)
  t.equal(await lifeOf('mcp', 'openid'), 600)
  t.equal(await lifeOf('demo', 'openid'), 2_592_000, 'the others are as they were')
  const { data } = (await call('GET', '/auth/clients', { user: 'ann' })).body
  const ends = data.map((row: { client_type: string; expires_at: string }) => [
    row.client_type,
    Math.ceil((Date.parse(row.expires_at) - clock()) / 1000)
  ])
  t.match(Object.fromEntries(ends), { cli: 3_600, mcp: 2_592_000 })
})
