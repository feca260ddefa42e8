/** The contract of every engine's record store: src/core/records/record-store.ts. */
import type { Test } from 'tap'
import type { Fields, PageOptions, RecordPage, RecordStore } from '../../src/core/records/record-store.js'
import { type StartEngine, times } from './engine.js'

const DAY_MS = 86_400_000

export function recordStoreContract(t: Test, start: StartEngine): void {
  t.test('what records do', (t) => behaviour(t, start))
  t.test('long lists', (t) => pages(t, start))
  t.test('how long they live', (t) => life(t, start))
  t.test('races', (t) => races(t, start))
}

async function ready(t: Test, start: StartEngine) {
  const engine = await start(t)
  return { ...engine, records: engine.storage.authorizations, until: (ms = DAY_MS) => engine.clock() + ms }
}

async function behaviour(t: Test, start: StartEngine): Promise<void> {
  t.test('a record that is there is not created again: the first one’s fields stay', async (t) => {
    const { records, until } = await ready(t, start)
    t.same(await records.create('alice', '1', { a: 'first' }, until()), { a: 'first' })
    t.same(await records.create('alice', '1', { a: 'second', b: 'new' }, until()), { a: 'first' })
    t.same(await records.get('alice', '1'), { a: 'first' })
  })

  t.test('a record belongs to its parent alone', async (t) => {
    const { records, until } = await ready(t, start)
    await records.create('alice', '1', { of: 'alice' }, until())
    await records.create('bob', '2', { of: 'bob' }, until())
    t.equal(await records.get('bob', '1'), undefined)
    t.equal(await records.change('bob', '1', { set: { of: 'bob' } }), undefined)
    await records.delete('bob', '1')
    t.same(await records.get('alice', '1'), { of: 'alice' })
    t.same([...(await records.list('alice')).keys()], ['1'])
    t.same([...(await records.list('bob')).keys()], ['2'])
    t.same((await records.list('carol')).size, 0)
  })

  t.test('a change sets, sets once and clears, and leaves the rest', async (t) => {
    const { records, until } = await ready(t, start)
    await records.create('alice', '1', { a: '1', b: '2', c: '3' }, until())
    const after = { a: 'one', b: '2', d: 'first' }
    t.same(
      await records.change('alice', '1', { set: { a: 'one' }, setOnce: { b: 'no', d: 'first' }, clear: ['c', 'x'] }),
      after
    )
    t.same(await records.change('alice', '1', { setOnce: { d: 'second' } }), after, 'the first one stays')
    t.same(await records.get('alice', '1'), after)
    t.same(await records.change('alice', '1', {}), after, 'no change is none')
  })

  t.test('a change applied twice is the same as once', async (t) => {
    const { records, until } = await ready(t, start)
    await records.create('alice', '1', { a: '1', b: '2' }, until())
    const change = () => records.change('alice', '1', { set: { a: 'x' }, setOnce: { c: 'y' }, clear: ['b'] })
    t.same(await change(), { a: 'x', c: 'y' })
    t.same(await change(), { a: 'x', c: 'y' })
  })

  t.test('a change on condition is none once the field has another value', async (t) => {
    const { records, until } = await ready(t, start)
    await records.create('alice', '1', { version: '1', a: 'old', b: 'there' }, until())
    const change = (is: string, a: string) =>
      records.change('alice', '1', { onlyIf: { field: 'version', is }, set: { version: '2', a }, clear: ['b'] })
    t.same(await change('0', 'no'), { version: '1', a: 'old', b: 'there' }, 'answers with what is there')
    t.same(await change('1', 'new'), { version: '2', a: 'new' })
    t.same(await change('1', 'late'), { version: '2', a: 'new' }, 'applied again it is none')
    t.same(
      await records.change('alice', '1', { onlyIf: { field: 'absent', is: '' }, set: { a: 'x' } }),
      { version: '2', a: 'new' },
      'a field that is not there has no value'
    )
    t.equal(await records.change('alice', '2', { onlyIf: { field: 'a', is: '1' }, set: { a: '2' } }), undefined)
  })

  t.test('a note is a change, and makes nothing that is not there', async (t) => {
    const { records, until } = await ready(t, start)
    await records.create('alice', '1', { a: 'old', b: 'kept' }, until())
    await records.note('alice', '1', { set: { a: 'new' } })
    await records.note('alice', '2', { set: { a: 'new' } })
    t.same(await records.get('alice', '1'), { a: 'new', b: 'kept' })
    t.equal(await records.get('alice', '2'), undefined)
  })

  t.test('what is not there cannot be changed into being', async (t) => {
    const { records, until } = await ready(t, start)
    t.equal(await records.change('alice', '1', { set: { a: '1' }, keepUntilMs: until() }), undefined)
    t.equal(await records.get('alice', '1'), undefined)
    await records.create('alice', '1', { a: '1' }, until())
    await records.delete('alice', '1')
    t.equal(await records.change('alice', '1', { set: { a: '2' }, setOnce: { b: '3' } }), undefined)
    t.equal(await records.get('alice', '1'), undefined)
    t.equal((await records.list('alice')).size, 0)
  })

  t.test('deleting is for good, and may be repeated', async (t) => {
    const { records, until } = await ready(t, start)
    await records.create('alice', '1', { a: '1' }, until())
    await records.create('alice', '2', { a: '2' }, until())
    await records.delete('alice', '1')
    await records.delete('alice', '1')
    await records.delete('alice', 'never there')
    t.equal(await records.get('alice', '1'), undefined)
    t.same([...(await records.list('alice'))], [['2', { a: '2' }]])
  })

  t.test('a deletion on condition is none where the field has another value, or there is none', async (t) => {
    const { records, until, other: elsewhere } = await ready(t, start)
    const other = elsewhere.authorizations
    await records.create('alice', '1', { holder: 'a' }, until())
    await records.delete('alice', '1', { field: 'holder', is: 'b' })
    await records.delete('alice', '1', { field: 'nobody', is: '' })
    t.strictSame(await other.get('alice', '1'), { holder: 'a' })
    t.equal((await other.list('alice')).size, 1)
    await records.delete('alice', '2', { field: 'holder', is: 'a' })
    for (let i = 0; i < 2; i++) await other.delete('alice', '1', { field: 'holder', is: 'a' })
    t.equal(await records.get('alice', '1'), undefined)
    t.equal((await records.list('alice')).size, 0)
  })

  t.test('values of every kind come back as they were', async (t) => {
    const { records, until } = await ready(t, start)
    const fields: Fields = {
      empty: '',
      unicode: 'Ünïcödé 日本語 🔑',
      control: 'a\nb\r\u0000c',
      quotes: '"\'{}[]\\',
      long: 'ü'.repeat(255),
      number: '12345678901234567',
      'odd name': 'yes'
    }
    t.strictSame({ ...(await records.create('alice', '1', fields, until())) }, fields)
    t.strictSame({ ...(await records.get('alice', '1')) }, fields)
    t.strictSame({ ...(await records.list('alice')).get('1') }, fields)
    t.strictSame({ ...(await records.change('alice', '1', { set: { more: '🔑\n' } })) }, { ...fields, more: '🔑\n' })
  })

  t.test('no parent or id can pass for another', async (t) => {
    const { records, until } = await ready(t, start)
    const odd = [
      'a',
      'a:b',
      '{a}',
      '{',
      '}',
      'a}:b',
      '*',
      '%7Ba%7D',
      'ü',
      '日本 🔑',
      'a\nb',
      '\u0000',
      '__proto__',
      '..',
      'a '
    ]
    for (const parent of odd) for (const id of odd) await records.create(parent, id, { parent, id }, until())
    for (const parent of odd) {
      const found = await records.list(parent)
      t.same([...found.keys()].sort(), [...odd].sort(), encodeURIComponent(parent))
      for (const id of odd) t.same({ ...found.get(id) }, { parent, id })
    }
    await records.delete('a', 'b')
    t.same(await records.get('a:b', 'a'), { parent: 'a:b', id: 'a' })
  })

  t.test('a long list is complete', async (t) => {
    const { records, until } = await ready(t, start)
    await Promise.all(times(300, (i) => records.create('alice', `${i}`, { i: `${i}` }, until())))
    const found = await records.list('alice')
    t.equal(found.size, 300)
    t.same(found.get('299'), { i: '299' })
  })

  t.test('what is handed out is a copy', async (t) => {
    const { records, until } = await ready(t, start)
    const fields = { a: '1' }
    const kept = await records.create('alice', '1', fields, until())
    fields.a = 'changed'
    Object.assign(kept, { a: 'changed' })
    Object.assign((await records.get('alice', '1')) ?? {}, { a: 'changed' })
    t.same(await records.get('alice', '1'), { a: '1' })
  })
}

/** Reads a whole list in pages of a size. */
async function allPages(records: RecordStore, parent: string, options: PageOptions): Promise<RecordPage[]> {
  const pages: RecordPage[] = []
  let { after } = options
  do {
    const page = await records.page(parent, { ...options, after })
    pages.push(page)
    after = page.next
  } while (after !== undefined && pages.length < 1_000)
  return pages
}

const idsOf = (pages: RecordPage[]) => pages.flatMap(({ records }) => [...records.keys()])

async function pages(t: Test, start: StartEngine): Promise<void> {
  t.test('pages of any size, both ways, make the whole list, in the order of the lives', async (t) => {
    const { records, until, other: elsewhere } = await ready(t, start)
    const names = times(23, (i) => `${String(i).padStart(2, '0')}`)
    // Made in another order than that of their lives.
    const shuffled = names.toSorted((a, b) => ((Number(a) * 7) % 23) - ((Number(b) * 7) % 23))
    for (const id of shuffled) await records.create('alice', id, { id }, until(DAY_MS + Number(id) * 1_000))
    await records.create('bob', 'other', { id: 'other' }, until())
    for (const most of [1, 4, 22, 23, 24, 100]) {
      const up = await allPages(elsewhere.authorizations, 'alice', { order: 'first-to-end', most })
      t.strictSame(idsOf(up), names, `${most} at a time`)
      t.equal(up.length, Math.ceil(23 / most), 'the last page says that it is')
      t.strictSame(idsOf(await allPages(records, 'alice', { order: 'last-to-end', most })), names.toReversed())
      for (const { records } of up) for (const [id, fields] of records) t.strictSame({ ...fields }, { id })
    }
    t.same(await records.page('carol', { order: 'last-to-end', most: 5 }), { records: new Map(), lasting: 0 })
  })

  t.test('records of one life keep the order they were made in', async (t) => {
    const { records, clock } = await ready(t, start)
    const untilMs = clock() + DAY_MS
    const names = times(60, (i) => `${(i * 37) % 60}`)
    for (const id of names) await records.create('alice', id, { id }, untilMs)
    t.strictSame(idsOf(await allPages(records, 'alice', { order: 'first-to-end', most: 7 })), names)
    t.strictSame(idsOf(await allPages(records, 'alice', { order: 'last-to-end', most: 7 })), names.toReversed())
    t.strictSame([...(await records.list('alice')).keys()], names)
  })

  t.test('a page goes on where the one before ended, whatever became of the record there', async (t) => {
    const { records, until } = await ready(t, start)
    for (const id of times(9, String)) await records.create('alice', id, { id }, until(DAY_MS + Number(id) * 1_000))
    for (const [order, gone, moved, rest] of [
      ['first-to-end', '2', '1', ['3', '4', '5', '6', '7', '8']],
      ['last-to-end', '6', '7', ['5', '4', '3', '2', '0', '7', '1']]
    ] as const) {
      const { next } = await records.page('alice', { order, most: 3 })
      await records.delete('alice', gone)
      // What has been on a page already ends sooner by now, as if it was revoked.
      await records.change('alice', moved, { keepUntilMs: until(DAY_MS - 1_000) })
      const left = await allPages(records, 'alice', { order, most: 2, after: next })
      t.strictSame(idsOf(left), [...rest], order)
      if (order === 'first-to-end') await records.create('alice', gone, { id: gone }, until(DAY_MS + 2_000))
    }
  })

  t.test('fading records count up to a number: those beyond it are on no page', async (t) => {
    const { records, until, pass } = await ready(t, start)
    const fading = { withinMs: DAY_MS, most: 3 }
    for (const i of times(4, (i) => i)) await records.create('alice', `live ${i}`, { i: `${i}` }, until(2 * DAY_MS + i))
    for (const i of times(8, (i) => i)) {
      await records.create('alice', `ended ${i}`, { i: `${i}` }, until(DAY_MS / 2 + i * 1_000))
    }
    const found = await allPages(records, 'alice', { order: 'last-to-end', most: 2, fading })
    const live = times(4, (i) => `live ${3 - i}`)
    t.strictSame(idsOf(found), [...live, 'ended 7', 'ended 6', 'ended 5'])
    for (const { lasting } of found) t.equal(lasting, 4)
    await pass(DAY_MS + DAY_MS / 4)
    const later = await allPages(records, 'alice', { order: 'last-to-end', most: 5, fading })
    t.strictSame(idsOf(later), live.slice(0, 3), 'what lived longer fades in its turn')
    t.equal(later[0]?.lasting, 0)
  })

  t.test(
    'fading records beyond the number are trimmed in bounded pieces, those that end first, and no young ones',
    async (t) => {
      const { records, clock, until, other: elsewhere } = await ready(t, start)
      const fading = { withinMs: DAY_MS, most: 10 }
      const ids = async () => (await records.ids('alice', { order: 'first-to-end', most: 500 })).ids
      const createdAtMs = `${clock() - 3_600_000}`
      const names = times(130, String)
      await Promise.all(
        names.map((id) => records.create('alice', id, { createdAtMs }, until(1_000_000 + 1_000 * Number(id))))
      )
      await records.create('alice', 'live', { createdAtMs }, until(2 * DAY_MS))
      t.strictSame(await ids(), [...names, 'live'])
      await records.trim('alice', fading, 3_700_000)
      t.equal((await ids()).length, 131, 'none is old enough')
      await elsewhere.authorizations.trim('alice', fading, 3_500_000)
      t.strictSame(await ids(), [...names.slice(100), 'live'])
      t.equal(await records.get('alice', '99'), undefined)
      for (let i = 0; i < 2; i++) await records.trim('alice', fading, 3_500_000)
      t.strictSame(await ids(), [...names.slice(120), 'live'])
      await records.trim('nobody', fading, 0)
    }
  )

  t.test('ending marks what is there, once, and shortens its life', async (t) => {
    const { records, until, other: elsewhere, pass } = await ready(t, start)
    for (const id of ['a', 'b', 'c']) await records.create('alice', id, { id }, until(10 * DAY_MS))
    await records.create('alice', 'short', { id: 'short' }, until(DAY_MS / 2))
    await records.change('alice', 'a', { set: { waits: 'yes' } })
    await records.change('alice', 'b', { set: { ended: 'before' } })
    const end = (store: RecordStore, value: string) =>
      store.end('alice', ['a', 'b', 'gone', 'short'], { field: 'ended', value, clears: 'waits' }, until(DAY_MS))
    t.strictSame(await end(records, 'now'), ['a', 'short'])
    t.strictSame(await end(elsewhere.authorizations, 'again'), [])
    t.strictSame(await records.end('alice', [], { field: 'ended', value: 'x' }, until()), [])
    t.strictSame(await records.end('nobody', ['a'], { field: 'ended', value: 'x' }, until()), [])
    t.strictSame({ ...(await records.get('alice', 'a')) }, { id: 'a', ended: 'now' })
    t.strictSame({ ...(await records.get('alice', 'b')) }, { id: 'b', ended: 'before' })
    t.equal(await records.get('alice', 'gone'), undefined, 'nothing comes into being')
    const { lasting } = await records.page('alice', {
      order: 'last-to-end',
      most: 5,
      fading: { withinMs: DAY_MS, most: 9 }
    })
    t.equal(lasting, 1, 'c alone outlives the day')
    await pass(DAY_MS - 10_000)
    t.strictSame([...(await records.list('alice')).keys()].sort(), ['a', 'b', 'c'], 'no life was prolonged')
    await pass(20_000)
    t.strictSame([...(await records.list('alice')).keys()], ['c'])
  })

  t.test('with a cap no more are created than it allows, and what is there is not refused', async (t) => {
    const { records, until, other: elsewhere } = await ready(t, start)
    const cap = { withinMs: DAY_MS, most: 3 }
    const create = (id: string, lifeMs = 2 * DAY_MS, store: RecordStore = records) =>
      store.createWithin('alice', id, { id }, until(lifeMs), cap)
    for (const id of ['a', 'b', 'c']) t.strictSame({ ...((await create(id)) as Fields) }, { id })
    t.equal(await create('d'), 'full')
    t.equal(await create('d', DAY_MS / 2, elsewhere.authorizations), 'full', 'however long it would live')
    t.equal(await records.get('alice', 'd'), undefined)
    t.strictSame({ ...((await create('a')) as Fields) }, { id: 'a' })
    await records.create('alice', 'uncapped', { id: 'uncapped' }, until(2 * DAY_MS))
    t.equal(await create('d'), 'full')
    await records.end('alice', ['a', 'b'], { field: 'ended', value: '1' }, until(DAY_MS))
    t.strictSame({ ...((await create('d')) as Fields) }, { id: 'd' }, 'fading ones do not count')
    t.strictSame(await records.createWithin('bob', 'a', { of: 'bob' }, until(), cap), { of: 'bob' })
  })
}

async function life(t: Test, start: StartEngine): Promise<void> {
  t.test('a record lives as long as it was said, in every way of asking', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', 'short', { a: '1' }, until(DAY_MS))
    await records.create('alice', 'long', { a: '2' }, until(2 * DAY_MS))
    await pass(DAY_MS - 10_000)
    t.same([...(await records.list('alice')).keys()].sort(), ['long', 'short'])
    await pass(20_000)
    t.equal(await records.get('alice', 'short'), undefined)
    t.equal(await records.change('alice', 'short', { set: { a: '3' }, keepUntilMs: until() }), undefined)
    t.same([...(await records.list('alice')).keys()], ['long'])
    await pass(DAY_MS)
    t.equal((await records.list('alice')).size, 0)
  })

  t.test('a shorter record created later does not shorten the list', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', 'long', { a: '1' }, until(10 * DAY_MS))
    await records.create('alice', 'short', { a: '2' }, until(DAY_MS))
    await pass(9 * DAY_MS)
    t.same([...(await records.list('alice')).keys()], ['long'])
  })

  t.test('a life can be shortened', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', '1', { a: '1' }, until(10 * DAY_MS))
    t.same(await records.change('alice', '1', { keepUntilMs: until(DAY_MS) }), { a: '1' })
    await pass(DAY_MS - 10_000)
    t.equal((await records.list('alice')).size, 1)
    await pass(20_000)
    t.equal(await records.get('alice', '1'), undefined)
    t.equal((await records.list('alice')).size, 0)
  })

  t.test('a life can be limited, which never prolongs it, in the same step as a change', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', 'long', { a: '1' }, until(10 * DAY_MS))
    await records.create('alice', 'short', { a: '1' }, until(DAY_MS))
    const change = (id: string) =>
      records.change('alice', id, { set: { a: '2' }, keepAtMostUntilMs: until(2 * DAY_MS) })
    for (const id of ['long', 'short']) t.same(await change(id), { a: '2' })
    await pass(DAY_MS - 10_000)
    t.same([...(await records.list('alice')).keys()].sort(), ['long', 'short'])
    t.same(await change('long'), { a: '2' }, 'a later limit is none')
    await pass(20_000)
    t.same([...(await records.list('alice'))], [['long', { a: '2' }]])
    await pass(DAY_MS)
    t.equal(await records.get('alice', 'long'), undefined)
    t.equal((await records.list('alice')).size, 0)
    t.equal(await change('long'), undefined)
  })

  t.test('a life is limited on condition, too', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', '1', { version: '1' }, until(10 * DAY_MS))
    const onlyIf = { field: 'version', is: '2' }
    await records.change('alice', '1', { onlyIf, keepAtMostUntilMs: until(DAY_MS) })
    await pass(2 * DAY_MS)
    t.same(await records.get('alice', '1'), { version: '1' })
  })

  t.test('a life can be prolonged, and the record stays listed', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', '1', { a: '1' }, until(DAY_MS))
    await records.change('alice', '1', { keepUntilMs: until(10 * DAY_MS) })
    await pass(9 * DAY_MS)
    t.same(await records.get('alice', '1'), { a: '1' })
    t.same([...(await records.list('alice')).keys()], ['1'])
  })

  t.test('a change that says nothing of the life leaves it', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', '1', { a: '1' }, until(DAY_MS))
    await pass(DAY_MS / 2)
    await records.change('alice', '1', { set: { a: '2' } })
    await pass(DAY_MS / 2 + 10_000)
    t.equal(await records.get('alice', '1'), undefined)
  })

  t.test('creating it again does not prolong a life', async (t) => {
    const { records, until, pass } = await ready(t, start)
    await records.create('alice', '1', { a: '1' }, until(DAY_MS))
    await pass(DAY_MS / 2)
    await records.create('alice', '1', { a: '1' }, until(DAY_MS))
    await pass(DAY_MS / 2 + 10_000)
    t.equal(await records.get('alice', '1'), undefined)
    t.same(await records.create('alice', '1', { a: 'new' }, until(DAY_MS)), { a: 'new' }, 'its id is free again')
  })
}

async function races(t: Test, start: StartEngine): Promise<void> {
  t.test('of 50 that create one record at once all get the fields of one', async (t) => {
    const { storage, other, until } = await ready(t, start)
    const answers = await Promise.all(
      times(50, (i) =>
        (i % 2 === 0 ? storage : other).authorizations.create('alice', '1', { by: `${i}`, and: `${i}` }, until())
      )
    )
    const [first] = answers
    t.equal(first?.by, first?.and)
    for (const answer of answers) t.same(answer, first)
    t.same([...(await storage.authorizations.list('alice'))], [['1', first]])
  })

  t.test('of 50 that create at once under a cap, on two instances, no more get through', async (t) => {
    const { storage, other, until } = await ready(t, start)
    const answers = await Promise.all(
      times(50, (i) =>
        (i % 2 === 0 ? storage : other).authorizations.createWithin('alice', `${i}`, { i: `${i}` }, until(2 * DAY_MS), {
          withinMs: DAY_MS,
          most: 7
        })
      )
    )
    t.equal(answers.filter((answer) => answer !== 'full').length, 7)
    t.equal((await storage.authorizations.list('alice')).size, 7)
  })

  t.test('of 50 that set a field once at the same time one stays', async (t) => {
    const { records, other, until } = await ready(t, start)
    await records.create('alice', '1', { a: '1' }, until())
    const answers = await Promise.all(
      times(50, (i) =>
        (i % 2 === 0 ? records : other.authorizations).change('alice', '1', { setOnce: { revokedAtMs: `${i}` } })
      )
    )
    for (const answer of answers) t.same(answer, answers[0])
  })

  t.test('of 50 that change on the same condition one does', async (t) => {
    const { records, other, until } = await ready(t, start)
    await records.create('alice', '1', { version: '0' }, until())
    const answers = await Promise.all(
      times(50, (i) =>
        (i % 2 === 0 ? records : other.authorizations).change('alice', '1', {
          onlyIf: { field: 'version', is: '0' },
          set: { version: '1', by: `${i}` }
        })
      )
    )
    for (const answer of answers) t.same(answer, answers[0])
  })

  t.test('a change that races a deletion never brings the record back', async (t) => {
    const { records, other, until } = await ready(t, start)
    for (let round = 0; round < 20; round++) {
      const id = `${round}`
      await records.create('alice', id, { a: '1' }, until())
      await Promise.all(
        times(20, async (i) => {
          if (i === 10) return records.delete('alice', id)
          return other.authorizations.change('alice', id, { set: { a: `${i}` }, keepUntilMs: until() })
        })
      )
      t.equal(await records.get('alice', id), undefined)
    }
    t.equal((await records.list('alice')).size, 0)
  })
}
