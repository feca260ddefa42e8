/** The tables of docs/tested-with.md, each between two comments that name it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PAGE = fileURLToPath(new URL('../docs/tested-with.md', import.meta.url))

/** Puts a row into a table, in place of the one that has the same first cell. Without `place` rows are sorted by their text. */
export function replaceRow(table: string, cells: readonly string[], place?: (name: string) => number): void {
  const row = `| ${cells.join(' | ')} |`
  const [begin, end] = [
    `<!-- ${table}: this table is written by npm run test:${table} -->\n`,
    `<!-- end of ${table} -->`
  ]
  const page = readFileSync(PAGE, 'utf8')
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)]
  if (from < begin.length || to < from) throw new Error(`docs/tested-with.md has no table of ${table}`)
  const lines = page.slice(from, to).trimEnd().split('\n')
  const [head = '', rule = '', ...rows] = lines
  const others = rows.filter((line) => !line.startsWith(`| ${cells[0]} |`))
  const nameIn = (line: string) => line.split(' | ')[0]?.slice(2) ?? ''
  const ordered = place ? [...others, row].sort((a, b) => place(nameIn(a)) - place(nameIn(b))) : [...others, row].sort()
  writeFileSync(PAGE, `${page.slice(0, from)}${[head, rule, ...ordered].join('\n')}\n${page.slice(to)}`)
}
