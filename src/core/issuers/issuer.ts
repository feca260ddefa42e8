/**
 * The shapes of the records by which an owner issues tokens to machines: an OpenID Connect issuer (the wire: provider), its
 * workloads (the wire: clients), and its domains; and the URLs of issuers. src/core/trust has the issuers that a tenant trusts,
 * src/core/upstream the identity providers at which users sign in.
 */
import { type Static, Type } from '@sinclair/typebox'
import type { JsonRecord } from '../records/json-records.js'
import { fieldsLike, Text, TimeText } from '../records/readable.js'
import type { Fields } from '../records/record-store.js'

export const IssuerContent = Type.Object({
  name: Text,
  description: Text,
  /** The verified domain that the `iss` of its tokens names, if any. */
  customDomain: Type.Optional(Text)
})
export type IssuerContent = Static<typeof IssuerContent>

export type Issuer = IssuerContent & JsonRecord

/** A workload has one audience. Its id is the subject of its tokens. */
export const WorkloadContent = Type.Object({ name: Text, audience: Text })
export type WorkloadContent = Static<typeof WorkloadContent>

export type Workload = WorkloadContent & JsonRecord

export const DomainContent = Type.Object({
  /** In lower case. */
  domain: Text,
  verified: Type.Boolean(),
  challenge: Text
})
export type DomainContent = Static<typeof DomainContent>

export type Domain = DomainContent & JsonRecord

/** The claimant of a domain: an entry of an issuer of an owner. */
export interface Claimant {
  owner: string
  issuerId: string
  domainId: string
}

/** The claimant that has proved a domain. */
export interface Holder extends Claimant {
  provedAtMs: number
  /** Since when its challenge is known to be published no more. */
  missingSinceMs: number | undefined
}

/** The record of whose an issuer is; `account` is an older name of the owner. */
export const isIssuerOwner = fieldsLike({ account: Text })

/** The record of who holds a domain, of any version. */
export const isHolder = fieldsLike(
  { account: Text, providerId: Text, domainId: Text },
  { provedAtMs: TimeText, sinceMs: TimeText, missingSinceMs: TimeText }
)

/** Reads the record of who holds a domain. The version before kept unproved claims as well, which count as none. */
export function readHolder(fields: Fields | undefined): Holder | undefined {
  if (fields?.verified !== 'yes') return undefined
  const { account = '', providerId = '', domainId = '', provedAtMs, sinceMs, missingSinceMs } = fields
  return {
    ...{ owner: account, issuerId: providerId, domainId, provedAtMs: Number(provedAtMs ?? sinceMs) },
    missingSinceMs: missingSinceMs === undefined ? undefined : Number(missingSinceMs)
  }
}

/** The longest lifetime of a workload's token. */
export const LONGEST_TOKEN_SECONDS = 172_800

/** The URLs of issuers: by path under PUBLIC_URL, by a host under a base domain, or on a custom domain. */
export interface IssuerUrls {
  /** The `iss` of an issuer without a custom domain. */
  byDefault(issuerId: string): string
  byPath(issuerId: string): string
  byHost(host: string): string
  /** Returns the id of the issuer in a host under the base domain. */
  issuerOfHost(host: string): string | undefined
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isIssuerId(text: string): boolean {
  return UUID.test(text)
}

const DOMAIN = /^(?!www\.)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{1,63}$/
const LONGEST_DOMAIN = 255

/** Whether a host can be a custom domain (`DomainName` in openapi/tokens.yaml, in lower case). No other is looked up. */
export function isDomain(host: string): boolean {
  return host.length <= LONGEST_DOMAIN && DOMAIN.test(host)
}

export function createIssuerUrls(publicUrl: string, baseDomain: string | undefined): IssuerUrls {
  const byPath = (issuerId: string) => `${publicUrl}/${issuerId}`
  const byHost = (host: string) => `https://${host}`
  return {
    byPath,
    byHost,
    byDefault: (issuerId) => (baseDomain === undefined ? byPath(issuerId) : byHost(`${issuerId}.${baseDomain}`)),
    issuerOfHost(host) {
      if (baseDomain === undefined || !host.endsWith(`.${baseDomain}`)) return undefined
      const name = host.slice(0, -baseDomain.length - 1)
      return isIssuerId(name) ? name : undefined
    }
  }
}
