/**
 * Runs every race twice: with the real scripts, and with scripts that are not atomic, in which the same race must find
 * a fault.
 */
import t, { type Test } from 'tap'
import { createTurns } from '../../src/core/records/turns.js'
import { createRedisGrantStore } from '../../src/storage/redis/grant-store.js'
import { KINDS_READ_TOGETHER } from '../../src/storage/redis/index.js'
import { createKeys } from '../../src/storage/redis/keys.js'
import { createRedisLimitStore } from '../../src/storage/redis/limit-store.js'
import { createRedisLockStore, createRedisRecordStore } from '../../src/storage/redis/record-store.js'
import { createRedisRefreshFamilyStore } from '../../src/storage/redis/refresh-family-store.js'
import { loadScripts, type ScriptName } from '../../src/storage/redis/scripts.js'
import { createRedisSigningKeyStore } from '../../src/storage/redis/signing-key-store.js'
import { grantModel } from '../contract/grant-history.js'
import { faults, type RaceName, ROUNDS, type Stores } from '../contract/races.js'
import { startRedisEngine } from '../contract/redis-engine.js'
import { connectTo } from '../support/redis-config.js'
import { startRedis } from '../support/redis-server.js'
import { allAtOnce, oneAtATime, type Queue, type Tearable, tear } from '../support/torn-connection.js'

/** The script of each race that has to be atomic. */
const TORN: Record<RaceName, Tearable> = {
  'to poll': 'grant-poll',
  'to decide': 'grant-decide',
  'to withdraw': 'grant-withdraw',
  'to decide among polls': 'grant-poll',
  'to collect': 'grant-collect',
  'to redeem a code': 'grant-redeem',
  'to take a user code': 'user-code-reserve',
  'to begin a family of refresh tokens': 'refresh-begin',
  'to rotate a refresh token': 'refresh-rotate',
  'to create a record': 'record-create',
  'to create the last record that fits': 'record-create',
  'to end a record': 'record-end',
  'to change a record': 'record-change',
  'to take an attempt': 'limit-take',
  'to be counted': 'read-and-hit',
  'to take a lock': 'lock-acquire',
  'to succeed a signing key': 'signing-keys-succeed'
}

/**
 * Scripts without a race. They only read, or write the same whatever they find, or calls conflict only after a lost
 * answer or at the end of a life.
 */
const NOT_RACED: ScriptName[] = [
  'events-add',
  'events-search',
  'grant-find',
  'grant-create',
  'record-delete',
  'record-page',
  'replica-fence',
  'lock-release',
  'revocation-page'
]

/** Scripts that are raced whole, by test/contract/revocations.ts and status-index-store.ts, and not torn apart here. */
const RACED_WHOLE: ScriptName[] = ['revocation-announce', 'revocation-sweep', 'status-index-take']

const server = await startRedis()
t.teardown(() => server.stop())

/** Makes an engine in which these scripts are not atomic. */
async function startTorn(t: Test, names: readonly Tearable[], queue: Queue = allAtOnce) {
  const { prefix, clock, pass } = await startRedisEngine(t, server)
  const keys = createKeys(prefix)
  const open = async (): Promise<Stores> => {
    const whole = await connectTo(server.url)
    t.teardown(() => whole.close())
    const connection = tear(whole, names, queue)
    return {
      grants: createRedisGrantStore(connection, keys, { testClock: clock }),
      refreshFamilies: createRedisRefreshFamilyStore(connection, keys, clock, clock),
      authorizations: createRedisRecordStore('authorized-client', { connection, keys, clock, turns: createTurns(1) }),
      limits: createRedisLimitStore({
        connection,
        keys,
        kinds: KINDS_READ_TOGETHER,
        isCluster: false,
        clock,
        testClock: clock
      }),
      locks: createRedisLockStore(connection, keys),
      signingKeys: createRedisSigningKeyStore(connection, keys)
    }
  }
  return { storage: await open(), other: await open(), clock, pass }
}

t.test('there is a race for every script that has to be atomic', async (t) => {
  const raced = new Set<string>(Object.values(TORN))
  raced.delete('user-code-reserve')
  t.same([...raced, ...NOT_RACED, ...RACED_WHOLE].sort(), Object.keys(loadScripts()).sort())
})

for (const [name, torn] of Object.entries(TORN) as [RaceName, Tearable][]) {
  t.test(`a race ${name}`, async (t) => {
    t.strictSame(await faults(name, await startRedisEngine(t, server)), [], 'ends as it should')
    t.strictSame(
      await faults(name, await startTorn(t, [torn], oneAtATime())),
      [],
      `so with ${torn} torn, one at a time`
    )
    const found = await faults(name, await startTorn(t, [torn]))
    t.ok(found.length > 0, `and not with ${torn} torn: ${found.length} of ${ROUNDS} rounds`)
    t.comment(`one of them: ${JSON.stringify(found[0])}`)
  })
}

t.test('histories of grants find fault with', async (t) => {
  // grant-collect is left out, because two collections in the same millisecond have the same effect even without
  // atomicity.
  for (const torn of ['grant-poll', 'grant-decide', 'grant-withdraw', 'user-code-reserve'] as const) {
    t.test(`${torn} when it is torn`, async (t) => {
      const options = { runs: 1_000, freshEachRun: false }
      const model = grantModel(t, (t) => startTorn(t, [torn]), options)
      const error: unknown = await model.catch((error: unknown) => error)
      t.match(String((error as Error).cause ?? error), /no order explains/)
      t.comment(String(error))
    })
  }
})
