/** Builds the services of this folder over the storage, in the order of their dependencies. */
import { randomUUID } from 'node:crypto'
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Clock } from '../clock.js'
import type { LimitStore } from '../limits/limits.js'
import { createJsonRecords } from '../records/json-records.js'
import { readable } from '../records/readable.js'
import type { LockStore, RecordStore } from '../records/record-store.js'
import type { Turns } from '../records/turns.js'
import type { Keyring } from '../secrets/keyring.js'
import type { JwtSigner, SigningAlg, SigningKeyStore } from '../tokens/signing-key.js'
import { createTxtResolver } from './challenge.js'
import { createDomainChecks, type DomainEvents } from './domain-checks.js'
import { createDomainClaims } from './domain-claims.js'
import { createDomains } from './domains.js'
import { createHeldDocuments } from './held-documents.js'
import { createIssuerUrls, DomainContent, IssuerContent, isHolder, isIssuerOwner, WorkloadContent } from './issuer.js'
import { createIssuerDocuments } from './issuer-documents.js'
import { createIssuerKeys } from './issuer-keys.js'
import { createIssuers } from './issuers.js'
import { createWorkloadTokens } from './workload-tokens.js'
import { createWorkloads } from './workloads.js'

export interface IssuerServicesParts {
  storage: Readonly<Record<'issuers' | 'issuerOwners' | 'workloads' | 'domains' | 'domainHolders', RecordStore>> & {
    readonly locks: LockStore
    readonly limits: LimitStore
    signingKeysOf(issuerId: string): SigningKeyStore
  }
  config: {
    readonly publicUrl: string
    readonly tokensApi: {
      readonly baseDomain: string | undefined
      readonly signingAlg: SigningAlg
      readonly keySeconds: number
      readonly dnsResolver: string | undefined
    }
  }
  keyring: Keyring
  jwt: JwtSigner
  audit: Pick<AuditTrail, 'tell'>
  events: DomainEvents
  clock: Clock
  limitTime: <T>(work: Promise<T>) => Promise<T>
  /** Of the generations of keys. */
  turns: Turns
}

export function createIssuerServices(parts: IssuerServicesParts) {
  const { storage, config, keyring, jwt, audit, events, clock, limitTime, turns } = parts
  const { baseDomain, signingAlg, keySeconds, dnsResolver } = config.tokensApi
  // Every service checks ownership by these records, so none needs another service for that.
  const issuerRecords = createJsonRecords(storage.issuers, clock, IssuerContent)
  const workloadRecords = createJsonRecords(storage.workloads, clock, WorkloadContent)
  const domainRecords = createJsonRecords(storage.domains, clock, DomainContent)

  const urls = createIssuerUrls(config.publicUrl, baseDomain)
  const held = createHeldDocuments(urls, clock)
  const issuerKeys = createIssuerKeys({
    storeOf: storage.signingKeysOf,
    keyring,
    clock,
    alg: signingAlg,
    rotateAfterSeconds: keySeconds,
    audit,
    turns
  })
  const claims = createDomainClaims({
    holders: readable(storage.domainHolders, isHolder),
    domains: domainRecords,
    issuers: issuerRecords,
    clock
  })
  const resolveTxt = createTxtResolver(dnsResolver)
  const domainChecks = createDomainChecks({ claims, held, locks: storage.locks, resolveTxt, events, clock })
  const domains = createDomains({
    records: domainRecords,
    issuers: issuerRecords,
    claims,
    checks: domainChecks,
    held,
    resolveTxt,
    events,
    clock
  })
  const workloads = createWorkloads({ records: workloadRecords, issuers: issuerRecords })
  const issuers = createIssuers({
    records: issuerRecords,
    owners: readable(storage.issuerOwners, isIssuerOwner),
    workloads,
    domains,
    keys: issuerKeys,
    held,
    clock,
    newId: randomUUID
  })

  return {
    issuers,
    issuerKeys,
    issuerDocuments: createIssuerDocuments({ issuers, domains, keys: issuerKeys, urls, held, limitTime }),
    workloads,
    workloadTokens: createWorkloadTokens({
      limits: storage.limits,
      issuers: issuerRecords,
      workloads: workloadRecords,
      keys: issuerKeys,
      urls,
      checks: domainChecks,
      jwt,
      clock
    }),
    domains,
    domainChecks
  }
}
