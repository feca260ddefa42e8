import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Import {
  /** The file, from the root of the repository. */
  from: string
  /** A file from the root, or the name of a package. */
  to: string
  isPackage: boolean
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

/** Everything a file names: import, export … from, import(), import type and typeof import(). */
function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const names: string[] = []
  const visit = (node: ts.Node): void => {
    const literal =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined
    if (literal && ts.isStringLiteral(literal)) names.push(literal.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names.map((name) => {
    if (!name.startsWith('.')) return { from: file, to: name, isPackage: true }
    const plain = relative(root, join(root, dirname(file), name)).replace(/\.js$/, '.ts')
    const target = existsSync(join(root, `${plain}x`)) ? `${plain}x` : plain
    return { from: file, to: target, isPackage: false }
  })
}

const files = ['src', 'plugins', 'schemas'].flatMap(sourceFiles)
const imports = files.flatMap(importsOf)
const within = (path: string, ...folders: string[]) => folders.some((folder) => path.startsWith(`${folder}/`))
const show = (found: Import[]) => found.map(({ from, to }) => `${from} → ${to}`)

/** The rules: what they are about, and nothing of the web or of an engine. */
const DOMAIN = [
  'src/grants',
  'src/authorized-clients',
  'src/oauth-clients',
  'src/api-keys',
  'src/tokens',
  'src/users',
  'src/limits',
  'src/locks',
  'src/records',
  'src/secrets',
  'src/accounts',
  'src/providers',
  'src/tenants'
]

t.test('it looked at the whole of it', async (t) => {
  t.ok(files.length >= 280, `${files.length} files`)
  t.ok(imports.length >= 1100, `${imports.length} imports`)
  const local = imports.filter(({ isPackage }) => !isPackage)
  t.strictSame(
    show(local.filter(({ to }) => !files.includes(to))),
    [],
    'every local import is a file that was looked at'
  )
  const folders = DOMAIN.filter((folder) => files.some((file) => within(file, folder)))
  t.ok(folders.length >= 13, `${folders.length} domain folders`)
  t.ok(imports.some(({ to }) => to === 'fastify') && imports.some(({ to }) => to === 'ioredis'), 'packages are seen')
})

t.test('the domain knows no web and no engine', async (t) => {
  const forbidden = /^(fastify|fastify-plugin|@fastify\/|ioredis|prom-client|pino)/
  const domain = imports.filter(({ from }) => within(from, ...DOMAIN))
  t.ok(domain.length >= 205, `${domain.length} imports`)
  t.strictSame(show(domain.filter(({ to, isPackage }) => isPackage && forbidden.test(to))), [])
  const allowed = ({ to }: Import) => within(to, ...DOMAIN) || ['src/fault.ts', 'src/clock.ts'].includes(to)
  t.strictSame(show(domain.filter((one) => !one.isPackage && !allowed(one))), [], 'itself, faults and the clock')
})

t.test('the storage implements the interfaces of the domain, and only a plugin knows it', async (t) => {
  const users = imports.filter(({ from, to }) => within(to, 'src/storage') && !within(from, 'src/storage'))
  t.ok(users.length >= 2, `${users.length} imports`)
  t.strictSame([...new Set(users.map(({ from }) => from))], ['plugins/storage.ts'])
  const storage = imports.filter(({ from }) => within(from, 'src/storage'))
  t.ok(storage.length >= 85, `${storage.length} imports`)
  const allowed = ({ to }: Import) =>
    within(to, 'src/storage', ...DOMAIN) ||
    ['src/fault.ts', 'src/clock.ts', 'src/deadline.ts', 'src/redis-config.ts'].includes(to)
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

t.test('routes parse, call and render: no storage, no secrets, no application', async (t) => {
  const routes = imports.filter(({ from }) => within(from, 'src/routes'))
  t.ok(routes.length >= 560, `${routes.length} imports`)
  const allowed = ({ to }: Import) =>
    within(to, 'src/routes', 'schemas', 'plugins', ...DOMAIN.filter((folder) => folder !== 'src/secrets')) ||
    to === 'src/fault.ts'
  t.strictSame(show(routes.filter((one) => !one.isPackage && !allowed(one))), [])
})

t.test('plugins know the domain, the storage and the configuration, never a route', async (t) => {
  const plugins = imports.filter(({ from }) => within(from, 'plugins'))
  t.ok(plugins.length >= 90, `${plugins.length} imports`)
  t.strictSame(show(plugins.filter(({ to }) => within(to, 'src/routes') || to === 'src/app.ts')), [])
})

t.test('the application is built by the programs alone', async (t) => {
  const users = imports.filter(({ to }) => to === 'src/app.ts').map(({ from }) => from)
  t.ok(users.includes('src/server.ts'))
  t.strictSame(
    users.filter((file) => !['src/server.ts', 'src/cli.ts'].includes(file) && !within(file, 'src/demo')),
    []
  )
  t.strictSame(
    show(imports.filter(({ to }) => to === 'src/server.ts' || to === 'src/cli.ts')),
    [],
    'nobody imports a program'
  )
  t.strictSame(
    show(imports.filter(({ to }) => within(to, 'test', 'bench', 'openapi', 'deploy'))),
    [],
    'nor what stays here'
  )
})

t.test('every package is installed where only the service is: none is there for development alone', async (t) => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const packages = imports.filter(({ to, isPackage }) => isPackage && !isBuiltin(to))
  t.ok(packages.length >= 80, `${packages.length} imports`)
  const nameOf = (path: string) => path.split('/', path.startsWith('@') ? 2 : 1).join('/')
  t.strictSame(show(packages.filter(({ to }) => !(nameOf(to) in dependencies))), [])
})

t.test('there are no cycles', async (t) => {
  const targets = new Map(files.map((file) => [file, [] as string[]]))
  for (const { from, to, isPackage } of imports) if (!isPackage) targets.get(from)?.push(to)
  const cycles: string[] = []
  const finished = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (path.includes(file) || finished.has(file)) return
    for (const target of targets.get(file) ?? []) walk(target, [...path, file])
    finished.add(file)
  }
  for (const file of files) walk(file, [])
  t.strictSame(cycles, [])
})

t.test('one file spells the keys of Redis', async (t) => {
  const kinds = [
    'authorized-client:',
    'api-key:',
    'session:',
    'identity:',
    'profile:',
    'account:',
    'account-owner:',
    'provider:',
    'provider-owner:',
    'provider-client:',
    'domain:',
    'domain-holder:',
    'tenant:',
    'tenant-provider:',
    'tenant-policy:'
  ]
  const stems = ['grant:', 'user-code:', 'refresh-family:', 'limit:', 'lock:', 'signing-keys', 'decisions']
  const spelling = readFileSync(join(root, 'src/storage/redis/keys.ts'), 'utf8')
  for (const stem of stems) t.ok(spelling.includes(stem), stem)
  let looked = 0
  const lua = readdirSync(join(root, 'src/storage/redis/scripts')).map((name) => `src/storage/redis/scripts/${name}`)
  for (const file of lua) {
    const code = readFileSync(join(root, file), 'utf8').replaceAll(/--.*$/gm, '')
    const calls = [...code.matchAll(/call\(\s*'([A-Z]+)'(?:,\s*([^,)]+))?/g)]
    t.ok(calls.length > 0, file)
    for (const [, command, key] of calls) {
      looked += 1
      // A channel is no key: it is handed over like the message.
      if (command === 'SPUBLISH') t.match(key, /^ARGV\[\d\]$/, `${file}: ${command}`)
      else if (command !== 'TIME') t.match(key, /^KEYS\[\d\]$/, `${file}: ${command}`)
    }
    t.notMatch(code, new RegExp(`['"](${[...stems, ...kinds].join('|')})`), `${file} spells no key`)
  }
  t.ok(looked >= 25, `${looked} calls in scripts`)
  for (const file of files.filter((file) => within(file, 'src/storage/redis') && !file.endsWith('/keys.ts'))) {
    const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node): void => {
      // A key is built by gluing: no template may start with a prefix or a stem.
      if (ts.isTemplateExpression(node)) {
        t.notOk(
          [...stems, ...kinds].some((stem) => node.head.text.includes(stem)),
          `${file}: ${node.getText()}`
        )
        t.not(node.templateSpans[0]?.expression.getText(), 'prefix', `${file}: ${node.getText()}`)
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
})

t.test('no test listens on a port that the system chooses', async (t) => {
  // It could be given twice, or to somebody else while a server is down: test/support/ports.ts.
  const tests = sourceFiles('test').map((file) => [file, readFileSync(join(root, file), 'utf8')] as const)
  const LISTENS = /\.listen\(\s*(?:0\b|\)|\{[^}]*port: 0\b)/
  t.strictSame(
    tests.filter(([, text]) => LISTENS.test(text)).map(([file]) => file),
    []
  )
  t.ok(tests.filter(([, text]) => /\.listen\(/.test(text)).length >= 15)
})
