/** What holds for all operations of the admin API: who may call them, and what is refused. */

import t, { type Test } from 'tap'
import { BY_OPERATOR } from '../../../src/core/audit/event.js'
import { adminCalls } from '../../support/admin.js'
import { startApp } from '../../support/app.js'
import { documentedOperations, problemWith } from '../../support/documented-operations.js'
import { refused } from '../expectations.js'

const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const OPERATIONS = documentedOperations((path) => path.startsWith('/admin/v0/'))
const BODY = { sub_id: { format: 'opaque', id: 'nobody' } }
/** What an operation cannot do without. */
const QUERIES: Readonly<Record<string, string>> = { findUsers: '?id=nobody', findOauthAccounts: '?user_id=nobody' }

type Operation = (typeof OPERATIONS)[number]

const rightOf = ({ id, method }: Operation) =>
  id.includes('Accounts') ? 'connected-accounts' : method === 'GET' ? 'admin:read' : 'admin:write'
const pathOf = ({ id, path }: Operation) =>
  `${path.slice('/admin/v0'.length).replace(/\{\w+\}/, UNKNOWN)}${QUERIES[id] ?? ''}`
const bodyOf = (operation: Operation) => (operation.body ? BODY : undefined)

async function setUp(t: Test, variables: Record<string, string> = {}) {
  const service = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...variables })
  const calls = adminCalls(service)
  const send = (operation: Operation, rights: string) =>
    calls.askWith(rights, operation.method as 'GET', pathOf(operation), bodyOf(operation))
  return { ...service, ...calls, send }
}

t.test('401 without a key, and with what is none', async (t) => {
  const { app, call } = await setUp(t)
  const { text, key } = await app.core.apiKeys.create('ops', { rights: ['admin:read', 'admin:write'] }, BY_OPERATOR)
  await app.core.apiKeys.revoke('ops', key.id, BY_OPERATOR)
  for (const operation of OPERATIONS) {
    const ask = (token?: string) =>
      call(operation.method as 'GET', `/admin/v0${pathOf(operation)}`, {
        ...(token !== undefined && { token }),
        ...(operation.body && { body: BODY })
      })
    const none = await ask()
    refused(t, none, 401, 'An API key is needed.', operation.id)
    t.equal(none.headers['www-authenticate'], 'Bearer')
    for (const token of ['x', text, `uga_ops.${'x'.repeat(16)}.${'x'.repeat(43)}`]) {
      refused(t, await ask(token), 401, 'The API key is not valid.', operation.id)
    }
    const session = await call(operation.method as 'GET', `/admin/v0${pathOf(operation)}`, { user: 'ann' })
    t.equal(session.status, 401, 'a user is no operator')
  }
  t.equal(OPERATIONS.length, 14)
})

t.test('403 for every right but the one that the operation needs, which no other includes', async (t) => {
  const { send } = await setUp(t)
  const rights = ['tokens', 'introspect', 'connected-accounts', 'admin:read', 'admin:write']
  for (const operation of OPERATIONS) {
    const wanted = rightOf(operation)
    const others = rights.filter((right) => right !== wanted)
    for (const right of [...others, others.join(',')]) {
      refused(t, await send(operation, right), 403, 'The API key does not have the right to this.', operation.id)
    }
    t.ok([200, 404].includes((await send(operation, wanted)).status), `${operation.id} with ${wanted}`)
  }
})

t.test('404 for whom and what is not there, and every answer is as documented', async (t) => {
  const { send, ask } = await setUp(t)
  const isBlock = ({ id }: Operation) => id === 'blockUser'
  for (const operation of [...OPERATIONS.filter((one) => !isBlock(one)), ...OPERATIONS.filter(isBlock)]) {
    const answer = await send(operation, rightOf(operation))
    const isOfOne = operation.path.includes('{') || operation.id === 'revokeGlobally'
    // Somebody can be blocked before anything is known of them.
    t.equal(answer.status, isOfOne && !isBlock(operation) ? 404 : 200, operation.id)
    const body = JSON.stringify(answer.body)
    t.equal(problemWith(operation, { statusCode: answer.status, body, headers: answer.headers }), undefined)
  }
  for (const id of ['x'.repeat(256), '%20', '..%2f..', '__proto__', '%F0%9F%98%80']) {
    for (const path of [`/users/${id}`, `/users/${id}/clients`, `/users/${id}/accounts`, `/clients/${id}`]) {
      refused(t, await ask('GET', path), 404, 'There is no such thing.', path.slice(0, 40))
    }
    refused(t, await ask('DELETE', `/users/${id}/clients`), 404, 'There is no such thing.')
    refused(t, await ask('POST', `/users/${id}/unblock`), 404, 'There is no such thing.')
  }
  refused(t, await ask('POST', `/users/${'x'.repeat(256)}/block`), 404, 'There is no such thing.')
  for (const path of ['/', '', '/nothing', '/users/a/b/c', '/grants', '/admin/v1/users']) {
    refused(t, await ask('GET', path), 404, 'There is no such thing.', path)
  }
  for (const id of ['%zz', '%c0%ae', '%ff', '%', '%zz/clients?limit=1']) {
    refused(t, await ask('GET', `/users/${id}`), 404, 'There is no such thing.', id)
    refused(t, await ask('DELETE', `/clients/${id}`), 404, 'There is no such thing.', id)
  }
})

t.test('405 with what is allowed', async (t) => {
  const { call } = await setUp(t)
  for (const path of new Set(OPERATIONS.map((operation) => operation.path))) {
    const mine = OPERATIONS.filter((operation) => operation.path === path)
    const url = `/admin/v0${pathOf(mine[0] as Operation)}`
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE'] as const) {
      if (mine.some((operation) => operation.method === method)) continue
      const answer = await call(method, url)
      refused(t, answer, 405, 'The method is not allowed here.', `${method} ${path}`)
      for (const { method } of mine) t.ok(String(answer.headers.allow).split(', ').includes(method))
    }
  }
})

t.test('400 for what cannot be read', async (t) => {
  const { ask, call, app } = await setUp(t)
  const lists = ['/users?id=a', '/users/a/clients', '/users/a/accounts', '/clients', '/grants/pending', '/events']
  for (const path of lists) {
    const more = path.includes('?') ? '&' : '?'
    for (const query of [
      'limit=0',
      'limit=201',
      'limit=x',
      'limit=',
      'limit=1.5',
      'cursor=',
      'cursor=x',
      'limit=1&limit=2'
    ]) {
      const { status, body } = await ask('GET', path + more + query)
      t.equal(status, 400, `${path} ${query}`)
      t.type(body.error, 'string')
    }
  }
  for (const [path, sentence] of [
    ['/users', 'Say who is looked for, by id, email, or provider and subject.'],
    ['/users?provider=acme', 'provider and subject go together.'],
    ['/users?id=a&subject=1', 'provider and subject go together.'],
    ['/oauthAccounts', 'user_id is missing.'],
    ['/clients?user_id=eve', 'The query may have client_type, client_id, revoked, limit, cursor and nothing else.'],
    ['/users/ann?id=eve', 'The query must be empty.'],
    ['/events?type=nothing', 'There is no such type of event.'],
    ['/events?after=1-1&before=2-1', 'Say one of after, before and cursor.'],
    ['/events?after=1-1&order=newest', 'The order is not that of the place.'],
    ['/events?before=1-1&order=oldest', 'The order is not that of the place.']
  ]) {
    refused(t, await ask('GET', path as string), 400, sentence as string, path)
  }
  for (const path of [
    '/clients?revoked=yes',
    '/clients?client_type=x',
    '/events?order=x',
    '/events?after=x',
    '/users?email='
  ]) {
    t.equal((await ask('GET', path)).status, 400, path)
  }
  for (const operation of OPERATIONS) {
    const path = pathOf(operation)
    const misspelt = `${path}${path.includes('?') ? '&' : '?'}Limit=1`
    const { status } = await ask(operation.method as 'GET', misspelt, bodyOf(operation))
    t.equal(status, 400, `${operation.method} ${misspelt}`)
  }
  const bodies = [{}, { sub_id: 'ann' }, { sub_id: null }, { sub_id: {} }, { sub_id: { format: 'uri', uri: 'x' } }]
  const halves = [{ format: 'opaque' }, { format: 'email', id: 'x' }, { format: 'iss_sub', iss: 'https://x.example' }]
  for (const body of [...bodies, ...halves.map((sub_id) => ({ sub_id })), { sub_id: { format: 'opaque', id: 5 } }]) {
    t.equal((await ask('POST', '/global-token-revocation', body)).status, 400, JSON.stringify(body))
  }
  const { text } = await app.core.apiKeys.create('ops', { rights: ['admin:write'] }, BY_OPERATOR)
  const url = '/admin/v0/global-token-revocation'
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.equal((await call('POST', url, { token: text, body: BODY, headers: form })).status, 415)
  t.equal((await call('POST', url, { token: text, body: { sub_id: 'x'.repeat(2_000_000) } })).status, 413)
})

t.test('a cursor leads into the list it was made for, with what was asked for, and into no other', async (t) => {
  const { ask, collect } = await setUp(t)
  for (const user of ['ann', 'ann', 'ann', 'bob', 'bob']) await collect(user)
  const { next_cursor: ofAll } = (await ask('GET', '/clients?limit=1')).body
  const { next_cursor: ofAnn } = (await ask('GET', '/users/ann/clients?limit=1')).body
  t.type(ofAll, 'string')
  t.type(ofAnn, 'string')
  const cursor = (text: string) => `cursor=${encodeURIComponent(text)}`
  for (const path of [`/clients?${cursor(ofAll)}`, `/users/ann/clients?${cursor(ofAnn)}`]) {
    t.equal((await ask('GET', path)).status, 200)
  }
  for (const path of [
    `/clients?${cursor(ofAnn)}`,
    `/clients?revoked=false&${cursor(ofAll)}`,
    `/users/bob/clients?${cursor(ofAnn)}`,
    `/users/ann/accounts?${cursor(ofAnn)}`,
    `/events?${cursor(ofAll)}`
  ]) {
    refused(t, await ask('GET', path), 400, 'The cursor is not one of this list.', path.slice(0, 30))
  }
})

t.test('429 an hour’s requests of a key are those of the tokens API', async (t) => {
  const { app, call, clock } = await setUp(t, { LIMITS: 'on', LIMIT_TOKENS_API_PER_HOUR: '3' })
  const { text } = await app.core.apiKeys.create('ops', { rights: ['admin:read', 'tokens'] }, BY_OPERATOR)
  const { text: other } = await app.core.apiKeys.create('ops', { rights: ['admin:read'] }, BY_OPERATOR)
  const ask = (url: string, token = text) => call('GET', url, { token })
  t.equal((await ask('/v1/tenants')).status, 200)
  for (let i = 0; i < 2; i++) t.equal((await ask('/admin/v0/grants/pending')).status, 200)
  const limited = await ask('/admin/v0/grants/pending')
  refused(t, limited, 429, 'Too many requests. Please try again later.')
  t.equal(Number(limited.headers['retry-after']), 3_600)
  t.equal((await ask('/admin/v0/grants/pending', other)).status, 200, 'another key')
  clock.advance(3_600_000)
  t.equal((await ask('/admin/v0/grants/pending')).status, 200)
})
