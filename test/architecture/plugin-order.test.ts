/**
 * Plugins and surfaces declare their order. A wrong order must fail at boot and not silently lose a header or a limit.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyPluginAsync } from 'fastify'
import t from 'tap'
import { type Part, partsOf } from '../../src/app.js'
import { bareApp } from '../../src/bare-app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { startApp } from '../support/app.js'
import { root } from '../support/root.js'
import { importsOf, within } from './source-imports.js'

const config = loadConfig({ SIGNING_ALG: 'EdDSA' })
const parts = partsOf(config)

interface Meta {
  name: string
  dependencies?: string[]
}
const metaOf = ([plugin]: Part) => (plugin as unknown as Record<symbol, Meta>)[Symbol.for('plugin-meta')]
const nameOf = (part: Part) => metaOf(part)?.name ?? ''
const names = parts.map(nameOf)

/** The main route file of each surface. The files that it shares are found through its imports. */
const SURFACES: Readonly<Record<string, string>> = {
  dashboard: 'src/routes/dashboard/index.ts',
  oauth: 'src/routes/oauth/index.ts',
  'tokens-api': 'src/routes/tokens-api/index.ts',
  admin: 'src/routes/admin/index.ts',
  'issuers-by-path': 'src/routes/issuers/index.ts',
  pages: 'src/routes/pages/index.ts',
  'issuers-by-host': 'src/routes/issuers/index.ts',
  ops: 'src/routes/ops/index.ts'
}

/**
 * Pairs that no source shows: the earlier plugin has hooks that must see an answer which the later plugin gives early.
 */
const GIVEN_EARLY: readonly (readonly [earlier: string, later: string])[] = [
  ['answer-headers', 'overload'],
  ['answer-headers', 'limits'],
  ['answers', 'overload'],
  ['time-limit', 'core']
]

/** Returns the source of a part: the file of a plugin, or all routes of a surface. */
function sourceOf(name: string): string {
  const first = SURFACES[name] ?? `plugins/${name}.ts`
  const files = new Set([first])
  for (const file of files) {
    if (!within(file, 'src/routes')) continue
    for (const { to, isPackage } of importsOf(file)) if (!isPackage && within(to, 'src/routes')) files.add(to)
  }
  return [...files].map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
}

const sources = new Map(names.map((name) => [name, sourceOf(name)]))
const plugins = names.filter((name) => !(name in SURFACES))

/** The plugin that adds each decorator. */
const decorators = new Map(
  plugins.flatMap((name) =>
    [...(sources.get(name) ?? '').matchAll(/\bdecorate(?:Request|Reply)?\('(\w+)'/g)].map(
      ([, decorator = '']) => [decorator, name] as const
    )
  )
)
/** The plugins with hooks that run for requests, or for routes as they are added. */
const passedByAll = plugins.filter((name) =>
  /\bapp\.addHook\('(onRoute|onRequest|onResponse|onSend|onError|pre(Parsing|Validation|Handler|Serialization))'/.test(
    sources.get(name) ?? ''
  )
)

/** Returns the decorators of application, request and reply that a part uses. */
function neededBy(name: string): Set<string> {
  const source = sources.get(name) ?? ''
  const read = [...source.matchAll(/\b(?:app|inner|request|reply)\.(\w+)/g)].map(([, member = '']) => member)
  for (const [, members = ''] of source.matchAll(/\bconst \{([^}]*)\} = app\b/g)) {
    read.push(...members.split(',').map((member) => member.split(':')[0]?.trim() ?? ''))
  }
  const needed = new Set(read.flatMap((member) => decorators.get(member) ?? []))
  if (name in SURFACES) for (const plugin of passedByAll) needed.add(plugin)
  for (const [earlier, later] of GIVEN_EARLY) if (later === name) needed.add(earlier)
  needed.delete(name)
  return needed
}

const needs = new Map(names.map((name) => [name, neededBy(name)]))

/** Boots an application of these parts. Returns the code and the message of the boot error. */
async function boot(order: readonly Part[]): Promise<string> {
  const app = bareApp(config, false)
  for (const [plugin, options] of order) app.register(plugin as FastifyPluginAsync, options)
  try {
    await app.ready()
    return 'ready'
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  } finally {
    await app.close()
  }
}

/** Moves one part of the order to another place. */
function moved(from: number, to: number): Part[] {
  const order = [...parts]
  order.splice(to, 0, ...order.splice(from, 1))
  return order
}

const behind = (name: string, other: string) => moved(names.indexOf(name), names.indexOf(other))

t.test('every part has a name, and a source that was read', async (t) => {
  t.equal(names.length, 26)
  t.equal(new Set(names).size, names.length, names.join(' '))
  for (const name of plugins) t.ok(existsSync(join(root, `plugins/${name}.ts`)), name)
  t.strictSame(Object.keys(SURFACES).sort(), names.filter((name) => !plugins.includes(name)).sort())
  t.ok(decorators.size >= 20, `${decorators.size} decorators`)
  t.strictSame(passedByAll, ['time-limit', 'answer-headers', 'answers', 'unread', 'overload'])
  for (const [earlier, later] of GIVEN_EARLY) t.ok(names.includes(earlier) && names.includes(later))
})

t.test('a part names every plugin whose decorators it reads or whose hooks it relies on', async (t) => {
  let looked = 0
  for (const part of parts) {
    const declared = metaOf(part)?.dependencies ?? []
    const missing = [...(needs.get(nameOf(part)) ?? [])].filter((name) => !declared.includes(name))
    t.strictSame(missing, [], nameOf(part))
    looked += declared.length
  }
  t.ok(looked >= 90, `${looked} dependencies`)
})

t.test('the order of app.ts boots', async (t) => {
  t.equal(await boot(parts), 'ready')
})

t.test('the headers of every answer cannot come after what may refuse a request', async (t) => {
  const refusal = /^FST_ERR_PLUGIN_DEPENDENCY_NOT_REGISTERED: .*'answer-headers'.*/
  for (const other of ['limits', 'overload']) t.match(await boot(behind('answer-headers', other)), refusal, other)
})

t.test('a part moved to any wrong place does not boot', async (t) => {
  const tried = new Set<string>()
  const moves = names.flatMap((_, from) => names.map((_, to) => [from, to] as const))
  for (const [from, to] of moves) {
    const order = moved(from, to)
    const place = new Map(order.map((part, i) => [nameOf(part), i]))
    const before = (a: string, b: string) => (place.get(a) ?? 0) < (place.get(b) ?? 0)
    const isWrong = names.some((name) => [...(needs.get(name) ?? [])].some((needed) => before(name, needed)))
    const title = order.map(nameOf).join(' ')
    if (!isWrong || tried.has(title)) continue
    tried.add(title)
    const outcome = await boot(order)
    if (!outcome.startsWith('FST_ERR_PLUGIN_DEPENDENCY_NOT_REGISTERED')) t.fail(`${outcome} in ${title}`)
  }
  t.ok(tried.size >= 300, `${tried.size} wrong orders`)
})

t.test('what is refused early carries the id of its request', async (t) => {
  t.test('503 of overload', async (t) => {
    const { app } = await startApp(t, { SIGNING_ALG: 'EdDSA', LIMITS: 'off' })
    const poll = () =>
      app.inject({ method: 'POST', url: '/api/v0/auth/grant/token', payload: { grant_code: 'x'.repeat(43) } })
    let answer = () => {}
    const answered = new Promise<{ kind: 'unknown' }>((resolve) => {
      answer = () => resolve({ kind: 'unknown' })
    })
    app.core.grants.poll = () => answered
    // inject() sends the request only when its promise is used, hence the `then`.
    const served = Array.from({ length: 2_000 }, () => poll().then(({ statusCode }) => statusCode))
    const refused = await poll()
    t.equal(refused.statusCode, 503)
    t.match(refused.headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/)
    answer()
    t.strictSame([...new Set(await Promise.all(served))], [200])
  })

  t.test('429 of limits', async (t) => {
    const { call } = await startApp(t, { SIGNING_ALG: 'EdDSA', LIMIT_START_PER_MINUTE: '1' })
    const start = () => call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })
    t.equal((await start()).status, 200)
    const refused = await start()
    t.equal(refused.status, 429)
    t.match(refused.headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/)
  })
})
