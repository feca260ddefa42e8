/**
 * Runs the tests of a list on other engines or behind other proxies, or all tests on other versions of Node, and writes what came out into the table
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
  // All tests, and the contract of the storage over each engine.
  runtimes: { names: 'ensure-runtimes.sh', all: [], list: undefined, version: 'node --version' },
  proxies: { names: 'ensure-unpacked.sh', all: ['proxies'], list: 'test/proxy-tests.txt', version: undefined }
} as const
/** What a version of Node runs over each engine. */
const CONTRACT = 'test/storage/redis.test.ts'
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

/** The folders with the programs of each, which a PATH is to begin with. */
function foldersOf(script: string, wanted: readonly string[]): string[] {
  return execFileSync('bash', [`${root}scripts/${script}`, ...wanted], { encoding: 'utf8' })
    .trim()
    .split('\n')
}
/** A folder is called after what is in it. */
const nameOf = (folder: string) => /\.cache\/\w+\/([^/]+)/.exec(folder)?.[1] ?? folder

const folders = foldersOf(matrix.names, asked)
/** Undefined for all tests. */
const files = matrix.list && readFileSync(`${root}${matrix.list}`, 'utf8').trim().split('\n')
const engines = kind === 'runtimes' ? foldersOf('ensure-unpacked.sh', ['engines']) : []

let hasFailed = false
for (const folder of folders) {
  const name = nameOf(folder)
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
  const runs = [await runTests(name, env, files)]
  for (const engine of engines) {
    const over = { ...env, PATH: `${engine}:${env.PATH}` }
    runs.push(await runTests(`${name}-${nameOf(engine)}`, over, [CONTRACT]))
  }
  const passed = runs.reduce((sum, run) => sum + run.passed, 0)
  const failed = runs.reduce((sum, run) => sum + run.failed, 0)
  const minutes = Math.ceil((performance.now() - startedAt) / 60_000)
  hasFailed ||= failed > 0 || passed === 0
  const shown = /(\d+(?:\.\d+)+)/.exec(version)?.[1] ?? version
  const day = new Date().toISOString().slice(0, 10)
  const tests = files ? `${files.length}` : `all, and 1 over ${engines.map(nameOf).join(', ')}`
  replaceRow(kind, [name, shown, tests, passed.toLocaleString('en'), `${failed}`, `${minutes}`, day])
  console.log(`${name} ${shown}: ${passed} passed, ${failed} failed`)
}
process.exit(hasFailed ? 1 : 0)

/** Runs these files one at a time, or all tests as `npm test` does, and counts. A run that fails without counting it has failed once. */
async function runTests(
  name: string,
  env: NodeJS.ProcessEnv,
  of: readonly string[] | undefined
): Promise<{ passed: number; failed: number }> {
  const built = of?.map((file) => file.replace(/^/, 'dist/').replace(/ts$/, 'js'))
  const args = [...(built ? ['--jobs=1', ...built] : []), '--reporter=tap']
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
