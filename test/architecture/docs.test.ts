/**
 * Checks the documents: files, headings and paths that they refer to exist, and they keep the rules that they set for
 * themselves.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const exists = (path: string) => existsSync(join(root, path))

const inDocs = readdirSync(join(root, 'docs'), { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .sort()
const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...['test/README.md', 'bench/README.md', 'deploy/README.md', 'examples/terminal-client/README.md'],
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
  const index = read(`${folder}/README.md`)
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

t.test('the walks of the architecture are short, and each file of them is there', async (t) => {
  const page = read('docs/architecture.md')
  const bounds: Record<string, number> = { 'A pending poll': 12, 'A token for a machine': 9 }
  const walks = [...page.matchAll(/^### (.+)\n([\s\S]*?)(?=^##|$(?![\s\S]))/gm)]
    .map(([, title = '', text = '']) => ({
      title,
      files: [...text.matchAll(/^\d+\. `([^`]+)` – /gm)].map(([, path = '']) => path)
    }))
    .filter(({ files }) => files.length > 0)
  t.equal(walks.length, 4, 'four walks')
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
