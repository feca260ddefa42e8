import t from 'tap'
import { readRevocationLog } from '../../../src/core/restore/revocation-log.js'

t.test('of the epochs of a log the latest moment of each kind counts, and of API keys the last rights', async (t) => {
  async function* lines() {
    const detail = (minute: number, more = '') => `before 2026-03-01T00:0${minute}:00.000Z${more}`
    const id = 'A'.repeat(16)
    for (const line of [
      { type: 'epoch.begun', detail: detail(1, ', API keys as well') },
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
