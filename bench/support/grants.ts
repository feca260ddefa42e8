/** Pending grants by the hundred thousand, made by the product's own Redis store, many at once. */

import { tagOf } from '../../src/core/clients/client.js'
import { isFault } from '../../src/core/fault.js'
import { newGrantCode, newUserCode } from '../../src/core/grants/codes.js'
import type { Location } from '../../src/core/grants/grant.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { createKeyring } from '../../src/core/secrets/keyring.js'
import { createRedisGrantStore } from '../../src/storage/redis/grant-store.js'
import { createKeys } from '../../src/storage/redis/keys.js'
import { GRANTD_SECRET } from '../../test/support/app.js'
import { connectTo } from '../../test/support/redis-config.js'

/** The default of REDIS_PREFIX. */
export const keys = createKeys('grantd:')
/** Enough to fill a pipeline, and few enough that none waits for as long as the store allows. */
const AT_ONCE = 256
const LIFE_MS = 900_000

export interface GrantOptions {
  /**
   * The default asks for five seconds between polls. At half a second the store's allowance for fast clocks covers the
   * whole interval: every poll is in time, however often the same grant is polled.
   */
  intervalMs?: 5_000 | 500
  location?: Location
}

/** What an ordinary client says of itself. */
const request = {
  clientId: 'cli',
  clientType: 'cli',
  scopes: [],
  metadata: { name: 'acme-cli', version: '2.14.3', hostname: 'build-agent-0417.internal', os: 'linux 6.1 x64' },
  ip: '203.0.113.174'
} as const

/** Creates so many pending grants, as a start would, and answers with their codes. */
export async function createGrants(url: string, count: number, options: GrantOptions = {}): Promise<string[]> {
  const { intervalMs = 5_000, location } = options
  const grant = {
    request: { ...request, ...(location && { location }) },
    clientTag: tagOf(request.clientId),
    lifeMs: LIFE_MS,
    intervalMs
  }
  const connection = await connectTo(url, console.error)
  const store = createRedisGrantStore(connection, keys)
  const keyring = createKeyring([GRANTD_SECRET])
  const codes: string[] = []

  async function createSome(): Promise<void> {
    while (codes.length < count) {
      const code = newGrantCode()
      codes.push(code)
      const digest = digestOf(code)
      let answer: string
      do {
        const [tag = ''] = keyring.tags('user-code', newUserCode())
        answer = await patiently(() => store.create(digest, tag, grant))
      } while (answer === 'user_code_taken')
    }
  }

  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, createSome))
    return codes
  } finally {
    await connection.close()
  }
}

/** Again, when a busy machine took longer than the store waits: the same grant under the same codes is made but once. */
async function patiently<T>(create: () => Promise<T>, tries = 5): Promise<T> {
  try {
    return await create()
  } catch (error) {
    if (tries <= 1 || !isFault(error) || error.code !== 'unavailable') throw error
    return patiently(create, tries - 1)
  }
}

/** The key of a grant, for whoever asks Redis without the service. */
export const grantKey = (code: string) => keys.grant(digestOf(code))
