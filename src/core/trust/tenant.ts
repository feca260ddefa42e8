/** A tenant of the tokens API: which foreign issuers an account trusts, and what their tokens must say to be valid. */
import type { Resource } from '../records/resources.js'

export interface TenantContent {
  name: string
  description: string
}

export type Tenant = TenantContent & Resource

/** A trusted issuer. */
export interface TrustedIssuerContent {
  /** Its issuer identifier, without a slash at the end. */
  url: string
  fingerprints: string[]
  audience: string
  /** Hours; 0 sets no limit. */
  earliestIssuanceTimeAllowed: number
}

export type TrustedIssuer = TrustedIssuerContent & Resource

export const OPERATORS = ['stringEquals', 'stringLike', 'stringNotEquals', 'stringNotLike'] as const

export interface Condition {
  key: string
  operator: (typeof OPERATORS)[number]
  value: string
}

export interface PolicyContent {
  tenantProviderId: string
  name: string
  description: string
  audience: string
  conditions: Condition[]
}

export type Policy = PolicyContent & Resource
