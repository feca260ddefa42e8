/**
 * The one door to the rules. `createCore` builds every service over a storage, in the order in which they need each other, and
 * the compiler holds that order. Knows no web framework and no engine: whoever calls is a plugin, an operator command or a test.
 */
import { randomUUID } from 'node:crypto'
import { createApiKeys } from './api-keys/api-keys.js'
import { createAuthorizations, type RevokedBy } from './authorizations/authorizations.js'
import { createCallers } from './callers/callers.js'
import { createDashboardSessions } from './callers/dashboard-sessions.js'
import { createClients } from './clients/clients.js'
import type { Clock } from './clock.js'
import type { CoreConfig } from './config.js'
import { createConnections } from './connections/connections.js'
import { createRefresher, type RefreshEvent } from './connections/refresher.js'
import { fault } from './fault.js'
import { createGrants, type GrantEvents } from './grants/grants.js'
import { createHeldPolls } from './grants/held-polls.js'
import { createTxtResolver } from './issuers/challenge.js'
import { createDomains } from './issuers/domains.js'
import { createIssuerDocuments } from './issuers/issuer-documents.js'
import { createIssuerKeys } from './issuers/issuer-keys.js'
import { createIssuerUrls } from './issuers/issuer-urls.js'
import { createIssuers } from './issuers/issuers.js'
import { createWorkloadTokens } from './issuers/workload-tokens.js'
import { createGuesses } from './limits/guesses.js'
import { createKeyring } from './secrets/keyring.js'
import type { Storage } from './storage.js'
import { createAccessTokens } from './tokens/access-tokens.js'
import { createIdTokens, ID_TOKEN_TTL_SECONDS } from './tokens/id-tokens.js'
import type { JwtSigner } from './tokens/jwt-signer.js'
import { createRefreshTokenTexts } from './tokens/refresh-token.js'
import { createSigningKeys } from './tokens/signing-keys.js'
import { createSigningKeysRefresh } from './tokens/signing-keys-refresh.js'
import { createTokens, type TokenEvents } from './tokens/tokens.js'
import { createGuardedFetch } from './trust/guarded-fetch.js'
import { createTenants } from './trust/tenants.js'
import { createTrustedIssuerKeys } from './trust/trusted-issuer-keys.js'
import { createValidator } from './trust/validation.js'
import { createUpstreamClient } from './upstream/upstream-client.js'
import { createBrowserSessions } from './users/browser-sessions.js'
import { createIdentities } from './users/identities.js'
import { createProfiles } from './users/profiles.js'
import { createSignIn } from './users/sign-in.js'

/** Told of what happens, for metrics and logs. */
export interface CoreEvents extends GrantEvents, TokenEvents {
  revoked(by: RevokedBy): void
  connectionRefreshed(event: RefreshEvent): void
  /** The signing keys could not be read, and not because the engine is away. */
  signingKeysFailed(error: unknown): void
}

export interface CoreParts {
  storage: Storage
  config: CoreConfig
  clock: Clock
  signer: JwtSigner
  events: CoreEvents
  /** Bounds work that comes after one answer of the storage, and so has half of the time of its request. */
  limitTime: <T>(work: Promise<T>) => Promise<T>
}

export type Core = ReturnType<typeof createCore>

export function createCore({ storage, config, clock, signer, events, limitTime }: CoreParts) {
  const { publicUrl: issuer, expectedIssuer } = config
  const keyring = createKeyring(config.secrets)

  const clients = createClients(config.clients)
  const apiKeys = createApiKeys({ records: storage.apiKeys, clock })
  const guesses = createGuesses(storage.limits)

  const signingKeys = createSigningKeys({
    store: storage.signingKeys,
    keyring,
    clock,
    alg: config.signingAlg,
    tokenTtlSeconds: Math.max(
      ID_TOKEN_TTL_SECONDS,
      ...config.clients.map(({ accessTokenTtlSeconds }) => accessTokenTtlSeconds)
    )
  })
  const signingKeysRefresh = createSigningKeysRefresh(signingKeys, events.signingKeysFailed)
  const accessTokens = createAccessTokens({ keys: signingKeys, jwt: signer, issuer, expectedIssuer })
  const authorizations = createAuthorizations({ records: storage.authorizations, clock, events })
  const tokens = createTokens({
    authorizations,
    clients,
    accessTokens,
    idTokens: createIdTokens({ keys: signingKeys, jwt: signer, issuer }),
    texts: createRefreshTokenTexts(keyring),
    families: storage.refreshFamilies,
    clock,
    events
  })

  const heldPolls = createHeldPolls(storage.decisions, config.heldPolls)
  const grants = createGrants({
    store: storage.grants,
    keyring,
    authorizations,
    clients,
    tokens,
    heldPolls,
    events,
    limitTime,
    grantTtlSeconds: config.grantTtlSeconds,
    pollIntervalSeconds: config.pollIntervalSeconds
  })

  const upstreams = config.upstreams.map((upstream) =>
    createUpstreamClient({ upstream, redirectUri: `${issuer}/login/${upstream.id}/callback`, clock })
  )
  const clientOf = (upstreamId: string) => upstreams.find(({ upstream }) => upstream.id === upstreamId)
  const identities = createIdentities({ records: storage.identities, clock })
  const profiles = createProfiles({ records: storage.profiles, clock })
  const browserSessions = createBrowserSessions({ records: storage.sessions, clock, ...config.sessions })
  const refresher = createRefresher({
    records: storage.connections,
    locks: storage.locks,
    keyring,
    clientOf,
    refreshed: events.connectionRefreshed
  })
  const connections = createConnections({
    records: storage.connections,
    owners: storage.connectionOwners,
    releaseIdentity: identities.release,
    refresher,
    keyring,
    clientOf,
    clock
  })
  const signIn = createSignIn({ upstreams, identities, connections, profiles, sessions: browserSessions })

  const sessions = createDashboardSessions({ ...config.dashboard, clock })
  const callers = createCallers({ sessions, accessTokens, tokens, apiKeys })

  const issuerUrls = createIssuerUrls(issuer, config.tokensApi.baseDomain)
  const issuerKeys = createIssuerKeys({
    storeOf: storage.signingKeysOf,
    keyring,
    clock,
    alg: config.tokensApi.signingAlg,
    rotateAfterSeconds: config.tokensApi.keySeconds
  })
  const domains = createDomains({
    records: storage.domains,
    holders: storage.domainHolders,
    issuers: storage.issuers,
    resolveTxt: createTxtResolver(config.tokensApi.dnsResolver),
    clock
  })
  const issuers = createIssuers({
    records: storage.issuers,
    owners: storage.issuerOwners,
    workloads: storage.workloads,
    domains,
    keys: issuerKeys,
    clock,
    newId: randomUUID
  })
  const issuerDocuments = createIssuerDocuments({ issuers, domains, keys: issuerKeys, urls: issuerUrls, clock })
  const workloadTokens = createWorkloadTokens({ keys: issuerKeys, urls: issuerUrls, jwt: signer, clock })

  const tenants = createTenants({
    records: storage.tenants,
    issuers: storage.trustedIssuers,
    policies: storage.policies,
    clock
  })
  const trustedKeys = createTrustedIssuerKeys(createGuardedFetch(config.tokensApi.foreignIssuers), clock)
  const validator = createValidator(trustedKeys, clock)

  return {
    /** Sealing and tags, for what the surfaces keep in browsers. */
    keyring,
    clients,
    apiKeys,
    guesses,
    signingKeys,
    accessTokens,
    authorizations,
    tokens,
    heldPolls,
    grants,
    identities,
    profiles,
    browserSessions,
    connections,
    signIn,
    callers,
    issuerUrls,
    issuerKeys,
    domains,
    issuers,
    issuerDocuments,
    workloadTokens,
    tenants,
    validator,

    /** Loads what every request needs. Rejects when that must stop the start; an engine that is away must not. */
    open: signingKeysRefresh.start,

    /** Resolves if requests can be served; otherwise rejects with `unavailable`, the reason in its detail. */
    async check(): Promise<void> {
      await storage.check()
      if (!signingKeys.current()) throw fault('unavailable', { detail: 'no signing key yet' })
    },

    /** Waits for what must be kept before the storage closes. */
    async close(): Promise<void> {
      signingKeysRefresh.stop()
      await refresher.settle()
    }
  }
}
