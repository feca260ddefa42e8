/** Builds the services of this folder over the storage, in the order of their dependencies. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import type { RevocationStore } from '../authorizations/revocation-store.js'
import type { StatusIndexStore } from '../authorizations/status-index.js'
import { accessTokenTtlOf, type Client } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import type { Clock } from '../clock.js'
import type { Keyring } from '../secrets/keyring.js'
import { createAccessTokens } from './access-tokens.js'
import { createIdTokens, ID_TOKEN_TTL_SECONDS } from './id-tokens.js'
import type { TokenEvents } from './issued-tokens.js'
import type { RefreshFamilyStore } from './refresh-family.js'
import { createRefreshTokens, createRefreshTokenTexts } from './refresh-tokens.js'
import type { JwtSigner, SigningAlg, SigningKeyStore } from './signing-key.js'
import { createSigningKeys, type SigningKeysParts } from './signing-keys.js'
import { createSigningKeysRefresh } from './signing-keys-refresh.js'
import { createStatusLists } from './status-lists.js'
import { createTokens } from './tokens.js'

export interface TokenServiceEvents extends TokenEvents {
  /** The signing keys could not be read, for another reason than an unreachable storage. */
  signingKeysFailed(error: unknown): void
}

export interface TokenServicesParts {
  storage: {
    readonly signingKeys: SigningKeyStore
    readonly refreshFamilies: RefreshFamilyStore
    readonly revocations: RevocationStore
    readonly statusIndices: StatusIndexStore
  }
  config: {
    readonly publicUrl: string
    readonly expectedIssuer: string | undefined
    readonly signingAlg: SigningAlg
    readonly tokenStatusList: boolean
    readonly clients: readonly Client[]
    readonly clientsByUrlLike: Client
  }
  authorizations: Authorizations
  clients: Clients
  keyring: Keyring
  jwt: JwtSigner
  /** Generates a key when it is its turn. */
  keyInTurn: SigningKeysParts['inTurn']
  audit: Pick<AuditTrail, 'tell'>
  events: TokenServiceEvents
  clock: Clock
}

export function createTokenServices(parts: TokenServicesParts) {
  const { storage, config, authorizations, clients, keyring, jwt, keyInTurn, audit, events, clock } = parts
  const { expectedIssuer, tokenStatusList: namesStatusList } = config
  const signingKeys = createSigningKeys({
    store: storage.signingKeys,
    keyring,
    clock,
    alg: config.signingAlg,
    tokenTtlSeconds: Math.max(
      ID_TOKEN_TTL_SECONDS,
      ...[...config.clients, config.clientsByUrlLike].map((client) => accessTokenTtlOf(client, false))
    ),
    audit,
    inTurn: keyInTurn
  })
  const signing = { keys: signingKeys, jwt, issuer: config.publicUrl }
  const resources = new Set(config.clients.flatMap((client) => client.resources.map(({ identifier }) => identifier)))
  const accessTokens = createAccessTokens({ ...signing, expectedIssuer, resources, namesStatusList })
  const { revocations: store, statusIndices: indices } = storage
  return {
    signingKeys,
    signingKeysRefresh: createSigningKeysRefresh(signingKeys, events.signingKeysFailed),
    accessTokens,
    tokens: createTokens({
      authorizations,
      clients,
      accessTokens,
      idTokens: createIdTokens(signing),
      refreshTokens: createRefreshTokens(createRefreshTokenTexts(keyring), storage.refreshFamilies),
      clock,
      events
    }),
    /** Undefined unless TOKEN_STATUS_LIST is on. */
    statusLists: namesStatusList ? createStatusLists({ ...signing, store, indices, clock }) : undefined
  }
}
