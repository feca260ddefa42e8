/**
 * The shapes of a tenant: which foreign issuers an owner trusts (the wire: tenant providers), and the policies that say what
 * their tokens must hold to be valid.
 */
import { type Static, Type } from '@sinclair/typebox'
import type { JsonRecord } from '../records/json-records.js'
import { Text } from '../records/readable.js'

export const TenantContent = Type.Object({ name: Text, description: Text })
export type TenantContent = Static<typeof TenantContent>

export type Tenant = TenantContent & JsonRecord

export const TrustedIssuerContent = Type.Object({
  /** The issuer identifier without a trailing slash. */
  url: Text,
  fingerprints: Type.Array(Text),
  audience: Text,
  /** Hours; 0 sets no limit. */
  earliestIssuanceTimeAllowed: Type.Number()
})
export type TrustedIssuerContent = Static<typeof TrustedIssuerContent>

export type TrustedIssuer = TrustedIssuerContent & JsonRecord

export const OPERATORS = ['stringEquals', 'stringLike', 'stringNotEquals', 'stringNotLike'] as const

const Condition = Type.Object({
  key: Text,
  operator: Type.Union(OPERATORS.map((operator) => Type.Literal(operator))),
  value: Text
})
export type Condition = Static<typeof Condition>

export const PolicyContent = Type.Object({
  /** The id of its trusted issuer. The member keeps the name that it has on the wire and in the record. */
  tenantProviderId: Text,
  name: Text,
  description: Text,
  audience: Text,
  conditions: Type.Array(Condition)
})
export type PolicyContent = Static<typeof PolicyContent>

export type Policy = PolicyContent & JsonRecord
