/** All contract suites that an engine must pass. */
import type { Test } from 'tap'
import { authorizationsContract } from './authorizations.js'
import { codeGrantContract } from './code-grants.js'
import { decisionFeedContract } from './decision-feed.js'
import type { StartEngine } from './engine.js'
import { eventStoreContract } from './event-store.js'
import { grantStoreContract } from './grant-store.js'
import { jsonRecordsContract } from './json-records.js'
import { limitStoreContract } from './limit-store.js'
import { lockStoreContract } from './lock-store.js'
import { pollBatchesContract } from './poll-batches.js'
import { recordScanContract } from './record-scan.js'
import { recordStoreContract } from './record-store.js'
import { refreshFamilyStoreContract } from './refresh-family-store.js'
import { revocationsContract } from './revocations.js'
import { signingKeyStoreContract } from './signing-key-store.js'
import { statusIndexStoreContract } from './status-index-store.js'
import { webhookStateContract } from './webhook-state.js'

export function storageContract(t: Test, start: StartEngine): void {
  t.test('grants', async (t) => grantStoreContract(t, start))
  t.test('code grants', async (t) => codeGrantContract(t, start))
  t.test('polls of one turn', async (t) => pollBatchesContract(t, start))
  t.test('decisions', async (t) => decisionFeedContract(t, start))
  t.test('refresh families', async (t) => refreshFamilyStoreContract(t, start))
  t.test('records', async (t) => recordStoreContract(t, start))
  t.test('all records of a kind', async (t) => recordScanContract(t, start))
  t.test('lists of authorizations', async (t) => authorizationsContract(t, start))
  t.test('revocations', async (t) => revocationsContract(t, start))
  t.test('places in status lists', async (t) => statusIndexStoreContract(t, start))
  t.test('the audit trail', async (t) => eventStoreContract(t, start))
  t.test('webhooks', async (t) => webhookStateContract(t, start))
  t.test('limits', async (t) => limitStoreContract(t, start))
  t.test('locks', async (t) => lockStoreContract(t, start))
  t.test('signing keys', async (t) => signingKeyStoreContract(t, start))
  t.test('things of an API', async (t) => jsonRecordsContract(t, start))
}
