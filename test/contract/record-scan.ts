/** The contract of every engine for what is asked of a kind of records as a whole: `scan`, and whose a record is. */
import type { Test } from 'tap'
import type { RecordStore } from '../../src/core/records/record-store.js'
import { type StartEngine, tally, times } from './engine.js'

const DAY_MS = 86_400_000
const MOST_PARTS = 1_000

/** Reads everything part by part, and calls `between` after each. */
async function scanAll(
  records: RecordStore,
  most: number,
  between: (part: number) => Promise<unknown> = async () => {}
) {
  const parts: { parent: string; id: string; fields: Readonly<Record<string, string>> }[][] = []
  let after: string | undefined
  do {
    const { records: found, next } = await records.scan({ after, most })
    parts.push(found)
    after = next
    await between(parts.length)
  } while (after !== undefined && parts.length < MOST_PARTS)
  return parts
}

const nameOf = ({ parent, id }: { parent: string; id: string }) => JSON.stringify([parent, id])

export function recordScanContract(t: Test, start: StartEngine): void {
  t.test('a scan finds every record of its kind, whosever it is, and nothing else', async (t) => {
    const { storage, other, clock } = await start(t)
    const untilMs = clock() + DAY_MS
    const parents = ['alice', 'bob', 'a}:b', '{a}', '*', 'ü 日本', 'a:b', '__proto__', ...times(40, (i) => `user ${i}`)]
    for (const parent of parents) {
      for (const id of ['1', 'x}:y']) await storage.authorizations.create(parent, id, { of: parent }, untilMs)
      await storage.sessions.create(parent, 'of another kind', { of: 'nobody' }, untilMs)
    }
    const wanted = parents.flatMap((parent) => [nameOf({ parent, id: '1' }), nameOf({ parent, id: 'x}:y' })]).sort()
    for (const most of [7, 100]) {
      const parts = await scanAll(other.authorizations, most)
      const found = parts.flat()
      t.strictSame([...new Set(found.map(nameOf))].sort(), wanted, `${most} at a time`)
      for (const { parent, fields } of found) t.equal(fields.of, parent)
      t.ok(parts.length > 1 || most === 100, 'no part has everything')
      t.ok(Math.max(...parts.map((part) => part.length)) <= most + 40, 'a part is about as long as was asked for')
    }
    t.same(
      await scanAll(storage.policies, 10).then((parts) => parts.flat()),
      [],
      'of a kind without records there are none'
    )
  })

  t.test('a scan goes on behind each record that it found', async (t) => {
    const { storage, other, clock } = await start(t)
    const ids = times(90, (i) => `${i}`).sort()
    const create = (id: string) => storage.authorizations.create(`of ${id}`, id, { id }, clock() + DAY_MS)
    await Promise.all(ids.map(create))
    for (const kept of [1, 7]) {
      const found: string[] = []
      let after: string | undefined
      let parts = 0
      do {
        const { records, next } = await other.authorizations.scan({ after, most: kept })
        const some = records.slice(0, kept)
        found.push(...some.map(({ id }) => id))
        after = some.length < records.length ? some.at(-1)?.position : next
        parts += 1
      } while (after !== undefined && parts < MOST_PARTS)
      t.ok(parts < MOST_PARTS, 'it ends')
      t.strictSame([...new Set(found)].sort(), ids, `${kept} at a time`)
    }
  })

  t.test('what is there all the while is found, whatever comes and goes meanwhile', async (t) => {
    const { storage, clock } = await start(t)
    const untilMs = clock() + DAY_MS
    const create = (id: string) => storage.authorizations.create(`of ${id}`, id, { id }, untilMs)
    const stays = times(120, (i) => `stays ${i}`)
    await Promise.all([...stays, ...times(60, (i) => `goes ${i}`)].map(create))
    const parts = await scanAll(storage.authorizations, 10, async (part) => {
      await storage.authorizations.delete(`of goes ${part}`, `goes ${part}`)
      for (const i of times(4, (i) => i)) await create(`comes ${part} ${i}`)
    })
    t.ok(parts.length < MOST_PARTS, 'it ends')
    const found = tally(parts.flat().map(({ id }) => id))
    for (const id of stays) t.ok((found[id] ?? 0) >= 1, id)
  })

  t.test('whose a record is is known as long as was noted, and by the last note', async (t) => {
    const { storage, other, clock, pass } = await start(t)
    const { authorizationUsers: parents } = storage
    t.strictSame(await parents.of([]), [])
    t.strictSame(await parents.of(['1']), [undefined])
    await parents.note([])
    await parents.note([
      { id: '1', parent: 'alice', keepUntilMs: clock() + 60_000 },
      { id: 'a:{b}', parent: 'ü 日本', keepUntilMs: clock() + 2 * DAY_MS }
    ])
    t.strictSame(await other.authorizationUsers.of(['a:{b}', 'nobody', '1']), ['ü 日本', undefined, 'alice'])
    await parents.note([{ id: '1', parent: 'alice', keepUntilMs: clock() + DAY_MS }])
    await pass(120_000)
    t.strictSame(await parents.of(['1']), ['alice'], 'the life is that of the last note')
    await pass(DAY_MS)
    t.strictSame(await parents.of(['1', 'a:{b}']), [undefined, 'ü 日本'])
  })
}
