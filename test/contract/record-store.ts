/** The contract of every engine's record store: src/core/records/record-store.ts. */
import type { Test } from 'tap'
import type { Fields } from '../../src/core/records/record-store.js'
import { type StartEngine, times } from './engine.js'

const DAY_MS = 86_400_000

export function recordStoreContract(t: Test, start: StartEngine): void {
  t.test('what records do', (t) => behaviour(t, start))
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
