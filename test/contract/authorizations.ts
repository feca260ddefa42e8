/** Long lists of authorizations over every engine's record store: src/core/authorizations/authorizations.ts. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { createApprovals } from '../../src/core/authorizations/approvals.js'
import { type Authorization, toFields } from '../../src/core/authorizations/authorization.js'
import { type Authorizations, createAuthorizations } from '../../src/core/authorizations/authorizations.js'
import { createRevoking } from '../../src/core/authorizations/revoking.js'
import { builtInClients, type Client } from '../../src/core/clients/client.js'
import { createClients } from '../../src/core/clients/clients.js'
import type { Position, RecordStore } from '../../src/core/records/record-store.js'
import type { Storage } from '../../src/core/storage.js'
import { createUsers } from '../../src/core/users/user.js'
import { BY, keptNowhere } from '../support/audit.js'
import { type StartEngine, times } from './engine.js'

const DAY_MS = 86_400_000
const KEEP_MS = 90 * DAY_MS

async function ready(t: Test, start: StartEngine) {
  const engine = await start(t)
  const { storage, other, clock } = engine
  let revoked = 0
  const events = {
    revoked() {
      revoked += 1
    }
  }
  const clients = createClients(builtInClients(2_592_000))
  function of({
    authorizations: records,
    authorizationUsers: parents,
    users: userRecords,
    revocations: store
  }: Storage) {
    const users = createUsers({ records: userRecords, clock, audit: keptNowhere })
    const revoking = createRevoking({ records, store, clients, clock, audit: keptNowhere })
    const authorizations = createAuthorizations({
      records,
      users,
      revoking,
      clients,
      clock,
      events,
      audit: keptNowhere
    })
    return { authorizations, approvals: createApprovals({ records, parents, authorizations, users, clock }) }
  }
  const [here, there] = [of(storage), of(other)]
  return {
    ...engine,
    ...{ records: storage.authorizations, ...here, elsewhere: there },
    revocations: () => revoked
  }
}

/** Makes rows as earlier versions did, without a maximum: the newest last. `endedAtMs` says when those ended that did. */
async function fill(
  { records, clock }: { records: RecordStore; clock: () => number },
  count: number,
  { endedAtMs }: { endedAtMs?: (i: number) => number } = {}
): Promise<string[]> {
  const ids = times(count, () => randomUUID())
  await Promise.all(
    ids.map((id, i) => {
      const createdAtMs = clock() - DAY_MS + i
      const revokedAtMs = endedAtMs?.(i)
      const authorization: Authorization = {
        ...{ id, userId: 'ann', clientId: 'cli', clientType: 'cli', scopes: [], name: `tool ${i}`, version: undefined },
        ...{
          resources: [],
          label: undefined,
          ipAtGrant: '192.0.2.1',
          createdAtMs,
          expiresAtMs: createdAtMs + 30 * DAY_MS
        },
        ...{ lastUsedAtMs: undefined, revokedAtMs, awaitsCollection: false, collectedAtMs: createdAtMs },
        tokenLifeMs: undefined
      }
      return records.create('ann', id, toFields(authorization), (revokedAtMs ?? authorization.expiresAtMs) + KEEP_MS)
    })
  )
  return ids
}

async function allOf(authorizations: Authorizations, most: number): Promise<Authorization[][]> {
  const pages: Authorization[][] = []
  let after: Position | undefined
  do {
    const page = await authorizations.page('ann', { most, after })
    pages.push(page.authorizations)
    after = page.next
  } while (after !== undefined && pages.length < 1_000)
  return pages
}

export function authorizationsContract(t: Test, start: StartEngine): void {
  t.test('a list of before is read in pages to its end, and no more than 700 rows at a time', async (t) => {
    const engine = await ready(t, start)
    const ids = await fill(engine, 820)
    const whole = await engine.authorizations.page('ann')
    t.equal(whole.authorizations.length, 700)
    t.equal(whole.active, 820)
    t.strictSame(
      whole.authorizations.map(({ id }) => id),
      ids.slice(120).toReversed(),
      'those that end last come first'
    )
    const rest = await engine.elsewhere.authorizations.page('ann', { after: whole.next })
    t.strictSame(
      rest.authorizations.map(({ id }) => id),
      ids.slice(0, 120).toReversed(),
      'goes on, on another instance'
    )
    t.equal(rest.next, undefined)
    t.strictSame(
      (await allOf(engine.authorizations, 90)).flat().map(({ id }) => id),
      ids.toReversed()
    )
    t.equal((await engine.authorizations.page('ann', { most: 10_000 })).authorizations.length, 700)
  })

  t.test('of those that ended the newest 200 are listed, after the active ones', async (t) => {
    const engine = await ready(t, start)
    const { clock } = engine
    const ended = await fill(engine, 230, { endedAtMs: (i) => clock() - DAY_MS / 2 + i * 1_000 })
    const active = await fill(engine, 20)
    const { authorizations, next } = await engine.authorizations.page('ann')
    t.equal(next, undefined)
    t.strictSame(new Set(authorizations.map(({ id }) => id)), new Set([...active, ...ended.slice(30)]))
    const pages = await allOf(engine.authorizations, 20)
    t.strictSame(new Set(pages[0]?.map(({ id }) => id)), new Set(active))
    t.strictSame(
      pages
        .slice(1)
        .flat()
        .map(({ id }) => id),
      ended.slice(30).toReversed()
    )
  })

  t.test('all are revoked however many there are, and what is listed no more goes', async (t) => {
    const engine = await ready(t, start)
    const { records, authorizations, elsewhere, clock } = engine
    const ids = await fill(engine, 520)
    const revoked = await Promise.all([
      authorizations.revokeAll('ann', 'owner', BY),
      elsewhere.authorizations.revokeAll('ann', 'owner', BY)
    ])
    t.equal(revoked[0] + revoked[1], 520, 'each one once, by whichever instance')
    t.equal(engine.revocations(), 520)
    t.equal(await authorizations.revokeAll('ann', 'owner', BY), 0, 'again there is nothing to do')
    for (const id of ids.slice(0, 50)) t.equal(await authorizations.find('ann', id), undefined)
    const listed = await authorizations.list('ann')
    t.equal(listed.length, 200)
    for (const { revokedAtMs } of listed) t.equal(revokedAtMs, clock())
    t.equal((await authorizations.page('ann')).active, 0)
    for (let i = 0; i < 2; i++) await authorizations.revoke('ann', listed[0]?.id as string, 'owner', BY)
    t.equal((await records.ids('ann', { order: 'last-to-end', most: 1_000 })).ids.length, 200, 'the others are gone')
  })

  t.test(
    'what ended moments after its approval stays, whatever came after it: its grant could still be collected',
    async (t) => {
      const { records, authorizations, approvals, clock } = await ready(t, start)
      const approve = (id: string) => approvals.prepare(undefined, REQUEST, approvalOf(id, clock()))
      const ids = times(210, () => randomUUID())
      for (const id of ids) {
        await approve(id)
        await authorizations.revoke('ann', id, 'owner', BY)
      }
      t.equal((await authorizations.list('ann')).length, 200)
      const kept = async () => (await records.ids('ann', { order: 'last-to-end', most: 1_000 })).ids.length
      t.equal(await kept(), 210)
      for (const id of ids) {
        const kept = await approve(id)
        t.type(kept !== 'full' && kept.revokedAtMs, 'number')
      }
      clock.advance(3_600_001)
      await authorizations.revoke('ann', ids[0] as string, 'owner', BY)
      t.equal(await kept(), 200)
    }
  )

  t.test('a user has 500 active ones at most, however many are approved at once, on whichever instances', async (t) => {
    const engine = await ready(t, start)
    const { authorizations, approvals, elsewhere, clock } = engine
    const ids = await fill(engine, 495)
    await fill(engine, 20, { endedAtMs: () => clock() - 1_000 })
    const approve = (id: string, i = 0) =>
      (i % 2 === 0 ? approvals : elsewhere.approvals).prepare(undefined, REQUEST, approvalOf(id, clock()))
    const asked = times(20, () => randomUUID())
    const answers = await Promise.all(asked.map(approve))
    t.equal(answers.filter((answer) => answer !== 'full').length, 5)
    t.equal((await authorizations.page('ann')).active, 500)
    const made = asked[answers.findIndex((answer) => answer !== 'full')] as string
    t.not(await approve(made), 'full', 'what is there is approved again')
    t.not(await approvals.prepare(undefined, REQUEST, { ...approvalOf(randomUUID(), clock()), userId: 'bob' }), 'full')
    t.equal(await approve(randomUUID()), 'full')
    await authorizations.revoke('ann', ids[7] as string, 'owner', BY)
    t.not(await approve(randomUUID()), 'full', 'when one is revoked there is room for one')
    t.equal(await approve(randomUUID(), 1), 'full')
  })

  t.test('what is collected while all are revoked is revoked as well', async (t) => {
    const engine = await ready(t, start)
    const { authorizations, approvals, elsewhere, clock } = engine
    await fill(engine, 120)
    const ids = times(20, () => randomUUID())
    for (const id of ids) await approvals.prepare(undefined, REQUEST, approvalOf(id, clock()))
    const client = { id: 'cli', type: 'cli', authorizationTtlSeconds: 2_592_000 } as Client
    const collect = (id: string) =>
      elsewhere.approvals.collect(client, { request: REQUEST, decision: approvalOf(id, clock()), createdAtMs: clock() })
    await Promise.all([authorizations.revokeAll('ann', 'owner', BY), ...ids.map(collect)])
    for (const id of ids) t.equal(await authorizations.find('ann', id), undefined)
    t.equal((await authorizations.page('ann')).active, 0)
  })
}

const REQUEST = { clientId: 'cli', clientType: 'cli', scopes: [], metadata: {} } as const

const approvalOf = (authorizationId: string, nowMs: number) => ({
  ...{ userId: 'ann', authorizationId, ip: '192.0.2.1', revokedAllId: '', lapsesAtMs: nowMs + 1_200_000 }
})
