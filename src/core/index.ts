/**
 * The only entry point to the rules. `createCore` builds every service over a storage, in the order of their dependencies,
 * which the compiler checks. It imports neither Fastify nor a storage engine; its callers are plugins/core.ts, the operator
 * commands and tests.
 */
import { isApiKey } from './api-keys/api-key.js'
import { createApiKeys } from './api-keys/api-keys.js'
import { createAuditTrail } from './audit/audit-trail.js'
import { createEventSearch } from './audit/event-search.js'
import { createWholeTrail } from './audit/whole-trail.js'
import { createAuthorizationServices } from './authorizations/index.js'
import { createCallers } from './callers/callers.js'
import { createDashboardSessions } from './callers/dashboard-sessions.js'
import { createClientDocuments } from './clients/client-documents.js'
import { createClients } from './clients/clients.js'
import { createUrlClients } from './clients/url-clients.js'
import { createCompleteIndexes } from './directory/complete-indexes.js'
import { createDirectory } from './directory/directory.js'
import { createMeasures } from './directory/measures.js'
import { isEpoch } from './epoch/ends.js'
import { createEpoch } from './epoch/epoch.js'
import { fault } from './fault.js'
import { createGrantServices } from './grants/index.js'
import { createIssuerServices } from './issuers/index.js'
import { createGuesses } from './limits/guesses.js'
import { createLimitedGuesses } from './limits/limited-guesses.js'
import { createDataWatch, isMarker } from './marker/data-watch.js'
import type { CoreParts } from './parts.js'
import { readable } from './records/readable.js'
import { createTurns, KEYS } from './records/turns.js'
import { createEnding } from './restore/ending.js'
import type { Keyspace } from './restore/keyspace.js'
import { createRestore, type Restore } from './restore/restore.js'
import { createTakingAway } from './restore/taking-away.js'
import { createRevocationFeed } from './revocation-feed.js'
import { createKeyring } from './secrets/keyring.js'
import { createTokenServices } from './tokens/index.js'
import { createGuardedFetch } from './trust/guarded-fetch.js'
import { createTrustServices } from './trust/index.js'
import { createUserServices } from './users/index.js'
import { createWebhooks } from './webhooks/webhooks.js'

export type { CoreEvents } from './parts.js'
export type Core = ReturnType<typeof createCore>

export function createCore(parts: CoreParts) {
  const { storage, config, clock, signer, events, limitTime, pending, networkOf = (ip: string) => ip } = parts
  const keyring = createKeyring(config.secrets)

  const audit = createAuditTrail({ store: storage.events, clock, told: events.told })
  const guardedFetch = createGuardedFetch({
    ...config.tokensApi.foreignIssuers,
    dnsResolver: config.tokensApi.dnsResolver
  })
  const { clientsByUrlLike: like, clientIdMetadata: allowed } = config
  const documents = createClientDocuments(guardedFetch, clock)
  const urlClients = allowed !== 'off' ? createUrlClients({ allowed, like, documents }) : undefined
  const clients = createClients(config.clients, urlClients)
  const epoch = createEpoch({ records: readable(storage.epochs, isEpoch), clock, audit })
  const apiKeys = createApiKeys({ records: readable(storage.apiKeys, isApiKey), epoch, clock, audit })
  const guesses = createGuesses(storage.limits, clock)
  const limitedGuesses = createLimitedGuesses(storage.limits, audit, clock)

  const keyTurns = createTurns(1, 1, KEYS)
  const base = { storage, config, keyring, audit, events, clock }
  const { refresher, ...userServices } = createUserServices({ ...base, epoch })
  const { users, profiles, identities, connections } = userServices
  const { authorizationRecords, revoking, revocationSweep, approvals, authorizations, allAuthorizations } =
    createAuthorizationServices({ ...base, users, epoch, clients })
  const { signingKeysRefresh, ...tokenServices } = createTokenServices({
    ...base,
    keyInTurn: (generation) => keyTurns('service', generation),
    authorizations,
    clients,
    jwt: signer
  })
  const { signingKeys, accessTokens, tokens } = tokenServices

  const ofGrants = { users, approvals, clients, tokens, pending, networkOf, limitTime }
  const grantServices = createGrantServices({ ...base, ...ofGrants })
  const revocationFeed = createRevocationFeed({
    store: storage.revocations,
    decisions: storage.decisions,
    heldPolls: grantServices.heldPolls,
    clock
  })

  const directory = createDirectory({ users, profiles, identities, connections, authorizations })
  const measures = createMeasures({
    ...{ issuer: config.publicUrl, upstreams: config.upstreams, users, profiles, identities },
    ...{ authorizations, allAuthorizations, directory }
  })
  const issuerServices = createIssuerServices({ ...base, jwt: signer, limitTime, turns: keyTurns })

  const dataWatch = createDataWatch({
    ...{ records: readable(storage.markers, isMarker), signingKeys: storage.signingKeys, trail: storage.events },
    ...{ audit, clock, events }
  })
  const restore = storage.keyspace && restoreOver(storage.keyspace)
  function restoreOver(keyspace: Keyspace): Restore {
    const announceEnded = createEnding({ keyspace, authorizations: authorizationRecords, revoking, clock })
    const takeAway = createTakingAway({
      ...{ authorizations, revoking, users, apiKeys, connections, epoch, announceEnded, signingKeys },
      ...{ revocations: storage.revocations, signingKeyStore: storage.signingKeys }
    })
    return createRestore({
      keyspace,
      epoch,
      signingKeys: storage.signingKeys,
      announceEnded,
      takeAway,
      beat: dataWatch.beat,
      clock
    })
  }
  const { webhooks: endpoints, tokensApi } = config
  const webhookParts = { records: storage.webhooks, locks: storage.locks, trail: storage.events, clock, told: events }
  const network = { ca: tokensApi.foreignIssuers.ca }
  const webhooks = endpoints.length > 0 ? createWebhooks({ ...webhookParts, endpoints, network }) : undefined

  const sessions = createDashboardSessions({ ...config.dashboard, clock })
  const callers = createCallers({ sessions, accessTokens, tokens, apiKeys })

  return {
    /** The surfaces seal cookies and form tickets with it, and derive CSRF tokens. */
    keyring,
    /** Whole lists are put together so many at a time, because each is held until it is complete. */
    wholeLists: createTurns(8, 2),
    audit,
    clients,
    apiKeys,
    guesses,
    epoch,
    limitedGuesses,
    ...tokenServices,
    authorizations,
    allAuthorizations,
    directory,
    measures,
    completeIndexes: createCompleteIndexes(profiles, allAuthorizations),
    searchEvents: createEventSearch(createWholeTrail(storage.events), clock),
    /** The list of all events alone, which says whether one was dropped or has been lost. */
    trail: { before: storage.events.before },
    revocationFeed,
    ...grantServices,
    ...userServices,
    callers,
    /** Started by the service alone: a command that beat would hide from it that it was away. */
    dataWatch,
    /** Undefined over a storage that nothing can be restored into. */
    restore,
    /** Undefined unless there is a WEBHOOKS_FILE. Whoever serves starts them. */
    webhooks,
    ...issuerServices,
    ...createTrustServices({ storage, guardedFetch, clock }),

    /** Loads the signing keys. Rejects when one cannot be opened; an unreachable storage is retried in the background. */
    async open(): Promise<void> {
      await signingKeysRefresh.start()
      revocationSweep.start()
    },

    /** Resolves if requests can be served; otherwise rejects with `unavailable` and the reason as its detail. */
    async check(): Promise<void> {
      await storage.check()
      if (!signingKeys.current()) throw fault('unavailable', { detail: 'no signing key yet' })
    },

    /** To be called before the storage closes: refreshes of upstream tokens, checks of domains and revocations still write their result. */
    async close(): Promise<void> {
      signingKeysRefresh.stop()
      await webhooks?.stop()
      await Promise.all([
        revocationSweep.stop(),
        dataWatch.stop(),
        refresher.settle(),
        issuerServices.domainChecks.settle()
      ])
    }
  }
}
