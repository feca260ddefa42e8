/**
 * Runs the tests of a list on other engines, on other versions of Node or behind other proxies, and writes what came out into the table
 * of docs/tested-with.md: `npm run test:engines [-- NAME …]`, `npm run test:runtimes [-- NAME …]` and `npm run test:proxies [-- NAME …]`.
 * What each run said is kept in node_modules/.cache/matrix. Ends with code 1 if anything failed.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { replaceRow } from './tested-with.js'

const MATRICES = {
  engines: {
    names: 'ensure-unpacked.sh',
    all: ['engines'],
    list: 'test/engine-tests.txt',
    version: 'redis-server --version'
  },
  runtimes: { names: 'ensure-runtimes.sh', all: [], list: 'test/runtime-tests.txt', version: 'node --version' },
  proxies: { names: 'ensure-unpacked.sh', all: ['proxies'], list: 'test/proxy-tests.txt', version: undefined }
} as const
/** How each proxy says its version, by what the test calls it. */
const PROXY_VERSIONS: Readonly<Record<string, string>> = {
  nginx: 'nginx -v',
  haproxy: 'haproxy -v',
  caddy: 'caddy version',
  apache: 'apache2 -v'
}

const root = fileURLToPath(new URL('../', import.meta.url))
const KEPT = `${root}node_modules/.cache/matrix`

const [kind = '', ...names] = process.argv.slice(2)
if (kind !== 'engines' && kind !== 'runtimes' && kind !== 'proxies') {
  throw new Error('usage: test-matrix.ts engines|runtimes|proxies [NAME …]')
}
const matrix = MATRICES[kind]
const asked = names.length > 0 ? names : matrix.all

/** The programs of each, by its name: the folder that its PATH begins with is called after it. */
const folders = execFileSync('bash', [`${root}scripts/${matrix.names}`, ...asked], { encoding: 'utf8' })
  .trim()
  .split('\n')
const files = readFileSync(`${root}${matrix.list}`, 'utf8').trim().split('\n')

let hasFailed = false
for (const folder of folders) {
  const name = /\.cache\/\w+\/([^/]+)/.exec(folder)?.[1] ?? folder
  const [proxy = ''] = name.split('-')
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env.PATH}`,
    ...(kind === 'proxies' && { PROXY: proxy })
  }
  const asks = matrix.version ?? PROXY_VERSIONS[proxy] ?? ''
  // Some say it on standard error.
  const version = execFileSync('sh', ['-c', `${asks} 2>&1`], { env, encoding: 'utf8' }).trim()
  const startedAt = performance.now()
  const { passed, failed } = await runTests(name, env)
  const minutes = Math.ceil((performance.now() - startedAt) / 60_000)
  hasFailed ||= failed > 0 || passed === 0
  const shown = /(\d+(?:\.\d+)+)/.exec(version)?.[1] ?? version
  const day = new Date().toISOString().slice(0, 10)
  replaceRow(kind, [name, shown, `${files.length}`, passed.toLocaleString('en'), `${failed}`, `${minutes}`, day])
  console.log(`${name} ${shown}: ${passed} passed, ${failed} failed`)
}
process.exit(hasFailed ? 1 : 0)

/** Runs the list, one file at a time, and counts. A run that fails without counting it has failed once. */
async function runTests(name: string, env: NodeJS.ProcessEnv): Promise<{ passed: number; failed: number }> {
  const built = files.map((file) => file.replace(/^/, 'dist/').replace(/ts$/, 'js'))
  const args = ['--jobs=1', '--reporter=tap', ...built]
  const tap = spawn('node', [`${root}node_modules/.bin/tap`, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  tap.stdout.on('data', (data) => {
    output += data
  })
  const [code] = await once(tap, 'close')
  mkdirSync(KEPT, { recursive: true })
  writeFileSync(`${KEPT}/${name}.tap`, output)
  for (const line of output.split('\n')) if (/^\s*not ok/.test(line)) console.log(line)
  const summary = /^# \{ total: .*$/m.exec(output.slice(output.lastIndexOf('\n# { total: ')))?.[0] ?? ''
  const count = (what: string) => Number(new RegExp(`${what}: (\\d+)`).exec(summary)?.[1] ?? 0)
  const failed = count('fail')
  return { passed: count('pass'), failed: code !== 0 && failed === 0 ? 1 : failed }
}
