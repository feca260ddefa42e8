/**
 * Sends random requests to the admin API, made from the OpenAPI document, valid and corrupted ones. No answer may be a 5xx, or have
 * a status or a shape that the document does not name. `ANY_REQUEST_SEED` repeats a run.
 */
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { startApp, type TestApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import {
  type DocumentedOperation,
  documentedOperations,
  pathSegmentOf,
  problemWith
} from '../support/documented-operations.js'
import { startRedis } from '../support/redis-server.js'

const seed = Number(process.env.ANY_REQUEST_SEED ?? Date.now() % 2 ** 31)
const operations = documentedOperations((path) => path.startsWith('/admin/'))
const USERS = ['ann', 'bob', 'cy ü', 'nobody']

const odd = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.constantFrom('', '\u0000', '__proto__', '../..', '*', 'x'.repeat(2_000))
)
/** What a parameter may be, by its name. Ids and cursors are taken from what was answered before. */
const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  limit: fc.constantFrom('1', '3', '50', '200'),
  id: fc.constantFrom(...USERS),
  user_id: fc.constantFrom(...USERS),
  email: fc.constantFrom('ann@example.org', 'ANN@EXAMPLE.ORG', 'nobody@example.org'),
  provider: fc.constantFrom('acme', 'hub'),
  subject: fc.constantFrom('1', '2'),
  client_type: fc.constantFrom('cli', 'mcp'),
  client_id: fc.constantFrom('cli', 'unknown'),
  revoked: fc.constantFrom('true', 'false'),
  order: fc.constantFrom('oldest', 'newest'),
  type: fc.constantFrom('user.blocked', 'authorization.revoked', 'nothing')
}
const subject = fc.oneof(
  fc.record({ format: fc.constant('opaque'), id: fc.constantFrom(...USERS) }),
  fc.record({ format: fc.constant('email'), email: fc.constantFrom('ann@example.org', 'nobody@example.org') }),
  fc.record({ format: fc.constantFrom('iss_sub', 'uri', 5), iss: odd, sub: odd }, { requiredKeys: [] }),
  fc.anything()
)

const requests = fc.oneof(
  ...operations.map((operation) =>
    fc.record({
      operation: fc.constant(operation.id),
      query: fc.tuple(
        ...operation.query.map(({ name }: { name: string }) =>
          fc
            .oneof(
              { weight: 4, arbitrary: fc.constant(undefined) },
              { weight: 4, arbitrary: VALUES[name] ?? fc.constant(`real ${name}`) },
              { weight: 1, arbitrary: odd }
            )
            .map((value) => [name, value] as const)
        )
      ),
      path: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...USERS, 'real') }, { weight: 1, arbitrary: odd }),
      body: fc.record({ sub_id: subject }),
      key: fc.constantFrom('all', 'all', 'all', 'all', 'all', 'all', 'none', 'tokens', 'tokens', 'x'),
      pick: fc.nat()
    })
  )
)
type Request = typeof requests extends fc.Arbitrary<infer T> ? T : never

/**
 * By chance alone the lists of a user may never answer 404, because most users that requests name have been blocked by
 * then, and so are known.
 */
const OF_AN_UNKNOWN_USER: readonly Request[] = operations
  .filter(({ id, path }) => path.includes('{userId}') && id !== 'blockUser')
  .map(({ id }) => ({
    ...{ operation: id, query: [], path: 'nobody has heard of them', body: { sub_id: undefined }, key: 'all', pick: 0 }
  }))

async function explore(t: Test, service: TestApp, count: number): Promise<void> {
  const { app, collect } = service
  for (const user of ['ann', 'ann', 'bob', 'cy ü']) await collect(user)
  await app.core.profiles.keep('ann', { name: 'Ann', email: 'ann@example.org' })
  const rights = ['admin:read', 'admin:write', 'connected-accounts'] as const
  const { text: all } = await app.core.apiKeys.create('ops', { rights }, BY)
  const { text: tokens } = await app.core.apiKeys.create('ops', {}, BY)
  const keys: Record<string, string | undefined> = { all, tokens, x: 'x' }
  /** What answers have named: cursors, ids of events and of authorizations. */
  const known = { cursor: [''], after: ['1-1'], before: ['1-1'], client: ['x'] }
  const seen = new Set<string>()
  let sent = 0

  async function ask({ operation: id, query, path, body, key, pick }: Request): Promise<void> {
    const operation = operations.find((one) => one.id === id) as DocumentedOperation
    const of = (list: string[] | undefined) => list?.[pick % list.length] ?? ''
    const real = (name: string) => of(known[name as keyof typeof known])
    const named = path === 'real' ? (operation.path.includes('Client') ? of(known.client) : 'ann') : path
    const values = query.flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value === `real ${name}` ? real(name) : value] as [string, string]]
    )
    if (++sent % 20 === 0) await collect('ann')
    const answer = await app.inject({
      method: operation.method as 'GET',
      url: `${operation.path.replace(/\{\w+\}/, pathSegmentOf(named))}?${new URLSearchParams(values)}`,
      headers: {
        ...(keys[key] !== undefined && { authorization: `Bearer ${keys[key]}` }),
        ...(operation.body && { 'content-type': 'application/json' })
      },
      ...(operation.body && { payload: JSON.stringify(body) })
    })
    const problem = problemWith(operation, answer)
    // An empty part of a path is another path.
    if (problem !== undefined && named !== '') throw new Error(problem)
    seen.add(`${id} ${answer.statusCode}`)
    if (answer.statusCode !== 200) return
    const { data = [], next_cursor, last_id } = answer.json()
    if (next_cursor) known.cursor.push(next_cursor)
    if (last_id) for (const list of [known.after, known.before]) list.push(last_id)
    if (id === 'searchClients') known.client.push(...data.map((one: { id: string }) => one.id))
  }

  const property = fc.asyncProperty(requests, ask)
  await fc.assert(property, { seed, numRuns: count, endOnFailure: true })
  for (const one of OF_AN_UNKNOWN_USER) await ask(one)
  for (const { id, answers, path } of operations) {
    const success = [...answers.keys()].find((status) => status < 300)
    const isOfOne = id === 'revokeGlobally' || path.includes('{')
    // Almost anybody can be blocked, known or not.
    const refusals = id === 'blockUser' ? [] : isOfOne ? [404] : [400]
    const wanted = [success, 401, 403, ...refusals]
    for (const status of wanted) t.ok(seen.has(`${id} ${status}`), `${id} ${status} was seen`)
  }
}

t.test('without Redis', async (t) => {
  t.comment(`ANY_REQUEST_SEED=${seed}`)
  await explore(t, await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }), 2_500)
})

t.test('over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await explore(t, await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA', REDIS_URL: redis.url }), 2_000)
})
