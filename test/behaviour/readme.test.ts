/** What README.md and docs/oauth.md tell people to paste works when pasted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { ClientEntry } from '../../schemas/clients-file.js'
import { readClientsFile } from '../../src/config/clients-file.js'
import { apiClient } from '../support/client.js'
import { freePort } from '../support/ports.js'
import { startService } from '../support/service.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Listens on the default port of the service, unless another program does so already. */
async function takeDefaultPort(t: Test): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  server.listen(3333, '127.0.0.1')
  t.teardown(() => server.close())
  // once() rejects with the error of an 'error' event.
  await once(server, 'listening').catch((error) => t.equal(error.code, 'EADDRINUSE'))
}

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
  const { clients, faults } = readClientsFile(file)
  t.strictSame(faults, [])
  t.match(clients, [
    { id: 'acme-tv', name: 'Acme TV', type: 'other', accessTokenTtlSeconds: 3_600 },
    { id: 'acme-api', secretDigests: [String], grantTypes: [] }
  ])
  const members = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  t.strictSame(members, Object.keys(ClientEntry.properties))
})

/** Runs a client as it is shown, approves its grant as alice, and resolves to all it said. */
async function runClient(t: Test, issuer: string, folder: string, script: string): Promise<string> {
  const program = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-'], {
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

t.test('clients go the way it shows', async (t) => {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  await startService(t, { PORT: `${port}`, PUBLIC_URL: issuer, POLL_INTERVAL_SECONDS: '1' })

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
    const output = await runClient(t, issuer, copy, script)
    t.match(output, `Go to ${issuer}/device and enter `)
    t.match(output, /\nYou are signed in\.\n/)
  })
})
