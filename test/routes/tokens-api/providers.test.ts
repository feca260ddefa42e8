import t from 'tap'
import { tokensOperations, tokensPrefix } from '../../../schemas/generated/tokens.js'
import { freePort } from '../../support/ports.js'
import { startRedis } from '../../support/redis-server.js'
import {
  BODIES,
  makeOneOfEach,
  OPERATIONS,
  type OperationId,
  overHttp,
  startTokensApp,
  tokensClient
} from '../../support/tokens-client.js'
import { apiHeaders } from '../expectations.js'
import { contentOf, everyOperation, isText, isThing, refused, UUID } from './every-operation.js'

const body = BODIES.createProvider

t.test('the operations are those of the contract', async (t) => {
  const documented = Object.entries(tokensOperations).map(([id, { method, url }]) => [
    id,
    `${method} ${tokensPrefix}${url.replaceAll(/:(\w+)/g, '{$1}')}`
  ])
  t.strictSame(Object.fromEntries(documented), { ...OPERATIONS })
  t.equal(Object.keys(OPERATIONS).length, 27)
})

t.test('201 createProvider', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })

  t.test('201 answers with what was sent, an id and the times, and nothing else', async (t) => {
    const answer = await api.createProvider({}, body)
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), body)
  })

  t.test('201 other members are accepted and dropped', async (t) => {
    const id = '00000000-0000-4000-8000-000000000000'
    const more = { id, createdAt: 'x', account: 'other', customDomain: 'evil.example', keys: [1], toString: 'x' }
    const answer = await api.createProvider({}, { ...body, ...more })
    t.equal(answer.status, 201)
    isThing(t, answer.body, clock())
    t.not(answer.body.id, id)
    t.strictSame(contentOf(answer.body), body)
  })

  t.test('201 two of the same name are two', async (t) => {
    const [one, two] = [await api.createProvider({}, body), await api.createProvider({}, body)]
    t.strictSame([one.status, two.status], [201, 201])
    t.not(one.body.id, two.body.id)
  })

  t.test('name is 3 to 50 characters', (t) =>
    isText(t, 'name', 3, 50, (name) => api.createProvider({}, { ...body, name }))
  )
  t.test('description is 1 to 100 characters', (t) =>
    isText(t, 'description', 1, 100, (description) => api.createProvider({}, { ...body, description }))
  )

  t.test('400 says which member it is, and never what was in it', async (t) => {
    refused(t, await api.createProvider({}, {}), 400, 'none', 'name is missing.')
    refused(t, await api.createProvider({}, { name: body.name }), 400, 'one', 'description is missing.')
    const answer = await api.createProvider({}, { ...body, name: 'hunter2'.repeat(9) })
    refused(t, answer, 400, 'too long', /^name must NOT have more than 50 characters\.$/)
    t.notOk(JSON.stringify(answer).includes('hunter2'))
  })
})

t.test('200 listProviders and getProvider', async (t) => {
  const { api, by, newKey, clock } = await startTokensApp(t, { LIMITS: 'off' })

  t.test('200 with none, a bare array', async (t) => {
    const answer = await api.listProviders()
    t.equal(answer.status, 200)
    t.strictSame(answer.body, [])
    apiHeaders(t, answer)
  })

  t.test('200 lists those of the account in the order they were made, within one millisecond as well', async (t) => {
    const made = []
    for (let i = 0; i < 12; i++) {
      made.push((await api.createProvider({}, { ...body, name: `provider ${i}` })).body)
      if (i % 6 === 5) clock.advance(1)
    }
    t.strictSame((await api.listProviders()).body, made)
    for (const provider of made) {
      const answer = await api.getProvider({ providerId: provider.id })
      t.equal(answer.status, 200)
      t.strictSame(answer.body, provider)
    }
    t.strictSame((await by(await newKey()).listProviders()).body, made, 'to every key of the account')
    t.strictSame((await by(await newKey('acme-2')).listProviders()).body, [], 'and to no other')

    const [gone] = made.splice(3, 1)
    t.equal((await api.deleteProvider({ providerId: gone.id })).status, 204)
    t.strictSame((await api.listProviders()).body, made)
  })
})

t.test('204 deleteProvider', async (t) => {
  const service = await startTokensApp(t, { LIMITS: 'off' })
  const { api } = service
  const ids = await makeOneOfEach(api)

  t.test('204 has no body and no content type', async (t) => {
    const answer = await api.deleteProvider(ids)
    t.strictSame([answer.status, answer.body], [204, ''])
    t.notOk('content-type' in answer.headers)
    t.equal(answer.headers['cache-control'], 'no-store')
  })

  t.test('404 for it and for all that belonged to it, from then on', async (t) => {
    const of: OperationId[] = ['getProvider', 'listClients', 'getClient', 'listDomains', 'getDomain', 'verifyDomain']
    for (const id of of) refused(t, await api[id](ids), 404, id)
    refused(t, await api.createClient(ids, BODIES.createClient), 404, 'createClient')
    refused(t, await api.createAccessToken(ids), 404, 'createAccessToken')
    refused(t, await api.addDomain(ids, { domain: 'other.example.com' }), 404, 'addDomain')
    for (const id of ['deleteDomain', 'deleteClient', 'deleteProvider'] as const)
      refused(t, await api[id](ids), 404, id)
    t.strictSame((await api.listProviders()).body, [])
    t.equal((await api.getTenant(ids)).status, 200, 'a tenant is none of its things')
  })
})

everyOperation(t, ['listProviders', 'createProvider', 'getProvider', 'deleteProvider'])

t.test('429 the 1001st request of an hour, if nothing else is configured', async (t) => {
  const { api, clock, by, newKey } = await startTokensApp(t)
  for (let i = 0; i < 1_000; i++) {
    const { status } = await api.listProviders()
    if (status !== 200) t.equal(status, 200, `request ${i + 1}`)
  }
  clock.advance(60_000)
  const answer = await api.listProviders()
  refused(t, answer, 429)
  t.equal(answer.headers['retry-after'], '3540')
  t.equal((await by(await newKey()).listProviders()).status, 200, 'another key of the account has a share of its own')
  refused(t, await by('uga_acme.x').listProviders(), 401, 'who has no key has no share to use up')
})

t.test('429 over two instances and one Redis: what either answers counts for both', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { REDIS_URL: redis.url, LIMIT_TOKENS_API_PER_HOUR: '10' }
  const one = await startTokensApp(t, variables)
  const two = await startTokensApp(t, variables, { testClock: one.clock })
  const apis = [one.api, two.by(one.key)]
  const ask = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => (apis[i % 2] as typeof one.api).listProviders()))
  const first = await ask(24)
  t.equal(first.filter(({ status }) => status === 200).length, 10, 'of 24 at once ten')
  for (const answer of first.filter(({ status }) => status !== 200)) {
    refused(t, answer, 429)
    const seconds = Number(answer.headers['retry-after'])
    t.ok(seconds > 3_590 && seconds <= 3_600, `in an hour: ${seconds} s`)
  }
  for (const answer of await ask(4)) refused(t, answer, 429, 'neither has a share left')
})

t.test('over HTTP, with the default keys', async (t) => {
  const { app, key } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: '', LIMITS: 'off' })
  const origin = await app.listen({ host: '127.0.0.1', port: await freePort() })
  const api = tokensClient(overHttp(origin), key)
  const created = await api.createProvider({}, body)
  t.equal(created.status, 201)
  const providerId = created.body.id
  t.match(providerId, UUID)
  t.strictSame((await api.listProviders()).body, [created.body])
  const client = await api.createClient({ providerId }, BODIES.createClient)
  t.equal((await api.createAccessToken({ providerId, clientId: client.body.id })).status, 201)
  const gone = await api.deleteProvider({ providerId })
  t.strictSame([gone.status, gone.body], [204, ''])
  refused(t, await api.getProvider({ providerId }), 404)
  const head = await fetch(`${origin}/v1/providers`, { method: 'HEAD', headers: { authorization: `Bearer ${key}` } })
  t.strictSame([head.status, await head.text()], [200, ''])
})

t.test('under the path of PUBLIC_URL as well', async (t) => {
  const { app, key } = await startTokensApp(t, { PUBLIC_URL: 'https://grants.example/base' })
  const headers = { authorization: `Bearer ${key}` }
  const { statusCode, body } = await app.inject({ method: 'GET', url: '/base/v1/providers', headers })
  t.strictSame([statusCode, body], [200, '[]'])
})

t.test('404 what the API does not have, in its own words', async (t) => {
  const { send, key } = await startTokensApp(t)
  for (const url of ['/v1', '/v1/', '/v1/provider', '/v1/providers/', '/v1/providers/x/keys', '/v1/tenants/x/tokens']) {
    const answer = await send({ method: 'GET', url, headers: { authorization: `Bearer ${key}` } })
    t.equal(answer.status, 404, url)
    t.match(answer.body, { code: 'not_found', message: String }, url)
  }
})

t.test('400 an id that cannot be decoded', async (t) => {
  const { send, key } = await startTokensApp(t)
  for (const id of ['%zz', '%c0%ae', '%ff', '%']) {
    for (const place of ['providers', 'tenants']) {
      const request = { method: 'GET', url: `/v1/${place}/${id}`, headers: { authorization: `Bearer ${key}` } }
      refused(t, await send(request), 400, `${place}/${id}`)
    }
    refused(t, await send({ method: 'GET', url: `/${id}/.well-known/jwks`, headers: {} }), 400, `of issuer ${id}`)
  }
})

t.test('200 the document, by the name that clients of the tokens API look for', async (t) => {
  const { send } = await startTokensApp(t)
  const { status, body } = await send({ method: 'GET', url: '/open-api.json', headers: {} })
  t.equal(status, 200)
  const paths = Object.keys(body.paths)
  for (const operation of Object.values(OPERATIONS)) t.ok(paths.includes(operation.split(' ')[1] as string), operation)
})
