/**
 * Checks what an operator does to a running service: stopping it, rotating its keys, starting it with a wrong
 * configuration.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { GRANTD_SECRET, PATIENT } from '../support/app.js'
import { apiClient } from '../support/client.js'
import { runProgram as run } from '../support/programs.js'
import { startRedis } from '../support/redis-server.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

// Tests that are not about time run side by side, because they mostly wait.
t.jobs = 3

t.test('SIGTERM: readiness turns red first, what is under way finishes, then the process ends', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startService(t, { ...PATIENT, REDIS_URL: redis.url, SHUTDOWN_DELAY_SECONDS: '2' })
  const api = apiClient(service.url)
  const { grant_code } = await api.start()
  t.equal((await api.call('GET', '/readyz')).status, 200)

  // An idle kept-alive connection must not keep the process alive.
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  await new Promise((resolve, reject) => {
    httpRequest(`${service.url}/healthz`, { agent }, (answer) => answer.resume().on('end', resolve))
      .on('error', reject)
      .end()
  })
  // Nor may a connection that was opened ahead of need and never used.
  const unused = connect(service.port, '127.0.0.1')
  t.teardown(() => unused.destroy())
  await once(unused, 'connect')
  const hungUp = once(unused, 'close')

  const stopped = service.stop('SIGTERM')
  await until(async () => service.output().includes('"stopping"'))
  t.equal((await api.call('GET', '/readyz')).status, 503, 'not ready at once')
  const meanwhile = await api.poll(grant_code)
  t.equal(meanwhile.status, 200, 'what still arrives is served')
  t.equal(meanwhile.headers.get('connection'), 'close', 'and told to connect elsewhere')

  // Redis is stopped, so that the answer comes only after the port is closed.
  process.kill(redis.pid(), 'SIGSTOP')
  let isUnderWay = true
  const underWay = api.poll(grant_code).finally(() => {
    isUnderWay = false
  })
  await until(async () => !(await isOpen(service.port)))
  t.ok(isUnderWay, 'it waits while the port is closed')
  process.kill(redis.pid(), 'SIGCONT')
  t.equal((await underWay).status, 200, 'a request under way is answered')
  t.equal(await stopped, 0, 'the process ends by itself, with success: whoever is cut off ends with another code')
  await hungUp
  await t.rejects(api.call('GET', '/healthz'), 'nothing listens any more')
  const lines = service.output().trim().split('\n')
  t.match(lines.at(-1), /"stopped"/)
})

/** Returns whether something listens on the port. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

t.test(
  'keys are rotated by command: published first, the old one kept, both accepted by every instance',
  { buffered: true },
  async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const env = { ...PATIENT, REDIS_URL: redis.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
    const before = await startService(t, env)
    const old = apiClient(before.url)
    const collect = async (api: typeof old) => {
      const { grant_code, user_code } = await api.start()
      await api.decide(user_code, 'alice')
      return (await api.poll(grant_code)).body.jwt as string
    }
    const kidOf = (jwt: string) =>
      JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString()).kid as string
    const oldToken = await collect(old)

    const planned = await run('cli.js', ['keys', 'rotate'], env)
    t.equal(planned.code, 0, planned.stderr)
    t.match(planned.stdout, new RegExp(`${kidOf(oldToken)}  RS256  signs`))
    t.match(planned.stdout, /RS256 {2}will sign/)

    const now = await run('cli.js', ['keys', 'rotate', '--now'], env)
    t.equal(now.code, 0, now.stderr)
    t.equal(now.stdout.trim().split('\n').length, 3)
    t.match(now.stdout, new RegExp(`${kidOf(oldToken)}  RS256  only verifies`))

    const fresh = apiClient((await startService(t, env)).url)
    const newToken = await collect(fresh)
    t.not(kidOf(newToken), kidOf(oldToken), 'the new key signs')
    t.equal((await fresh.call('GET', '/auth/clients', { token: oldToken })).status, 200, 'old tokens stay good')
    let learnt = await old.call('GET', '/auth/clients', { token: newToken })
    // An instance fetches unknown keys at most once in five seconds.
    while (learnt.status !== 200) {
      await sleep(200)
      learnt = await old.call('GET', '/auth/clients', { token: newToken })
    }
    t.pass('older instances learn of it')
    const kids = (await fresh.call('GET', '/.well-known/jwks.json')).body.keys.map((key: { kid: string }) => key.kid)
    t.ok(kids.includes(kidOf(oldToken)) && kids.includes(kidOf(newToken)), 'both are published')
  }
)

t.test('commands that cannot be carried out say why', { buffered: true }, async (t) => {
  const env = { REDIS_URL: 'redis://127.0.0.1:1', GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
  const unreachable = run('cli.js', ['keys', 'list'], env)
  t.match(await run('cli.js', [], {}), { code: 1, stderr: /usage: grantd serve [\s\S]+ grantd keys list/ })
  t.match(await run('cli.js', ['keys', 'rotate'], {}), { code: 1, stderr: /set REDIS_URL/ })
  t.match(await unreachable, { code: 1, stderr: /grantd: / })
})

t.test(
  'a secret for an OAuth client is made by command, and its digest makes the client known',
  { buffered: true },
  async (t) => {
    const made = await run('cli.js', ['clients', 'secret'], {})
    t.equal(made.code, 0)
    const [, secret = ''] = /^client_secret +([\w-]{43})$/m.exec(made.stdout) ?? []
    const [, digests = ''] = /^client_secret_digests +(\[.*\])$/m.exec(made.stdout) ?? []
    t.not((await run('cli.js', ['clients', 'secret'], {})).stdout, made.stdout, 'another one each time')

    const file = join(t.testdir({}), 'clients.json')
    const client = { client_id: 'acme-api', client_secret_digests: JSON.parse(digests), grant_types: [] }
    await writeFile(file, JSON.stringify({ clients: [client] }))
    const service = await startService(t, { OAUTH_CLIENTS_FILE: file })
    const introspect = (client_secret: string) =>
      apiClient(service.url).call('POST', '/oauth/introspect', {
        body: { client_id: 'acme-api', client_secret, token: 'x' }
      })
    t.strictSame((await introspect(secret)).body, { active: false })
    t.equal((await introspect(`${secret}x`)).status, 401)

    await writeFile(file, JSON.stringify({ clients: [{ ...client, grant_types: ['implicit'], scope: '"' }] }))
    const refused = await run('server.js', [], { OAUTH_CLIENTS_FILE: file })
    t.equal(refused.code, 1)
    for (const place of ['clients\\[0\\].grant_types', 'clients\\[0\\].scope']) {
      t.match(refused.stderr, new RegExp(`OAUTH_CLIENTS_FILE: ${place}.*: expected`))
    }
  }
)

t.test('a start that cannot succeed ends with the reason and a code', { buffered: true }, async (t) => {
  const wrong = await run('server.js', [], { PORT: 'x', REDIS_URL: 'redis://127.0.0.1:1', TRUST_PROXY: '0.0.0.0/0' })
  t.equal(wrong.code, 1)
  for (const name of ['PORT', 'TRUST_PROXY', 'GRANTD_SECRET', 'DASHBOARD_JWT_SECRET'])
    t.match(wrong.stderr, new RegExp(`${name}: `))

  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const env = { REDIS_URL: redis.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
  const service = await startService(t, env)
  const other = await run('server.js', [], { ...env, GRANTD_SECRET: 'x'.repeat(40), PORT: '0' })
  t.equal(other.code, 1, 'keys that cannot be opened')
  t.match(other.stdout, /signing key [\w-]+ cannot be opened with GRANTD_SECRET/)
  const taken = await run('server.js', [], { ...env, PORT: `${service.port}` })
  t.equal(taken.code, 1, 'a port that is taken')
  t.match(taken.stdout, /EADDRINUSE/)
})

t.test('without REDIS_URL the log says in one line that this is for trying out', { buffered: true }, async (t) => {
  const service = await startService(t, { DASHBOARD_JWT_SECRET: '', GRANTD_SECRET: '' })
  // The line is logged after the port is open, so the first answer may come before it.
  await until(async () => service.output().includes('for trying out'))
  const lines = service
    .output()
    .split('\n')
    .filter((line) => line.includes('for trying out'))
  t.equal(lines.length, 1)
  t.match(lines[0], /GRANTD_SECRET and DASHBOARD_JWT_SECRET made up/)
})
