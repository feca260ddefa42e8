/**
 * Turns OpenAPI operations into source: the method, url and schema of a Fastify route. Header parameters are left out, because
 * the documents describe them for readers only and the code that needs a header reads it itself.
 */
import { isDeepStrictEqual } from 'node:util'
import { dereference, type NamedDocument, type Node, type OpenApi, type Operation } from './documents.js'
import { type Code, call, list, object, text } from './source-text.js'
import { propertiesSource, rejectUnknown, schemaSource } from './typebox.js'

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch']
const OPERATION_KEYS = ['operationId', 'tags', 'summary', 'description', 'security', 'deprecated']
const PARAMETER_KEYS = ['name', 'in', 'required', 'description', 'schema', 'example', 'deprecated']

export function operationsSource({ name, api }: NamedDocument): Code {
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Code] => {
      const where = `${name}: ${method.toUpperCase()} ${path}`
      if (!METHODS.includes(method)) throw new Error(`${where}: "${method}" is not a method`)
      const id = operation.operationId
      if (!id) throw new Error(`${where}: no operationId`)
      rejectUnknown(operation, [...OPERATION_KEYS, 'parameters', 'requestBody', 'responses'], where)
      const route: [string, Code][] = [
        ['method', text(method.toUpperCase())],
        ['url', text(routeUrl(path))],
        [
          'schema',
          object([['operationId', text(id)], ...inputs(api, operation, where), responses(api, operation, where)], true)
        ]
      ]
      return [id, object(route, true)]
    })
  )
  return object(operations, true)
}

export function routeUrl(path: string): string {
  return path.replaceAll(/\{([^}]+)\}/g, ':$1')
}

function inputs(api: OpenApi, operation: Operation, where: string): [string, Code][] {
  const entries: [string, Code][] = []
  if (operation.requestBody) entries.push(['body', bodySource(api, operation.requestBody, `${where} body`)])
  for (const [place, key] of [
    ['query', 'querystring'],
    ['path', 'params']
  ] as const) {
    const parameters = (operation.parameters ?? [])
      .map((parameter) => dereference(api, parameter, where))
      .filter((parameter) => parameter.in === place)
    if (parameters.length > 0) entries.push([key, parametersSource(parameters, `${where} ${place}`)])
  }
  return entries
}

function bodySource(api: OpenApi, requestBody: Node, where: string): Code {
  const body = dereference(api, requestBody, where)
  const schema = contentSchema(body, where)
  if (!schema) throw new Error(`${where}: no schema`)
  const source = schemaSource(schema, where)
  // Without a request body Fastify validates null.
  return body.required === true ? source : call('Type.Union', list([source, 'Type.Null()']))
}

function parametersSource(parameters: Node[], where: string): Code {
  const properties: Record<string, Node> = {}
  const required: string[] = []
  for (const parameter of parameters) {
    const name = String(parameter.name)
    rejectUnknown(parameter, PARAMETER_KEYS, `${where} ${name}`)
    const { schema, description, example } = parameter as { schema: Node; description?: string; example?: unknown }
    const about = { ...(description !== undefined && { description }), ...(example !== undefined && { example }) }
    properties[name] = '$ref' in schema ? schema : { ...about, ...schema }
    if (parameter.required === true) required.push(name)
  }
  return call('Type.Object', propertiesSource({ properties, required }, where))
}

function responses(api: OpenApi, operation: Operation, where: string): [string, Code] {
  const answers = Object.entries(operation.responses).map(([status, answer]): [string, Code] => {
    const place = `${where} ${status}`
    if (!/^[1-5]\d\d$/.test(status)) throw new Error(`${place}: a response is named by one status`)
    const schema = contentSchema(dereference(api, answer, place), place)
    // A response without a schema would be serialized unchecked, so an empty one gets the schema null.
    return [status, schema ? schemaSource(schema, place) : 'Type.Null()']
  })
  return ['response', object(answers, true)]
}

function contentSchema(node: Node, where: string): Node | undefined {
  const contents = Object.entries((node.content ?? {}) as Record<string, { schema?: Node }>)
  const [first, ...others] = contents
  if (!first) return undefined
  const [mediaType, { schema }] = first
  // A Fastify route has one body schema for all media types.
  if (others.some(([, other]) => !isDeepStrictEqual(other.schema, schema))) {
    throw new Error(`${where}: media types of more than one schema`)
  }
  if (mediaType.startsWith('text/')) return { type: 'string' }
  if (!schema) throw new Error(`${where}: ${mediaType} without a schema`)
  return schema
}
