/**
 * What README.md, docs/oauth.md and docs/operations.md tell people to paste works when pasted: a grant with curl, clients,
 * an API that is protected, a backup and its restore.
 */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ClientEntry, ResourceEntry } from '../../schemas/clients-file.js'
import { readClientsFile } from '../../src/config/clients-file.js'
import { wireFormOf } from '../../src/core/audit/event.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { GRANTD_SECRET, PATIENT, startApp } from '../support/app.js'
import { BY, eventsOf } from '../support/audit.js'
import { apiClient, claimsOf } from '../support/client.js'
import { CLI, clientsFile, DEVICE_CODE, type OAuthApp, startConnectedApp, startOAuthApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { runProgram } from '../support/programs.js'
import { addRedisAdministrator, addRedisUser, type RedisUser } from '../support/redis-acl.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { inRoot, root } from '../support/root.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

const guide = await readFile(inRoot('docs/operations.md'), 'utf8')
const shell = (script: string, url: string, cwd: string) =>
  promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd, env: { ...process.env, REDIS_URL: url } })

/** Returns the only code block of the guide that contains this text. */
function block(containing: string): string {
  const found = [...guide.matchAll(/```(?:\w*)\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  const [one, ...more] = found.filter((text) => text.includes(containing))
  if (one === undefined || more.length > 0) throw new Error(`docs/operations.md: not one block with ${containing}`)
  return one
}

/** Listens on the default port of the service, unless another program does so already. */
async function takeDefaultPort(t: Test): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  server.listen(3333, '127.0.0.1')
  t.teardown(() => server.close())
  // once() rejects with the error of an 'error' event.
  await once(server, 'listening').catch((error) => t.equal(error.code, 'EADDRINUSE'))
}

// Each has its own service and Redis, and mostly waits for programs, so they run side by side.
t.jobs = 3

t.test('the walk through a whole grant with curl, beside a service on the default port', async (t) => {
  await takeDefaultPort(t)
  const readme = await readFile(`${root}/README.md`, 'utf8')
  const [, walk] = /## A whole grant with curl[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme) ?? []
  if (!walk) throw new Error('the README has lost its walk')
  // The commands are run as pasted, without the log file and with the existing build.
  const script = walk.replace('npm start > grantd.log', 'npm start --ignore-scripts > /dev/null')
  t.not(script, walk)

  const shell = spawn('bash', ['-eu', '-o', 'pipefail'], { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  shell.stdout.on('data', (data) => {
    output += data
  })
  shell.stderr.on('data', (data) => {
    output += data
  })
  shell.stdin.end(script)
  const [code] = await once(shell, 'close')
  t.equal(code, 0, output)

  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { status: 'authorization_pending' },
      { client_type: 'cli', client_metadata: { name: 'acme-cli', version: '1.4.0', hostname: 'my-laptop' } },
      { status: 'approve' },
      { data: [{ client_type: 'cli', label: 'my-laptop', is_current: true, revoked_at: null }] },
      { revoked_at: String },
      { error: 'The jwt is not valid.' }
    ]
  )
})

t.test('the OAuth clients of docs/oauth.md are read as they stand, and every member is in its table', async (t) => {
  const page = await readFile(`${root}/docs/oauth.md`, 'utf8')
  const [section = ''] = /## OAuth clients[\s\S]*/.exec(page) ?? []
  const file = join(t.testdir({}), 'clients.json')
  await writeFile(file, /```json\n([\s\S]*?)```/.exec(section)?.[1] ?? '')
  const { clients, faults } = readClientsFile(file, 'https://grants.example.com')
  t.strictSame(faults, [])
  t.match(clients, [
    { id: 'acme-tv', name: 'Acme TV', type: 'other', accessTokenTtlSeconds: 3_600 },
    { id: 'acme-api', secretDigests: [String], grantTypes: [] }
  ])
  const members = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  t.strictSame(members, Object.keys(ClientEntry.properties))
})

t.test('the resources of docs/oauth.md are read as they stand, and every member is in its table', async (t) => {
  const page = await readFile(`${root}/docs/oauth.md`, 'utf8')
  const [section = ''] = /## Resources[\s\S]*?(?=\n## )/.exec(page) ?? []
  const file = join(t.testdir({}), 'clients.json')
  await writeFile(file, /```json\n([\s\S]*?)```/.exec(section)?.[1] ?? '')
  const { clients, resources, faults } = readClientsFile(file, 'https://grants.example.com')
  t.strictSame(faults, [])
  t.match(resources, [{ identifier: 'https://api.acme.example', name: 'Acme API', isForBuiltInClients: true }])
  t.match(clients, [{ id: 'acme-web', resources: [{ name: 'Acme API' }] }])
  const members = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  t.strictSame(members, Object.keys(ResourceEntry.properties))
})

t.test('the files of the examples are read as they stand', async (t) => {
  for (const example of ['nginx', 'protected-api']) {
    const page = await readFile(`${root}/examples/${example}/README.md`, 'utf8')
    const file = join(t.testdir({}), 'clients.json')
    await writeFile(file, /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '')
    const { resources, faults } = readClientsFile(file, 'http://localhost:3333')
    t.strictSame(faults, [], example)
    t.match(resources, [{ isForBuiltInClients: true }], example)
  }
  const page = await readFile(`${root}/examples/mcp-server/README.md`, 'utf8')
  const [, shown = ''] = /^cat > clients.json <<EOF\n([\s\S]*?)\nEOF$/m.exec(page) ?? []
  const file = join(t.testdir({}), 'clients.json')
  await writeFile(file, shown.replace(/\$\(.*?\)/, JSON.stringify([digestOf('a secret')])))
  const { clients, resources, faults } = readClientsFile(file, 'http://localhost:3333')
  t.strictSame(faults, [], 'mcp-server')
  t.match(clients, [{ id: 'notes-server', secretDigests: [digestOf('a secret')], grantTypes: [] }])
  t.match(resources, [{ identifier: 'http://localhost:4100/mcp', isForBuiltInClients: true }])
})

/** Runs a client as it is shown, by a loader if it needs one, approves its grant as alice, and resolves to all it said. */
async function runClient(
  t: Test,
  issuer: string,
  folder: string,
  script: string,
  loader: string[] = []
): Promise<string> {
  const program = spawn(process.execPath, [...loader, '--input-type=module', '-'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe']
  })
  t.teardown(() => program.kill('SIGKILL'))
  let output = ''
  program.stderr.on('data', (data) => {
    output += data
  })
  program.stdin.end(script)
  let isDecided = false
  for await (const data of program.stdout) {
    output += data
    const [userCode] = /[A-Z]{4}-[A-Z]{4}/.exec(output) ?? []
    if (userCode && !isDecided) {
      isDecided = true
      t.equal((await apiClient(issuer).decide(userCode, 'alice')).status, 200)
    }
  }
  return output
}

t.test('clients and an API beside one service go the way they are shown', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const [port, apiPort] = [await freePort(), await freePort()]
  const issuer = `http://127.0.0.1:${port}`
  const OAUTH_CLIENTS_FILE = clientsFile(t, [
    { client_id: 'films', scope: 'films.read' },
    { client_id: 'news', scope: 'news.read' }
  ])
  const settings = { ...PATIENT, REDIS_URL: redis.url, PUBLIC_URL: issuer, OAUTH_CLIENTS_FILE, LIMITS: 'off' }
  const service = await startService(t, { ...settings, PORT: `${port}`, POLL_INTERVAL_SECONDS: '1' })

  await t.test('a stock one', async (t) => {
    const readme = await readFile(`${root}/README.md`, 'utf8')
    const [, shown = ''] = /## With a stock client[\s\S]*?```js\n([\s\S]*?)```/.exec(readme) ?? []
    // As shown, but for the address, which has no TLS here, and a word at the end.
    const script = shown
      .replace('https://grants.example.com', issuer)
      .replace('client.None())', 'client.None(), { execute: [client.allowInsecureRequests] })')
      .concat('console.log(Object.keys(tokens).sort().join(" "), tokens.claims().sub)\n')
    t.not(script.length, shown.length)
    const output = await runClient(t, issuer, root, script)
    t.match(output, `Go to ${issuer}/device and enter `)
    t.match(output, /\naccess_token expires_in id_token refresh_token scope token_type alice\n/)
  })

  await t.test('one made of the files that are to be copied', async (t) => {
    const folder = `${root}/examples/terminal-client`
    const readme = await readFile(`${folder}/README.md`, 'utf8')
    const [, shown = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
    const script = shown.replace('https://grants.example.com', issuer).concat('process.exit()\n')
    t.not(script.length, shown.length)
    const copy = t.testdir({ 'package.json': '{"type":"module"}' })
    for (const file of ['grant-client.ts', 'grant-answers.ts']) await copyFile(`${folder}/${file}`, join(copy, file))
    const output = await runClient(t, issuer, copy, script, ['--import=tsx'])
    t.match(output, `Go to ${issuer}/device and enter `)
    t.match(output, /\nYou are signed in\.\n/)
  })

  await t.test('an API that is protected as docs/oauth.md shows', async (t) => {
    const page = await readFile(`${root}/docs/oauth.md`, 'utf8')
    const [, shown = ''] = /## Protect your API[\s\S]*?```js\n([\s\S]*?)```/.exec(page) ?? []
    const { stdout } = await runProgram('cli.js', ['api-keys', 'create', 'films-api', '--rights', 'introspect'], {
      ...settings,
      GRANTD_SECRET,
      DASHBOARD_JWT_SECRET: DASHBOARD_SECRET
    })
    const [GRANTD_API_KEY = ''] = stdout.split('\n')

    // As shown, but for the addresses.
    const script = shown.replace('https://grants.example.com', issuer).replace('4000', `${apiPort}`)
    t.not(script.length, shown.length)
    const options = { cwd: root, env: { PATH: process.env.PATH, GRANTD_API_KEY } }
    const program = spawn(process.execPath, ['--input-type=module', '--eval', script], { ...options, stdio: 'ignore' })
    t.teardown(() => program.kill('SIGKILL'))
    const api = `http://127.0.0.1:${apiPort}/`
    const ask = async (token?: string) => {
      const answer = await fetch(api, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
      return [answer.status, answer.headers.get('www-authenticate') ?? (await answer.text())]
    }
    await until(() =>
      fetch(api).then(
        () => true,
        () => false
      )
    )

    const post = async (path: string, form: Record<string, string>) => {
      const answer = await fetch(`${issuer}/oauth/${path}`, { method: 'POST', body: new URLSearchParams(form) })
      return answer.json()
    }
    const collect = async (client_id: string, scope: string): Promise<string> => {
      const { device_code, user_code } = await post('device_authorization', { client_id, scope })
      t.equal((await apiClient(issuer).decide(user_code, 'ann')).status, 200)
      return (await post('token', { client_id, device_code, grant_type: DEVICE_CODE })).access_token
    }
    const token = await collect('films', 'films.read')
    t.same(await ask(token), [200, 'films of ann\n'])
    t.same(await ask(), [401, 'Bearer'])
    const refused = [401, 'Bearer error="invalid_token"']
    const [head, body, signature = ''] = token.split('.')
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${body}.`
    for (const wrong of [
      'x',
      `${head}.${body}.${signature.replace(/^./, (one) => (one === 'A' ? 'B' : 'A'))}`,
      unsigned
    ]) {
      t.same(await ask(wrong), refused, wrong)
    }
    t.same(await ask(await collect('news', 'news.read')), [
      403,
      'Bearer error="insufficient_scope", scope="films.read"'
    ])
    await fetch(`${issuer}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ client_id: 'films', token }) })
    t.same(await ask(token), refused, 'revoked')

    const other = await collect('films', 'films.read')
    await service.stop()
    t.same(await ask(other), [503, ''], 'could not look is not "no"')
  })
})

/** A guide's blocks of commands, without the indentation of a list. */
const blocks = [...guide.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map(
  ([, indent = '', language, text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
  })
)

t.test(
  'every command of docs/operations.md, as it stands: a backup, a revocation, a restore that brings nothing back',
  async (t) => {
    const program = `#!/bin/sh\nexec ${process.execPath} ${inRoot('dist/src/cli.js')} "$@"\n`
    const cwd = t.testdir({ bin: { grantd: program } })
    const bin = join(cwd, 'bin')
    await chmod(join(bin, 'grantd'), 0o755)
    const settings = {
      ...{
        PATH: `${bin}:${process.env.PATH}`,
        REDISCLI_AUTH: '',
        GRANTD_SECRET,
        DASHBOARD_JWT_SECRET: DASHBOARD_SECRET
      },
      ...{ SIGNING_ALG: 'EdDSA', REDIS_TIMEOUT_MS: '30000', USER_ID: 'eve' }
    }
    /** The blocks that were run, by their texts. */
    const done = new Set<string>()

    /** Runs the block that begins like this as one of the users of a server. Resolves to how it ended, and what it wrote. */
    async function paste(beginning: string, { url }: RedisServer, { username, password }: RedisUser) {
      const found = blocks.filter(({ text }) => text.startsWith(beginning))
      t.equal(found.length, 1, `one block begins with ${beginning}`)
      const { text = '', language } = found[0] ?? {}
      t.equal(language, 'sh', beginning)
      done.add(text)
      const env = { ...settings, REDIS_URL: url.replace('//', `//${username}:${password}@`) }
      return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', text], { cwd, env }).then(
        ({ stdout }) => ({ code: 0, said: stdout }),
        ({ code, stdout, stderr }) => ({ code: Number(code), said: `${stdout}${stderr}` })
      )
    }

    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const usersOf = async (server: RedisServer) => ({
      service: await addRedisUser([server], 'service-password'),
      operator: await addRedisAdministrator([server], 'operator-password')
    })
    const at = ({ url }: RedisServer, { username, password }: RedisUser) => ({
      REDIS_URL: url.replace('//', `//${username}:${password}@`)
    })

    // What is in use, and then the backup.
    const source = await usersOf(redis)
    const before = await startOAuthApp(t, { ...at(redis, source.service), AUDIT_LOG: 'off' })
    const revoked = await before.collect('ann')
    const kept = await before.collect('ann')
    const family = await before.tokens(CLI, 'openid offline_access')
    const waiting = await before.start()
    await before.decide(waiting.user_code, 'ann')
    const key = await before.app.core.apiKeys.create('acme', {}, BY)
    const backup = 'redis-cli -u "$REDIS_URL" --rdb grantd.rdb\n'
    t.not((await paste(backup, redis, source.service)).code, 0, 'the user of the service takes no snapshot')
    t.equal((await paste(backup, redis, source.operator)).code, 0)

    // What was revoked since, and who came since. The clock of the instance has stood still until now.
    before.clock.advance(120_000)
    const revocation = await before.call('DELETE', `/auth/clients/${claimsOf(revoked).cid}`, { user: 'ann' })
    t.equal(revocation.status, 200)
    t.equal((await before.call('GET', '/auth/clients', { token: revoked })).status, 401)
    const later = await before.collect('ann')
    const lines = (await eventsOf(before.app)).map((event) => JSON.stringify(wireFormOf(event)))
    const early = JSON.stringify({ at: '2020-01-01T00:00:00Z', type: 'grant.started', actor: 'client:cli' })
    await writeFile(join(cwd, 'audit.log'), [early, ...lines].join('\n'))

    /** Restores the snapshot into another Redis, in the steps of the guide. */
    async function restore(name: string) {
      const data = join(cwd, name)
      await mkdir(data)
      await copyFile(join(cwd, 'grantd.rdb'), join(data, 'dump.rdb'))
      const restored = await startRedis('--dir', data, '--appendonly', 'no')
      t.teardown(() => restored.stop())
      const users = await usersOf(restored)
      for (const step of [
        'redis-cli -e -u "$REDIS_URL" dbsize\n',
        'redis-cli -e -u "$REDIS_URL" config set appendonly yes\n'
      ]) {
        t.match(await paste(step, restored, users.service), { code: 1, said: /NOPERM/ }, step)
        t.equal((await paste(step, restored, users.operator)).code, 0, step)
      }
      await restored.kill()
      await restored.start('--appendonly', 'yes')
      t.ok((await restored.client.dbsize()) > 0, 'it may be started as always')
      return { restored, ...(await usersOf(restored)) }
    }

    const check = 'grantd restore check\n'
    const clean = 'grantd restore clean\n'
    const cleanByLog = 'grantd restore clean --revoked-from audit.log'
    const epoch = 'grantd epoch begin\n'
    const refused = /may not use UNLINK.*deploy\/redis\/grantd-admin\.acl/
    const statusAt = (service: OAuthApp) => async (token: string) =>
      (await service.call('GET', '/auth/clients', { token })).status

    // Each restores into a Redis of its own.
    t.jobs = 2
    const withoutLog = t.test('without an audit log everybody has to come again', async (t) => {
      const { restored, service, operator } = await restore('all')
      for (const block of [check, clean])
        t.match(await paste(block, restored, service), { code: 1, said: refused }, block)
      t.equal((await paste(check, restored, operator)).code, 3)
      t.equal((await paste(clean, restored, operator)).code, 0)
      t.match(await paste(check, restored, operator), { code: 0, said: 'nothing is left to clean\n' })

      const after = await startConnectedApp(t, at(restored, service))
      const statusOf = statusAt(after)
      for (const token of [revoked, kept, later]) t.equal(await statusOf(token), 401, 'everybody has to come again')
      t.match(await after.refresh(family.refresh_token, CLI), { status: 400, body: { error: 'invalid_grant' } })
      t.notOk((await after.poll(waiting.grant_code)).body.jwt, 'nothing is left to collect')
      t.notOk(await after.app.core.apiKeys.use(key.text, 'tokens'), 'nor is an API key good that may have been revoked')
      after.clock.advance(60_000)
      const again = await after.collect('ann')
      t.equal(await statusOf(again), 200, 'and the service goes on')

      await t.test('and an epoch ends that as well', async (t) => {
        const { code, said } = await paste(epoch, restored, service)
        t.equal(code, 1)
        t.match(said, refused)
        t.match(await paste(epoch, restored, operator), { code: 0, said: /^ended on every instance/ })
      })
    })

    const withLog = t.test('with the lines of one, only who was revoked', async (t) => {
      const { restored, service, operator } = await restore('log')
      t.match(await paste(cleanByLog, restored, service), { code: 1, said: refused })
      t.equal((await paste(cleanByLog, restored, operator)).code, 0)
      const after = await startConnectedApp(t, at(restored, service))
      const statusOf = statusAt(after)
      t.equal(await statusOf(revoked), 401, 'revoked stays revoked')
      t.equal(await statusOf(kept), 200)
      t.equal(await statusOf(later), 401, 'who was authorized since then has to come again')
      t.ok(await after.app.core.apiKeys.use(key.text, 'tokens'), 'API keys stay')
    })
    await Promise.all([withoutLog, withLog])

    const trail = 'redis-cli -u "$REDIS_URL" xrevrange grantd:events'
    for (const user of [source.service, source.operator]) {
      t.match(await paste(trail, redis, user), { code: 0, said: /authorization\.revoked/ })
    }

    await t.test('somebody lost a laptop', async (t) => {
      await before.app.core.profiles.keep('eve', { name: 'Eve', email: 'ann@example.com', isEmailVerified: true })
      for (const user of [source.service, source.operator]) {
        const lost = await before.collect('eve')
        t.match(await paste('grantd users find', redis, user), { code: 0, said: /^.*\beve\b/m })
        t.equal((await before.call('GET', '/auth/clients', { token: lost })).status, 401)
        t.equal((await paste('grantd users block', redis, user)).code, 0)
      }
    })
    // What is no command is what a program writes.
    for (const { language, text } of blocks.filter((one) => one.language !== 'sh')) {
      t.equal(language, 'json')
      t.ok(JSON.parse(text), text)
    }
    t.strictSame(
      blocks.filter(({ language, text }) => language === 'sh' && !done.has(text)).map(({ text }) => text),
      [],
      'no block of the guide was left out'
    )
    t.ok(done.size >= 7, `${done.size} blocks`)
  }
)

t.test('Redis started over its append-only file ignores a snapshot, as the guide warns', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await redis.client.set('grantd:a', 'b')
  const directory = t.testdir({})
  await shell(block('--rdb'), redis.url, directory)
  await copyFile(join(directory, 'grantd.rdb'), join(directory, 'dump.rdb'))
  const other = await startRedis('--dir', directory)
  t.teardown(() => other.stop())
  t.equal(await other.client.dbsize(), 0)
})

t.test('a Redis user with the rights of deploy/redis/grantd.acl is enough, and may do no more', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { username, password } = await addRedisUser([redis], 'secret')
  const url = redis.url.replace('//', `//${username}:${password}@`)
  const service = await startConnectedApp(t, { REDIS_URL: url, SIGNING_ALG: 'EdDSA', LIMITS: 'on' })
  await until(async () => /^grantd_decision_feed_up 1$/m.test((await service.call('GET', '/metrics')).body))
  const token = await service.collect('ann')
  t.equal((await service.call('GET', '/auth/clients', { token })).status, 200)
  const { refresh_token } = await service.tokens(CLI, 'offline_access')
  t.equal((await service.refresh(refresh_token, CLI)).status, 200)
  t.equal((await service.call('DELETE', `/auth/clients/${claimsOf(token).cid}`, { user: 'ann' })).status, 200)
  await service.app.core.signingKeys.rotate('now', BY)
  await service.app.core.apiKeys.create('acme', {}, BY)

  const user = redis.client.duplicate({ username, password })
  t.teardown(() => user.disconnect())
  await user.connect()
  for (const [name, ...args] of [['FLUSHALL'], ['KEYS', '*'], ['CONFIG', 'GET', '*'], ['GET', 'elsewhere:a']]) {
    await t.rejects(user.call(name as string, ...args), { message: /NOPERM/ }, name as string)
  }
})

t.test('data that is gone: no token of before is good, and the service goes on as a new one', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { app, call, collect } = await startApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' })
  const token = await collect('ann')
  await redis.client.flushall()
  t.equal((await call('GET', '/auth/clients', { token })).status, 401)
  await app.core.signingKeys.refresh()
  t.equal((await call('GET', '/auth/clients', { token: await collect('ann') })).status, 200)
})
