/**
 * Turns OpenAPI 3.0 schemas into source: the TypeBox calls that build them. References stay references, so component schemas
 * are also ordered here. An unknown keyword (but for `x-…` extensions) is an error: dropping it silently would leave a part of
 * the contract unchecked.
 */
import type { Node } from './documents.js'
import { braces, type Code, call, entry, isIdentifier, list, literal, object, prefix, text } from './source-text.js'

const ANNOTATIONS = ['title', 'description', 'default', 'example', 'deprecated', 'readOnly', 'writeOnly']
const CONSTRAINTS: Record<string, string[]> = {
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  integer: ['minimum', 'maximum', 'multipleOf', 'format'],
  number: ['minimum', 'maximum', 'multipleOf', 'format'],
  boolean: [],
  array: ['minItems', 'maxItems', 'uniqueItems'],
  object: ['minProperties', 'maxProperties', 'additionalProperties']
}
const STRUCTURE: Record<string, string[]> = {
  string: ['enum'],
  array: ['items'],
  object: ['properties', 'required']
}

export function schemaSource(schema: Node, where: string): Code {
  if (schema.$ref !== undefined) return reference(schema, where)
  if (schema.anyOf !== undefined) return unionSource(schema, where)
  const type = String(schema.type)
  const constraints = CONSTRAINTS[type]
  if (!constraints) throw new Error(`${where}: unknown type "${type}"`)
  rejectUnknown(schema, ['type', 'nullable', ...ANNOTATIONS, ...constraints, ...(STRUCTURE[type] ?? [])], where)

  if (schema.nullable !== true) return typeSource(schema, [...ANNOTATIONS, ...constraints], where)
  const value = typeSource(schema, constraints, where)
  return call('Type.Union', list([value, 'Type.Null()']), ...options(schema, ANNOTATIONS, where))
}

function unionSource(schema: Node, where: string): Code {
  rejectUnknown(schema, ['anyOf', ...ANNOTATIONS], where)
  const branches = (schema.anyOf as Node[]).map((branch, i) => schemaSource(branch, `${where}.anyOf[${i}]`))
  return call('Type.Union', list(branches), ...options(schema, ANNOTATIONS, where))
}

function typeSource(schema: Node, keywords: string[], where: string): Code {
  const rest = options(schema, keywords, where)
  switch (schema.type) {
    case 'string':
      return schema.enum === undefined ? call('Type.String', ...rest) : enumSource(schema, keywords, where)
    case 'integer':
      return call('Type.Integer', ...rest)
    case 'number':
      return call('Type.Number', ...rest)
    case 'boolean':
      return call('Type.Boolean', ...rest)
    case 'array':
      return call('Type.Array', schemaSource(schema.items as Node, `${where}.items`), ...rest)
    default:
      return call('Type.Object', propertiesSource(schema, where), ...rest)
  }
}

// An enum, not a union of literals: for a value in none of the branches of a union, the serializer would fail with a 500.
function enumSource(schema: Node, keywords: string[], where: string): Code {
  const values = (schema.enum as unknown[]).filter((value) => value !== null || schema.nullable !== true)
  if (!values.every((value) => typeof value === 'string')) throw new Error(`${where}: only strings are enumerated`)
  const members = values.map((value) => text(value))
  const described = [
    entry('type', text('string')),
    entry('enum', list(members)),
    ...optionEntries(schema, keywords, where)
  ]
  return call(`Type.Unsafe<${members.join(' | ')}>`, braces(described))
}

export function propertiesSource(schema: Node, where: string): Code {
  const required = (schema.required ?? []) as string[]
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Node>)
  return object(
    properties.map(([name, property]) => {
      const source = schemaSource(property, `${where}.${name}`)
      return [name, required.includes(name) ? source : call('Type.Optional', source)]
    }),
    true
  )
}

function options(schema: Node, keywords: string[], where: string): Code[] {
  const items = optionEntries(schema, keywords, where)
  return items.length > 0 ? [braces(items)] : []
}

function optionEntries(schema: Node, keywords: string[], where: string): Code[] {
  return Object.entries(schema)
    .filter(([keyword]) => keywords.includes(keyword))
    .map(([keyword, value]) => {
      if (keyword === 'example') return entry('examples', list([literal(value)]))
      if (keyword !== 'additionalProperties' || typeof value === 'boolean') return entry(keyword, literal(value))
      return entry(keyword, schemaSource(value as Node, `${where}.additionalProperties`))
    })
}

/** Throws if a node has a keyword that is neither known nor an extension (`x-…`). */
export function rejectUnknown(node: Node, known: string[], where: string): void {
  const unknown = Object.keys(node).find((keyword) => !known.includes(keyword) && !keyword.startsWith('x-'))
  if (unknown !== undefined) throw new Error(`${where}: unknown keyword "${unknown}"`)
}

function reference(schema: Node, where: string): string {
  // OpenAPI 3.0 ignores siblings of a $ref, so such a sibling is a mistake.
  rejectUnknown(schema, ['$ref'], where)
  return referencedName(schema.$ref, where)
}

function referencedName(target: unknown, where: string): string {
  const name = /^#\/components\/schemas\/([^/]+)$/.exec(String(target))?.[1]
  if (!name || !isIdentifier(name)) throw new Error(`${where}: ${target} names no component schema`)
  return name
}

/** The declaration `export const X = …` of every component schema, each after those it refers to. */
export function componentsSource(schemas: Record<string, Node>, where: string): { name: string; code: Code }[] {
  return orderByDependency(schemas, where).map((name) => {
    if (!isIdentifier(name) || name === 'Type' || name === 'Static') {
      throw new Error(`${where}: "${name}" cannot be the name of a constant`)
    }
    return { name, code: prefix(`export const ${name} = `, schemaSource(schemas[name] ?? {}, `${where}.${name}`)) }
  })
}

/** The names of the schemas, each after those it refers to. Throws on a reference cycle. */
export function orderByDependency(schemas: Record<string, Node>, where: string): string[] {
  const ordered: string[] = []
  const visit = (name: string, trail: string[]): void => {
    if (trail.includes(name)) throw new Error(`${where}: reference cycle ${[...trail, name].join(' -> ')}`)
    if (ordered.includes(name)) return
    const schema = schemas[name]
    if (!schema) throw new Error(`${where}: ${trail.at(-1)} refers to ${name}, which is not there`)
    for (const target of references(schema)) visit(referencedName(target, `${where}.${name}`), [...trail, name])
    ordered.push(name)
  }
  for (const name of Object.keys(schemas)) visit(name, [])
  return ordered
}

function references(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  // A property may itself be named $ref; its value is then a schema, not a string.
  if ('$ref' in value && typeof value.$ref === 'string') return [value.$ref]
  return Object.values(value).flatMap(references)
}
