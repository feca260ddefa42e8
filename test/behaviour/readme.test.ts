/** What the README tells people to paste works when pasted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { freePort } from '../support/redis-server.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('the walk through a whole grant with curl', async (t) => {
  const readme = await readFile(`${root}/README.md`, 'utf8')
  const [, walk] = /## A whole grant with curl[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme) ?? []
  if (!walk) throw new Error('the README has lost its walk')
  const port = await freePort()
  // As pasted, but for the port, the log's place, and the build that is there already.
  const script = walk
    .replaceAll('localhost:3333', `localhost:${port}`)
    .replace('npm start > grantd.log', `PORT=${port} npm start --ignore-scripts > /dev/null`)
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
