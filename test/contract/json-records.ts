/** The contract of JSON records over every engine's record store: src/core/records/json-records.ts. */
import { type Static, Type } from '@sinclair/typebox'
import type { Test } from 'tap'
import { createJsonRecords } from '../../src/core/records/json-records.js'
import { type StartEngine, times } from './engine.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
const YEAR_MS = 365 * 86_400_000

const Content = Type.Object({ name: Type.String(), more: Type.Optional(Type.Unknown()) })
type Content = Static<typeof Content>

async function ready(t: Test, start: StartEngine) {
  const engine = await start(t)
  const { storage, other, clock } = engine
  return {
    ...engine,
    things: createJsonRecords(storage.issuers, clock, Content),
    elsewhere: createJsonRecords(other.issuers, clock, Content)
  }
}

const namesOf = (things: Content[]) => things.map(({ name }) => name)

export function jsonRecordsContract(t: Test, start: StartEngine): void {
  t.test('a thing has an id and its times, and comes back as it was, from every instance', async (t) => {
    const { things, elsewhere, clock } = await ready(t, start)
    const contents: Content[] = [
      { name: '' },
      { name: 'ü 😀 \u0000 "\\\n', more: [1, -0.5, null, true, { 'odd name': [] }] },
      { name: 'x', more: { __proto__x: 1, id: 'mine' } }
    ]
    for (const content of contents) {
      const made = await things.create('alice', content)
      t.match(made.id, UUID)
      t.strictSame(made, { ...content, id: made.id, createdAtMs: clock(), updatedAtMs: clock() })
      t.strictSame(await elsewhere.find('alice', made.id), made)
      t.strictSame((await elsewhere.list('alice')).at(-1), made)
    }
    t.equal(new Set((await things.list('alice')).map(({ id }) => id)).size, contents.length)
  })

  t.test('things are listed in the order they were made, within one millisecond as well', async (t) => {
    const { things, clock } = await ready(t, start)
    t.same(await things.list('alice'), [])
    const names = times(120, (i) => `${i}`)
    for (const name of names.slice(0, 20)) await things.create('alice', { name })
    await Promise.all(names.slice(20, 100).map((name) => things.create('alice', { name })))
    clock.advance(1)
    for (const name of names.slice(100)) await things.create('alice', { name })
    t.strictSame(namesOf(await things.list('alice')), names)
  })

  t.test('things of two instances are listed by the time they were made', async (t) => {
    const { things, elsewhere, clock } = await ready(t, start)
    const names = times(30, (i) => `${i}`)
    for (const [i, name] of names.entries()) {
      await (i % 3 ? things : elsewhere).create('alice', { name })
      clock.advance(1)
    }
    t.strictSame(namesOf(await things.list('alice')), names)
    t.strictSame(namesOf(await elsewhere.list('alice')), names)
  })

  t.test('a thing belongs to its parent alone', async (t) => {
    const { things } = await ready(t, start)
    const mine = await things.create('alice', { name: 'mine' })
    await things.create('bob', { name: 'yours' })
    t.equal(await things.find('bob', mine.id), undefined)
    t.equal(await things.replace('bob', mine.id, { name: 'stolen' }), undefined)
    await things.delete('bob', mine.id)
    t.strictSame(await things.list('alice'), [mine])
    t.strictSame(namesOf(await things.list('bob')), ['yours'])
  })

  t.test('other content takes the place of the old, and nothing else of the thing changes but its time', async (t) => {
    const { things, elsewhere, clock } = await ready(t, start)
    const made = []
    for (const name of ['a', 'b', 'c']) made.push(await things.create('alice', { name, more: name }))
    clock.advance(1_000)
    const { id = '', createdAtMs } = made[1] ?? {}
    const replaced = await elsewhere.replace('alice', id, { name: 'B' })
    t.strictSame(replaced, { name: 'B', id, createdAtMs, updatedAtMs: clock() })
    t.strictSame(await things.find('alice', id), replaced)
    t.strictSame(namesOf(await things.list('alice')), ['a', 'B', 'c'], 'it keeps its place')
  })

  t.test('only what is there can be replaced', async (t) => {
    const { things, elsewhere } = await ready(t, start)
    t.equal(await things.replace('alice', 'never there', { name: 'x' }), undefined)
    const { id } = await things.create('alice', { name: 'a' })
    await elsewhere.delete('alice', id)
    t.equal(await things.replace('alice', id, { name: 'back' }), undefined)
    t.equal(await things.find('alice', id), undefined)
    t.same(await things.list('alice'), [], 'and does not come back by it')
  })

  t.test('an id that is handed in is the one it has, and twice it is one thing', async (t) => {
    const { things, elsewhere, clock } = await ready(t, start)
    const first = await things.create('alice', { name: 'first' }, 'an id')
    t.equal(first.id, 'an id')
    clock.advance(1)
    t.strictSame(await elsewhere.create('alice', { name: 'second' }, 'an id'), first, 'the first one stays')
    t.strictSame(await things.list('alice'), [first])
  })

  t.test('of all things of one name that are made at once, on any instance, one is', async (t) => {
    const { things, elsewhere } = await ready(t, start)
    for (let round = 0; round < 5; round++) {
      const name = `round ${round}`
      const made = await Promise.all(
        times(12, (i) => (i % 2 ? things : elsewhere).createNamed('alice', { name: `${round}.${i}` }, name))
      )
      const [first, ...more] = made.filter((one) => one !== undefined)
      t.strictSame(more, [])
      t.strictSame((await elsewhere.list('alice')).at(-1), first, 'and the others leave nothing')
      t.equal((await things.list('alice')).length, round + 1)
    }
    t.ok(await things.createNamed('bob', { name: 'x' }, 'round 0'), 'another parent has names of its own')
    t.ok(await things.createNamed('alice', { name: 'x' }, 'another'))
  })

  t.test('a name is free once its thing is gone, by whatever end', async (t) => {
    const { things, elsewhere } = await ready(t, start)
    const one = await things.createNamed('alice', { name: '1' }, 'name')
    t.equal(await elsewhere.createNamed('alice', { name: '2' }, 'name'), undefined)
    await elsewhere.delete('alice', one?.id ?? '', 'name')
    const two = await elsewhere.createNamed('alice', { name: '2' }, 'name')
    t.ok(two)
    await things.delete('alice', one?.id ?? '', 'name')
    t.equal(await things.createNamed('alice', { name: '3' }, 'name'), undefined, 'an old one does not free a new one’s')
    // An interrupted deletion leaves the name.
    await things.delete('alice', two?.id ?? '')
    const made = await Promise.all(
      times(8, (i) => (i % 2 ? things : elsewhere).createNamed('alice', { name: '4' }, 'name'))
    )
    t.equal(made.filter((thing) => thing !== undefined).length, 1)
    t.equal((await things.list('alice')).length, 1)
  })

  t.test('deleting is for good, and may be repeated', async (t) => {
    const { things, elsewhere } = await ready(t, start)
    const [one, two] = [await things.create('alice', { name: '1' }), await things.create('alice', { name: '2' })]
    for (const by of [things, elsewhere, things]) await by.delete('alice', one.id)
    t.equal(await things.find('alice', one.id), undefined)
    t.strictSame(await elsewhere.list('alice'), [two])
  })

  t.test('a thing has no end of its own', async (t) => {
    const { things, pass } = await ready(t, start)
    const made = await things.create('alice', { name: 'old' })
    await pass(50 * YEAR_MS)
    t.strictSame(await things.list('alice'), [made])
    t.equal((await things.replace('alice', made.id, { name: 'older' }))?.name, 'older')
    await pass(40 * YEAR_MS)
    t.equal((await things.find('alice', made.id))?.name, 'older')
  })
}
