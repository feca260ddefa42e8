/**
 * Checks what the service imports, and which versions are locked of the packages that it gets: each layer knows only
 * what it may, and no package has a known vulnerability.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'
import t from 'tap'
import { root } from '../support/root.js'
import { type Import, importsOf, show, sourceFiles, within } from './source-imports.js'

const files = ['src', 'plugins', 'schemas'].flatMap(sourceFiles)
const imports = files.flatMap(importsOf)

/** The core: rules that know neither the web nor a storage engine. */
const CORE = 'src/core'

interface Lock {
  lockfileVersion: number
  packages: Record<string, { version?: string; resolved?: string; integrity?: string; dev?: boolean; link?: boolean }>
}

/** Earlier versions have a known vulnerability. */
const FLOORS: Record<string, string> = {
  fastify: '5.12.6',
  'fast-jwt': '6.3.0',
  '@fastify/proxy-addr': '5.1.1',
  '@fastify/forwarded': '3.0.2',
  ioredis: '6.0.0'
}
/**
 * These packages add path-scoped middleware, which a request can bypass and still reach the route, or do not work with
 * Fastify 5.
 */
const BANNED = [
  '@fastify/middie',
  '@fastify/express',
  'middie',
  'fastify-express',
  'fastify-rate-limit',
  'fastify-csrf',
  'jsonwebtoken'
]

const readJson = <T>(path: string) => JSON.parse(readFileSync(join(root, path), 'utf8')) as T

/** Compares two versions; positive when a is newer than b. A pre-release is older than its release. */
function compare(a: string, b: string): number {
  const parts = (version: string) => version.split('-')[0]?.split('.').map(Number) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return (left[i] ?? 0) - (right[i] ?? 0)
  return Number(b.includes('-')) - Number(a.includes('-'))
}

t.test('it looked at the whole of it', async (t) => {
  t.ok(files.length >= 200, `${files.length} files`)
  t.ok(imports.length >= 900, `${imports.length} imports`)
  const local = imports.filter(({ isPackage }) => !isPackage)
  t.strictSame(
    show(local.filter(({ to }) => !files.includes(to))),
    [],
    'every local import is a file that was looked at'
  )
  const folders = new Set(files.filter((file) => within(file, CORE)).map((file) => file.split('/')[2]))
  t.ok(folders.size >= 13, [...folders].join(' '))
  t.ok(imports.some(({ to }) => to === 'fastify') && imports.some(({ to }) => to === 'ioredis'), 'packages are seen')
})

t.test('the core knows no web, no engine and no configuration but its own', async (t) => {
  const forbidden = /^(fastify|fastify-plugin|@fastify\/|ioredis|prom-client|pino)/
  const core = imports.filter(({ from }) => within(from, CORE))
  t.ok(core.length >= 205, `${core.length} imports`)
  t.strictSame(show(core.filter(({ to, isPackage }) => isPackage && forbidden.test(to))), [])
  t.strictSame(show(core.filter((one) => !one.isPackage && !within(one.to, CORE))), [], 'itself alone')
})

t.test(
  'the core reaches the network through upstream and trust, and asks for TXT records for its issuers',
  async (t) => {
    const network = /^(openid-client|node:(http|https|http2|net|tls|dns|dgram)(\/.*)?)$/
    const reaching = imports.filter(
      ({ from, to, isPackage, isType }) => isPackage && !isType && within(from, CORE) && network.test(to)
    )
    t.ok(reaching.length >= 5, `${reaching.length} imports`)
    const places = ['src/core/upstream', 'src/core/trust', 'src/core/issuers/challenge.ts']
    t.strictSame(show(reaching.filter(({ from }) => !within(from, ...places))), [])
    const calls = files.filter((file) => within(file, CORE) && /\bfetch\(/.test(readFileSync(join(root, file), 'utf8')))
    t.ok(calls.length > 0, 'calls of fetch are seen')
    t.strictSame(
      calls.filter((file) => !within(file, ...places)),
      []
    )
  }
)

t.test('the storage implements the interfaces of the core, and a plugin and the commands alone know it', async (t) => {
  const users = imports.filter(({ from, to }) => within(to, 'src/storage') && !within(from, 'src/storage'))
  t.strictSame([...new Set(users.map(({ from }) => from))].sort(), ['plugins/storage.ts', 'src/cli/operator.ts'])
  t.strictSame([...new Set(users.map(({ to }) => to))], ['src/storage/index.ts'], 'by its door')
  const storage = imports.filter(({ from }) => within(from, 'src/storage'))
  t.ok(storage.length >= 85, `${storage.length} imports`)
  const allowed = ({ to }: Import) => within(to, 'src/storage', CORE, 'src/config/redis.ts')
  t.strictSame(show(storage.filter((one) => !one.isPackage && !allowed(one))), [])
  t.strictSame(show(storage.filter(({ to, isPackage }) => isPackage && /fastify/.test(to))), [])
  const crossing = storage.filter(
    ({ from, to }) =>
      (within(from, 'src/storage/memory') && within(to, 'src/storage/redis')) ||
      (within(from, 'src/storage/redis') && within(to, 'src/storage/memory'))
  )
  t.strictSame(show(crossing), [], 'no engine knows the other')
})

t.test('the driver of Redis is known in one folder', async (t) => {
  const users = imports.filter(({ to }) => to === 'ioredis').map(({ from }) => from)
  t.ok(users.length > 0)
  t.strictSame(
    users.filter((file) => !within(file, 'src/storage/redis')),
    []
  )
})

t.test('the packages of traces are known in one folder, which one plugin loads where it is called for', async (t) => {
  const ofTraces = /^(@opentelemetry\/|@fastify\/otel$)/
  const users = imports.filter(({ to }) => ofTraces.test(to)).map(({ from }) => from)
  t.ok(users.length >= 10, `${users.length} imports`)
  t.strictSame(
    users.filter((file) => !within(file, 'src/tracing')),
    []
  )
  const loaders = imports.filter(({ from, to }) => within(to, 'src/tracing') && !within(from, 'src/tracing'))
  t.strictSame(
    loaders.filter(({ isType }) => !isType).map(({ from, to, isDynamic }) => [from, to, isDynamic]),
    [['plugins/tracing.ts', 'src/tracing/index.ts', true]]
  )
})

t.test('routes parse, call and render: no storage, no secrets, no application', async (t) => {
  const routes = imports.filter(({ from }) => within(from, 'src/routes'))
  t.ok(routes.length >= 350, `${routes.length} imports`)
  // What the admin API shows of things is what the commands show of them.
  const allowed = ({ to }: Import) =>
    within(to, 'src/routes', 'src/admin-views.ts', 'schemas', CORE) &&
    !within(to, 'src/core/secrets', 'src/core/index.ts')
  t.strictSame(show(routes.filter((one) => !one.isPackage && !allowed(one))), [])
})

t.test('routes import nothing from plugins, not even a type: what plugins offer is decorated', async (t) => {
  const routes = imports.filter(({ from }) => within(from, 'src/routes'))
  t.ok(routes.length >= 300, `${routes.length} imports`)
  t.strictSame(show(routes.filter(({ to }) => within(to, 'plugins'))), [])
  const users = [...new Set(imports.filter(({ to }) => within(to, 'plugins')).map(({ from }) => from))]
  t.ok(users.includes('src/app.ts'), 'imports of plugins are seen')
  t.strictSame(
    users.filter((file) => !within(file, 'plugins', 'src/app.ts', 'src/bare-app.ts')),
    []
  )
})

t.test('plugins know the core, the storage and the configuration, never a route', async (t) => {
  const plugins = imports.filter(({ from }) => within(from, 'plugins'))
  t.ok(plugins.length >= 50, `${plugins.length} imports`)
  t.strictSame(show(plugins.filter(({ to }) => within(to, 'src/routes', 'src/app.ts', 'src/bare-app.ts'))), [])
})

t.test('the application is built by the server, and handed on by the door of the package', async (t) => {
  const users = imports.filter(({ to }) => to === 'src/app.ts').map(({ from }) => from)
  t.strictSame(users.sort(), ['src/index.ts', 'src/server.ts'])
  const programs = ['src/server.ts', 'src/cli.ts', 'src/index.ts']
  t.strictSame(
    imports.filter(({ to }) => programs.includes(to)).map(({ from, to, isDynamic }) => [from, to, isDynamic]),
    [['src/cli.ts', 'src/server.ts', true]],
    'nobody imports a program, but for `grantd serve`, which loads the service when it is called for'
  )
  t.strictSame(
    show(imports.filter(({ to }) => within(to, 'test', 'bench', 'openapi', 'deploy', 'examples'))),
    [],
    'nor what stays here'
  )
})

t.test('the operator commands need neither Fastify nor a route nor the metrics', async (t) => {
  const reached = new Set<string>(['src/cli.ts'])
  const packages = new Set<string>()
  for (const file of reached) {
    for (const { from, to, isPackage, isType, isDynamic } of imports) {
      // `grantd serve` loads the service by import(). test/behaviour/package.test.ts checks what the other commands
      // load.
      if (from !== file || isType || (isDynamic && to === 'src/server.ts')) continue
      if (isPackage) packages.add(to)
      else reached.add(to)
    }
  }
  t.ok(reached.size >= 60, `${reached.size} files`)
  t.ok(packages.has('ioredis'), 'packages are seen')
  t.strictSame(
    [...reached].filter((file) => within(file, 'src/routes', 'plugins', 'src/app.ts')),
    []
  )
  t.strictSame(
    [...packages].filter((name) => /fastify|^prom-client|^pino|^preact/.test(name)),
    []
  )
})

t.test('what others install imports nothing of the service, and of packages only what it names', async (t) => {
  const folders = readdirSync(join(root, 'packages'))
  t.ok(folders.includes('verify'), folders.join(' '))
  for (const folder of folders.map((name) => `packages/${name}`)) {
    const manifest = readJson<Record<string, object>>(`${folder}/package.json`)
    const named = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const theirs = sourceFiles(`${folder}/src`).flatMap(importsOf)
    t.ok(theirs.length >= 10, `${folder}: ${theirs.length} imports`)
    t.strictSame(show(theirs.filter(({ to, isPackage }) => !isPackage && !within(to, `${folder}/src`))), [])
    t.strictSame(show(theirs.filter(({ to, isPackage }) => isPackage && !isBuiltin(to) && !named.includes(to))), [])
  }
  t.strictSame(show(imports.filter(({ to }) => to.startsWith('@grantd/') || within(to, 'packages'))), [])
})

t.test('@grantd/verify needs jose alone, Fastify for its types, and no module of Node.js', async (t) => {
  const { dependencies, peerDependenciesMeta } =
    readJson<Record<string, Record<string, object>>>('packages/verify/package.json')
  t.strictSame(Object.keys(dependencies ?? {}), ['jose'])
  t.strictSame(peerDependenciesMeta, { fastify: { optional: true } })
  const packages = sourceFiles('packages/verify/src')
    .flatMap(importsOf)
    .filter(({ isPackage }) => isPackage)
  t.ok(packages.length >= 3, show(packages).join(', '))
  t.strictSame(show(packages.filter(({ to, isType }) => to !== 'jose' && !(to === 'fastify' && isType))), [])
})

t.test('every package is installed where only the service is: none is there for development alone', async (t) => {
  const { dependencies } = readJson<{ dependencies: object }>('package.json')
  const packages = imports.filter(({ to, isPackage }) => isPackage && !isBuiltin(to))
  t.ok(packages.length >= 80, `${packages.length} imports`)
  const nameOf = (path: string) => path.split('/', path.startsWith('@') ? 2 : 1).join('/')
  t.strictSame(show(packages.filter(({ to }) => !(nameOf(to) in dependencies))), [])
})

t.test('one file spells the keys of Redis', async (t) => {
  const kinds = [
    'authorized-client:',
    'api-key:',
    'session:',
    'identity:',
    'profile:',
    'email:',
    'user:',
    'epoch:',
    'marker:',
    'account:',
    'account-owner:',
    'provider:',
    'provider-owner:',
    'provider-client:',
    'domain:',
    'domain-holder:',
    'tenant:',
    'tenant-provider:',
    'tenant-policy:',
    'webhook:',
    'revocation:'
  ]
  const stems = ['grant:', 'user-code:', 'refresh-family:', 'limit:', 'lock:', 'signing-keys', 'decisions']
  const spelling = readFileSync(join(root, 'src/storage/redis/keys.ts'), 'utf8')
  for (const stem of stems) t.ok(spelling.includes(stem), stem)
  let looked = 0
  const lua = readdirSync(join(root, 'src/storage/redis/scripts')).map((name) => `src/storage/redis/scripts/${name}`)
  for (const file of lua) {
    const code = readFileSync(join(root, file), 'utf8').replaceAll(/--.*$/gm, '')
    // grant-poll judges one key after the other, and writes in one place: what it hands over is a key of its own.
    const handed = file.endsWith('/grant-poll.lua') ? /^(KEYS\[[\di]\]|key)$/ : /^KEYS\[[\di]\]$/
    const calls = [...code.matchAll(/call\(\s*'([A-Z]+)'(?:,\s*([^,)]+))?/g)]
    t.ok(calls.length > 0, file)
    for (const [, command, key] of calls) {
      looked += 1
      // The argument of SPUBLISH is a channel and no key, so it is handed over like the message.
      if (command === 'SPUBLISH') t.match(key, /^ARGV\[\d\]$/, `${file}: ${command}`)
      // KEYS[i] is one of many that were handed over.
      else if (command !== 'TIME') t.match(key, handed, `${file}: ${command}`)
    }
    t.notMatch(code, new RegExp(`['"](${[...stems, ...kinds].join('|')})`), `${file} spells no key`)
  }
  t.ok(looked >= 25, `${looked} calls in scripts`)
  for (const file of files.filter((file) => within(file, 'src/storage/redis') && !file.endsWith('/keys.ts'))) {
    const text = readFileSync(join(root, file), 'utf8')
    new Visitor({
      TemplateLiteral: ({ quasis, expressions, start, end }) => {
        const [first] = expressions
        if (!first) return
        const shown = `${file}: ${text.slice(start, end)}`
        // A template that starts with a prefix or a stem would build a key.
        const head = quasis[0]?.value.cooked ?? ''
        t.notOk(
          [...stems, ...kinds].some((stem) => head.includes(stem)),
          shown
        )
        t.not(text.slice(first.start, first.end), 'prefix', shown)
      }
    }).visit(parseSync(file, text).program)
  }
})

t.test('no test listens on a port that the system chooses', async (t) => {
  // Port 0 lets the system choose a port, which it may give twice or to another program while a server is down (see
  // test/support/ports.ts).
  const tests = sourceFiles('test').map((file) => [file, readFileSync(join(root, file), 'utf8')] as const)
  const LISTENS = /\.listen\(\s*(?:0\b|\)|\{[^}]*port: 0\b)/
  t.strictSame(
    tests.filter(([, text]) => LISTENS.test(text)).map(([file]) => file),
    []
  )
  t.ok(tests.filter(([, text]) => /\.listen\(/.test(text)).length >= 15)
})

t.test('versions are compared as numbers', async (t) => {
  t.ok(compare('5.12.10', '5.12.6') > 0)
  t.ok(compare('5.9.0', '5.12.6') < 0)
  t.ok(compare('6.0.0-beta.1', '6.0.0') < 0)
  t.equal(compare('6.0.0', '6.0.0'), 0)
})

t.test('package-lock.json', async (t) => {
  const { packages, lockfileVersion } = readJson<Lock>('package-lock.json')
  const entries = Object.entries(packages).filter(([path]) => path !== '')
  const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

  t.test('was read', async (t) => {
    t.equal(lockfileVersion, 3)
    t.ok(entries.length >= 200, `${entries.length} packages`)
  })

  for (const [name, floor] of Object.entries(FLOORS)) {
    t.test(`${name} is at least ${floor}, wherever it is`, async (t) => {
      const found = entries.filter(([path]) => nameOf(path) === name)
      t.ok(found.length > 0, 'it is there')
      for (const [path, { version = '0' }] of found) t.ok(compare(version, floor) >= 0, `${path} ${version}`)
    })
  }

  t.test('what must not be there is not', async (t) => {
    t.strictSame(
      entries.map(([path]) => nameOf(path)).filter((name) => BANNED.includes(name)),
      []
    )
  })

  t.test('names no registry, so that any mirror will do, and every package is sealed', async (t) => {
    // Those of this repository are links to its own folders.
    const own = entries.filter(([path, { link }]) => link || within(path, 'packages'))
    t.ok(own.length >= 2, `${own.length} of our own`)
    t.strictSame(
      own.filter(([path, { resolved = path }]) => !/^packages\/[a-z]+$/.test(resolved)).map(([path]) => path),
      []
    )
    const foreign = entries.filter((entry) => !own.includes(entry))
    t.strictSame(
      foreign.filter(([, { resolved }]) => resolved !== undefined).map(([path, { resolved }]) => `${path} ${resolved}`),
      []
    )
    t.strictSame(
      foreign.filter(([, { integrity }]) => !integrity).map(([path]) => path),
      []
    )
  })

  t.test('what is installed is what is locked', async (t) => {
    for (const name of Object.keys(FLOORS)) {
      const { version } = readJson<{ version: string }>(`node_modules/${name}/package.json`)
      t.equal(version, packages[`node_modules/${name}`]?.version, name)
    }
  })

  t.test('the driver of Redis is pinned, and its engine stated', async (t) => {
    const manifest = readJson<{ dependencies: Record<string, string>; engines: { node: string } }>('package.json')
    t.equal(manifest.dependencies.ioredis, '6.0.0')
    t.equal(manifest.engines.node, '>=20.19')
    for (const [name, range] of Object.entries(manifest.dependencies)) t.match(range, /^[\^~]?\d+\.\d+\.\d+$/, name)
  })
})
