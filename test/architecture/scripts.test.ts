import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as revocations from '../../src/core/authorizations/revocation-store.js'
import * as grantRules from '../../src/core/grants/state-machine.js'
import * as refreshFamily from '../../src/core/tokens/refresh-family.js'
import { EXPIRES_AT } from '../../src/storage/redis/grant-record.js'
import { loadScripts } from '../../src/storage/redis/scripts.js'
import { startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'

const folder = inRoot('src/storage/redis/scripts')
const read = (file: string) => readFileSync(join(folder, file), 'utf8')
const codeOf = (lua: string) => lua.replaceAll(/(?<!['-])--.*$/gm, '')

const names = readdirSync(folder)
  .map((file) => file.replace(/\.lua$/, ''))
  .filter((name) => name !== 'prologue')
const files = new Map(names.map((name) => [name, read(`${name}.lua`)]))
const prologue = read('prologue.lua')
const loaded = Object.entries(loadScripts())

/** The limits: every number that the files of rules export. */
const limits = new Map<string, unknown>(
  Object.entries({ ...grantRules, ...refreshFamily, ...revocations }).filter(([, value]) => typeof value === 'number')
)

/** Returns the names that a line of Lua declares, with their values. */
function declarationsOf(lua: string): Map<string, string> {
  const lines = [...codeOf(lua).matchAll(/^local ([A-Z_, ]+) = (.+?) *$/gm)]
  return new Map(
    lines.flatMap(([, names = '', values = '']) => {
      const all = values.split(', ')
      return names.split(', ').map((name, i): [string, string] => [name, all[i] as string])
    })
  )
}

const NUMBER = /(?<![\w.])\d{2,}/g
const LITERAL_COLUMN = /\bsub\([^\n]*?, (?:\d+(?:, \d+)?\)|[2-9])/g

t.test('a number and a column that a script spells itself are found', async (t) => {
  const spelled = (lua: string) => [...(codeOf(lua).match(NUMBER) ?? []), ...(codeOf(lua).match(LITERAL_COLUMN) ?? [])]
  t.same(spelled('if now > a + 30000 then -- 500 ms'), ['30000'])
  t.same(spelled("call('GETRANGE', KEYS[1], '0', '80')"), ['80'])
  t.equal(spelled('sub(head, 9, 21)').length, 2)
  for (const columns of ['2', '1, 1', '9, EXPIRES_TO'])
    t.equal(spelled(`string.sub(head, ${columns})`).length, 1, columns)
  t.same(spelled("sub(head, PHASE, #asked) .. sub(a .. format(B, now), 1, C * D) .. '\\n' .. ARGV[2]"), [])

  t.equal(files.size, loaded.length)
  t.ok(files.size >= 16, `${files.size} scripts`)
  for (const [name, lua] of files) t.same(spelled(lua.replace(/^#!.*$/m, '')), [], name)
})

t.test('the first line of every script tells Redis its flags, and stays the first', async (t) => {
  for (const [name, { lua }] of loaded) {
    const [shebang] = (files.get(name) as string).split('\n')
    t.match(shebang, /^#!lua( flags=[a-z-]+(,[a-z-]+)*)?$/, name)
    t.equal(lua.split('\n')[0], shebang, name)
  }
})

t.test('the limits in what is loaded are those of the rules', async (t) => {
  const found = new Set<string>()
  const ofPrologue = declarationsOf(prologue)
  for (const [script, { lua }] of loaded) {
    for (const [name, value] of declarationsOf(lua)) {
      if (!limits.has(name)) continue
      t.equal(value, `${limits.get(name)}`, `${script}: ${name}`)
      found.add(name)
    }
    const own = declarationsOf(files.get(script) as string)
    for (const name of declarationsOf(lua).keys()) {
      const isKnown = limits.has(name) || ofPrologue.has(name) || own.has(name)
      t.ok(isKnown, `${script}: ${name} is of no file of rules that is looked at`)
    }
  }
  t.ok(found.size >= 11, `${found.size} limits`)
  for (const name of ofPrologue.keys()) t.notOk(limits.has(name), `${name} is of the rules alone`)
})

t.test('the prologue holds statements and comments alone, touches no key, and all of it is used', async (t) => {
  const whole = codeOf(prologue).replaceAll(/^local (?:function \w+\([\s\S]*?^end|[\w, ]+ = .+)$/gm, '')
  t.equal(whole.trim(), '')
  t.same(
    [...codeOf(prologue).matchAll(/call\('(\w+)'/g)].map(([, command]) => command),
    ['TIME']
  )
  t.notMatch(codeOf(prologue), /KEYS|ARGV/)
  const statements = codeOf(prologue).match(/^local .+$/gm) ?? []
  t.ok(statements.length >= 20, `${statements.length} statements`)
  const everything = [...files.values()].map(codeOf).join('\n')
  for (const statement of statements) {
    const [, one = '', two = ''] = /^local (?:function (\w+)|([A-Z_, ]+))/.exec(statement) ?? []
    const declared = one ? [one] : two.trim().split(', ')
    t.ok(
      declared.some((name) => new RegExp(`\\b${name}\\b`).test(everything)),
      statement
    )
  }
})

t.test('a script has above it what it names, and nothing else', async (t) => {
  let looked = 0
  for (const [script, { lua }] of loaded) {
    const own = codeOf(files.get(script) as string)
    const above = codeOf(lua.slice(0, lua.indexOf('\n-- ')))
    const statements = above.match(/^local .+$/gm) ?? []
    for (const statement of statements) {
      const declared = statement.match(/\b[A-Z][A-Z_]+\b|\bnow_ms\b/g) ?? []
      t.ok(
        declared.some((name) => new RegExp(`\\b${name}\\b`).test(own)),
        `${script} names something of: ${statement}`
      )
    }
    const known = new Set([...declarationsOf(lua).keys(), 'KEYS', 'ARGV', 'REPL_ALL', 'REPL_NONE'])
    const named = new Set(own.replaceAll(/'[^'\n]*'/g, '').match(/\b[A-Z][A-Z_]+\b/g))
    for (const name of named) t.ok(known.has(name), `${script} knows ${name}`)
    if (/\bnow_ms\b/.test(own)) t.match(lua, /^local function now_ms\(/m, script)
    looked += statements.length + named.size
  }
  t.ok(looked >= 80, `${looked} statements and names`)
  const [, fence] = loaded.find(([name]) => name === 'replica-fence') ?? []
  t.equal(fence?.lua, files.get('replica-fence'), 'a script that names nothing is as its file is')
})

t.test('the columns join up, and TypeScript reads by them', async (t) => {
  const declared = declarationsOf(prologue)
  const number = (name: string) => Number(declared.get(name)?.replaceAll("'", ''))
  const columns = [...declared.keys()].filter((name) => name.endsWith('_FROM')).map((name) => name.replace('_FROM', ''))
  t.ok(columns.length >= 9, `${columns.length} columns`)
  const ofGrant = columns.slice(0, columns.indexOf('DIGEST'))
  let last = number('PHASE')
  for (const name of ofGrant) {
    // A space separates a column from the one before it, but the client tag follows the phase directly.
    t.equal(number(`${name}_FROM`), last + (name === 'CLIENT' ? 1 : 2), name)
    last = number(`${name}_TO`)
  }
  t.equal(number('REPEATABLE'), number('ACCEPTED_TO') + 1, 'in the place of a separator')
  t.equal(number('HEAD_END'), last - 1, 'an offset is a column less one')
  const offsets = [...declared.keys()].filter((name) => name.endsWith('_AT')).map((name) => name.replace('_AT', ''))
  t.ok(offsets.length >= 4, `${offsets.length} offsets`)
  for (const name of offsets) {
    t.equal(number(`${name}_AT`), number(declared.has(name) ? name : `${name}_FROM`) - 1, name)
  }
  t.same([number('DIGEST_FROM'), number('ROTATED_FROM')], [1, number('DIGEST_TO') + 1])
  t.equal(number('ENTRY_WIDTH'), number('ROTATED_TO'))
  t.same(EXPIRES_AT, [number('EXPIRES_FROM') - 1, number('EXPIRES_TO')])
})

t.test('a suite that has another version than the one that is asked for is told', (t) => {
  const saying = (answer: string) => t.fixture('file', `#!/bin/sh\n[ "$1" = -v ] && ${answer}\n`)
  const script = readFileSync(inRoot('scripts/ensure-unpacked.sh'), 'utf8')
  const unpacked = (name: string, answer: string) => {
    const [program = ''] = name.split('-')
    const root = t.testdir({
      scripts: { 'ensure-unpacked.sh': script },
      node_modules: { '.cache': { unpacked: { [name]: { bin: { [program]: saying(answer) } } } } }
    })
    const folder = join(root, 'node_modules/.cache/unpacked', name)
    chmodSync(join(folder, 'bin', program), 0o755)
    const { status, stdout, stderr } = spawnSync('bash', [join(root, 'scripts/ensure-unpacked.sh'), name], {
      encoding: 'utf8'
    })
    return { status, stdout, stderr, folder, isKept: existsSync(folder) }
  }

  for (const [name, answer] of [
    ['nginx-1.30', 'echo nginx version: nginx/1.30.2 >&2'],
    ['haproxy-3', 'echo HAProxy version 3.2.26-1 2026/10/14'],
    ['caddy-2', 'echo v2.11.4 h1:1.2']
  ] as const) {
    const { folder, ...told } = unpacked(name, answer)
    t.strictSame(told, { status: 0, stdout: `${folder}/bin\n`, stderr: '', isKept: true }, name)
  }
  for (const [name, answer, sentence] of [
    ['nginx-1.30', 'echo nginx version: nginx/1.32.0 >&2', 'forky has nginx 1.32.0 in place of nginx-1.30'],
    ['nginx-1.22', 'echo nginx version: nginx/1.2.2', 'bookworm has nginx 1.2.2 in place of nginx-1.22'],
    ['haproxy-3', 'echo HAProxy version 30.1', 'forky has haproxy 30.1 in place of haproxy-3'],
    ['haproxy-2.6', 'echo HAProxy', 'bookworm has haproxy of no version in place of haproxy-2.6']
  ] as const) {
    const { folder: _, ...told } = unpacked(name, answer)
    t.strictSame(told, { status: 1, stdout: '', stderr: `${sentence}\n`, isKept: false }, sentence)
  }
  const { folder, ...told } = unpacked('caddy-2', 'false')
  t.strictSame(told, { status: 1, stdout: '', stderr: `${folder}/bin/caddy does not run\n`, isKept: true })
  t.end()
})

t.test('Redis compiles every script, and knows it by the digest that is sent', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  for (const [name, { lua, sha }] of loaded) t.equal(await server.client.script('LOAD', lua), sha, name)
})
