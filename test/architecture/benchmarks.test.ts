import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { DOCUMENT, publish, RESULT } from '../../bench/support/publish.js'
import type { Result } from '../../bench/support/result.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const result = JSON.parse(read(RESULT)) as Result
const document = read(DOCUMENT)

/** Copies the result with another value for one figure. */
function changed(id: string, name: string, value: number): Result {
  const copy = structuredClone(result)
  for (const section of copy.sections) {
    if (section.id !== id) continue
    for (const figure of section.figures) if (figure.name === name) figure.value = value
  }
  return copy
}

t.test('what is published of the benchmarks', async (t) => {
  t.test('is what the result gives, to the letter', async (t) => {
    const files = publish(result, document)
    t.equal(files.size, 3)
    for (const [path, content] of files) t.equal(read(path), content, path)
  })

  t.test('is nothing else: no plot is left over, or made by hand', async (t) => {
    const folder = RESULT.slice(0, RESULT.lastIndexOf('/') + 1)
    const there = readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => folder + name)
    t.strictSame(there.sort(), [...publish(result, document).keys(), RESULT].filter((path) => path !== DOCUMENT).sort())
  })

  t.test('shows every plot', async (t) => {
    for (const path of publish(result, document).keys()) {
      if (path.endsWith('.svg')) t.match(document, `](${path.slice('docs/'.length)})`, path)
    }
  })

  t.test('changes with the result', async (t) => {
    const files = publish(changed('peers', 'grantd', 123_456), document)
    for (const [path, content] of files) {
      t.equal(content.includes('123,456'), path !== 'docs/benchmarks/redis-cpu-per-poll.svg', path)
    }
    const redis = publish(changed('peers', 'Redis, grantd', 98.76), document)
    t.match(redis.get('docs/benchmarks/redis-cpu-per-poll.svg'), '98.76')
    t.match(redis.get(DOCUMENT), '98.76')
  })

  t.test('needs a place in the document for everything, and something for every place', async (t) => {
    const mark = '<!-- generated: pages -->'
    t.throws(() => publish(result, document.replace(mark, '')), /no place for pages/)
    t.throws(() => publish(result, document.replace(mark, '<!-- generated: pagers -->')), /"pagers"/)
    t.throws(() => publish(result, document + document), /no more, to put at "run"/)
  })

  t.test('says so when a figure is missing or is no number', async (t) => {
    const without = { ...result, sections: result.sections.filter(({ id }) => id !== 'memory') }
    t.throws(() => publish(without, document), /no section memory/)
    t.throws(() => publish(changed('wait', 'memory per waiting request', Number.NaN), document), /is no number/)
  })
})

t.test('the result is of a whole run, and honest about its targets', async (t) => {
  t.strictSame(result.sections.map(({ id }) => id).sort(), [
    ...['collect', 'instances', 'issue', 'memory', 'pages', 'peers', 'poll'],
    ...['redis-cost', 'scale', 'start', 'token', 'wait']
  ])
  for (const { id, figures } of result.sections) {
    for (const { name, value, target } of figures) {
      if (!target) continue
      const isMet = 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
      const row = document.split('\n').find((line) => line.includes(`\`${id}\``) && line.includes(`| ${name} `))
      t.match(row, isMet ? ': met' : ': **missed**', `${id}: ${name}`)
    }
  }
})

t.test('the peers', async (t) => {
  const manifest = JSON.parse(read('bench/package.json'))
  const lock = JSON.parse(read('bench/package-lock.json')) as {
    packages: Record<string, { resolved?: string; integrity?: string }>
  }
  const locked = Object.entries(lock.packages).filter(([path]) => path !== '')

  t.test('are locked without naming a registry, and sealed', async (t) => {
    t.ok(locked.length >= 50, `${locked.length} packages`)
    t.strictSame(
      locked.filter(([, { resolved, integrity }]) => resolved !== undefined || !integrity).map(([path]) => path),
      []
    )
  })

  t.test('are no dependencies of the service', async (t) => {
    const { dependencies } = JSON.parse(read('package.json'))
    t.strictSame(Object.keys(manifest.dependencies), ['better-auth', 'better-sqlite3', 'oidc-provider'])
    for (const name of Object.keys(manifest.dependencies)) t.notOk(name in dependencies, name)
  })

  t.test('have the versions the result was measured with', async (t) => {
    for (const [name, version] of Object.entries(manifest.dependencies)) t.equal(result.machine[name], version, name)
  })
})
