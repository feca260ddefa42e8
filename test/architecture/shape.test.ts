/**
 * Checks the shape of the repository: its layers, its folders without circles, the size of its files, and the two groups
 * of tests. `npm run test:unit` needs only Node.js: test/unit-tests.txt lists its files, and every other test file starts
 * a program.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { root } from '../support/root.js'
import { circlesOf, type Import, importsOf, show, sourceFiles, within } from './source-imports.js'

const service = ['src', 'plugins', 'schemas'].flatMap(sourceFiles)
const imports = service.flatMap(importsOf).filter(({ isPackage }) => !isPackage)

/** The layers from the top down. A file may import from its own layer and from lower ones; type imports count too. */
const FLOORS: readonly (readonly string[])[] = [
  ['src/server.ts', 'src/cli.ts', 'src/cli', 'src/index.ts'],
  ['src/stop.ts', 'src/process'],
  ['src/app.ts', 'src/bare-app.ts'],
  ['plugins', 'src/routes', 'src/logger.ts', 'src/schema-compilers.ts'],
  ['src/admin-views.ts'],
  ['src/storage', 'src/tracing'],
  ['src/config'],
  ['schemas'],
  ['src/core']
]
const floorOf = (path: string) => FLOORS.findIndex((rooms) => within(path, ...rooms))

/** Returns the folder of the core that a file is in, or the file itself if it lies directly in src/core. */
const roomOf = (path: string) => (path.split('/').length > 3 ? path.split('/', 3).join('/') : path)

function graphOf(found: Import[], nameOf: (path: string) => string): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>()
  for (const { from, to } of found) {
    const [a, b] = [nameOf(from), nameOf(to)]
    graph.set(a, graph.get(a) ?? new Set())
    if (a !== b) graph.get(a)?.add(b)
  }
  return graph
}

/** A test that imports one of these starts a program: redis-server, nginx, curl, promtool, a browser, the built service. */
const STARTS_PROGRAMS = ['node:child_process', 'playwright-core', 'puppeteer-core']
/** The files of test/support that start a server, or import one that does. */
const STARTERS = [
  'redis-server',
  'redis-cluster',
  'redis-sentinel',
  'nginx',
  'haproxy',
  'caddy',
  'apache',
  'browser',
  'firefox',
  'service'
].map((name) => `test/support/${name}.ts`)

const testFiles = sourceFiles('test')
  .filter((file) => file.endsWith('.test.ts'))
  .sort()
const listed = readFileSync(join(root, 'test/unit-tests.txt'), 'utf8').trimEnd().split('\n')

/** Returns everything that a file imports, directly or not: paths from the root, and names of packages. */
function reachableFrom(file: string, seen = new Set<string>()): Set<string> {
  for (const { to, isPackage } of importsOf(file)) {
    if (seen.has(to)) continue
    seen.add(to)
    if (!isPackage && existsSync(join(root, to))) reachableFrom(to, seen)
  }
  return seen
}

const startsPrograms = (file: string) => [...reachableFrom(file)].some((path) => STARTS_PROGRAMS.includes(path))

t.test('circles are found where there are some', async (t) => {
  t.strictSame(
    circlesOf(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', []]
      ])
    ),
    []
  )
  t.strictSame(
    circlesOf(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['b']]
      ])
    ),
    ['b → c → b']
  )
})

t.test('every file stands on a floor, and no import points up', async (t) => {
  t.ok(service.length >= 200, `${service.length} files`)
  t.ok(imports.length >= 700, `${imports.length} imports`)
  t.strictSame(
    service.filter((file) => floorOf(file) < 0),
    [],
    'files of no floor'
  )
  t.strictSame(show(imports.filter(({ from, to }) => floorOf(to) < floorOf(from))), [])
})

t.test('the folders of the core form no circle, types included', async (t) => {
  const ofCore = imports.filter(({ from }) => within(from, 'src/core'))
  const rooms = graphOf(ofCore, roomOf)
  const folders = [...rooms.keys()].filter((name) => !name.endsWith('.ts'))
  t.ok(folders.length >= 13, folders.join(' '))
  t.ok([...rooms.values()].reduce((sum, { size }) => sum + size, 0) >= 60, 'arrows between rooms')
  t.ok(
    ofCore.some(({ isType }) => isType),
    'types are among them'
  )
  t.strictSame(circlesOf(rooms), [])
})

t.test('nobody but the core itself and its tests imports a service behind the door', async (t) => {
  const makers = imports.filter(
    ({ from, to }) =>
      within(from, 'plugins', 'src/routes', 'src/cli', 'src/app.ts', 'src/bare-app.ts') && within(to, 'src/core')
  )
  t.ok(makers.length >= 60, `${makers.length} imports of the core`)
  const building = makers.filter(({ from, to }) => {
    const text = readFileSync(join(root, from), 'utf8')
    return to !== 'src/core/index.ts' && /import \{[^}]*\bcreate[A-Z]\w*[^}]*\} from '[^']*core\//.test(text)
  })
  // plugins/time-limit.ts makes a deadline for each request, because the web needs one as well.
  t.strictSame(
    [...new Set(building.map(({ from }) => from))].filter((file) => file !== 'plugins/time-limit.ts'),
    []
  )
})

t.test(
  'no files import each other in a circle: not in the service, nor in packages, bench, examples and generator',
  async (t) => {
    for (const folders of [
      ['src', 'plugins', 'schemas'],
      ['packages'],
      ['bench'],
      ['examples'],
      ['openapi'],
      ['test']
    ]) {
      const files = folders.flatMap(sourceFiles)
      const local = files.flatMap(importsOf).filter(({ isPackage }) => !isPackage)
      t.ok(local.length >= 5, `${folders.join(' ')}: ${local.length} imports`)
      t.strictSame(circlesOf(graphOf(local, (path) => path)), [], folders.join(' '))
    }
  }
)

t.test('files are of a size that is read at once', async (t) => {
  const all = ['src', 'plugins'].flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && /\.(tsx?|lua)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
  )
  const sizes = all.map((file) => readFileSync(file, 'utf8').split('\n').length - 1).sort((a, b) => a - b)
  const quantile = (part: number) => sizes[Math.floor(part * (sizes.length - 1))] ?? 0
  // 260 files did what there was when the folders took this shape. What is new since then brings files of its own: of this size, and
  // not more than 30 to a folder.
  t.ok(sizes.length >= 180, `${sizes.length} files`)
  const perFolder = new Map<string, number>()
  for (const file of all) perFolder.set(dirname(file), (perFolder.get(dirname(file)) ?? 0) + 1)
  for (const [folder, count] of perFolder) t.ok(count <= 30, `${count} files in ${relative(root, folder)}`)
  t.ok(quantile(0.5) >= 40 && quantile(0.5) <= 70, `median ${quantile(0.5)}`)
  t.ok(quantile(0.9) <= 130, `nine of ten have at most ${quantile(0.9)} lines`)
})

t.test('the list names test files that exist, each once and in order', async (t) => {
  t.ok(listed.length >= 20, `${listed.length} files`)
  t.strictSame(listed, [...new Set(listed)].sort())
  for (const file of listed) t.ok(testFiles.includes(file), file)
})

t.test('every test file is in one of the two groups, by what it needs', async (t) => {
  t.ok(testFiles.length >= 60, `${testFiles.length} test files`)
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
