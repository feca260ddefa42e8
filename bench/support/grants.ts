/** Creates pending grants by the hundred thousand through the product's own Redis store, many at once. */

import type { RedisConfig } from '../../src/config/redis.js'
import { tagOf } from '../../src/core/clients/client.js'
import { newGrantCode, newUserCode } from '../../src/core/grants/codes.js'
import type { Location } from '../../src/core/grants/grant.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { createKeyring } from '../../src/core/secrets/keyring.js'
import { createRedisGrantStore } from '../../src/storage/redis/grant-store.js'
import { createKeys } from '../../src/storage/redis/keys.js'
import { GRANTD_SECRET } from '../../test/support/app.js'
import { connectTo } from '../../test/support/redis-config.js'

/** The prefix is the default of REDIS_PREFIX. */
export const keys = createKeys('grantd:')
/** Enough creations to fill a pipeline, and few enough that none waits as long as the timeout of the store. */
const AT_ONCE = 256
const LIFE_MS = 900_000

export interface GrantOptions {
  /**
   * The default asks for five seconds between polls. At half a second the store's tolerance for fast clocks covers the
   * whole interval, so no poll is too early, however often the same grant is polled.
   */
  intervalMs?: 5_000 | 500
  location?: Location
}

/** The metadata of a typical client. */
const request = {
  clientId: 'cli',
  clientType: 'cli',
  scopes: [],
  metadata: { name: 'acme-cli', version: '2.14.3', hostname: 'build-agent-0417.internal', os: 'linux 6.1 x64' },
  ip: '203.0.113.174'
} as const

/** Creates `count` pending grants as the start of a grant does, and returns their codes. `place` is a URL, or that of a Cluster. */
export async function createGrants(
  place: string | RedisConfig['place'],
  count: number,
  options: GrantOptions = {}
): Promise<string[]> {
  const { intervalMs = 5_000, location } = options
  const grant = {
    request: { ...request, ...(location && { location }) },
    clientTag: tagOf(request.clientId),
    lifeMs: LIFE_MS,
    intervalMs
  }
  const connection = await connectTo(place, console.error)
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
        answer = await store.create(digest, tag, grant)
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

/** Returns the Redis key of a grant, for code that asks Redis without the service. */
export const grantKey = (code: string) => keys.grant(digestOf(code))
