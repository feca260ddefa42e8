/**
 * Fills Redis with users, what they have granted and an audit trail, by the services and stores of the product, many at once: what is
 * there is what the service writes, byte for byte.
 */
import { randomUUID } from 'node:crypto'
import { createApprovals } from '../../src/core/authorizations/approvals.js'
import type { Authorization } from '../../src/core/authorizations/authorization.js'
import { createAuthorizations } from '../../src/core/authorizations/authorizations.js'
import { builtInClients } from '../../src/core/clients/client.js'
import { createConnections } from '../../src/core/connections/connections.js'
import { createEpoch } from '../../src/core/epoch/epoch.js'
import { authorizationIdOf, type GrantRequest } from '../../src/core/grants/grant.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { createKeyring } from '../../src/core/secrets/keyring.js'
import type { Storage } from '../../src/core/storage.js'
import { createIdentities } from '../../src/core/users/identities.js'
import { createProfiles } from '../../src/core/users/profiles.js'
import { createUsers } from '../../src/core/users/user.js'
import { GRANTD_SECRET } from '../../test/support/app.js'
import { BY, keptNowhere } from '../../test/support/audit.js'
import { manyTimes } from '../support/callers.js'

/** Enough to fill a pipeline, and few enough that no call waits as long as its time limit. */
const AT_ONCE = 128
const UPSTREAM = 'example'
const DAY_SECONDS = 86_400
const LAPSES_AFTER_MS = 1_800_000

/** What a typical client says of itself and asks for. */
export const REQUEST: GrantRequest = {
  clientId: 'cli',
  clientType: 'cli',
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  metadata: { name: 'acme-cli', version: '2.14.3', hostname: 'build-agent-0417.internal', os: 'linux 6.1 x64' },
  ip: '203.0.113.174',
  location: { text: 'San Francisco, California, US', country: 'US' }
}

export interface Person {
  userId: string
  email: string
  upstreamId: string
  subject: string
  connectionId: string
}

export interface Fill {
  /** Users as they are after their first sign-in at a provider, but for their session: identity, profile and address. */
  users(count: number): Promise<Person[]>
  /** Their accounts at the provider, with an access and a refresh token. */
  connections(people: readonly Person[]): Promise<void>
  /** So many device grants of each, approved and collected. Resolves to the first of each. */
  authorizations(people: readonly Person[], each: number): Promise<Authorization[]>
  refreshTokens(authorizations: readonly Authorization[]): Promise<void>
}

export function createFill(storage: Storage): Fill {
  const clock = Date.now
  const audit = keptNowhere
  const identities = createIdentities({ records: storage.identities, clock })
  const profiles = createProfiles({ records: storage.profiles, emails: storage.emails, clock })
  const users = createUsers({ records: storage.users, clock, audit })
  const epoch = createEpoch({ records: storage.epochs, clock, audit })
  const nobody = { find: () => undefined }
  const notHere = () => Promise.reject(new Error('nothing is refreshed or revoked here'))
  const authorizations = createAuthorizations({
    ...{ records: storage.authorizations, users, epoch, clients: nobody, clock, audit },
    ...{ revoking: { revoke: notHere, revokeSome: notHere }, events: { revoked() {} } }
  })
  const approvals = createApprovals({
    ...{ records: storage.authorizations, parents: storage.authorizationUsers, authorizations },
    ...{ users, epoch, clock }
  })
  const connections = createConnections({
    ...{ records: storage.connections, connectionUsers: storage.connectionUsers, clock, audit },
    ...{ keyring: createKeyring([GRANTD_SECRET]), clientOf: () => undefined, isBlocked: users.isBlocked },
    ...{ refresher: { refresh: notHere, settle: notHere }, releaseIdentity: notHere }
  })
  let number = 0
  const [cli] = builtInClients(30 * DAY_SECONDS)
  if (!cli) throw new Error('there is no built-in client')

  async function grant(userId: string): Promise<Authorization> {
    const ids = { userId, authorizationId: authorizationIdOf(digestOf(randomUUID()), userId) }
    const approval = { action: 'approve', ...ids, ip: '198.51.100.23', revokedAllId: '' } as const
    await approvals.prepare(cli, REQUEST, { ...approval, lapsesAtMs: clock() + LAPSES_AFTER_MS })
    const collected =
      cli && (await approvals.collect(cli, { request: REQUEST, decision: approval, createdAtMs: clock() }))
    if (!collected) throw new Error('a grant could not be collected')
    return collected
  }

  return {
    async users(count) {
      return manyTimes(count, AT_ONCE, async () => {
        number += 1
        const [name, email, subject] = [
          `Ann Example ${number}`,
          `ann.${number}@example.com`,
          `1${`${number}`.padStart(20, '0')}`
        ]
        const { userId, connectionId } = await identities.signIn(UPSTREAM, subject)
        await profiles.keep(userId, { name, email, isEmailVerified: true, identity: { upstreamId: UPSTREAM, subject } })
        return { userId, email, upstreamId: UPSTREAM, subject, connectionId }
      })
    },

    async connections(people) {
      let next = 0
      await manyTimes(people.length, AT_ONCE, async () => {
        const { userId, connectionId, upstreamId, subject, email } = people[next++] as Person
        const tokens = { accessToken: 'a'.repeat(200), refreshToken: 'r'.repeat(100), scopes: ['openid', 'email'] }
        const identity = { subject, username: email, name: email }
        const lives = { expiresAtMs: clock() + 3_600_000, lifeSeconds: 3_600 }
        await connections.keep(userId, connectionId, { upstreamId, identity, tokens: { ...tokens, ...lives } }, BY)
      })
    },

    async authorizations(people, each) {
      let next = 0
      return manyTimes(people.length, AT_ONCE, async () => {
        const { userId } = people[next++] as Person
        const [first] = await Promise.all(Array.from({ length: each }, () => grant(userId)))
        return first as Authorization
      })
    },

    async refreshTokens(all) {
      let next = 0
      await manyTimes(all.length, AT_ONCE, async () => {
        const { id, userId, expiresAtMs } = all[next++] as Authorization
        await storage.refreshFamilies.begin(id, { userId, currentDigest: digestOf(randomUUID()) }, expiresAtMs)
      })
    }
  }
}
