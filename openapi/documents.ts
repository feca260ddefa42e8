/**
 * The OpenAPI documents as data: reads and validates the hand-written files, joins them into the one document that is served,
 * and collects the names marked `x-secret`. typebox.ts and operations.ts turn them into source.
 */
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { bundle, compileErrors, validate } from '@readme/openapi-parser'
import { parse } from 'yaml'

/** The `info` object of the joined document; the only YAML file here that is not a document of its own. */
const INFO_FILE = 'info.yaml'
const JOINED_KEYS = ['openapi', 'info', 'servers', 'tags', 'paths', 'components']

/** Any object of a document (schema, parameter, response). It is read keyword by keyword, so its type is loose. */
export type Node = Record<string, unknown>

export interface Operation extends Node {
  operationId?: string
  parameters?: Node[]
  requestBody?: Node
  responses: Record<string, Node>
}

export interface OpenApi {
  openapi: string
  info: Node
  servers?: { url: string }[]
  tags?: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components?: Record<string, Record<string, Node>>
}

export interface NamedDocument {
  name: string
  api: OpenApi
}

/** Reads all documents of a folder, in the order of their names. Rejects if one is invalid. */
export async function readDocuments(folder: string): Promise<NamedDocument[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml') && file !== INFO_FILE).sort()
  if (files.length === 0) throw new Error(`no OpenAPI documents in ${folder}`)
  return Promise.all(files.map((file) => readDocument(join(folder, file))))
}

async function readDocument(path: string): Promise<NamedDocument> {
  const result = await validate(path)
  if (!result.valid) throw new Error(`${path}: ${compileErrors(result)}`)
  // The parser's types are a union over three versions of OpenAPI. The code that uses a keyword checks it.
  const api = (await bundle(path)) as unknown as OpenApi
  return { name: basename(path, '.yaml'), api }
}

export async function readInfo(folder: string): Promise<Node> {
  return parse(await readFile(join(folder, INFO_FILE), 'utf8')) as Node
}

/** The path of a document's server without a trailing slash: the prefix of its routes. Throws if there are several servers. */
export function prefixOf({ name, api }: NamedDocument): string {
  const [server, ...others] = api.servers ?? []
  if (others.length > 0) throw new Error(`${name}: more than one server, so there is no one prefix`)
  const prefix = server?.url.replace(/\/+$/, '') ?? ''
  if (prefix !== '' && !prefix.startsWith('/')) throw new Error(`${name}: the server "${prefix}" is not a path`)
  return prefix
}

/** Resolves `{ $ref: '#/components/…' }`, through chains too; returns any other node as it is. */
export function dereference(api: OpenApi, node: Node, where: string): Node {
  if (node.$ref === undefined) return node
  const [root, components, section, name] = String(node.$ref).split('/')
  const target = root === '#' && components === 'components' && section && name && api.components?.[section]?.[name]
  if (!target) throw new Error(`${where}: cannot follow the reference ${node.$ref}`)
  return dereference(api, target, where)
}

/** Joins the documents into one. Throws if two of them define a name differently, or an operationId occurs twice. */
export function joinDocuments(documents: NamedDocument[], info: Node): OpenApi {
  const tags: Record<string, { name: string }> = {}
  const paths: OpenApi['paths'] = {}
  const components: Record<string, Record<string, Node>> = {}
  const operationIds = new Set<unknown>()

  for (const document of documents) {
    const { name, api } = document
    const stray = Object.keys(api).find((key) => !JOINED_KEYS.includes(key))
    if (stray !== undefined) throw new Error(`${name}: "${stray}" would be lost in the joined document`)
    for (const tag of api.tags ?? []) add(tags, tag.name, tag, `${name}: tag`)
    for (const [path, item] of Object.entries(api.paths)) {
      for (const { operationId } of Object.values(item)) {
        if (operationIds.has(operationId)) throw new Error(`${name}: operation ${operationId} is there already`)
        operationIds.add(operationId)
      }
      add(paths, prefixOf(document) + path, item, `${name}: path`)
    }
    for (const [section, members] of Object.entries(api.components ?? {})) {
      components[section] ??= {}
      for (const [key, member] of Object.entries(members)) {
        add(components[section], key, member, `${name}: components.${section}`)
      }
    }
  }
  return { openapi: '3.0.3', info, servers: [{ url: '/' }], tags: Object.values(tags), paths, components }
}

function add<T>(into: Record<string, T>, key: string, value: T, where: string): void {
  if (key in into && !isDeepStrictEqual(into[key], value)) {
    throw new Error(`${where} ${key} is there already, with other content`)
  }
  into[key] = value
}

/** The names of all properties and parameters marked `x-secret: true`, sorted, each once. */
export function secretNames(documents: NamedDocument[]): string[] {
  const names = new Set<string>()
  const visit = (value: unknown, path: string[]): void => {
    if (typeof value !== 'object' || value === null) return
    const node = value as Node
    // Below `properties` a key is the name of a property, so `x-secret` there is no mark.
    if ('x-secret' in node && path.at(-1) !== 'properties') {
      const name = path.at(-2) === 'properties' ? path.at(-1) : 'in' in node ? node.name : undefined
      if (node['x-secret'] !== true || typeof name !== 'string') {
        throw new Error(`${path.join('.')}: x-secret is "true" on a property or a parameter, nothing else`)
      }
      names.add(name)
    }
    for (const [key, member] of Object.entries(node)) visit(member, [...path, key])
  }
  for (const { name, api } of documents) visit(api, [name])
  return [...names].sort()
}
