/**
 * The shapes of a tenant: which foreign issuers an owner trusts (the wire: tenant providers), and the policies that say what
 * their tokens must hold to be valid.
 */
import type { Resource } from '../records/resources.js'

export interface TenantContent {
  name: string
  description: string
}

export type Tenant = TenantContent & Resource

export interface TrustedIssuerContent {
  /** The issuer identifier without a trailing slash. */
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
  /** The id of its trusted issuer. The member keeps the name that it has on the wire and in the record. */
  tenantProviderId: string
  name: string
  description: string
  audience: string
  conditions: Condition[]
}

export type Policy = PolicyContent & Resource
