import { randomUUID } from 'node:crypto'
import t from 'tap'
import { newApiKeyText } from '../../../src/core/api-keys/api-key.js'
import { keyWithRights, namedKey, readKeyDetail } from '../../../src/core/api-keys/api-key-detail.js'
import { namedConnection, readConnectionDetail } from '../../../src/core/connections/connection-detail.js'
import { epochDetail, readEpochDetail } from '../../../src/core/epoch/ends.js'
import { fault } from '../../../src/core/fault.js'
import { createEnding } from '../../../src/core/restore/ending.js'
import { readRevocationLog } from '../../../src/core/restore/revocation-log.js'
import { namedRotation, readRotationDetail } from '../../../src/core/tokens/rotation-detail.js'

t.test('of the epochs of a log the latest moment of each kind counts, and of API keys the last rights', async (t) => {
  async function* lines() {
    const detail = (minute: number, apiKeys = false) => epochDetail(Date.parse(`2026-03-01T00:0${minute}:00Z`), apiKeys)
    const id = 'A'.repeat(16)
    for (const line of [
      { type: 'epoch.begun', detail: detail(1, true) },
      { type: 'epoch.begun', detail: detail(3) },
      { type: 'epoch.begun', detail: detail(2) },
      { type: 'api_key.changed', detail: `acme/${id} tokens,admin:read` },
      { type: 'api_key.changed', detail: `acme/${id} admin:read` }
    ]) {
      yield JSON.stringify({ at: '2026-03-02T00:00:00Z', ...line })
    }
  }
  const { ends, apiKeyRights } = await readRevocationLog(lines(), 0)
  t.strictSame(ends, {
    beforeMs: Date.parse('2026-03-01T00:03:00Z'),
    apiKeysBeforeMs: Date.parse('2026-03-01T00:01:00Z')
  })
  t.strictSame([...apiKeyRights.values()], [{ owner: 'acme', rights: ['admin:read'] }])
})

const AT = '2026-03-02T00:00:00.000Z'
const KID = 'k'.repeat(16)

async function read(...events: object[]) {
  async function* lines() {
    for (const event of events) yield JSON.stringify({ at: AT, ...event })
  }
  return readRevocationLog(lines(), 0)
}

t.test('what events say of a thing is read as they say it', async (t) => {
  const key = { owner: 'acme-1', id: newApiKeyText('acme-1').id, rights: ['tokens', 'admin:read'] as const }
  t.same(readKeyDetail(namedKey(key)), { ...key, rights: [] })
  t.same(readKeyDetail(keyWithRights(key)), key)
  t.same(readKeyDetail(keyWithRights({ ...key, rights: [] })), { ...key, rights: [] })
  const connection = { upstreamId: 'git.example', id: randomUUID() }
  t.equal(readConnectionDetail(namedConnection(connection)), connection.id)
  for (const rotation of [
    { kid: KID, issuerId: undefined },
    { kid: KID, issuerId: randomUUID() }
  ]) {
    t.same(readRotationDetail(namedRotation(rotation)), rotation)
  }
  for (const apiKeys of [true, false]) {
    t.same(readEpochDetail(epochDetail(1_700_000_000_123, apiKeys)), { beforeMs: 1_700_000_000_123, apiKeys })
  }
})

t.test("the rotation of an issuer is not one of the service, and one in other words is nobody's", async (t) => {
  const rotated = (detail: string) => ({ type: 'signing_key.rotated', detail })
  const ofIssuer = await read(rotated(namedRotation({ kid: KID, issuerId: randomUUID() })))
  t.equal(ofIssuer.keyRotatedAtMs, undefined)
  const own = await read(rotated(namedRotation({ kid: KID })))
  t.equal(own.keyRotatedAtMs, Date.parse(AT))
  await t.rejects(read(rotated(`${KID} of issuer x`)), { message: 'line 1 says signing_key.rotated, and not of what' })
})

t.test(
  'an authorization that cannot be read is counted and keeps nobody from the others; a bug is no such thing',
  async (t) => {
    const errors: Record<string, Error> = { unreadable: fault('unavailable') }
    const asked: string[] = []
    const announceEnded = createEnding({
      keyspace: {
        async checkRights() {},
        walk: (_families, step) =>
          step(
            ['unreadable', 'other'].map((id) => ({
              family: 'authorized-client',
              key: id,
              record: { parent: 'ann', id }
            })),
            { delete: async () => 0 }
          )
      },
      authorizations: {
        async get(_userId, id) {
          asked.push(id)
          if (errors[id]) throw errors[id]
          return undefined
        }
      },
      revoking: { revoke: async () => undefined },
      clock: Date.now
    })
    const ends = { beforeMs: 1, apiKeysBeforeMs: 0, beganAtMs: 1 }
    t.same(await announceEnded(ends), { announced: 0, failed: 1 })
    t.same(asked, ['unreadable', 'other'])
    errors.other = new TypeError('a bug')
    await t.rejects(announceEnded(ends), { name: 'TypeError', message: 'a bug' })
  }
)
