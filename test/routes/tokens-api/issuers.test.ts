/**
 * Our own issuers, which are the providers of this API, their workloads (clients) and domains, and what the whole surface
 * does: its limits, its document, and requests that no operation takes.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import t, { type Test } from 'tap'
import { tokensOperations, tokensPrefix } from '../../../schemas/generated/tokens.js'
import { BY } from '../../support/audit.js'
import { startDnsServer } from '../../support/dns-server.js'
import { freePort } from '../../support/ports.js'
import { startCluster } from '../../support/redis-cluster.js'
import { type RedisServer, startRedis } from '../../support/redis-server.js'
import {
  BODIES,
  makeOneOfEach,
  OPERATIONS,
  type OperationId,
  overHttp,
  requestOf,
  startTokensApp,
  type TokensApp,
  tokensClient
} from '../../support/tokens-client.js'
import { until } from '../../support/until.js'
import { apiHeaders } from '../expectations.js'
import { contentOf, everyOperation, isText, isThing, refused, UUID } from './every-operation.js'

const issuer = BODIES.createProvider
const workload = BODIES.createClient
const LONGEST_SECONDS = 172_800
const MOST = 255
/** Returns a domain name of that many characters, in labels of at most 63. */
const nameOf = (length: number) =>
  `${'a'.repeat(61)}.`
    .repeat(5)
    .slice(0, length - 4)
    .replace(/\.$/, 'a')
    .concat('.com')

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
    const answer = await api.createProvider({}, issuer)
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), issuer)
  })

  t.test('201 other members are accepted and dropped', async (t) => {
    const id = '00000000-0000-4000-8000-000000000000'
    const more = { id, createdAt: 'x', account: 'other', customDomain: 'evil.example', keys: [1], toString: 'x' }
    const answer = await api.createProvider({}, { ...issuer, ...more })
    t.equal(answer.status, 201)
    isThing(t, answer.body, clock())
    t.not(answer.body.id, id)
    t.strictSame(contentOf(answer.body), issuer)
  })

  t.test('201 two of the same name are two', async (t) => {
    const [one, two] = [await api.createProvider({}, issuer), await api.createProvider({}, issuer)]
    t.strictSame([one.status, two.status], [201, 201])
    t.not(one.body.id, two.body.id)
  })

  t.test('name is 3 to 50 characters', (t) =>
    isText(t, 'name', 3, 50, (name) => api.createProvider({}, { ...issuer, name }))
  )
  t.test('description is 1 to 100 characters', (t) =>
    isText(t, 'description', 1, 100, (description) => api.createProvider({}, { ...issuer, description }))
  )

  t.test('400 says which member it is, and never what was in it', async (t) => {
    refused(t, await api.createProvider({}, {}), 400, 'none', 'name is missing.')
    refused(t, await api.createProvider({}, { name: issuer.name }), 400, 'one', 'description is missing.')
    const answer = await api.createProvider({}, { ...issuer, name: 'hunter2'.repeat(9) })
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
      made.push((await api.createProvider({}, { ...issuer, name: `provider ${i}` })).body)
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
    refused(t, await api.createClient(ids, workload), 404, 'createClient')
    refused(t, await api.createAccessToken(ids), 404, 'createAccessToken')
    refused(t, await api.addDomain(ids, { domain: 'other.example.com' }), 404, 'addDomain')
    for (const id of ['deleteDomain', 'deleteClient', 'deleteProvider'] as const)
      refused(t, await api[id](ids), 404, id)
    t.strictSame((await api.listProviders()).body, [])
    t.equal((await api.getTenant(ids)).status, 200, 'a tenant is none of its things')
  })
})

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
  const startedAt = performance.now()
  const first = await ask(24)
  const leastSeconds = 3_599 - (performance.now() - startedAt) / 1000
  t.equal(first.filter(({ status }) => status === 200).length, 10, 'of 24 at once ten')
  for (const answer of first.filter(({ status }) => status !== 200)) {
    refused(t, answer, 429)
    const seconds = Number(answer.headers['retry-after'])
    t.ok(seconds >= leastSeconds && seconds <= 3_600, `in an hour: ${seconds} s, at least ${leastSeconds}`)
  }
  for (const answer of await ask(4)) refused(t, answer, 429, 'neither has a share left')
})

t.test('over HTTP, with the default keys', async (t) => {
  const { app, key } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: '', LIMITS: 'off' })
  const origin = await app.listen({ host: '127.0.0.1', port: await freePort() })
  const api = tokensClient(overHttp(origin), key)
  const created = await api.createProvider({}, issuer)
  t.equal(created.status, 201)
  const providerId = created.body.id
  t.match(providerId, UUID)
  t.strictSame((await api.listProviders()).body, [created.body])
  const client = await api.createClient({ providerId }, workload)
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

t.test('201 createClient', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const { providerId } = (await makeOneOfEach(api)) as { providerId: string }

  t.test('201 answers with what was sent, an id and the times, and nothing else', async (t) => {
    const answer = await api.createClient({ providerId }, workload)
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), workload)
  })

  t.test('201 other members are accepted and dropped', async (t) => {
    const id = '00000000-0000-4000-8000-000000000000'
    const answer = await api.createClient(
      { providerId },
      { ...workload, id, sub: 'root', providerId: id, description: 'x' }
    )
    t.equal(answer.status, 201)
    t.not(answer.body.id, id)
    t.strictSame(contentOf(answer.body), workload)
  })

  t.test('201 two of one audience are two', async (t) => {
    const ids = await Promise.all([1, 2].map(async () => (await api.createClient({ providerId }, workload)).body.id))
    t.equal(new Set(ids).size, 2)
  })

  t.test('name is 3 to 50 characters', (t) =>
    isText(t, 'name', 3, 50, (name) => api.createClient({ providerId }, { ...workload, name }))
  )
  t.test('audience is 3 to 100 characters', (t) =>
    isText(t, 'audience', 3, 100, (audience) => api.createClient({ providerId }, { ...workload, audience }))
  )
  t.test('400 says which member is missing', async (t) => {
    refused(t, await api.createClient({ providerId }, {}), 400, 'none', 'name is missing.')
    refused(t, await api.createClient({ providerId }, { name: 'abc' }), 400, 'one', 'audience is missing.')
  })
})

t.test('200 listClients and getClient, 204 deleteClient', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const providerId: string = (await api.createProvider({}, issuer)).body.id

  t.test('200 lists those of the provider in the order they were made', async (t) => {
    t.strictSame((await api.listClients({ providerId })).body, [])
    const other = await makeOneOfEach(api)
    const made = []
    for (let i = 0; i < 8; i++) {
      made.push((await api.createClient({ providerId }, { ...workload, name: `client ${i}` })).body)
      if (i === 3) clock.advance(1)
    }
    const listed = await api.listClients({ providerId })
    t.equal(listed.status, 200)
    t.strictSame(listed.body, made)
    apiHeaders(t, listed)
    for (const client of made) {
      const answer = await api.getClient({ providerId, clientId: client.id })
      t.strictSame([answer.status, answer.body], [200, client])
    }
    t.equal((await api.listClients(other)).body.length, 1, 'those of another provider are not among them')
  })

  t.test('204 takes one away, and nothing else', async (t) => {
    const before = (await api.listClients({ providerId })).body
    const clientId = before[2].id
    const answer = await api.deleteClient({ providerId, clientId })
    t.strictSame([answer.status, answer.body], [204, ''])
    refused(t, await api.getClient({ providerId, clientId }), 404, 'getClient')
    refused(t, await api.createAccessToken({ providerId, clientId }), 404, 'createAccessToken')
    refused(t, await api.deleteClient({ providerId, clientId }), 404, 'again')
    t.strictSame(
      (await api.listClients({ providerId })).body,
      before.filter(({ id }: { id: string }) => id !== clientId)
    )
  })
})

t.test('201 createAccessToken', async (t) => {
  const { api, clock, key, send } = await startTokensApp(t, {
    LIMITS: 'off',
    PUBLIC_URL: 'https://grants.example/base/'
  })
  const ids = await makeOneOfEach(api)
  const mint = (wish?: unknown) => api.createAccessToken(ids, wish)
  const claimsOf = async (wish?: unknown) => {
    const { status, body } = await mint(wish)
    t.equal(status, 201, JSON.stringify(wish))
    return decodeJwt(body.accessToken)
  }

  t.test('201 without a body: a token for an hour, and exactly three members', async (t) => {
    const answer = await mint()
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    const { accessToken, ...rest } = answer.body
    const iat = Math.floor(clock() / 1000)
    t.strictSame(rest, { expiresAt: new Date((iat + 3_600) * 1000).toISOString(), type: 'Bearer' })
    const { kid, ...header } = decodeProtectedHeader(accessToken)
    t.strictSame(header, { alg: 'EdDSA', typ: 'at+jwt' })
    t.match(kid, /^[\w-]{16}$/)
    const { jti, ...claims } = decodeJwt(accessToken)
    t.match(jti, UUID)
    t.strictSame(claims, {
      iss: `https://grants.example/base/${ids.providerId}`,
      sub: ids.clientId,
      client_id: ids.clientId,
      aud: workload.audience,
      iat,
      nbf: iat - 30,
      exp: iat + 3_600
    })
  })

  t.test('201 with an empty object, or with a body of none', async (t) => {
    for (const wish of [{}, { other: 1, sub: 'root', aud: 'x', iss: 'https://evil.example', client_id: 'y', exp: 1 }]) {
      const { jti: _, ...claims } = await claimsOf(wish)
      const { jti: __, ...usual } = await claimsOf()
      t.strictSame(claims, usual)
    }
    const request = requestOf('createAccessToken', ids, { authorization: `Bearer ${key}`, 'content-length': '0' })
    t.equal((await send(request)).status, 201, 'a length of none')
  })

  t.test('201 every token has an id of its own', async (t) => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => mint()))
    t.equal(new Set(tokens.map(({ body }) => decodeJwt(body.accessToken).jti)).size, 50)
  })

  t.test('201 expiresIn from 1 to 172800, whole seconds', async (t) => {
    for (const expiresIn of [1, 2, 60, LONGEST_SECONDS - 1, LONGEST_SECONDS]) {
      const answer = await mint({ expiresIn })
      t.equal(answer.status, 201, `${expiresIn}`)
      const { iat = 0, exp = 0 } = decodeJwt(answer.body.accessToken)
      t.equal(exp - iat, expiresIn)
      t.equal(Date.parse(answer.body.expiresAt), exp * 1000, 'expiresAt is exp')
    }
    const payload = '{"expiresIn":60.0}'
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await send({ ...requestOf('createAccessToken', ids, headers), payload })
    t.equal(answer.status, 201, 'a number is what it says, however it is written')
  })

  t.test('400 any other expiresIn', async (t) => {
    const wrong = [LONGEST_SECONDS + 1, 0, -1, -0.5, 1.5, 59.999, 172_800.5, 1e15, 1e308]
    for (const expiresIn of [...wrong, 172_800_000, '60', '', null, true, [60], {}]) {
      refused(t, await mint({ expiresIn }), 400, JSON.stringify({ expiresIn }), /^expiresIn must /)
    }
  })

  t.test('201 useJwtType chooses the type, audienceAsArray the form of aud', async (t) => {
    for (const [useJwtType, typ] of [
      [true, 'jwt'],
      [false, 'at+jwt']
    ]) {
      t.equal(decodeProtectedHeader((await mint({ useJwtType })).body.accessToken).typ, typ)
    }
    t.strictSame((await claimsOf({ audienceAsArray: true })).aud, [workload.audience])
    t.strictSame((await claimsOf({ audienceAsArray: false })).aud, workload.audience)
    const all = { expiresIn: 5, useJwtType: true, audienceAsArray: true, forceDefaultDomain: true }
    const { iat = 0, ...claims } = await claimsOf(all)
    t.match(claims, { exp: iat + 5, aud: [workload.audience], iss: `https://grants.example/base/${ids.providerId}` })
  })

  for (const field of ['useJwtType', 'audienceAsArray', 'forceDefaultDomain']) {
    t.test(`400 ${field} that is neither true nor false`, async (t) => {
      for (const value of [null, 0, 1, 'true', '', [], {}]) {
        refused(t, await mint({ [field]: value }), 400, JSON.stringify(value), `${field} must be boolean.`)
      }
    })
  }

  t.test('201 the clock is the service’s own, to the second', async (t) => {
    clock.advance(1_999)
    const answer = await mint({ expiresIn: 10 })
    const { iat, nbf, exp } = decodeJwt(answer.body.accessToken)
    const now = Math.floor(clock() / 1000)
    t.strictSame([iat, nbf, exp], [now, now - 30, now + 10])
    t.equal(answer.body.expiresAt, new Date((now + 10) * 1000).toISOString())
  })

  t.test('201 aud is the audience of the client, whatever is in it', async (t) => {
    for (const audience of ['sts.amazonaws.com', '//iam.googleapis.com/projects/1/x', 'ü 😀"\\\u0000', 'a,b c']) {
      const { body: client } = await api.createClient(ids, { name: 'client', audience })
      const { body: token } = await api.createAccessToken({ ...ids, clientId: client.id })
      t.equal(decodeJwt(token.accessToken).aud, audience)
      t.equal(decodeJwt(token.accessToken).sub, client.id)
    }
  })
})

for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  t.test(`201 a token signed with ${alg}, where that is configured`, async (t) => {
    const { api } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: alg })
    const { body } = await api.createAccessToken(await makeOneOfEach(api))
    t.equal(decodeProtectedHeader(body.accessToken).alg, alg)
  })
}

t.test('201 a token signed with RS256, where nothing is', async (t) => {
  const { api } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: '' })
  const { body } = await api.createAccessToken(await makeOneOfEach(api))
  t.equal(decodeProtectedHeader(body.accessToken).alg, 'RS256')
})

t.test('201 a token costs Redis', async (t) => {
  /** Two instances that listen, and two workloads of an issuer. Each instance has seen the key, and has the keys of the issuer. */
  async function ready(t: Test, variables: Record<string, string>) {
    const one = await startTokensApp(t, variables)
    const two = await startTokensApp(t, variables, { testClock: one.clock })
    const listen = async ({ app }: TokensApp) => app.listen({ host: '127.0.0.1', port: await freePort() })
    const origins = await Promise.all([one, two].map(listen))
    const [here, there] = origins.map((origin) => tokensClient(overHttp(origin), one.key))
    if (!here || !there) throw new Error('nobody listens')
    const { providerId = '' } = await makeOneOfEach(here)
    const newIds = async () => ({ providerId, clientId: (await here.createClient({ providerId }, workload)).body.id })
    const [ids, others] = [await newIds(), await newIds()]
    for (const api of [here, there]) t.equal((await api.createAccessToken(ids)).status, 201)
    // What the instances ask by themselves, every few seconds, would count as the calls'.
    await Promise.all([one, two].map(({ app }) => app.core.close()))
    return { one, two, here, there, origin: origins[0] as string, ids, others }
  }

  /** What a call has the servers do, without the commands of scripts. */
  async function commandsOf(t: Test, servers: RedisServer[], call: () => Promise<void>): Promise<string[]> {
    const texts = servers.map(() => '')
    const sockets = servers.map(({ port }, i) => {
      const socket = connect(port, '127.0.0.1').on('data', (data) => {
        texts[i] += `${data}`
      })
      t.teardown(() => socket.destroy())
      return socket.setEncoding('utf8')
    })
    for (const socket of sockets) socket.write('MONITOR\r\n')
    await until(async () => texts.every((text) => text.startsWith('+OK')))
    await call()
    await Promise.all(servers.map(({ client }) => client.echo('the end')))
    await until(async () => texts.every((text) => text.includes('"the end"')))
    const names = [...texts.join('').matchAll(/^\+[\d.]+ \[\d+ (\S+)\] "(\w+)"(.*)$/gm)]
    return names
      .filter(([, source]) => source !== 'lua')
      .flatMap(([, , name = '']) => (['ping', 'info', 'cluster', 'echo'].includes(name) ? [] : [name]))
  }

  const TOKENS = 20

  t.test('one command, its limit included', async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const { here, ids, others, one } = await ready(t, { REDIS_URL: redis.url })
    const mint = async () => {
      for (let i = 0; i < TOKENS; i++) t.equal((await here.createAccessToken(i % 2 ? ids : others)).status, 201)
    }
    t.strictSame(await commandsOf(t, [redis], mint), Array(TOKENS).fill('evalsha'))
    // The use is noted once a minute, and the keys are read again, as is what an epoch has ended.
    one.clock.advance(61_000)
    const more = (await commandsOf(t, [redis], mint)).length - TOKENS
    t.ok(more >= 1 && more <= 3, `${more} more in another minute`)
  })

  t.test('three in a Cluster, all at once', async (t) => {
    const cluster = await startCluster({ primaries: 3, steady: true })
    t.teardown(() => cluster.stop())
    const { here, ids } = await ready(t, { REDIS_CLUSTER: cluster.seeds })
    const seen = await commandsOf(t, cluster.nodes, async () => {
      for (let i = 0; i < TOKENS; i++) t.equal((await here.createAccessToken(ids)).status, 201)
    })
    t.strictSame(seen, Array(3 * TOKENS).fill('evalsha'))
  })

  t.test('nothing of what is promised', async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())

    t.test('429 after as many as an hour has, over two instances, and not one more', async (t) => {
      const { here, there, ids, one } = await ready(t, { REDIS_URL: redis.url, LIMIT_TOKENS_API_PER_HOUR: '40' })
      const left = 40 - Number(await redis.client.get(`grantd:limit:tokens-api:key:${one.key.split('.')[1]}`))
      const ask = (count: number) =>
        Promise.all(Array.from({ length: count }, (_, i) => (i % 2 ? here : there).createAccessToken(ids)))
      const answers = await ask(60)
      t.equal(answers.filter(({ status }) => status === 201).length, left)
      for (const answer of answers) if (answer.status !== 201) refused(t, answer, 429)
      refused(t, await here.createAccessToken(ids), 429)
      refused(t, await there.listProviders(), 429, 'and the others of the key')
    })

    t.test('401 a wrong secret, which is not counted against who has the right one', async (t) => {
      const { here, ids, one, origin } = await ready(t, { REDIS_URL: redis.url })
      const window = `grantd:limit:tokens-api:key:${one.key.split('.')[1]}`
      const wrong = tokensClient(
        overHttp(origin),
        one.key.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
      )
      const before = await redis.client.get(window)
      for (let i = 0; i < 5; i++) refused(t, await wrong.createAccessToken(ids), 401)
      t.equal(await redis.client.get(window), before)
      t.equal((await here.createAccessToken(ids)).status, 201)
      t.equal(await redis.client.get(window), `${Number(before) + 1}`)
    })

    t.test('404, 401 and 403 from the very next request, whichever instance was told', async (t) => {
      const { here, there, ids, others, one, two } = await ready(t, { REDIS_URL: redis.url })
      const keyId = one.key.split('.')[1] as string
      t.equal((await there.deleteClient(others)).status, 204)
      refused(t, await here.createAccessToken(others), 404, 'a workload')
      t.equal((await here.createAccessToken(ids)).status, 201)
      await two.app.core.apiKeys.setRights('acme', keyId, ['introspect'], BY)
      refused(t, await here.createAccessToken(ids), 403, 'a right')
      await two.app.core.apiKeys.setRights('acme', keyId, ['tokens'], BY)
      t.equal((await there.deleteProvider(ids)).status, 204)
      refused(t, await here.createAccessToken(ids), 404, 'an issuer')
      await two.app.core.apiKeys.revoke('acme', keyId, BY)
      for (const api of [here, there]) refused(t, await api.createAccessToken(ids), 401, 'a key')
    })

    t.test('404 where the issuer is deleted while the body is still to come', async (t) => {
      const { there, ids, origin, one } = await ready(t, { REDIS_URL: redis.url })
      const used = async () => /cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1]
      const socket = connect(Number(new URL(origin).port), '127.0.0.1')
      t.teardown(() => socket.destroy())
      const before = await used()
      const path = `/v1/providers/${ids.providerId}/clients/${ids.clientId}/tokens`
      const headers = ['Host: x', `Authorization: Bearer ${one.key}`, 'Content-Type: application/json']
      socket.write([`POST ${path} HTTP/1.1`, ...headers, 'Content-Length: 2', '', '{'].join('\r\n'))
      await until(async () => (await used()) !== before)
      t.equal((await there.deleteProvider(ids)).status, 204)
      socket.write('}')
      const [answer] = await once(socket, 'data')
      t.match(`${answer}`, /^HTTP\/1.1 404 /)
    })
  })
})

t.test('201 addDomain', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(api)
  const add = (domain: unknown) => api.addDomain(ids, { domain })

  t.test('201 answers with the domain, what to publish and where, an id and the times', async (t) => {
    const answer = await api.addDomain(ids, { domain: 'id.example.com', id: 'x', verified: true, challenge: 'mine' })
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    const { challenge, ...content } = contentOf(answer.body)
    t.strictSame(content, {
      domain: 'id.example.com',
      verified: false,
      challengeName: '_grant-challenge.id.example.com'
    })
    t.match(challenge, /^[\w-]{32}$/, 'nobody can guess it, and it fits into one string of a TXT record')
    t.strictSame((await api.getDomain({ ...ids, domainId: answer.body.id })).body, answer.body)
    t.not((await add('id2.example.com')).body.challenge, challenge, 'each has its own')
  })

  t.test('201 host names, kept in lower case', async (t) => {
    const names = [
      'a.b',
      'a.bc',
      'example.com',
      'a-b.c-d.example',
      '1.example',
      '0-0.example',
      'deep.er.and.deep.er.example'
    ]
    const likeWww = ['wwww.example', 'www2.example', 'www-1.example', 'my.www.example', 'w.example', 'ww.example']
    const long = [`${'a'.repeat(63)}.example`, `a.${'b'.repeat(63)}`, nameOf(MOST - 1), nameOf(MOST)]
    for (const domain of [...names, ...likeWww, ...long, 'xn--bcher-kva.example']) {
      const answer = await add(domain)
      t.strictSame([answer.status, answer.body.domain], [201, domain], `${domain.length}: ${domain.slice(0, 40)}`)
    }
    t.equal(nameOf(MOST).length, MOST)
    const { body } = await add('Tokens.EXAMPLE.Com')
    t.strictSame([body.domain, body.challengeName], ['tokens.example.com', '_grant-challenge.tokens.example.com'])
  })

  t.test('400 what is no host name, or is too short or too long for one', async (t) => {
    const wrong: Record<string, unknown[]> = {
      'a length': ['', 'a', 'ab', '.a', nameOf(MOST + 1)],
      'one label': ['localhost', 'example', 'com'],
      'www.': ['www.example.com', 'www.com', 'www.www.example', 'WWW.example.com', 'Www.example.com'],
      'a last label that is not of letters': ['a.example1', 'example.123', '192.0.2.1', 'a.xn--p1ai', 'example.c-m'],
      'hyphens at an end': ['-a.example', 'a-.example', 'b.-a.example', 'a.example-', 'a.-example'],
      'empty labels': ['a..example', '.example.com', 'example.com.', '..', 'a.'],
      'labels that are too long': [`${'a'.repeat(64)}.example`, `a.${'b'.repeat(64)}`],
      'other characters': [
        'a_b.example',
        '*.example.com',
        'exämple.com',
        '例え.example',
        'a b.example',
        'a\u0000.example'
      ],
      'more than a name': ['https://example.com', 'example.com:443', 'example.com/', 'u@example.com', 'example.com?x'],
      'space around it': [' example.com', 'example.com ', 'example.com\n', '\texample.com'],
      'another type': [null, 5, true, ['example.com'], { domain: 'example.com' }, undefined]
    }
    for (const [what, domains] of Object.entries(wrong)) {
      for (const domain of domains) refused(t, await add(domain), 400, `${what}: ${JSON.stringify(domain)}`, 'domain')
    }
    refused(t, await add('x'), 400, 'says how', /^domain must /)
    refused(t, await api.addDomain(ids, {}), 400, 'none', 'domain is missing.')
  })
})

t.test('409 a domain that the provider has already, or that another one has proved', async (t) => {
  const dns = await startDnsServer(t)
  const { api, by, newKey } = await startTokensApp(t, { LIMITS: 'off', DNS_RESOLVER: dns.address })
  const [ids, sibling] = [await makeOneOfEach(api), await makeOneOfEach(api)]
  const stranger = by(await newKey('stranger'))
  const foreign = await makeOneOfEach(stranger)
  const domain = 'once.example.com'
  const { body: first } = await api.addDomain(ids, { domain })
  const others = [
    ['another provider of the account', api, sibling],
    ['another account', stranger, foreign]
  ] as const
  const sentence = 'The domain belongs to a provider already.'
  for (const spelling of [domain, domain.toUpperCase()]) {
    refused(t, await api.addDomain(ids, { domain: spelling }), 409, 'the same provider', sentence)
    for (const [who, client, place] of others) {
      const { status, body } = await client.addDomain(place, { domain: spelling })
      t.equal(status, 201, `${who}: what is not proved keeps nobody out`)
      t.not(body.challenge, first.challenge, 'and each proves it by something else')
      t.equal((await client.deleteDomain({ ...place, domainId: body.id })).status, 204)
    }
  }
  t.equal((await api.addDomain(ids, { domain: `sub.${domain}` })).status, 201, 'a name below it is another domain')

  dns.publish(first.challengeName, first.challenge)
  t.equal((await api.verifyDomain({ ...ids, domainId: first.id })).body.verified, true)
  for (const [who, client, place] of others) {
    refused(t, await client.addDomain(place, { domain }), 409, who, sentence)
    t.equal((await client.listDomains(place)).body.length, 1, `${who} has got nothing by it`)
  }
  dns.fail(first.challengeName, 'NXDOMAIN')
  for (const [who, client, place] of others) {
    const { status, body } = await client.addDomain(place, { domain })
    t.equal(status, 201, `${who}: nor does a proof that is there no more`)
    t.equal((await client.deleteDomain({ ...place, domainId: body.id })).status, 204)
  }
  t.equal((await api.getDomain({ ...ids, domainId: first.id })).body.verified, true, 'which still holds')

  dns.publish(first.challengeName, first.challenge)
  t.equal((await api.deleteDomain({ ...ids, domainId: first.id })).status, 204)
  const { status, body: second } = await stranger.addDomain(foreign, { domain })
  t.equal(status, 201, 'once it is deleted it is free')
  t.not(second.challenge, first.challenge, 'and what proved it before does not any more')
  dns.publish(second.challengeName, second.challenge)
  t.equal((await stranger.verifyDomain({ ...foreign, domainId: second.id })).body.verified, true)
  refused(t, await api.addDomain(ids, { domain }), 409, 'for one again')
  t.equal((await stranger.deleteProvider(foreign)).status, 204)
  t.equal((await api.addDomain(ids, { domain })).status, 201, 'and once its provider is')
})

t.test('200 listDomains and getDomain, 204 deleteDomain', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(api)
  const other = await makeOneOfEach(api)
  const made = [...(await api.listDomains(ids)).body]
  for (let i = 0; i < 8; i++) {
    made.push((await api.addDomain(ids, { domain: `host-${9 - i}.example.com` })).body)
    if (i === 3) clock.advance(1)
  }
  const listed = await api.listDomains(ids)
  t.strictSame([listed.status, listed.body], [200, made], 'in the order they were made')
  apiHeaders(t, listed)
  t.equal((await api.listDomains(other)).body.length, 1, 'those of another provider are not among them')
  for (const domain of made) {
    const answer = await api.getDomain({ ...ids, domainId: domain.id })
    t.strictSame([answer.status, answer.body], [200, domain])
  }
  const [{ id: domainId }] = made.splice(3, 1)
  const answer = await api.deleteDomain({ ...ids, domainId })
  t.strictSame([answer.status, answer.body], [204, ''])
  for (const id of ['getDomain', 'verifyDomain', 'deleteDomain'] as const) {
    refused(t, await api[id]({ ...ids, domainId }), 404, id)
  }
  t.strictSame((await api.listDomains(ids)).body, made)
})

t.test('200 verifyDomain', async (t) => {
  const dns = await startDnsServer(t)
  const { api, clock, send, key } = await startTokensApp(t, { LIMITS: 'off', DNS_RESOLVER: dns.address })
  const ids = await makeOneOfEach(api)
  let made = 0
  const add = async () => (await api.addDomain(ids, { domain: `v${made++}.example.com` })).body
  const verify = async (domain: { id: string }) => {
    const answer = await api.verifyDomain({ ...ids, domainId: domain.id })
    t.equal(answer.status, 200)
    t.strictSame(Object.keys(answer.body).sort(), ['domain', 'message', 'verified'])
    return answer
  }

  t.test('200 with the challenge published: verified, from then on', async (t) => {
    const domain = await add()
    dns.publish(domain.challengeName, domain.challenge)
    clock.advance(5_000)
    const answer = await verify(domain)
    apiHeaders(t, answer)
    const verified = { ...domain, verified: true, updatedAt: new Date(clock()).toISOString() }
    t.strictSame(answer.body.domain, verified)
    t.strictSame([answer.body.verified, answer.body.message], [true, `${domain.domain} is verified.`])
    const place = { ...ids, domainId: domain.id }
    t.strictSame((await api.getDomain(place)).body, verified)
    t.strictSame((await api.listDomains(ids)).body.at(-1), verified)

    dns.fail(domain.challengeName, 'NXDOMAIN')
    clock.advance(5_000)
    t.strictSame((await verify(domain)).body, answer.body, 'a second time it is verified already')
    t.equal(dns.asked.filter((name) => name === domain.challengeName).length, 1, 'and nobody is asked')
  })

  t.test('200 with the challenge among other records, or in several strings', async (t) => {
    for (const records of [
      (challenge: string) => ['v=spf1 -all', challenge, 'other'],
      (challenge: string) => [[challenge.slice(0, 10), challenge.slice(10, 11), '', challenge.slice(11)]],
      (challenge: string) => [['x', 'y'], 'ü\u0000', '', challenge]
    ]) {
      const domain = await add()
      dns.publish(domain.challengeName, ...records(domain.challenge))
      t.equal((await verify(domain)).body.verified, true)
    }
  })

  t.test('200 without it: not verified, and the reason', async (t) => {
    const other = await add()
    const wrong = (challenge: string) => [
      ['wrong'],
      [other.challenge],
      [challenge.slice(1), `${challenge}x`, ` ${challenge}`, challenge.toLowerCase(), `"${challenge}"`],
      [challenge.slice(0, 16), challenge.slice(16)]
    ]
    const domain = await add()
    for (const records of wrong(domain.challenge)) {
      dns.publish(domain.challengeName, ...records)
      const { body } = await verify(domain)
      t.strictSame(body, {
        domain,
        verified: false,
        message: `${domain.challengeName} has TXT records, but none is the challenge.`
      })
    }
    dns.publish(domain.challengeName, domain.challenge)
    t.equal((await verify(domain)).body.verified, true, 'and once it is there it is found')
  })

  t.test('200 while there is nothing to be found, or nobody who says: not verified, and the reason', async (t) => {
    const [domain, unasked] = [await add(), await add()]
    const reasons = {
      NXDOMAIN: `There is no TXT record at ${domain.challengeName}.`,
      NODATA: `There is no TXT record at ${domain.challengeName}.`,
      SERVFAIL: `${domain.challengeName} could not be looked up (ESERVFAIL). Try again later.`,
      REFUSED: `${domain.challengeName} could not be looked up (EREFUSED). Try again later.`,
      silence: `${domain.challengeName} could not be looked up (ETIMEOUT). Try again later.`
    } as const
    for (const [how, message] of Object.entries(reasons)) {
      dns.fail(domain.challengeName, how as keyof typeof reasons)
      const startedAt = performance.now()
      t.strictSame((await verify(domain)).body, { domain, verified: false, message }, how)
      const ms = Math.round(performance.now() - startedAt)
      t.ok(ms < 10_000, `${how}: after ${ms} ms`)
    }
    t.strictSame((await api.getDomain({ ...ids, domainId: domain.id })).body, domain, 'nothing has come of it')
    t.notOk(dns.asked.includes(unasked.challengeName), 'nobody asks for a domain that is not to be verified')
    dns.publish(domain.challengeName, domain.challenge)
    t.equal((await verify(domain)).body.verified, true, 'a failure is none for ever')
  })

  t.test('200 the record of the domain itself, and of another name, are not looked at', async (t) => {
    const domain = await add()
    dns.publish(domain.domain, domain.challenge)
    dns.publish(`_grant-challenge.${domain.challengeName}`, domain.challenge)
    t.equal((await verify(domain)).body.verified, false)
  })

  t.test('200 a domain whose challenge no name server can have', async (t) => {
    const { body: domain } = await api.addDomain(ids, { domain: nameOf(MOST) })
    t.equal((await verify(domain)).body.verified, false)
  })

  t.test('200 whatever body comes with it', async (t) => {
    const domain = await add()
    dns.publish(domain.challengeName, domain.challenge)
    const url = `/v1/providers/${ids.providerId}/domains/${domain.id}/verify`
    const authorization = `Bearer ${key}`
    const headers = { authorization, 'content-length': '0' }
    t.equal((await send({ method: 'POST', url, headers })).body.verified, true, 'a length of none')
    const asJson = { authorization, 'content-type': 'application/json' }
    t.equal((await send({ method: 'POST', url, headers: asJson, payload: '{"verified":false}' })).status, 200)
  })
})

everyOperation(t, [
  ...(['listProviders', 'createProvider', 'getProvider', 'deleteProvider'] as const),
  ...(['listClients', 'createClient', 'getClient', 'deleteClient', 'createAccessToken'] as const),
  ...(['listDomains', 'addDomain', 'getDomain', 'deleteDomain', 'verifyDomain'] as const)
])
