/**
 * The shapes of a tenant: which foreign issuers an owner trusts (the wire: tenant providers), and the policies that say what
 * their tokens must hold to be valid.
 */
import { type Static, Type } from '@sinclair/typebox'
import type { Resource } from '../records/resources.js'

export const TenantContent = Type.Object({ name: Type.String(), description: Type.String() })
export type TenantContent = Static<typeof TenantContent>

export type Tenant = TenantContent & Resource

export const TrustedIssuerContent = Type.Object({
  /** The issuer identifier without a trailing slash. */
  url: Type.String(),
  fingerprints: Type.Array(Type.String()),
  audience: Type.String(),
  /** Hours; 0 sets no limit. */
  earliestIssuanceTimeAllowed: Type.Number()
})
export type TrustedIssuerContent = Static<typeof TrustedIssuerContent>

export type TrustedIssuer = TrustedIssuerContent & Resource

export const OPERATORS = ['stringEquals', 'stringLike', 'stringNotEquals', 'stringNotLike'] as const

const Condition = Type.Object({
  key: Type.String(),
  operator: Type.Union(OPERATORS.map((operator) => Type.Literal(operator))),
  value: Type.String()
})
export type Condition = Static<typeof Condition>

export const PolicyContent = Type.Object({
  /** The id of its trusted issuer. The member keeps the name that it has on the wire and in the record. */
  tenantProviderId: Type.String(),
  name: Type.String(),
  description: Type.String(),
  audience: Type.String(),
  conditions: Type.Array(Condition)
})
export type PolicyContent = Static<typeof PolicyContent>

export type Policy = PolicyContent & Resource
