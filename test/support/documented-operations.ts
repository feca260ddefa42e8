/** The operations of the served OpenAPI document, with a check of any answer against its documentation. */
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { openapiDocument } from '../../schemas/generated/openapi.js'

// biome-ignore lint/suspicious/noExplicitAny: a document is looked at keyword by keyword
export type Node = any

const FORM = 'application/x-www-form-urlencoded'

export interface DocumentedOperation {
  id: string
  method: string
  path: string
  /** The schema of the body, as JSON if it may be that; undefined if there is no body. */
  body: Node
  isBodyRequired: boolean
  takesForms: boolean
  takesJson: boolean
  /** The ways in which a caller can authenticate; empty for a public operation. */
  schemes: string[]
  /** The parameters of the query and the headers, as documented. */
  query: Node[]
  headers: Node[]
  answers: Map<number, { check: ValidateFunction | undefined; type: string }>
}

/** Resolves all references of a document; it has no cycles. */
function resolve(node: Node): Node {
  if (Array.isArray(node)) return node.map(resolve)
  if (typeof node !== 'object' || node === null) return node
  if (typeof node.$ref === 'string') {
    const path = node.$ref.slice(2).split('/')
    return resolve(path.reduce((inner: Node, key: string) => inner[key], openapiDocument))
  }
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, resolve(inner)]))
}

/** Forbids members of an answer that its schema does not name. */
function closed(node: Node): Node {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const inner = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  return node.type === 'object' && node.properties ? { ...inner, additionalProperties: false } : inner
}

/** Returns the operations whose path is wanted. */
export function documentedOperations(isWanted: (path: string) => boolean): DocumentedOperation[] {
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const paths = Object.entries(resolve(openapiDocument.paths) as Node).filter(([path]) => isWanted(path))
  return paths.flatMap(([path, item]) =>
    Object.entries(item as Node).map(([method, operation]: [string, Node]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      body: (operation.requestBody?.content['application/json'] ?? operation.requestBody?.content[FORM])?.schema,
      isBodyRequired: operation.requestBody?.required === true,
      takesJson: 'application/json' in (operation.requestBody?.content ?? {}),
      takesForms: FORM in (operation.requestBody?.content ?? {}),
      schemes: operation.security.flatMap(Object.keys),
      query: (operation.parameters ?? []).filter((parameter: Node) => parameter.in === 'query'),
      headers: (operation.parameters ?? []).filter((parameter: Node) => parameter.in === 'header'),
      answers: new Map(
        Object.entries(operation.responses).map(([status, answer]: [string, Node]) => {
          const [[type = '', content] = []] = Object.entries(answer.content ?? {}) as [string, Node][]
          const check = type === 'application/json' ? ajv.compile(closed(content.schema)) : undefined
          return [Number(status), { check, type }]
        })
      )
    }))
  )
}

/** Returns what is wrong with an answer; undefined if it is documented and not a 5xx. */
export function problemWith(
  { id, answers }: DocumentedOperation,
  { statusCode, body, headers }: { statusCode: number; body: string; headers: Record<string, unknown> }
): string | undefined {
  const what = `${id} ${statusCode} ${body.slice(0, 200)}`
  if (statusCode >= 500) return `a 5xx: ${what}`
  const documented = answers.get(statusCode)
  if (!documented) return `not documented: ${what}`
  const type = String(headers['content-type'] ?? '')
  if (!type.startsWith(documented.type)) return `${type}: ${what}`
  if (documented.type === '' && (type !== '' || body !== '')) return `has content: ${what}`
  if (documented.check && !documented.check(JSON.parse(body))) {
    return `not as documented: ${what} ${JSON.stringify(documented.check.errors)}`
  }
  if (statusCode === 429 && !/^[1-9]\d*$/.test(String(headers['retry-after']))) return `no Retry-After: ${what}`
  return undefined
}

/**
 * Any text as one segment of a path. A lone surrogate cannot be encoded in a URL. A segment of one or two dots is taken away by
 * whoever parses a URL before it is sent, so that the request would be about another path: it gets one character more.
 */
export function pathSegmentOf(value: unknown): string {
  const text = String(value).replace(/\p{Surrogate}/gu, '\ufffd')
  return encodeURIComponent(/^\.{1,2}$/.test(text) ? `${text}~` : text)
}
