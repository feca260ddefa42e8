/** app.tokensApi: the providers and tenants of accounts, and what comes of them. */

import { randomUUID } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import fp from 'fastify-plugin'
import { createDomains, type Domains } from '../src/core/issuers/domains.js'
import { createIssuers, type Issuers } from '../src/core/issuers/issuer-documents.js'
import { createProviderKeys, type ProviderKeys } from '../src/core/issuers/issuer-keys.js'
import { createIssuerUrls, type IssuerUrls } from '../src/core/issuers/issuer-urls.js'
import { createProviders, type Providers } from '../src/core/issuers/issuers.js'
import { type AccessTokens, createAccessTokens } from '../src/core/issuers/workload-tokens.js'
import { createGuardedFetch } from '../src/core/trust/guarded-fetch.js'
import { createTenants, type Tenants } from '../src/core/trust/tenants.js'
import { createIssuerKeys } from '../src/core/trust/trusted-issuer-keys.js'
import { createValidator, type Validator } from '../src/core/trust/validation.js'

export interface TokensApi {
  providers: Providers
  providerKeys: ProviderKeys
  domains: Domains
  issuers: Issuers
  issuerUrls: IssuerUrls
  accessTokens: AccessTokens
  tenants: Tenants
  validator: Validator
}

declare module 'fastify' {
  interface FastifyInstance {
    tokensApi: TokensApi
  }
}

const DNS_TRIES = 2
const DNS_TIMEOUT_MS = 2_000

export const tokensApi = fp(
  async (app) => {
    const { storage, clock, config, keyring, jwtSigner: jwt } = app
    const { baseDomain, signingAlg: alg, keySeconds, dnsResolver, foreignIssuers } = config.tokensApi
    const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
    if (dnsResolver !== undefined) resolver.setServers([dnsResolver])

    const keys = createProviderKeys({
      storeOf: storage.signingKeysOf,
      keyring,
      clock,
      alg,
      rotateAfterSeconds: keySeconds
    })
    const domains = createDomains({
      records: storage.domains,
      holders: storage.domainHolders,
      providers: storage.providers,
      resolveTxt: (name) => resolver.resolveTxt(name),
      clock
    })
    const providers = createProviders({
      records: storage.providers,
      owners: storage.providerOwners,
      clients: storage.providerClients,
      domains,
      keys,
      clock,
      newId: randomUUID
    })
    const urls = createIssuerUrls(config.publicUrl, baseDomain)
    app.decorate('tokensApi', {
      providers,
      providerKeys: keys,
      domains,
      issuers: createIssuers({ providers, domains, keys, urls, clock }),
      issuerUrls: urls,
      accessTokens: createAccessTokens({ keys, urls, jwt, clock }),
      tenants: createTenants({
        records: storage.tenants,
        providers: storage.tenantProviders,
        policies: storage.tenantPolicies,
        clock
      }),
      validator: createValidator(createIssuerKeys(createGuardedFetch(foreignIssuers), clock), clock)
    })
  },
  { name: 'tokens-api', dependencies: ['storage', 'keyring', 'jwt-signer'] }
)
