/** Collects what the source files of this repository import, for the tests of its structure. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
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
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const literal =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined
    if (literal && ts.isStringLiteral(literal)) {
      const kind = { isType: isTypeAlone(node), isDynamic: ts.isCallExpression(node) }
      found.push({ from: file, ...targetOf(file, literal.text), ...kind })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function targetOf(file: string, name: string): { to: string; isPackage: boolean } {
  if (!name.startsWith('.')) return { to: name, isPackage: true }
  const plain = relative(root, join(root, dirname(file), name)).replace(/\.js$/, '.ts')
  return { to: existsSync(join(root, `${plain}x`)) ? `${plain}x` : plain, isPackage: false }
}

function isTypeAlone(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  if (!ts.isImportDeclaration(node)) return false
  const { importClause: clause } = node
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const { name, namedBindings: bindings } = clause
  return (
    !name && bindings !== undefined && ts.isNamedImports(bindings) && bindings.elements.every((one) => one.isTypeOnly)
  )
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
