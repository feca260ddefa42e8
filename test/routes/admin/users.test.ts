/** Users at the admin API: who they are, what they have granted, and what is done about them. */

import t, { type Test } from 'tap'
import { BY_OPERATOR } from '../../../src/core/audit/event.js'
import { adminCalls } from '../../support/admin.js'
import { startApp } from '../../support/app.js'
import { startIdentityProvider } from '../../support/oidc-upstream.js'
import { startPlainProvider } from '../../support/plain-upstream.js'
import { connectAt, providersFile, signInAt } from '../../support/sign-in.js'
import { apiHeaders, refused } from '../expectations.js'

const PUBLIC_URL = 'https://grants.example'
const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })

async function setUp(t: Test) {
  const service = await startApp(t, {
    ...{ LIMITS: 'off', SIGNING_ALG: 'EdDSA', PUBLIC_URL },
    PROVIDERS_FILE: providersFile(t, [acme.entry(), hub.entry()])
  })
  const signIn = async (login: string) => {
    const outcome = await signInAt(service.app, 'acme', login)
    if (outcome.kind !== 'signed_in') throw new Error(`not signed in: ${outcome.reason}`)
    return outcome
  }
  const keep = (userId: string, email?: string) =>
    service.app.core.profiles.keep(userId, { name: userId, ...(email !== undefined && { email }) })
  return { ...service, ...adminCalls(service), signIn, keep }
}

const idsOf = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)

t.test('200 everything that is known of a user', async (t) => {
  const { ask, app, clock, signIn, collect, start, decide } = await setUp(t)
  const { session } = await signIn('ann')
  const { userId } = session
  await connectAt(app, 'hub', 'ann', userId)
  for (let i = 0; i < 3; i++) await collect(userId)
  const { user_code } = await start()
  await decide(user_code, userId)
  const answer = await ask('GET', `/users/${userId}`)
  t.equal(answer.status, 200)
  apiHeaders(t, answer)
  const { email, name, ...body } = answer.body
  t.type(name, 'string')
  t.strictSame(body, {
    id: userId,
    email_verified: body.email_verified,
    identities: body.identities,
    blocked: false,
    blocked_at: null,
    counts: { active: 4, awaiting_collection: 1, accounts: 2 }
  })
  t.strictSame(body.identities.map(({ provider }: { provider: string }) => provider).sort(), ['acme', 'hub'])

  const [own] = body.identities.filter(({ provider }: { provider: string }) => provider === 'acme')
  const queries = [
    { id: userId },
    { email },
    { email: email.toUpperCase() },
    { provider: 'acme', subject: own.subject },
    { id: userId, email, provider: 'acme', subject: own.subject }
  ]
  for (const query of queries) {
    t.strictSame((await ask('GET', `/users?${new URLSearchParams(query)}`)).body, { data: [answer.body] })
  }
  for (const query of [
    { id: userId, email: 'somebody@else.example' },
    { email, provider: 'acme', subject: 'somebody else' },
    { provider: 'hub', subject: own.subject },
    { provider: 'nowhere', subject: own.subject },
    { id: 'nobody' }
  ]) {
    const found = await ask('GET', `/users?${new URLSearchParams(query as Record<string, string>)}`)
    t.strictSame(found.body, { data: [] }, JSON.stringify(query))
  }
  t.equal(clock(), clock())
})

t.test('200 the first identity stays known where its account was disconnected', async (t) => {
  const { ask, app, signIn } = await setUp(t)
  const { userId } = (await signIn('ann')).session
  const [connection] = await app.core.connections.list(userId)
  await app.core.connections.disconnect(userId, connection?.id ?? '', BY_OPERATOR)
  const { body } = await ask('GET', `/users/${userId}`)
  t.strictSame(body.identities, [{ provider: 'acme', subject: connection?.subject }])
  t.equal(body.counts.accounts, 0)
})

t.test('200 several with one address, in pages, and a change of address', async (t) => {
  const { ask, keep, readAll } = await setUp(t)
  const names = Array.from({ length: 23 }, (_, i) => `user ${i}`)
  for (const name of names) await keep(name, 'Shared@Example.org')
  const path = '/users?email=shared%40example.org'
  for (const limit of [1, 5, 200]) {
    const { entries, lengths } = await readAll(path, limit)
    t.strictSame(entries.map(({ id }) => id).sort(), [...names].sort(), `${limit} at a time`)
    t.ok(Math.max(...lengths) <= limit)
  }
  await keep('user 7', 'own@example.org')
  await keep('user 8')
  t.notOk((await readAll(path)).entries.some(({ id }) => id === 'user 7' || id === 'user 8'))
  t.strictSame(idsOf(await ask('GET', '/users?email=OWN@example.org')), ['user 7'])
  await keep('user 7', 'OWN@EXAMPLE.ORG')
  t.strictSame(idsOf(await ask('GET', '/users?email=own@example.org')), ['user 7'], 'another spelling of the same')
})

t.test('200 the index is completed with whom a version without it has kept', async (t) => {
  const { ask, app, collect } = await setUp(t)
  await collect('old')
  const keepUntilMs = app.clock() + 86_400_000
  await app.storage.profiles.create('old', 'profile', { name: 'Old', email: 'old@example.org' }, keepUntilMs)
  const fields = {
    clientType: 'cli',
    clientId: 'cli',
    ipAtGrant: '192.0.2.1',
    createdAtMs: '1',
    expiresAtMs: `${keepUntilMs}`
  }
  await app.storage.authorizations.create('old', 'made before', fields, keepUntilMs)
  t.strictSame(idsOf(await ask('GET', '/users?email=old@example.org')), [])
  t.equal((await ask('GET', '/clients/made%20before')).status, 404)
  const progress: number[] = []
  t.strictSame(await app.core.completeIndexes(({ seen }) => progress.push(seen)), { seen: 3, added: 2 })
  t.ok(progress.length >= 2)
  t.strictSame(idsOf(await ask('GET', '/users?email=old@example.org')), ['old'])
  t.match((await ask('GET', '/clients/made%20before')).body, { user_id: 'old', state: 'active' })
  t.strictSame(await app.core.completeIndexes(() => {}), { seen: 3, added: 0 })
})

t.test('200 the authorizations of a user, 450 of them, in pages of any size', async (t) => {
  const { readAll, ask, collect, app } = await setUp(t)
  await collect('bob')
  await Promise.all(Array.from({ length: 450 }, () => collect('ann')))
  const { entries: all } = await readAll('/users/ann/clients', 200)
  t.equal(new Set(all.map(({ id }) => id)).size, 450)
  t.ok(all.every(({ user_id, state }) => user_id === 'ann' && state === 'active'))
  const { entries, lengths } = await readAll('/users/ann/clients', 7)
  t.strictSame(
    entries.map(({ id }) => id),
    all.map(({ id }) => id)
  )
  t.strictSame([lengths.length, Math.max(...lengths)], [65, 7])
  t.equal((await readAll('/users/ann/clients')).lengths[0], 50, 'the usual page')
  const { body } = await ask('DELETE', '/users/ann/clients')
  t.strictSame(body, { user_id: 'ann', revoked: 450 })
  t.strictSame((await ask('DELETE', '/users/ann/clients')).body, { user_id: 'ann', revoked: 0 }, 'again')
  t.equal((await app.core.authorizations.page('bob')).active, 1)
  t.match((await ask('GET', '/users/ann')).body.counts, { active: 0, awaiting_collection: 0 })
})

t.test('200 revoking everything ends tokens, approvals that nobody has collected, and sessions', async (t) => {
  const { ask, app, call, signIn, collect, start, decide, poll } = await setUp(t)
  const { token, session } = await signIn('ann')
  const { userId } = session
  const { token: ofBob } = await signIn('bob')
  const jwts = [await collect(userId), await collect(userId)]
  const { grant_code, user_code } = await start()
  await decide(user_code, userId)
  t.strictSame((await ask('DELETE', `/users/${userId}/clients`)).body, { user_id: userId, revoked: 3 })
  for (const jwt of jwts) t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401)
  t.equal((await poll(grant_code)).body.status, 'access_denied')
  t.equal(await app.core.browserSessions.use(token), undefined)
  t.ok(await app.core.browserSessions.use(ofBob), 'of nobody else')
  const { token: anew } = await signIn('ann')
  t.ok(await app.core.browserSessions.use(anew), 'whoever signs in again is in')
  t.equal(await app.core.browserSessions.use(token), undefined)
  t.ok(await collect(userId), 'and may approve again')
})

t.test('204 a global token revocation, for every format of subject', async (t) => {
  const { ask, signIn, collect, call, keep, app } = await setUp(t)
  const { userId } = (await signIn('ann')).session
  const { subject = '' } = (await app.core.connections.list(userId))[0] ?? {}
  await keep(userId, 'ann@example.org')
  const revoke = (sub_id: object) => ask('POST', '/global-token-revocation', { sub_id })
  for (const sub_id of [
    { format: 'opaque', id: userId },
    { format: 'email', email: 'Ann@example.org' },
    { format: 'iss_sub', iss: PUBLIC_URL, sub: userId },
    { format: 'iss_sub', iss: acme.origin, sub: subject }
  ]) {
    const jwt = await collect(userId)
    const answer = await revoke(sub_id)
    t.equal(answer.status, 204, JSON.stringify(sub_id))
    t.equal(answer.body, '')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401, JSON.stringify(sub_id))
    t.equal((await revoke(sub_id)).status, 204, 'again')
  }
  for (const sub_id of [
    { format: 'opaque', id: 'nobody' },
    { format: 'email', email: 'nobody@example.org' },
    { format: 'iss_sub', iss: PUBLIC_URL, sub: 'nobody' },
    { format: 'iss_sub', iss: acme.origin, sub: 'nobody' },
    { format: 'iss_sub', iss: 'https://elsewhere.example', sub: subject }
  ]) {
    refused(t, await revoke(sub_id), 404, 'There is no such thing.', JSON.stringify(sub_id))
  }
})

t.test('200 a block is said, keeps its first time, and can be taken back', async (t) => {
  const { ask, askWith, clock, call, collect } = await setUp(t)
  const jwt = await collect('ann')
  const at = new Date(clock()).toISOString()
  t.match(await ask('POST', '/users/ann/block'), { status: 200, body: { id: 'ann', blocked: true, blocked_at: at } })
  clock.advance(1_000)
  t.equal((await ask('POST', '/users/ann/block')).body.blocked_at, at)
  t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401)
  for (let i = 0; i < 2; i++)
    t.match((await ask('POST', '/users/ann/unblock')).body, { blocked: false, blocked_at: null })
  t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 200, 'what was not revoked is valid again')
  const told = (await ask('GET', '/events?type=user.unblocked&user_id=ann')).body.data
  t.match(told, [{ actor: /^api-key:ops/ }], 'where nothing was taken back nothing is told')
  t.equal(told.length, 1)
  const here = new Date(clock()).toISOString()
  const writing = await askWith('admin:write', 'POST', '/users/new%20here/block')
  t.strictSame(writing.body, { id: 'new here', blocked: true, blocked_at: here }, 'and nothing of the person')
  const unblocked = await askWith('admin:write', 'POST', '/users/new%20here/unblock')
  t.strictSame(unblocked.body, { id: 'new here', blocked: false, blocked_at: null })
})
