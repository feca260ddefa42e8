/** What README.md and docs/oauth.md tell people to paste works when pasted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { ClientEntry } from '../../schemas/clients-file.js'
import { readClientsFile } from '../../src/config/clients-file.js'
import { GRANTD_SECRET } from '../support/app.js'
import { apiClient } from '../support/client.js'
import { clientsFile, DEVICE_CODE } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { runProgram } from '../support/programs.js'
import { startRedis } from '../support/redis-server.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Has something listen on the default port of the service, unless something does so already. */
async function takeDefaultPort(t: Test): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  server.listen(3333, '127.0.0.1')
  t.teardown(() => server.close())
  // once() rejects with what 'error' says.
  await once(server, 'listening').catch((error) => t.equal(error.code, 'EADDRINUSE'))
}

t.test('the walk through a whole grant with curl, beside a service on the default port', async (t) => {
  await takeDefaultPort(t)
  const readme = await readFile(`${root}/README.md`, 'utf8')
  const [, walk] = /## A whole grant with curl[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme) ?? []
  if (!walk) throw new Error('the README has lost its walk')
  // As pasted, but for the log's place and the build that is there already.
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
  const { clients, faults } = readClientsFile(file)
  t.strictSame(faults, [])
  t.match(clients, [
    { id: 'acme-tv', name: 'Acme TV', type: 'other', accessTokenTtlSeconds: 3_600 },
    { id: 'acme-api', secretDigests: [String], grantTypes: [] }
  ])
  const members = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  t.strictSame(members, Object.keys(ClientEntry.properties))
})

t.test('a stock client goes the way it shows', async (t) => {
  const readme = await readFile(`${root}/README.md`, 'utf8')
  const [, shown = ''] = /## With a stock client[\s\S]*?```js\n([\s\S]*?)```/.exec(readme) ?? []
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  await startService(t, { PORT: `${port}`, PUBLIC_URL: issuer, POLL_INTERVAL_SECONDS: '1' })
  // As shown, but for the address, which has no TLS here, and a word at the end.
  const script = shown
    .replace('https://grants.example.com', issuer)
    .replace('client.None())', 'client.None(), { execute: [client.allowInsecureRequests] })')
    .concat('console.log(Object.keys(tokens).sort().join(" "), tokens.claims().sub)\n')
  t.not(script.length, shown.length)
  const program = spawn(process.execPath, ['--input-type=module', '-'], { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
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
  t.match(output, `Go to ${issuer}/device and enter `)
  t.match(output, /\naccess_token expires_in id_token refresh_token scope token_type alice\n/)
})

t.test('an API that is protected as docs/oauth.md shows', async (t) => {
  const page = await readFile(`${root}/docs/oauth.md`, 'utf8')
  const [, shown = ''] = /## Protect your API[\s\S]*?```js\n([\s\S]*?)```/.exec(page) ?? []
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const [port, apiPort, SIGNING_ALG] = [await freePort(), await freePort(), 'EdDSA']
  const issuer = `http://127.0.0.1:${port}`
  const OAUTH_CLIENTS_FILE = clientsFile(t, [
    { client_id: 'films', scope: 'films.read' },
    { client_id: 'news', scope: 'news.read' }
  ])
  const settings = { REDIS_URL: redis.url, PUBLIC_URL: issuer, SIGNING_ALG, OAUTH_CLIENTS_FILE, LIMITS: 'off' }
  const service = await startService(t, { ...settings, PORT: `${port}` })
  const { stdout } = await runProgram('cli.js', ['api-keys', 'create', 'films-api'], {
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
  t.same(await ask(await collect('news', 'news.read')), [403, 'Bearer error="insufficient_scope", scope="films.read"'])
  await fetch(`${issuer}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ client_id: 'films', token }) })
  t.same(await ask(token), refused, 'revoked')

  const other = await collect('films', 'films.read')
  await service.stop()
  t.same(await ask(other), [503, ''], 'could not look is not "no"')
})
