import { compileErrors, validate } from '@readme/openapi-parser'
import t from 'tap'
import { joinDocuments, type NamedDocument, type Node, type OpenApi, secretNames } from '../../openapi/documents.js'
import { documentModule, generatedFiles, staleFiles } from '../../openapi/generate.js'
import { routeUrl } from '../../openapi/operations.js'
import { print } from '../../openapi/source-text.js'
import { orderByDependency, schemaSource } from '../../openapi/typebox.js'
import { adminOperations, adminPrefix } from '../../schemas/generated/admin.js'
import { dashboardOperations, dashboardPrefix } from '../../schemas/generated/dashboard.js'
import { issuersOperations } from '../../schemas/generated/issuers.js'
import { oauthOperations } from '../../schemas/generated/oauth.js'
import { openapiDocument, secretFields } from '../../schemas/generated/openapi.js'
import { opsOperations } from '../../schemas/generated/ops.js'
import { tokensOperations, tokensPrefix } from '../../schemas/generated/tokens.js'
import { schemaCompilers } from '../../src/schema-compilers.js'

const ok = { 200: { description: 'ok' } }
const source = (schema: Node) => print(schemaSource(schema, 'here'))
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

function inline(parts: Partial<OpenApi>, name = 'sample'): NamedDocument {
  return { name, api: { openapi: '3.0.3', info: { title: name, version: '1' }, paths: {}, ...parts } }
}

t.test('the committed files', async (t) => {
  t.test('are what the documents give', async (t) => {
    const files = await generatedFiles()
    t.same([...files.keys()].sort(), [
      ...['admin.ts', 'dashboard.ts', 'issuers.ts', 'oauth.ts', 'openapi.ts', 'ops.ts', 'tokens.ts']
    ])
    for (const [name, content] of files) t.ok(content.length > 500, `${name} holds something`)
    t.same(await staleFiles(files), [])
  })

  t.test('come out the same a second time', async (t) => {
    t.same(await generatedFiles(), await generatedFiles())
  })

  t.test('a changed, a missing and a left-over file are each named', async (t) => {
    const files = await generatedFiles()
    files.set('dashboard.ts', `${files.get('dashboard.ts')} `)
    files.set('absent.ts', '')
    files.delete('ops.ts')
    t.same(await staleFiles(files), ['absent.ts', 'dashboard.ts', 'ops.ts'])
  })

  t.test('the joined document has every operation, under its prefix', async (t) => {
    const operations = [
      ...Object.values(dashboardOperations).map((operation) => ({ ...operation, prefix: dashboardPrefix })),
      ...Object.values(tokensOperations).map((operation) => ({ ...operation, prefix: tokensPrefix })),
      ...Object.values(adminOperations).map((operation) => ({ ...operation, prefix: adminPrefix })),
      ...Object.values(issuersOperations).map((operation) => ({ ...operation, prefix: '' })),
      ...[...Object.values(oauthOperations), ...Object.values(opsOperations)].map((operation) => ({
        ...operation,
        prefix: ''
      }))
    ]
    t.ok(operations.length >= 55, `${operations.length} operations`)
    const joined = Object.entries(openapiDocument.paths).flatMap(([path, item]) =>
      Object.entries(item ?? {}).map(([method, operation]) => [
        method.toUpperCase(),
        routeUrl(path),
        (operation as { operationId: string }).operationId
      ])
    )
    t.same(
      operations.map(({ method, prefix, url, schema }) => [method, prefix + url, schema.operationId]).sort(),
      joined.sort()
    )
  })

  t.test('the joined document is valid, and keeps its marks', async (t) => {
    const result = await validate(structuredClone(openapiDocument))
    t.ok(result.valid, compileErrors(result))
    const paths = openapiDocument.paths as unknown as OpenApi['paths']
    t.equal(paths['/api/v0/auth/grant/peek']?.get?.parameters?.[0]?.['x-secret'], true)
  })

  t.test('the secret names are exactly these', async (t) => {
    t.same(secretFields, [
      'accessToken',
      'access_token',
      'client_secret',
      'code_verifier',
      'device_code',
      'grant_code',
      'id_token',
      'jwt',
      'refresh_token',
      'token',
      'user_code',
      'verification_uri_complete'
    ])
  })
})

t.test('schemas', async (t) => {
  t.test('scalars keep their constraints, extensions go', async (t) => {
    t.equal(source({ type: 'string', minLength: 1, 'x-secret': true }), 'Type.String({ minLength: 1 })')
    t.equal(source({ type: 'integer', example: 5 }), 'Type.Integer({ examples: [5] })')
    t.equal(source({ type: 'boolean' }), 'Type.Boolean()')
    t.equal(source({ type: 'array', items: ref('X'), maxItems: 3 }), 'Type.Array(X, { maxItems: 3 })')
    t.equal(source({ type: 'string', description: "it's" }), `Type.String({ description: "it's" })`)
    t.equal(source({ type: 'string', pattern: '^\\d"\'$' }), `Type.String({ pattern: '^\\\\d"\\'$' })`)
  })

  t.test('an enum is one schema, not a union', async (t) => {
    t.equal(
      source({ type: 'string', enum: ['a', 'b'] }),
      "Type.Unsafe<'a' | 'b'>({ type: 'string', enum: ['a', 'b'] })"
    )
    t.throws(() => source({ type: 'string', enum: ['a', 1] }), /here: only strings/)
    t.throws(() => source({ type: 'integer', enum: [1] }), /here: unknown keyword "enum"/)
  })

  t.test('nullable is a union with null, described as a whole', async (t) => {
    t.equal(
      source({ type: 'string', nullable: true, maxLength: 3, description: 'd' }),
      "Type.Union([Type.String({ maxLength: 3 }), Type.Null()], { description: 'd' })"
    )
    t.equal(
      source({ type: 'string', nullable: true, enum: ['a', null] }),
      "Type.Union([Type.Unsafe<'a'>({ type: 'string', enum: ['a'] }), Type.Null()])"
    )
  })

  t.test('one of several is a union, described as a whole', async (t) => {
    t.equal(
      source({ anyOf: [{ type: 'array', items: ref('A') }, { type: 'string' }], description: 'd' }),
      "Type.Union([Type.Array(A), Type.String()], { description: 'd' })"
    )
  })

  t.test('a property is optional unless required, and a reference stays one', async (t) => {
    t.equal(
      source({
        type: 'object',
        required: ['a'],
        properties: { a: ref('A'), 'b-c': { type: 'number' } },
        additionalProperties: false
      }),
      "Type.Object(\n  {\n    a: A,\n    'b-c': Type.Optional(Type.Number())\n  },\n  { additionalProperties: false }\n)"
    )
  })

  t.test('what is not known is refused, with its place', async (t) => {
    t.throws(() => source({ type: 'string', contentEncoding: 'base64' }), /here: unknown keyword "contentEncoding"/)
    t.throws(() => source({ type: 'string', minimum: 1 }), /here: unknown keyword "minimum"/)
    t.throws(
      () => source({ type: 'object', properties: { a: { type: 'string', nullible: true } } }),
      /here\.a: unknown keyword "nullible"/
    )
    t.throws(() => source({ oneOf: [] }), /here: unknown type/)
    t.throws(() => source({ anyOf: [{ type: 'x' }] }), /here\.anyOf\[0\]: unknown type/)
    t.throws(() => source({ anyOf: [], nullable: true }), /here: unknown keyword "nullable"/)
    t.throws(() => source({ ...ref('A'), description: 'd' }), /here: unknown keyword "description"/)
    t.throws(() => source({ $ref: '#/paths/x' }), /here: #\/paths\/x names no component/)
  })

  t.test('what is referred to comes first', async (t) => {
    const pair = { type: 'object', properties: { b: ref('B'), c: { type: 'array', items: ref('C') } } }
    const schemas = { A: pair, B: ref('C'), C: { type: 'string' }, D: { type: 'string' } }
    t.same(orderByDependency(schemas, 'here'), ['C', 'B', 'A', 'D'])
  })

  t.test('a cycle and a missing schema are refused', async (t) => {
    const item = (name: string) => ({ type: 'array', items: ref(name) })
    t.throws(() => orderByDependency({ A: item('B'), B: item('A') }, 'here'), /here: reference cycle A -> B -> A/)
    t.throws(() => orderByDependency({ A: item('A') }, 'here'), /reference cycle A -> A/)
    t.throws(() => orderByDependency({ A: item('B') }, 'here'), /A refers to B, which is not there/)
  })
})

t.test('operations', async (t) => {
  t.test('become routes relative to the prefix, without headers', async (t) => {
    const text = documentModule(
      inline({
        servers: [{ url: '/base/' }],
        paths: {
          '/things/{id}/parts/{part}': {
            post: {
              operationId: 'makePart',
              parameters: [
                { $ref: '#/components/parameters/Id' },
                { name: 'part', in: 'path', required: true, schema: { type: 'string' } },
                { name: 'deep', in: 'query', description: 'How far.', schema: { type: 'boolean' } },
                { name: 'Prefer', in: 'header', schema: { type: 'string' } }
              ],
              requestBody: { content: { 'application/json': { schema: ref('Part') } } },
              responses: {
                200: { description: 'text', content: { 'text/plain': { schema: { type: 'string' } } } },
                204: { description: 'nothing', headers: { 'X-Left': { schema: { type: 'integer' } } } },
                400: { $ref: '#/components/responses/Bad' }
              }
            }
          }
        },
        components: {
          parameters: { Id: { name: 'id', in: 'path', required: true, schema: { type: 'string' } } },
          responses: { Bad: { description: 'bad', content: { 'application/json': { schema: ref('Part') } } } },
          schemas: { Part: { type: 'string' } }
        }
      })
    )
    t.equal(text.slice(text.indexOf('import')), SAMPLE)
  })

  t.test('what a route could not honour is refused, with its place', async (t) => {
    const paths = (operation: Node) =>
      inline({ paths: { '/x': { get: { operationId: 'x', responses: ok, ...operation } } } })
    const refused = (operation: Node, message: RegExp) => t.throws(() => documentModule(paths(operation)), message)
    refused({ callbacks: {} }, /sample: GET \/x: unknown keyword "callbacks"/)
    refused({ operationId: undefined }, /sample: GET \/x: no operationId/)
    refused({ responses: { default: { description: '' } } }, /GET \/x default: a response is named by one status/)
    refused(
      { responses: { 200: { description: '', content: { 'application/json': {} } } } },
      /200: application\/json without/
    )
    refused({ responses: { 200: { $ref: '#/components/responses/No' } } }, /200: cannot follow the reference/)
    refused({ parameters: [{ name: 'q', in: 'query', style: 'form', schema: {} }] }, /query q: unknown keyword "style"/)
  })
})

t.test('joining', async (t) => {
  const info = { title: 'all', version: '1' }
  const error = (type: string) => ({ schemas: { Error: { type } } })
  const path = (operationId: string) => ({ '/x': { get: { operationId, responses: ok } } })

  t.test('takes what two documents share once, and each path under its prefix', async (t) => {
    const a = inline({
      servers: [{ url: '/a' }],
      paths: path('one'),
      tags: [{ name: 'T' }],
      components: error('string')
    })
    const b = inline({ paths: path('two'), tags: [{ name: 'T' }], components: error('string') }, 'other')
    const joined = joinDocuments([a, b], info)
    t.same(Object.keys(joined.paths), ['/a/x', '/x'])
    t.same(joined.components, error('string'))
    t.same(joined.tags, [{ name: 'T' }])
    t.equal(joined.info, info)
  })

  t.test('refuses one name with two meanings, and what it would lose', async (t) => {
    const join = (a: Partial<OpenApi>, b: Partial<OpenApi>) => () =>
      joinDocuments([inline(a), inline(b, 'other')], info)
    t.throws(
      join({ components: error('string') }, { components: error('object') }),
      /other: components.schemas Error is/
    )
    t.throws(join({ paths: path('one') }, { paths: path('two') }), /other: path \/x is there already/)
    t.throws(
      join({ servers: [{ url: '/a' }], paths: path('one') }, { paths: path('one') }),
      /operation one is there already/
    )
    t.throws(join({}, { security: [] } as Partial<OpenApi>), /other: "security" would be lost/)
  })

  t.test('secret names come from properties and parameters, each once', async (t) => {
    const secret = { type: 'string', 'x-secret': true }
    const schemas = { A: { type: 'object', properties: { token: secret, 'x-secret': { type: 'string' } } } }
    const parameters = {
      T: { name: 'token', in: 'query', 'x-secret': true },
      K: { name: 'key', in: 'header', 'x-secret': true }
    }
    t.same(secretNames([inline({ components: { schemas, parameters } })]), ['key', 'token'])
    t.throws(() => secretNames([inline({ components: { schemas: { A: secret } } })]), /schemas.A: x-secret/)
  })
})

t.test('a schema is compiled once for the process, whichever application asks', async (t) => {
  const { pollGrantToken } = dashboardOperations
  const { method, url, schema } = pollGrantToken
  const options = { customOptions: { coerceTypes: false } } as never
  const validator = () =>
    schemaCompilers.buildValidator?.({}, options)({ method, url, httpPart: 'body', schema: schema.body } as never)
  const serializer = () =>
    schemaCompilers.buildSerializer?.({}, {} as never)({ method, url, httpStatus: '200', schema: schema.response[200] })
  t.type(validator(), 'function')
  t.equal(validator(), validator())
  t.type(serializer(), 'function')
  t.equal(serializer(), serializer())
  t.equal(serializer()?.({ status: 'authorization_pending' }), '{"status":"authorization_pending"}')
})

const SAMPLE = `import { type Static, Type } from '@sinclair/typebox'

export const samplePrefix = '/base'

export const Part = Type.String()
export type Part = Static<typeof Part>

export const sampleOperations = {
  makePart: {
    method: 'POST',
    url: '/things/:id/parts/:part',
    schema: {
      operationId: 'makePart',
      body: Type.Union([Part, Type.Null()]),
      querystring: Type.Object({
        deep: Type.Optional(Type.Boolean({ description: 'How far.' }))
      }),
      params: Type.Object({
        id: Type.String(),
        part: Type.String()
      }),
      response: {
        200: Type.String(),
        204: Type.Null(),
        400: Part
      }
    }
  }
} as const
`
