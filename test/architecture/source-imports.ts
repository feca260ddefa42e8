/** Collects what the source files of this repository import, for the tests of its structure. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type ImportDeclaration, parseSync, Visitor } from 'oxc-parser'
import { root } from '../support/root.js'

export interface Import {
  /** The importing file, as a path from the root of the repository. */
  from: string
  /** The imported file as a path from the root, or the name of a package. */
  to: string
  isPackage: boolean
  /** Whether only types are imported, so that the import does not exist at run time. */
  isType: boolean
  /** Whether the import is an `import(…)`, which loads the file only when it is reached. */
  isDynamic: boolean
}

/** Returns every TypeScript file below a folder, as a path from the root. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

/** What each file imports, so that no file is parsed twice. */
const parsed = new Map<string, Import[]>()

/** Returns everything that a file imports: import, export … from, import(), import type and typeof import(). */
export function importsOf(file: string): Import[] {
  const found = parsed.get(file) ?? parse(file)
  parsed.set(file, found)
  return found
}

function parse(file: string): Import[] {
  const { program, errors } = parseSync(file, readFileSync(join(root, file), 'utf8'))
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const found: Import[] = []
  const add = (source: { value: unknown }, isType: boolean, isDynamic = false) =>
    void found.push({ from: file, ...targetOf(file, String(source.value)), isType, isDynamic })
  new Visitor({
    ImportDeclaration: (node) => add(node.source, isTypeAlone(node)),
    ExportNamedDeclaration: ({ source, exportKind }) => source && add(source, exportKind === 'type'),
    ExportAllDeclaration: ({ source, exportKind }) => add(source, exportKind === 'type'),
    ImportExpression: ({ source }) => source.type === 'Literal' && add(source, false, true),
    TSImportType: ({ source }) => add(source, true)
  }).visit(program)
  return found
}

function targetOf(file: string, name: string): { to: string; isPackage: boolean } {
  if (!name.startsWith('.')) return { to: name, isPackage: true }
  const plain = relative(root, join(root, dirname(file), name)).replace(/\.js$/, '.ts')
  return { to: existsSync(join(root, `${plain}x`)) ? `${plain}x` : plain, isPackage: false }
}

/** `import { type A, type B }` loads nothing, like `import type`. */
function isTypeAlone({ importKind, specifiers }: ImportDeclaration): boolean {
  if (importKind === 'type') return true
  return specifiers.length > 0 && specifiers.every((one) => one.type === 'ImportSpecifier' && one.importKind === 'type')
}

export const within = (path: string, ...folders: string[]) =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`))

export const show = (found: Import[]) => found.map(({ from, to }) => `${from} → ${to}`)

/** Returns the import cycles, each as a path. A cycle that shares a part with another one may be named only once. */
export function circlesOf(targets: ReadonlyMap<string, Iterable<string>>): string[] {
  const circles: string[] = []
  const finished = new Set<string>()
  const walk = (node: string, path: string[]): void => {
    if (path.includes(node)) circles.push([...path.slice(path.indexOf(node)), node].join(' → '))
    if (path.includes(node) || finished.has(node)) return
    for (const target of targets.get(node) ?? []) walk(target, [...path, node])
    finished.add(node)
  }
  for (const node of targets.keys()) walk(node, [])
  return circles
}
