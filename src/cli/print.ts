/** What commands print: tables and lists for people, JSON for programs. */

/** Whatever could do something to a terminal, or is not seen there. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu

/** A text in one line, without anything that a terminal obeys: names and labels are other people's. */
export function plain(text: string): string {
  return text.replace(UNSEEN, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`)
}

/** Rows under headings, aligned by spaces. The last column is as wide as it likes. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows.map((row) => row.map(plain))]
  const widths = headings.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  return all.map((row) => row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell)).join('  '))
}

/** Names and values, one below the other; what is not known is left out. */
export function facts(known: Readonly<Record<string, string | undefined>>): string[] {
  const entries = Object.entries(known).filter(([, value]) => value !== undefined)
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${plain(value ?? '')}`)
}

/** A time as people read it, in UTC, in as many characters each time; of one that is not known a hyphen. */
export function when(time: string | null | undefined): string {
  return time ? `${time.slice(0, 10)} ${time.slice(11, 19)}` : '-'
}

/** One JSON document in lines, however many entries there are: `{"data": […]}`. */
export async function* jsonList(batches: AsyncIterable<readonly unknown[]>): AsyncGenerator<string> {
  yield '{"data":['
  let before = ''
  for await (const batch of batches) {
    for (const entry of batch) {
      yield before + JSON.stringify(entry)
      before = ','
    }
  }
  yield ']}'
}

/** How many entries `--limit` asks for. Throws with a sentence. */
export function readLimit(text: string | boolean | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  if (typeof text === 'string' && /^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Error('--limit: a whole number above 0')
}
