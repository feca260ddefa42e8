/**
 * `npm run test:unit` needs only Node.js. test/unit-tests.txt lists its files; every other test file starts a program.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** A test that imports one of these starts a program: redis-server, nginx, curl, promtool, a browser, the built service. */
const STARTS_PROGRAMS = ['node:child_process', 'playwright-core', 'puppeteer-core']
/** The files of test/support that start a server, or import one that does. */
const STARTERS = ['redis-server', 'redis-cluster', 'redis-sentinel', 'nginx', 'browser', 'firefox', 'service'].map(
  (name) => `test/support/${name}.ts`
)

const testFiles = readdirSync(join(root, 'test'), { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .sort()

/** Returns everything that a file imports, directly or not: paths from the root, and names of packages. */
function reachableFrom(file: string, seen = new Set<string>()): Set<string> {
  for (const [, name = ''] of read(file).matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const plain = name.startsWith('.') ? join(dirname(file), name).replace(/\.js$/, '.ts') : name
    const path = existsSync(join(root, `${plain}x`)) ? `${plain}x` : plain
    if (seen.has(path)) continue
    seen.add(path)
    if (name.startsWith('.') && existsSync(join(root, path))) reachableFrom(path, seen)
  }
  return seen
}

const listed = read('test/unit-tests.txt').trimEnd().split('\n')
const startsPrograms = (file: string) => [...reachableFrom(file)].some((path) => STARTS_PROGRAMS.includes(path))

t.test('the list names test files that exist, each once and in order', async (t) => {
  t.ok(listed.length >= 25, `${listed.length} files`)
  t.strictSame(listed, [...new Set(listed)].sort())
  for (const file of listed) t.ok(testFiles.includes(file), file)
})

t.test('every test file is in one of the two groups, by what it needs', async (t) => {
  t.ok(testFiles.length >= 75, `${testFiles.length} test files`)
  const needNodeAlone = testFiles.filter((file) => !startsPrograms(file))
  t.strictSame(listed, needNodeAlone)
  t.ok(testFiles.length - listed.length >= 30, 'the other group is seen')
})

t.test('the unit group imports none of the starters, and the other group imports each of them', async (t) => {
  const others = testFiles.filter((file) => !listed.includes(file))
  for (const starter of STARTERS) {
    t.ok(startsPrograms(starter), `${starter} starts a program`)
    t.strictSame(
      listed.filter((file) => reachableFrom(file).has(starter)),
      [],
      starter
    )
    t.ok(
      others.some((file) => reachableFrom(file).has(starter)),
      `${starter} is used`
    )
  }
})
