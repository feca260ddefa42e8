/** Writes the measured parts of pages in docs/. */
import { readFileSync, writeFileSync } from 'node:fs'

/** Replaces the text between the two markers of that name. Throws if the page does not have them. */
export function writeBetweenMarkers(file: string, name: string, text: string): void {
  const page = readFileSync(file, 'utf8')
  const [from, to] = [`<!-- measured: ${name} -->`, `<!-- end of ${name} -->`]
  const [start, end] = [page.indexOf(from), page.indexOf(to)]
  if (start === -1 || end < start) throw new Error(`${file} has no place for what is measured: ${name}`)
  writeFileSync(file, `${page.slice(0, start + from.length)}\n${text}\n${page.slice(end)}`)
}
