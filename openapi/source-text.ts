/**
 * Formats generated code: prints a tree of calls, objects and lists in the house style, on one line if it fits, otherwise one
 * entry per line. Independent of OpenAPI and TypeBox.
 */

const LINE_WIDTH = 120
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/

interface Group {
  open: string
  items: Code[]
  close: string
  padding: '' | ' '
  expanded: boolean
}

export type Code = string | Group

export function isIdentifier(name: string): boolean {
  return IDENTIFIER.test(name)
}

export function text(value: string): string {
  const quoted = JSON.stringify(value)
  // Like the formatter, uses double quotes where they save an escape.
  if (value.includes("'") && !value.includes('"')) return quoted
  const escaped = quoted.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${escaped}'`
}

export function list(items: Code[]): Code {
  return { open: '[', items, close: ']', padding: '', expanded: false }
}

export function entry(key: string, value: Code): Code {
  // A status code stays an unquoted key, because Fastify's types look responses up by number.
  const name = isIdentifier(key) || /^[1-9]\d*$/.test(key) ? key : text(key)
  return prefix(`${name}: `, value)
}

/** An object literal. `expanded` forces one entry per line even if all fit on one. */
export function object(entries: [key: string, value: Code][], expanded = false): Code {
  return braces(
    entries.map(([key, value]) => entry(key, value)),
    expanded
  )
}

export function braces(items: Code[], expanded = false): Code {
  return { open: '{', items, close: '}', padding: ' ', expanded: expanded && items.length > 0 }
}

export function call(name: string, ...args: Code[]): Code {
  const [only, ...others] = args
  if (only === undefined) return `${name}()`
  if (others.length > 0) return { open: `${name}(`, items: args, close: ')', padding: '', expanded: false }
  if (typeof only === 'string') return `${name}(${only})`
  return { ...only, open: `${name}(${only.open}`, close: `${only.close})` }
}

export function literal(value: unknown): Code {
  if (typeof value === 'string') return text(value)
  if (Array.isArray(value)) return list(value.map(literal))
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return object(Object.entries(value).map(([key, member]) => [key, literal(member)]))
}

export function prefix(before: string, code: Code): Code {
  return typeof code === 'string' ? before + code : { ...code, open: before + code.open }
}

export function print(code: Code, indent = 0): string {
  if (typeof code === 'string') return code
  const line = onOneLine(code)
  // Leaves one column for a comma after it.
  if (line !== undefined && indent + line.length < LINE_WIDTH) return line
  const margin = ' '.repeat(indent)
  const lines = code.items.map((item) => `${margin}  ${print(item, indent + 2)}`)
  return `${code.open}\n${lines.join(',\n')}\n${margin}${code.close}`
}

function onOneLine(code: Code): string | undefined {
  if (typeof code === 'string') return code
  if (code.expanded) return undefined
  const items: string[] = []
  for (const item of code.items) {
    const line = onOneLine(item)
    if (line === undefined) return undefined
    items.push(line)
  }
  const padding = items.length > 0 ? code.padding : ''
  return code.open + padding + items.join(', ') + padding + code.close
}
