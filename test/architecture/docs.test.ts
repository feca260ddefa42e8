/**
 * Checks the documents, and what comments refer to: files, headings and paths exist. The documents keep the rules that they set for
 * themselves, docs/configuration.md lists the variables that there are, and docs/benchmarks.md shows the last result.
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { MODEL_DOCUMENT, publishModel } from '../../bench/model/publish.js'
import { DOCUMENT, publish, RESULT } from '../../bench/support/publish.js'
import type { Result } from '../../bench/support/result.js'
import { EnvironmentSchema } from '../../schemas/config.js'
import { adminPrefix } from '../../schemas/generated/admin.js'
import { dashboardPrefix } from '../../schemas/generated/dashboard.js'
import { tokensPrefix } from '../../schemas/generated/tokens.js'
import { root } from '../support/root.js'
import { sourceFiles } from './source-imports.js'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const exists = (path: string) => existsSync(join(root, path))

const inDocs = readdirSync(join(root, 'docs'), { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .sort()
const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...['test/README.md', 'bench/README.md', 'deploy/README.md', 'examples/terminal-client/README.md'],
  ...['examples/protected-api/README.md', 'examples/mcp-server/README.md', 'packages/verify/README.md'],
  ...inDocs
]

const withoutBlocks = (text: string) => text.replaceAll(/^```[\s\S]*?^```/gm, '')

/** Returns the anchors that GitHub makes of the headings of a document. */
function anchorsOf(path: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, title = ''] of withoutBlocks(read(path)).matchAll(/^#+ (.+)$/gm)) {
    const plain = title.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    const anchor = plain.replaceAll(' ', '-')
    let name = anchor
    for (let again = 1; anchors.has(name); again++) name = `${anchor}-${again}`
    anchors.add(name)
  }
  return anchors
}

t.test('every relative link leads to a file, and to a heading where it names one', async (t) => {
  let looked = 0
  for (const file of documents) {
    const text = withoutBlocks(read(file))
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/\b(?:src|srcset)="([^"]+)"/g)]
    for (const [, target = ''] of targets) {
      if (/^[a-z]+:/.test(target)) continue
      looked += 1
      const [name = '', anchor] = target.split('#')
      const path = name ? normalize(join(dirname(file), name)) : file
      t.ok(exists(path), `${file}: ${target}`)
      if (anchor && exists(path)) t.ok(anchorsOf(path).has(anchor), `${file}: ${target}`)
    }
  }
  t.ok(documents.length >= 25, `${documents.length} documents`)
  t.ok(looked >= 190, `${looked} links`)
})

t.test('every path in backticks is there', async (t) => {
  const folders = 'src|plugins|schemas|openapi|examples|test|bench|deploy|docs|scripts'
  const isPath = new RegExp(`^(?:${folders})/[\\w./-]*\\w$`)
  const paths = new Map<string, string>()
  for (const file of documents) {
    for (const [, text = ''] of withoutBlocks(read(file)).matchAll(/`([^`\n]+)`/g)) {
      if (isPath.test(text)) paths.set(text, file)
    }
  }
  t.ok(paths.size >= 80, `${paths.size} paths`)
  for (const [path, file] of paths) t.ok(exists(path), `${file}: ${path}`)
})

/** The files of TypeScript and Lua that the comments of a file name, from the root or by the end of their path. */
function namedInComments(file: string): string[] {
  const comments = read(file).match(file.endsWith('.lua') ? /--.*$/gm : /\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*$/gm) ?? []
  return comments.flatMap((comment) => comment.match(/[\w@./-]*\w\.(?:tsx?|lua)\b/g) ?? [])
}

t.test('every file that a comment names is there', async (t) => {
  const scripts = 'src/storage/redis/scripts'
  const files = [
    ...['src', 'plugins', 'schemas', 'openapi', 'test', 'bench', 'packages', 'examples', 'scripts'].flatMap(
      sourceFiles
    ),
    ...readdirSync(join(root, scripts)).map((name) => `${scripts}/${name}`)
  ]
  let looked = 0
  for (const file of files) {
    for (const name of namedInComments(file)) {
      const end = name.replace(/^(?:\.\.?\/)+/, '')
      t.ok(
        files.some((one) => one === end || one.endsWith(`/${end}`)),
        `${file}: ${name}`
      )
      looked += 1
    }
  }
  t.ok(looked >= 200, `${looked} files are named`)
})

/** The titles of the tests in a file, as they are written. */
const titlesOf = (path: string) =>
  [...read(path).matchAll(/\.test\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, , title = '']) => title)

/** The sections of RFC 9700 that concern an authorization server. */
const OF_SERVERS = [
  ...['2.1', '2.1.1', '2.1.2', '2.2.1', '2.2.2', '2.3', '2.4', '2.5', '2.6'],
  ...['4.1', '4.2', '4.3', '4.4', '4.5', '4.6', '4.7', '4.8', '4.9', '4.10'],
  ...['4.11.2', '4.12', '4.13', '4.14', '4.15', '4.16', '4.17']
]

t.test('each row of RFC 9700 names tests that are there, and no section is left out', async (t) => {
  const [, section = ''] = read('docs/code-flow.md').split(/^## What RFC 9700 asks for$/m)
  const rows = (section.split(/^## /m)[0] ?? '').split('\n').filter((line) => line.startsWith('| §'))
  const sections: string[] = []
  let looked = 0
  for (const row of rows) {
    const [about = '', here = '', held = ''] = row.slice('| '.length, -' |'.length).split(' | ')
    sections.push(...[...about.matchAll(/§([\d.]+\d)/g)].map(([, number = '']) => number))
    const [before, ...files] = held.split(/`(test\/[^`]+)`: /)
    t.strictSame([before, here.length > 5], ['', true], about)
    for (let i = 0; i < files.length; i += 2) {
      const [path = '', list = ''] = files.slice(i, i + 2)
      t.ok(exists(path), `${about}: ${path}`)
      const titles = [...list.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => title)
      t.ok(titles.length > 0, `${about}: a test of ${path}`)
      for (const title of titles) {
        t.ok(
          titlesOf(path).some((one) => one.includes(title)),
          `${path}: ${title}`
        )
        looked += 1
      }
    }
  }
  const missing = OF_SERVERS.filter((one) => !sections.some((number) => number === one || number.startsWith(`${one}.`)))
  t.strictSame(missing, [])
  t.ok(looked >= 40, `${looked} tests in ${rows.length} rows`)
})

t.test('the README is for the first ten minutes', async (t) => {
  const lines = read('README.md').trimEnd().split('\n')
  t.ok(lines.length < 200, `${lines.length} lines`)
  t.ok(lines.length > 100)
  const screen = lines.slice(0, 32).join('\n')
  t.match(screen, 'npm ci && npm start')
  t.match(screen, 'npm ci && npm test')
  t.ok(lines.indexOf('## Contents') > 0, 'it has a table of contents')
  t.ok(lines.indexOf('## Contents') < 40, 'near its top')
  const contents = lines.slice(lines.indexOf('## Contents'), lines.indexOf('## A whole grant with curl')).join('\n')
  const headings = lines.filter((line) => line.startsWith('## ') && !/^## (Two commands|Contents|License)$/.test(line))
  t.ok(headings.length >= 7, `${headings.length} headings`)
  for (const heading of headings) {
    const anchor = heading
      .slice(3)
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-')
    t.ok(contents.includes(`(#${anchor})`), `${heading} is in the table of contents`)
  }
})

t.test('the figures of the README are those of the last runs', async (t) => {
  const readme = read('README.md').replaceAll('\n', ' ')
  const figure = (row: string) =>
    Number(new RegExp(`^\\| ${row} +\\| +([\\d,.]+) `, 'm').exec(read('docs/benchmarks.md'))?.[1]?.replaceAll(',', ''))
  t.match(readme, `${figure('polls, dashboard API').toLocaleString('en')} polls a second](docs/benchmarks.md#capacity)`)
  const [half, most] = [figure('delay, p50'), figure('delay, p99')].map((ms) => ms.toFixed(1))
  t.match(readme, `[within ${half} ms, 99 of 100 within ${most} ms](docs/benchmarks.md#waiting-instead-of-polling)`)
  const faults = [...read('docs/faults.md').matchAll(/^\|.*\| ([\d,]+) \| (\d+) \|$/gm)]
  const facts = faults.reduce((sum, [, checked = '']) => sum + Number(checked.replaceAll(',', '')), 0)
  t.match(readme, `${faults.length} faults](docs/faults.md#faults)`)
  t.match(readme, `in ${facts.toLocaleString('en')} facts checked`)
  t.ok(
    faults.every(([, , violations]) => violations === '0'),
    'none broke a promise'
  )
  t.ok(faults.length >= 12)
})

t.test('every decision has a date, its parts, and a line in the index', async (t) => {
  const folder = 'docs/decisions'
  const pages = readdirSync(join(root, folder)).filter((name) => name.endsWith('.md') && name !== 'README.md')
  t.ok(pages.length >= 15, `${pages.length} decisions`)
  // The table alone: a row below it would be text.
  const [, index = ''] = /^\| date \| decision \|\n\|[-|]+\|\n((?:\|.*\|\n)+)/m.exec(read(`${folder}/README.md`)) ?? []
  t.equal(index.split('\n').length - 1, pages.length, 'rows of the index')
  for (const name of pages) {
    const page = read(`${folder}/${name}`)
    const [, date = ''] = /^Date: (\d{4}-\d{2}-\d{2})$/m.exec(page) ?? []
    t.ok(Number.isFinite(Date.parse(date)), `${name}: ${date}`)
    for (const part of ['Context', 'Decision', 'Rejected', 'Consequences', 'Revisit when']) {
      t.match(page, new RegExp(`^## ${part}$`, 'm'), `${name}: ${part}`)
    }
    const lines = page.trimEnd().split('\n').length
    t.ok(lines >= 25 && lines <= 60, `${name}: ${lines} lines`)
    const row = index.split('\n').find((line) => line.includes(`(${name})`))
    t.ok(row?.includes(date), `${name} is in the index, with its date`)
  }
})

t.test(
  'the architecture shows every folder of the core and every surface, and has a layer for all that is in src',
  async (t) => {
    const page = read('docs/architecture.md')
    const [, picture = ''] = /^## The picture\n+```\n([\s\S]*?)^```/m.exec(page) ?? []
    const words = picture.split(/[^\w-]+/)
    const folders = readdirSync(join(root, 'src/core'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    t.ok(folders.length >= 20, `${folders.length} folders`)
    for (const { name } of folders) t.ok(words.includes(name), `src/core/${name} is in the picture`)
    for (const prefix of [adminPrefix, dashboardPrefix, tokensPrefix]) t.match(picture, prefix)
    const [, layers = ''] = /^## Layers\n+((?:\|.*\|\n)+)/m.exec(page) ?? []
    const named = new Set([...layers.matchAll(/`(src\/[\w.-]+\/?)`/g)].map(([, path]) => path))
    const inSrc = readdirSync(join(root, 'src'), { withFileTypes: true }).map(
      (entry) => `src/${entry.name}${entry.isDirectory() ? '/' : ''}`
    )
    t.ok(inSrc.length >= 15, `${inSrc.length} of src`)
    for (const path of inSrc) t.ok(named.has(path), `${path} has a layer`)
  }
)

t.test('the walks of the architecture are short, and each file of them is there', async (t) => {
  const page = read('docs/architecture.md')
  const bounds: Record<string, number> = { 'A pending poll': 12, 'A token for a machine': 9 }
  const walks = [...page.matchAll(/^### (.+)\n([\s\S]*?)(?=^##|$(?![\s\S]))/gm)]
    .map(([, title = '', text = '']) => ({
      title,
      files: [...text.matchAll(/^\d+\. `([^`]+)` – /gm)].map(([, path = '']) => path)
    }))
    .filter(({ files }) => files.length > 0)
  t.equal(walks.length, 5, 'five walks')
  for (const title of Object.keys(bounds))
    t.ok(
      walks.some((walk) => walk.title === title),
      title
    )
  for (const { title, files } of walks) {
    const most = bounds[title] ?? 20
    t.ok(files.length >= 5 && files.length <= most, `${title}: ${files.length} files`)
    for (const path of files) t.ok(exists(path) && statSync(join(root, path)).isFile(), `${title}: ${path}`)
  }
})

interface Row {
  name: string
  fallback: string
  description: string
}

/** Returns the rows "| `NAME` | default | description |" of docs/configuration.md. */
function rows(): Row[] {
  const text = read('docs/configuration.md')
  return [...text.matchAll(/^\| *`([A-Z][A-Z0-9_]*)` *\|([^|\n]*)\|((?:[^|\n]|\\\|)*)\| *$/gm)].map(
    ([, name = '', fallback = '', description = '']) => ({
      name,
      fallback: fallback.trim().replaceAll('`', ''),
      description: description.trim()
    })
  )
}

/** Returns the default as the table must show it: the value, or any sign for none (a dash, "none", …). */
function shownDefault(schema: TSchema): string {
  const { default: value } = schema as { default?: unknown }
  return value === undefined || (Array.isArray(value) && value.length === 0) ? '' : String(value)
}

const isNothing = (text: string) => /^(|-|–|—|none|unset|not set|empty|required)$/i.test(text)

t.test('the README leads to the table', async (t) => {
  t.match(read('README.md'), '](docs/configuration.md)')
})

t.test('the table of docs/configuration.md', async (t) => {
  const documented = rows()
  const variables = Object.entries<TSchema>(EnvironmentSchema.properties)

  t.test('lists exactly the variables there are, in their order', async (t) => {
    t.ok(variables.length >= 25, `${variables.length} variables`)
    t.strictSame(
      documented.map(({ name }) => name),
      variables.map(([name]) => name)
    )
  })

  t.test('gives the defaults there are', async (t) => {
    let looked = 0
    for (const [name, schema] of variables) {
      const row = documented.find((candidate) => candidate.name === name)
      const wanted = shownDefault(schema)
      if (wanted === '') t.ok(isNothing(row?.fallback ?? 'absent'), `${name} has no default: "${row?.fallback}"`)
      else t.equal(row?.fallback.replaceAll(/[ ,_](?=\d{3})/g, ''), wanted, name)
      looked += 1
    }
    t.equal(looked, variables.length)
  })

  t.test('says something about each', async (t) => {
    for (const { name, description } of documented) t.ok(description.length >= 10, `${name}: ${description}`)
    t.ok(documented.length > 0)
  })
})

const result = JSON.parse(read(RESULT)) as Result
const benchmarks = read(DOCUMENT)

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
    const files = publish(result, benchmarks)
    t.equal(files.size, 3)
    for (const [path, content] of files) t.equal(read(path), content, path)
  })

  t.test('is nothing else: no plot is left over, or made by hand', async (t) => {
    const folder = RESULT.slice(0, RESULT.lastIndexOf('/') + 1)
    const there = readdirSync(join(root, folder)).map((name) => folder + name)
    t.strictSame(
      there.sort(),
      [...publish(result, benchmarks).keys(), RESULT].filter((path) => path !== DOCUMENT).sort()
    )
  })

  t.test('shows every plot', async (t) => {
    for (const path of publish(result, benchmarks).keys()) {
      if (path.endsWith('.svg')) t.match(benchmarks, `](${path.slice('docs/'.length)})`, path)
    }
  })

  t.test('changes with the result', async (t) => {
    const files = publish(changed('peers', 'grantd', 123_456), benchmarks)
    for (const [path, content] of files) {
      t.equal(content.includes('123,456'), path !== 'docs/benchmarks/redis-cpu-per-poll.svg', path)
    }
    const redis = publish(changed('peers', 'Redis, grantd', 98.76), benchmarks)
    t.match(redis.get('docs/benchmarks/redis-cpu-per-poll.svg'), '98.76')
    t.match(redis.get(DOCUMENT), '98.76')
  })

  t.test('needs a place in the document for everything, and something for every place', async (t) => {
    const mark = '<!-- generated: pages -->'
    t.throws(() => publish(result, benchmarks.replace(mark, '')), /no place for pages/)
    t.throws(() => publish(result, benchmarks.replace(mark, '<!-- generated: pagers -->')), /"pagers"/)
    t.throws(() => publish(result, benchmarks + benchmarks), /no more, to put at "run"/)
  })

  t.test('says so when a figure is missing or is no number', async (t) => {
    const without = { ...result, sections: result.sections.filter(({ id }) => id !== 'memory') }
    t.throws(() => publish(without, benchmarks), /no section memory/)
    t.throws(() => publish(changed('wait', 'memory per waiting request', Number.NaN), benchmarks), /is no number/)
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
      const row = benchmarks.split('\n').find((line) => line.includes(`\`${id}\``) && line.includes(`| ${name} `))
      t.match(row, isMet ? ': met' : ': **missed**', `${id}: ${name}`)
    }
  }
})

t.test('the page on large deployments is what the model makes of the result, to the letter', async (t) => {
  const page = read(MODEL_DOCUMENT)
  t.equal(page, publishModel(result, page))
  const cheaper = changed('scale', 'redis, 1,000,000 grants', 1)
  t.not(publishModel(cheaper, page), page, 'and of nothing else')
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
