import { readFile } from 'node:fs/promises'
import t from 'tap'

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

const read = async <T>(name: string) =>
  JSON.parse(await readFile(new URL(`../../${name}`, import.meta.url), 'utf8')) as T

/** Compares two versions; positive when a is newer than b. A pre-release is older than its release. */
function compare(a: string, b: string): number {
  const parts = (version: string) => version.split('-')[0]?.split('.').map(Number) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return (left[i] ?? 0) - (right[i] ?? 0)
  return Number(b.includes('-')) - Number(a.includes('-'))
}

t.test('versions are compared as numbers', async (t) => {
  t.ok(compare('5.12.10', '5.12.6') > 0)
  t.ok(compare('5.9.0', '5.12.6') < 0)
  t.ok(compare('6.0.0-beta.1', '6.0.0') < 0)
  t.equal(compare('6.0.0', '6.0.0'), 0)
})

t.test('package-lock.json', async (t) => {
  const { packages, lockfileVersion } = await read<Lock>('package-lock.json')
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
    t.strictSame(
      entries.filter(([, { resolved }]) => resolved !== undefined).map(([path, { resolved }]) => `${path} ${resolved}`),
      []
    )
    t.strictSame(
      entries.filter(([, { integrity, link }]) => !integrity && !link).map(([path]) => path),
      []
    )
  })

  t.test('what is installed is what is locked', async (t) => {
    for (const name of Object.keys(FLOORS)) {
      const { version } = await read<{ version: string }>(`node_modules/${name}/package.json`)
      t.equal(version, packages[`node_modules/${name}`]?.version, name)
    }
  })

  t.test('the driver of Redis is pinned, and its engine stated', async (t) => {
    const manifest = await read<{ dependencies: Record<string, string>; engines: { node: string } }>('package.json')
    t.equal(manifest.dependencies.ioredis, '6.0.0')
    t.equal(manifest.engines.node, '>=20.19')
    for (const [name, range] of Object.entries(manifest.dependencies)) t.match(range, /^[\^~]?\d+\.\d+\.\d+$/, name)
  })
})
