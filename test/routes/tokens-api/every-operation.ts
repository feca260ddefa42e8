/**
 * Checks what all operations of the tokens API have in common: authentication, ownership, limits, and their refusals.
 */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { API_KEY_RIGHTS } from '../../../src/core/api-keys/api-key.js'
import { type Answer, PATIENT } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { startRedis } from '../../support/redis-server.js'
import {
  bodyFor,
  type Ids,
  makeOneOfEach,
  OPERATIONS,
  type OperationId,
  requestOf,
  startTokensApp,
  type TokensApp
} from '../../support/tokens-client.js'
import { apiHeaders } from '../expectations.js'

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Checks the fields that every resource has: its id and its times by the clock. */
export function isThing(t: Test, thing: Record<string, unknown>, nowMs: number, title = 'a thing'): void {
  t.match(thing.id, UUID, `${title}: a uuid`)
  const iso = new Date(nowMs).toISOString()
  t.strictSame([thing.createdAt, thing.updatedAt], [iso, iso], `${title}: made now, ISO 8601 in UTC`)
}

/** Returns the members that the creator of a resource chose. */
export function contentOf({ id: _, createdAt: __, updatedAt: ___, ...content }: Record<string, unknown>) {
  return content
}

const CODES: Record<number, string> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  503: 'unavailable'
}

/** Checks a refusal: its status, the two members of the contract, and its headers. */
export function refused(t: Test, answer: Answer, status: number, about = '', message?: string | RegExp): void {
  const title = `${status} ${about}`
  const { code, message: told, ...rest } = answer.body ?? {}
  t.strictSame(
    [answer.status, code, rest, answer.headers['www-authenticate']],
    [status, CODES[status], {}, status === 401 ? 'Bearer' : undefined],
    `${title}: {"code", "message"}, and a challenge or none`
  )
  t.match(told, message ?? /^[A-Z].*\.$/i, `${title}: a sentence`)
  if (status === 429 || status === 503) t.match(answer.headers['retry-after'], /^[1-9]\d*$/, `${title}: Retry-After`)
  else if ('retry-after' in answer.headers) t.fail(`${title}: a Retry-After`)
  apiHeaders(t, answer, title)
}

/** Checks a text field: it accepts texts from its shortest to its longest length in characters, and nothing else. */
export async function isText(
  t: Test,
  field: string,
  shortest: number,
  longest: number,
  ask: (value: unknown) => Promise<Answer>,
  kept = (answer: Answer): unknown => answer.body[field]
): Promise<void> {
  for (const unit of ['x', '😀']) {
    for (const length of [shortest, longest]) {
      const text = unit.repeat(length)
      const answer = await ask(text)
      t.equal(answer.status, 201, `${field} of ${length}`)
      t.equal(kept(answer), text, `${field} comes back`)
    }
    for (const length of [shortest - 1, longest + 1]) {
      refused(t, await ask(unit.repeat(length)), 400, `${field} of ${length}`, field)
    }
  }
  const odd = '\u0000ü\u202e\n"\\<b>'.padEnd(shortest, 'x')
  if (longest >= odd.length) t.equal(kept(await ask(odd)), odd, `${field} may hold anything`)
  for (const value of [null, 5, true, ['xxxxx'], { a: 1 }, undefined]) {
    refused(t, await ask(value), 400, `${field}: ${JSON.stringify(value)}`, field)
  }
}

/** Checks what the operations of a test file have in common. Each id must be an operation of that file. */
export function everyOperation(t: Test, ids: readonly OperationId[]): void {
  t.test('401', (t) => unauthenticated(t, ids))
  t.test('404', (t) => unknown(t, ids))
  t.test('405', (t) => otherMethods(t, ids))
  t.test('413 and 415', (t) => bodies(t, ids))
  t.test('429', (t) => limits(t, ids))
  t.test('503', (t) => withoutRedis(t, ids))
  t.test('lists', (t) => pages(t, ids))
}

const call = ({ api }: TokensApp, id: OperationId, about: Ids, headers = {}) =>
  api[id](about, bodyFor(id, about), headers)

/** Returns everything that the owner has, as the API shows it. */
async function seen({ api }: TokensApp, ids: Ids): Promise<unknown> {
  const lists = [
    'listProviders',
    'listClients',
    'listDomains',
    'listTenants',
    'listTenantProviders',
    'listTenantProviderPolicies'
  ] as const
  return Promise.all(lists.map(async (id) => (await api[id](ids)).body))
}

async function unauthenticated(t: Test, operations: readonly OperationId[]): Promise<void> {
  const service = await startTokensApp(t, { LIMITS: 'off' })
  const { app, clock, key, newKey } = service
  const ids = await makeOneOfEach(service.api)
  const before = await seen(service, ids)

  const [revoked, expired] = [
    await app.core.apiKeys.create('acme', {}, BY),
    await app.core.apiKeys.create('acme', { expiresInMs: 1_000 }, BY)
  ]
  t.equal((await service.by(expired.text).listProviders()).status, 200, 'good until then')
  await app.core.apiKeys.revoke('acme', revoked.key.id, BY)
  clock.advance(1_000)
  const other = key.endsWith('A') ? 'B' : 'A'
  const wrong: Record<string, string | undefined> = {
    'no key': undefined,
    'another scheme': `Basic ${Buffer.from(`${key}:`).toString('base64')}`,
    'no scheme': key,
    'no token': 'Bearer',
    'a token that is no key': 'Bearer x.y.z',
    'a wrong key': `Bearer ${key.slice(0, -1)}${other}`,
    'a key of an account that is not its own': `Bearer ${key.replace('uga_acme.', 'uga_other.')}`,
    'a key that was never made': `Bearer ${(await newKey()).replace(/\.[\w-]{16}\./, '.AAAAAAAAAAAAAAAA.')}`,
    'a revoked key': `Bearer ${revoked.text}`,
    'an expired key': `Bearer ${expired.text}`
  }
  for (const id of operations) {
    t.test(`401 ${id}`, async (t) => {
      for (const [what, authorization] of Object.entries(wrong)) {
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
        refused(t, await service.by()[id](ids, bodyFor(id, ids), headers), 401, what)
      }
      const headers = { 'content-type': 'text/plain' }
      refused(t, await service.by()[id](ids, 'x'.repeat(20_000), headers), 401, 'whatever the body is')
      const request = requestOf(id, ids, {}, bodyFor(id, ids))
      const url = `${request.url}?access_token=${key}&authorization=Bearer%20${key}`
      refused(t, await service.send({ ...request, url }), 401, 'a key in the query')
      const both = { ...request, url, headers: { ...request.headers, authorization: `Bearer ${key}` } }
      refused(t, await service.send(both), 400, 'in the header as well', 'The access token is there more than once.')
    })
  }
  const { text: without } = await app.core.apiKeys.create(
    'acme',
    {
      rights: API_KEY_RIGHTS.filter((one) => one !== 'tokens')
    },
    BY
  )
  for (const id of operations) {
    t.test(`403 ${id}, by a key that has every right but this`, async (t) => {
      const answer = await service.by(without)[id](ids, bodyFor(id, ids))
      refused(t, answer, 403, id, 'The API key does not have the right tokens.')
    })
  }
  t.test('401 has done nothing', async (t) => t.strictSame(await seen(service, ids), before))

  t.test('400 two Authorization headers could mean two callers', async (t) => {
    for (const id of operations) {
      const { method, url } = requestOf(id, ids, {})
      const answer = await app.inject({
        method: method as 'GET',
        url,
        headers: { Authorization: [`Bearer ${key}`, `Bearer ${key}`] as unknown as string }
      })
      refused(t, { status: answer.statusCode, body: answer.json(), headers: answer.headers }, 400, id)
    }
    t.strictSame(await seen(service, ids), before)
  })
}

async function unknown(t: Test, operations: readonly OperationId[]): Promise<void> {
  const service = await startTokensApp(t, { LIMITS: 'off' })
  const { api, by, newKey } = service
  const ids = await makeOneOfEach(api)
  const sibling = await makeOneOfEach(api)
  const stranger = by(await newKey('stranger'))
  const foreign = await makeOneOfEach(stranger)
  const gone = await makeOneOfEach(api)
  for (const id of ['deleteClient', 'deleteDomain', 'deleteTenantProviderPolicy', 'deleteTenantProvider'] as const) {
    t.equal((await api[id](gone)).status, 204, id)
  }
  for (const id of ['deleteProvider', 'deleteTenant'] as const) t.equal((await api[id](gone)).status, 204, id)
  const before = [await seen(service, ids), await seen(service, sibling), (await stranger.listProviders()).body]
  const MALFORMED = ['x', 'null', '0', '%00', '../..', ' ', '__proto__', 'é', 'x'.repeat(5_000), randomUUID().slice(1)]

  for (const id of operations) {
    const names = [...OPERATIONS[id].matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
    if (names.length === 0) continue
    t.test(`404 ${id}`, async (t) => {
      for (const [i, name] of names.entries()) {
        const own = ids[name] as string
        const wrong: Record<string, string> = {
          'never there': randomUUID(),
          'gone by now': gone[name] as string,
          'in upper case': own.toUpperCase(),
          "another account's": foreign[name] as string,
          // The owner has a second resource of each parent, and the id exists below that one.
          ...(i > 0 && { "of this account's, but elsewhere": sibling[name] as string }),
          ...Object.fromEntries(MALFORMED.map((text) => [`not an id: ${text.slice(0, 20)}`, text]))
        }
        for (const [what, value] of Object.entries(wrong)) {
          refused(t, await call(service, id, { ...ids, [name]: value }), 404, `${name} ${what}`)
        }
      }
      refused(t, await call(service, id, foreign), 404, "all of another account's")
      refused(t, await stranger[id](ids, bodyFor(id, ids)), 404, 'and the other way round')
    })
  }
  t.test('404 has changed nothing', async (t) => {
    t.strictSame(
      [await seen(service, ids), await seen(service, sibling), (await stranger.listProviders()).body],
      before
    )
  })
}

async function otherMethods(t: Test, operations: readonly OperationId[]): Promise<void> {
  const service = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(service.api)
  const methodsOf = (path: string) =>
    Object.values(OPERATIONS)
      .map((one) => one.split(' '))
      .filter(([, other]) => other === path)
      .map(([method = '']) => method)
  const paths = new Set(operations.map((id) => OPERATIONS[id].split(' ')[1] as string))
  t.ok(paths.size > 0)
  for (const path of paths) {
    t.test(`405 ${path}`, async (t) => {
      const has = methodsOf(path)
      const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] as string)
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((one) => !has.includes(one))) {
        const answer = await service.send({ method, url, headers: { authorization: `Bearer ${service.key}` } })
        refused(t, answer, 405, method)
        const allowed = String(answer.headers.allow).split(', ').sort()
        t.strictSame(allowed, [...has, ...(has.includes('GET') ? ['HEAD'] : [])].sort(), `${method}: Allow`)
      }
    })
  }
}

async function bodies(t: Test, operations: readonly OperationId[]): Promise<void> {
  const service = await startTokensApp(t, { LIMITS: 'off' })
  const { send, key } = service
  const ids = await makeOneOfEach(service.api)
  const before = await seen(service, ids)
  const authorization = `Bearer ${key}`
  const writing = operations.filter((id) => !OPERATIONS[id].startsWith('GET '))
  t.ok(writing.length > 0)
  for (const id of writing) {
    const { method, url } = requestOf(id, ids, {})
    const sent = (payload: string, type: string | undefined, more: Record<string, string> = {}) =>
      send({ method, url, payload, headers: { authorization, ...(type && { 'content-type': type }), ...more } })
    // The body of a validation holds a token of up to 16 KiB.
    const limit = (id === 'validateToken' ? 17 : 16) * 1024
    t.test(`413 ${id}, at ${limit} bytes and one`, async (t) => {
      refused(t, await sent(' '.repeat(limit), 'application/json'), 400, id)
      refused(t, await sent(' '.repeat(limit + 1), 'application/json'), 413, id)
    })
    t.test(`415 ${id}, for all that is not JSON`, async (t) => {
      const types = [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/jsonx',
        'text/json',
        'x',
        undefined
      ]
      for (const type of [...types, 'multipart/form-data; boundary=x']) refused(t, await sent('{}', type), 415, type)
      refused(t, await sent('{}', 'application/json; charset=utf-16'), 415, 'another charset')
      refused(t, await sent('{}', 'application/json', { 'content-encoding': 'gzip' }), 415, 'compressed')
    })
    t.test(`400 ${id}, for what is no JSON`, async (t) => {
      for (const text of ['{', "{'a':1}", '{"a":1} x', '{"__proto__":{}}', '{"a":"\\ud800"}']) {
        refused(t, await sent(text, 'application/json'), 400, text)
      }
    })
    if (bodyFor(id, ids) === undefined) continue
    t.test(`400 ${id}, for what is no object`, async (t) => {
      const texts = ['[]', '"x"', '5', 'true', ...(id === 'createAccessToken' ? [] : ['null'])]
      for (const text of texts) refused(t, await sent(text, 'application/json'), 400, text)
    })
  }
  t.test('none of them has done anything', async (t) => t.strictSame(await seen(service, ids), before))

  for (const id of writing) {
    const isOptional = bodyFor(id, ids) === undefined || id === 'createAccessToken'
    t.test(`${isOptional ? '2xx' : '400'} ${id}, whatever type a body of nothing has`, async (t) => {
      for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'x', '']) {
        const fresh = isOptional ? await makeOneOfEach(service.api) : ids
        const answer = await send(requestOf(id, fresh, { authorization, 'content-type': type, 'content-length': '0' }))
        if (isOptional) t.ok([200, 201, 204].includes(answer.status), `${type}: ${answer.status}`)
        else refused(t, answer, 400, type, / is missing\.$/)
      }
    })
  }
}

async function limits(t: Test, operations: readonly OperationId[]): Promise<void> {
  // Creating the resources takes six requests.
  const service = await startTokensApp(t, { LIMIT_TOKENS_API_PER_HOUR: '6' })
  const { api, by, newKey, clock } = service
  const ids = await makeOneOfEach(api)
  for (const id of operations) {
    t.test(`429 ${id}, by the key that has had its share`, async (t) => {
      clock.advance(1_000)
      refused(t, await call(service, id, ids), 429, id)
      const stranger = by(await newKey('stranger'))
      const answer = await stranger[id](ids, bodyFor(id, ids))
      t.not(answer.status, 429, 'and no other')
    })
  }
  t.test('429 says when to come back, and by then the key has another share', async (t) => {
    const answer = await api.listProviders()
    refused(t, answer, 429)
    const seconds = Number(answer.headers['retry-after'])
    t.equal(seconds, 3_600 - operations.length)
    clock.advance(seconds * 1_000 - 1)
    refused(t, await api.listProviders(), 429)
    clock.advance(1)
    t.equal((await api.listProviders()).status, 200)
    t.equal((await api.getProvider(ids)).body.id, ids.providerId, 'what was refused was not done')
  })
}

async function withoutRedis(t: Test, operations: readonly OperationId[]): Promise<void> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startTokensApp(t, { REDIS_URL: redis.url })
  const ids = await makeOneOfEach(service.api)
  const before = await seen(service, ids)
  await redis.kill()
  for (const id of operations) {
    await t.test(`503 ${id} while Redis is away`, async (t) => {
      const startedAt = performance.now()
      refused(t, await call(service, id, ids), 503, id)
      const ms = Math.round(performance.now() - startedAt)
      t.ok(ms < Number(PATIENT.REDIS_TIMEOUT_MS) / 2, `it did not wait: ${ms} ms`)
    })
  }
  await t.test('200 once it is back, and nothing was done meanwhile', async (t) => {
    await redis.start()
    while ((await service.api.listProviders()).status === 503) await new Promise((resolve) => setTimeout(resolve, 50))
    t.strictSame(await seen(service, ids), before)
  })
}

/** The lists, and what makes one more entry of each. */
const LISTS = {
  listProviders: ['createProvider', (i: number) => ({ name: `provider ${i}` })],
  listClients: ['createClient', (i: number) => ({ name: `client ${i}` })],
  listDomains: ['addDomain', (i: number) => ({ domain: `entry-${i}.example.com` })],
  listTenants: ['createTenant', (i: number) => ({ name: `tenant ${i}` })],
  listTenantProviders: ['createTenantProvider', (i: number) => ({ audience: `audience ${i}` })],
  listTenantProviderPolicies: ['createTenantProviderPolicy', (i: number) => ({ name: `policy ${i}` })]
} as const

/** More than are read in one batch, and more than one piece of a whole list. */
const ENTRIES = 105

async function pages(t: Test, operations: readonly OperationId[]): Promise<void> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  for (const engine of ['memory', 'redis'] as const) {
    const variables = { LIMITS: 'off', ...(engine === 'redis' && { REDIS_URL: redis.url }) }
    const service = await startTokensApp(t, variables)
    const next = engine === 'redis' ? await startTokensApp(t, variables) : service
    const ids = await makeOneOfEach(service.api)
    const others = await makeOneOfEach(service.api)
    const ask = (id: OperationId, about: Ids, query: string, { send, key } = service) => {
      const { url, ...request } = requestOf(id, about, { authorization: `Bearer ${key}` })
      return send({ ...request, url: url + query })
    }
    for (const [id, [create, content]] of Object.entries(LISTS)) {
      const list = id as keyof typeof LISTS
      if (!operations.includes(list)) continue
      t.test(`${list} pages when asked, and is whole otherwise, ${engine}`, async (t) => {
        for (let i = 0; i < ENTRIES; i++) {
          const made = await service.api[create](ids, { ...(bodyFor(create, ids) as object), ...content(i) })
          t.equal(made.status, 201, made.body.message)
        }
        const whole = await ask(list, ids, '')
        apiHeaders(t, whole)
        t.ok(whole.body.length > ENTRIES)
        t.notOk('link' in whole.headers, 'there is no more')
        for (const limit of [1, 40, 200]) {
          const found: unknown[] = []
          let query = `?limit=${limit}`
          for (let i = 0; query !== ''; i++) {
            // One instance goes on where another one was.
            const page = await ask(list, ids, query, i % 2 === 0 ? service : next)
            t.equal(page.status, 200)
            t.ok(page.body.length <= limit)
            found.push(...page.body)
            const [, link] = /^<(\?[^>]+)>; rel="next"$/.exec(String(page.headers.link ?? '')) ?? []
            query = link ?? ''
          }
          t.strictSame(found, whole.body, `${limit} at a time`)
        }
      })

      t.test(`400 ${list} with no limit and no cursor of this list, ${engine}`, async (t) => {
        const first = await ask(list, ids, '?limit=1')
        const cursor = new URLSearchParams(/\?[^>]+/.exec(String(first.headers.link))?.[0]).get('cursor') as string
        t.equal((await ask(list, ids, `?cursor=${cursor}`)).body.length, 50, 'a cursor alone has a usual limit')
        const notMine = ['x', `${cursor}x`, cursor.slice(0, -1), '1', '%00', '😀'].map(encodeURIComponent)
        for (const other of notMine) refused(t, await ask(list, ids, `?cursor=${other}`), 400, other, /cursor/)
        for (const limit of ['0', '201', '-1', '1.5', 'x', '']) {
          refused(t, await ask(list, ids, `?limit=${limit}`), 400, `limit ${limit}`, /limit/)
        }
        refused(t, await ask(list, ids, '?cursor='), 400, 'none at all')
        for (const other of Object.keys(LISTS) as (keyof typeof LISTS)[]) {
          const isSame = other === list && ['listProviders', 'listTenants'].includes(list)
          if (isSame) continue
          refused(t, await ask(other, others, `?cursor=${cursor}`), 400, `of another list: ${other}`, /cursor/)
        }
      })
    }
  }
}
