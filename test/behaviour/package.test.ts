/**
 * Installs the package that `npm pack` makes of a checkout into an empty folder, and checks its files, its program,
 * what its commands load, and what it exports.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import t from 'tap'
import { GRANTD_SECRET, PATIENT } from '../support/app.js'
import { apiClient } from '../support/client.js'
import { NPM_ENV, runIn } from '../support/npm.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { root } from '../support/root.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'

/** Files of the working copy that are no part of a fresh checkout. */
const LEFT_OUT = ['.git', 'node_modules', 'dist', '.tap']
const SETTINGS = { DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, GRANTD_SECRET }

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}

const temporary = await mkdtemp(join(tmpdir(), 'grantd-package-'))
t.teardown(() => rm(temporary, { recursive: true, force: true }))
const checkout = join(temporary, 'checkout')
const folder = join(temporary, 'empty')
const installed = join(folder, 'node_modules/grantd')

await t.test('npm pack builds it, and it holds what runs, and nothing else', async (t) => {
  await cp(root, checkout, { recursive: true, filter: (path) => !LEFT_OUT.includes(basename(path)) })
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'))
  // The checkout also has leftovers of an earlier build and a secret, which must not be packed.
  await cp(join(root, 'test/support'), join(checkout, 'dist/test'), { recursive: true })
  await writeFile(join(checkout, '.env'), `GRANTD_SECRET=${GRANTD_SECRET}\n`)

  const packed = await runIn(checkout, 'npm', ['pack', '--json', '--pack-destination', temporary])
  t.equal(packed.code, 0, packed.stderr)
  // Some versions of npm first print which script they run.
  const [{ filename, files }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[\n')))

  const sources = (await Promise.all(['src', 'plugins', 'schemas'].map((name) => filesIn(join(root, name)))))
    .flatMap((names, i) => names.map((name) => `dist/${['src', 'plugins', 'schemas'][i]}/${name}`))
    .flatMap((path) => {
      const [, stem] = /^(.*)\.tsx?$/.exec(path) ?? []
      return stem ? [`${stem}.js`, `${stem}.js.map`, `${stem}.d.ts`] : [path]
    })
  t.ok(sources.length > 600 && sources.some((path) => path.endsWith('.lua')), `${sources.length} files`)
  t.strictSame(
    files.map(({ path }: { path: string }) => path).sort(),
    [...sources, 'package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'].sort()
  )

  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  t.match(manifest, { name: 'grantd', private: true, engines: { node: />=20/ }, bin: { grantd: 'dist/src/cli.js' } })
  const install = ['install', '--prefix', folder, '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund']
  const { code, stderr } = await runIn(temporary, 'npm', [...install, '--omit=dev', join(temporary, filename)])
  t.equal(code, 0, stderr)
  const beside = await readdir(join(folder, 'node_modules'))
  t.ok(beside.includes('fastify') && !beside.includes('typescript'), 'with what it needs, and no more')
})

const npx = (...words: string[]) => ['--no', '--', 'grantd', ...words]
const grantd = (words: string[], variables?: Record<string, string>) =>
  runIn(folder, 'node_modules/.bin/grantd', words, variables)

// None changes what another reads of the installed package, so they run side by side.
t.jobs = 3

t.test('its program says what it is, and what it can do', async (t) => {
  const { version } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  const [told, help] = await Promise.all([runIn(folder, 'npx', npx('--version')), grantd(['--help'])])
  t.match(told, { code: 0, stdout: `${version}\n`, stderr: '' })
  t.match(help, { code: 0, stdout: /^usage: grantd serve [\s\S]+grantd clients secret/, stderr: '' })
  t.match(await grantd(['frobnicate']), {
    ...{ code: 2, stdout: '' },
    stderr: `grantd: there is no command frobnicate\n\n${help.stdout}`
  })
  t.match(await grantd(['serve', '--port', '4']), { code: 2, stderr: /^grantd: serve takes no arguments/ })
  t.match(await grantd(['serve', '4']), { code: 2, stderr: /^grantd: serve takes no arguments: .* PORT/ })
  t.match(await grantd(['clients', 'secret']), { code: 0, stdout: /^client_secret +[\w-]{43}\n/ })
})

/** Starts the program in its own process group, because npx runs it through a shell. */
function serve(t: { teardown(handler: () => unknown): void }, variables: Record<string, string>) {
  const env = { ...NPM_ENV, ...SETTINGS, ...variables }
  const child: ChildProcess = spawn('npx', npx('serve'), { cwd: folder, env, detached: true })
  let output = ''
  const ended = once(child, 'close').then(([code]) => code as number | null)
  // There is no time limit, because a busy machine may be slow. A service that cannot start ends.
  const listens = new Promise<boolean>((resolve) => {
    ended.then(() => resolve(false))
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        output += data
        if (output.includes('Server listening')) resolve(true)
      })
    }
  })
  const kill = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-Number(child.pid), signal)
  }
  t.teardown(async () => {
    kill('SIGKILL')
    await ended
  })
  return { ended, listens, kill, output: () => output }
}

t.test('npx grantd serve: a whole grant, the pages and their style sheet, and an end in order', async (t) => {
  const port = await freePort()
  const { ended, listens, kill, output } = serve(t, { PORT: `${port}` })
  t.ok(await listens, output())
  const url = `http://127.0.0.1:${port}`
  const api = apiClient(url)
  const { grant_code, user_code } = await api.start()
  t.equal((await api.poll(grant_code)).body.status, 'authorization_pending')
  t.equal((await api.decide(user_code, 'alice')).status, 200)
  const { status, jwt } = (await api.poll(grant_code)).body
  t.equal(status, 'approved')
  t.match((await api.call('GET', '/auth/clients', { token: jwt })).body, { data: [{ client_type: 'cli' }] })

  const page = await fetch(`${url}/login`)
  t.equal(page.status, 200)
  const [, styles = ''] = /<link rel="stylesheet" href="([^"]+)"/.exec(await page.text()) ?? []
  const sheet = await fetch(new URL(styles, url))
  t.match(sheet.headers.get('content-type'), /^text\/css/)
  t.ok((await sheet.text()).length > 1_000)
  t.equal((await fetch(`${url}/docs`)).status, 200)

  kill('SIGTERM')
  await ended
  t.match(output(), '"msg":"stopped"')
})

/** Writes a module for `--import` that records every module resolved after it. */
async function writeProbe(): Promise<{ probe: string; loaded: () => Promise<string[]> }> {
  const [probe, hooks, list] = ['probe.mjs', 'hooks.mjs', 'loaded'].map((name) => join(temporary, name)) as [
    string,
    string,
    string
  ]
  await writeFile(probe, "import { register } from 'node:module'\nregister('./hooks.mjs', import.meta.url)\n")
  await writeFile(
    hooks,
    `import { appendFileSync } from 'node:fs'
export async function resolve(name, context, next) {
  const found = await next(name, context)
  appendFileSync(${JSON.stringify(list)}, found.url + '\\n')
  return found
}
`
  )
  return { probe, loaded: async () => (await readFile(list, 'utf8')).trim().split('\n') }
}

t.test('an operator command runs over Redis, and loads neither Fastify nor the pages', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const settings = { ...PATIENT, ...SETTINGS, REDIS_URL: redis.url }
  const { probe, loaded } = await writeProbe()
  const program = join(installed, 'dist/src/cli.js')
  const listed = await runIn(folder, process.execPath, ['--import', probe, program, 'keys', 'list'], settings)
  t.equal(listed.code, 0, listed.stderr)
  const modules = (await loaded()).map((url) => url.replace(/^.*\/node_modules\//, ''))
  t.ok(modules.some((name) => name === 'grantd/dist/src/core/index.js') && modules.length > 60, `${modules.length}`)
  t.ok(
    modules.some((name) => name.startsWith('ioredis/')),
    'packages are seen'
  )
  const ofTheWeb =
    /^(fastify|@fastify|pino|preact|prom-client|close-with-grace|grantd\/dist\/(plugins|src\/(routes|app|server)))\b/
  t.strictSame(
    modules.filter((name) => ofTheWeb.test(name)),
    []
  )

  const made = await grantd(['api-keys', 'create', 'acme'], settings)
  t.match(made, { code: 0, stdout: /^uga_acme\.\S+\nmade for acme / })
  t.equal((await grantd(['keys', 'rotate'], settings)).code, 0)

  const { ended, output } = serve(t, { ...settings, GRANTD_SECRET: 'x'.repeat(40), PORT: `${await freePort()}` })
  t.equal(await ended, 1)
  t.match(output(), /grantd: could not start: signing key [\w-]+ cannot be opened with GRANTD_SECRET\n/)
  t.match(output(), /src\/core\/tokens\/signing-key\.ts:\d+/, 'stack traces name the sources')
})

t.test('a program that holds it inside, as docs/install.md shows, is typed and runs', async (t) => {
  const page = await readFile(join(root, 'docs/install.md'), 'utf8')
  const [, shown = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? []
  const port = await freePort()
  const script = shown.replace("'3334'", `'${port}'`)
  t.not(script, shown)
  const asked = `console.log((await fetch('http://127.0.0.1:${port}/healthz')).status)\nawait stop()\n`
  await writeFile(join(folder, 'embed.mjs'), script + asked)
  t.match(await runIn(folder, process.execPath, ['embed.mjs']), { code: 0, stdout: /^200\n$/m })

  const wrong = '// @ts-expect-error: PORT is a number there\nexport const port: string = config.port\n'
  await writeFile(join(folder, 'embed.mts'), script + wrong)
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', '--noEmit']
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
  const checked = await runIn(folder, process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    ...options,
    ...types,
    'embed.mts'
  ])
  t.equal(checked.code, 0, checked.stdout)
})

t.test('the image starts the same program, as process 1 without a shell in between', async (t) => {
  const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8')
  const [, command = ''] = /^CMD (\[.*\])$/m.exec(dockerfile) ?? []
  const { bin } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  t.strictSame(JSON.parse(command), ['node', bin.grantd, 'serve'])
  t.match(dockerfile, `ln -s /app/${bin.grantd} /usr/local/bin/grantd`)
  const unit = await readFile(join(root, 'deploy/systemd/grantd.service'), 'utf8')
  t.match(unit, /^ExecStart=\/opt\/grantd\/bin\/grantd serve$/m)
})
