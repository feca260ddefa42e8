/**
 * The only entry point to the rules. `createCore` builds every service over a storage, in the order of their dependencies,
 * which the compiler checks. It imports neither Fastify nor a storage engine; its callers are plugins/core.ts, the operator
 * commands and tests.
 */
import { isApiKey } from './api-keys/api-key.js'
import { createApiKeys } from './api-keys/api-keys.js'
import { createAuditTrail } from './audit/audit-trail.js'
import type { WireEvent } from './audit/event.js'
import { createEventSearch } from './audit/event-search.js'
import { createWholeTrail } from './audit/whole-trail.js'
import { createAllAuthorizations } from './authorizations/all-authorizations.js'
import { createApprovals } from './authorizations/approvals.js'
import { isAuthorization } from './authorizations/authorization.js'
import { createAuthorizations, type RevokedBy } from './authorizations/authorizations.js'
import { createRevocationSweep } from './authorizations/revocation-sweep.js'
import { createRevoking } from './authorizations/revoking.js'
import { createCallers } from './callers/callers.js'
import { createDashboardSessions } from './callers/dashboard-sessions.js'
import { accessTokenTtlOf } from './clients/client.js'
import { createClientDocuments } from './clients/client-documents.js'
import { createClients } from './clients/clients.js'
import { createUrlClients } from './clients/url-clients.js'
import type { Clock } from './clock.js'
import type { CoreConfig } from './config.js'
import { isConnection } from './connections/connection.js'
import { createConnections, isConnectionOwner } from './connections/connections.js'
import { createRefresher, type RefreshEvent } from './connections/refresher.js'
import { createCompleteIndexes } from './directory/complete-indexes.js'
import { createDirectory } from './directory/directory.js'
import { createMeasures } from './directory/measures.js'
import { isEpoch } from './epoch/ends.js'
import { createEpoch } from './epoch/epoch.js'
import { fault } from './fault.js'
import { createGrants, type GrantEvents } from './grants/grants.js'
import { createHeldPolls } from './grants/held-polls.js'
import { createPendingGrants, type PendingBounds } from './grants/pending-grants.js'
import { createPendingList } from './grants/pending-list.js'
import type { DomainEvents } from './issuers/domain-checks.js'
import { createIssuerServices } from './issuers/index.js'
import { createGuesses } from './limits/guesses.js'
import { createLimitedGuesses } from './limits/limited-guesses.js'
import type { DataWatchEvents } from './marker/data-loss.js'
import { createDataWatch, isMarker } from './marker/data-watch.js'
import { readable } from './records/readable.js'
import { createTurns, KEYS } from './records/turns.js'
import { createEnding } from './restore/ending.js'
import type { Keyspace } from './restore/keyspace.js'
import { createRestore, type Restore } from './restore/restore.js'
import { createTakingAway } from './restore/taking-away.js'
import { createRevocationFeed } from './revocation-feed.js'
import { createKeyring } from './secrets/keyring.js'
import type { Storage } from './storage.js'
import { createAccessTokens } from './tokens/access-tokens.js'
import { createIdTokens, ID_TOKEN_TTL_SECONDS } from './tokens/id-tokens.js'
import type { TokenEvents } from './tokens/issued-tokens.js'
import { createRefreshTokens, createRefreshTokenTexts } from './tokens/refresh-tokens.js'
import type { JwtSigner } from './tokens/signing-key.js'
import { createSigningKeys } from './tokens/signing-keys.js'
import { createSigningKeysRefresh } from './tokens/signing-keys-refresh.js'
import { createStatusLists } from './tokens/status-lists.js'
import { createTokens } from './tokens/tokens.js'
import { createGuardedFetch } from './trust/guarded-fetch.js'
import { createTrustServices } from './trust/index.js'
import type { UpstreamEvents } from './upstream/upstream.js'
import { createUpstreamClient } from './upstream/upstream-client.js'
import { createAdmins } from './users/admins.js'
import { createBrowserSessions, isSession } from './users/browser-sessions.js'
import { createIdentities, isIdentity } from './users/identities.js'
import { createProfiles, isEmailOfUser, isProfile } from './users/profiles.js'
import { createSignIn } from './users/sign-in.js'
import { createUsers, isStanding } from './users/user.js'
import type { WebhookEvents } from './webhooks/telling.js'
import { createWebhooks } from './webhooks/webhooks.js'

/** Callbacks for metrics and logs. */
export interface CoreEvents
  extends GrantEvents,
    TokenEvents,
    UpstreamEvents,
    DomainEvents,
    DataWatchEvents,
    WebhookEvents {
  revoked(by: RevokedBy): void
  connectionRefreshed(event: RefreshEvent): void
  /** An event of the audit trail, once the storage has it. Absent where nobody writes them down. */
  told?: ((event: WireEvent) => void) | undefined
  /** The signing keys could not be read, for another reason than an unreachable storage. */
  signingKeysFailed(error: unknown): void
  /** The revocation feed could not be swept, for another reason than an unreachable storage. */
  revocationSweepFailed(error: unknown): void
}

export interface CoreParts {
  storage: Storage
  config: CoreConfig
  clock: Clock
  signer: JwtSigner
  events: CoreEvents
  /**
   * Puts a time limit on work that follows one storage call of a request. That call may have taken half of the request's time,
   * so the work has the other half; past it, the promise rejects with `unavailable`.
   */
  limitTime: <T>(work: Promise<T>) => Promise<T>
  /** The caps on grants that wait for their decision; without them there are none. */
  pending?: PendingBounds
  /** What counts as one network, for rules; undefined for an address that says nothing of where people are. */
  networkOf?: (ip: string) => string | undefined
}

export type Core = ReturnType<typeof createCore>

export function createCore(parts: CoreParts) {
  const { storage, config, clock, signer, events, limitTime, pending, networkOf = (ip: string) => ip } = parts
  const { publicUrl: issuer, expectedIssuer } = config
  const keyring = createKeyring(config.secrets)

  const audit = createAuditTrail({ store: storage.events, clock, told: events.told })
  const guardedFetch = createGuardedFetch(config.tokensApi.foreignIssuers)
  const like = config.clientsByUrlLike
  const allowed = config.clientIdMetadata
  const documents = createClientDocuments(guardedFetch, clock)
  const urlClients = allowed !== 'off' ? createUrlClients({ allowed, like, documents }) : undefined
  const clients = createClients(config.clients, urlClients)
  const epoch = createEpoch({ records: readable(storage.epochs, isEpoch), clock, audit })
  const apiKeys = createApiKeys({ records: readable(storage.apiKeys, isApiKey), epoch, clock, audit })
  const guesses = createGuesses(storage.limits, clock)
  const limitedGuesses = createLimitedGuesses(storage.limits, audit, clock)

  const keyTurns = createTurns(1, 1, KEYS)
  const signingKeys = createSigningKeys({
    store: storage.signingKeys,
    keyring,
    clock,
    alg: config.signingAlg,
    tokenTtlSeconds: Math.max(
      ID_TOKEN_TTL_SECONDS,
      ...[...config.clients, like].map((client) => accessTokenTtlOf(client, false))
    ),
    audit,
    inTurn: (generation) => keyTurns('service', generation)
  })
  const signingKeysRefresh = createSigningKeysRefresh(signingKeys, events.signingKeysFailed)
  const resources = new Set(config.clients.flatMap((client) => client.resources.map(({ identifier }) => identifier)))
  const namesStatusList = config.tokenStatusList
  const signing = { keys: signingKeys, jwt: signer, issuer }
  const accessTokens = createAccessTokens({ ...signing, expectedIssuer, resources, namesStatusList })
  const users = createUsers({ records: readable(storage.users, isStanding), clock, audit })
  const authorizationRecords = readable(storage.authorizations, isAuthorization)
  const revoking = createRevoking({ records: authorizationRecords, store: storage.revocations, clients, clock, audit })
  const revocationSweep = createRevocationSweep(storage.revocations, revoking, events.revocationSweepFailed)
  const authorizations = createAuthorizations({
    records: authorizationRecords,
    users,
    epoch,
    revoking,
    clients,
    clock,
    audit,
    events
  })
  const takeStatusIndex = namesStatusList ? storage.statusIndices.take : undefined
  const parents = storage.authorizationUsers
  const approvals = createApprovals({
    ...{ records: authorizationRecords, parents, authorizations, users },
    ...{ epoch, clock, takeStatusIndex }
  })
  const allAuthorizations = createAllAuthorizations({ records: authorizationRecords, parents, epoch })
  const { revocations: store, statusIndices: indices } = storage
  const statusLists = namesStatusList ? createStatusLists({ ...signing, store, indices, clock }) : undefined
  const tokens = createTokens({
    authorizations,
    clients,
    accessTokens,
    idTokens: createIdTokens(signing),
    refreshTokens: createRefreshTokens(createRefreshTokenTexts(keyring), storage.refreshFamilies),
    clock,
    events
  })

  const heldPolls = createHeldPolls(storage.decisions, config.heldPolls)
  const revocationFeed = createRevocationFeed({
    store: storage.revocations,
    decisions: storage.decisions,
    heldPolls,
    clock
  })
  const grants = createGrants({
    store: storage.grants,
    keyring,
    approvals,
    users,
    clients,
    tokens,
    heldPolls,
    pending: createPendingGrants(storage.limits, pending),
    rules: config.rules,
    networkOf,
    audit,
    events,
    clock,
    limitTime,
    grantTtlSeconds: config.grantTtlSeconds,
    pollIntervalSeconds: config.pollIntervalSeconds
  })

  const { limits, grants: grantStore } = storage
  const { grantTtlSeconds } = config
  const pendingList = createPendingList({ limits, store: grantStore, clients, grantTtlSeconds })

  const upstreams = config.upstreams.map((upstream) =>
    createUpstreamClient({ upstream, redirectUri: `${issuer}/login/${upstream.id}/callback`, clock, events })
  )
  const clientOf = (upstreamId: string) => upstreams.find(({ upstream }) => upstream.id === upstreamId)
  const identities = createIdentities({ records: readable(storage.identities, isIdentity), clock })
  const emails = readable(storage.emails, isEmailOfUser)
  const profiles = createProfiles({ records: readable(storage.profiles, isProfile), emails, clock })
  const browserSessions = createBrowserSessions({
    records: readable(storage.sessions, isSession),
    users,
    epoch,
    clock,
    audit,
    ...config.sessions
  })
  const connectionRecords = readable(storage.connections, isConnection)
  const refresher = createRefresher({
    records: connectionRecords,
    locks: storage.locks,
    keyring,
    clientOf,
    clock,
    refreshed: events.connectionRefreshed
  })
  const connections = createConnections({
    records: connectionRecords,
    owners: readable(storage.connectionOwners, isConnectionOwner),
    releaseIdentity: identities.release,
    isBlocked: users.isBlocked,
    refresher,
    keyring,
    clientOf,
    audit,
    clock
  })
  const directory = createDirectory({ users, profiles, identities, connections, authorizations })
  const measures = createMeasures({
    ...{ issuer, upstreams: config.upstreams, users, profiles, identities },
    ...{ authorizations, allAuthorizations, directory }
  })
  const admins = createAdmins(config.admins)
  const signIn = createSignIn({ upstreams, identities, connections, profiles, sessions: browserSessions, admins })

  const issuerServices = createIssuerServices({
    storage,
    config,
    keyring,
    jwt: signer,
    audit,
    events,
    clock,
    limitTime,
    turns: keyTurns
  })

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
    signingKeys,
    accessTokens,
    authorizations,
    allAuthorizations,
    directory,
    measures,
    completeIndexes: createCompleteIndexes(profiles, allAuthorizations),
    searchEvents: createEventSearch(createWholeTrail(storage.events), clock),
    /** The list of all events alone, which says whether one was dropped or has been lost. */
    trail: { before: storage.events.before },
    revocationFeed,
    /** Undefined unless TOKEN_STATUS_LIST is on. */
    statusLists,
    tokens,
    heldPolls,
    grants,
    pendingList,
    identities,
    profiles,
    users,
    browserSessions,
    admins,
    connections,
    signIn,
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
