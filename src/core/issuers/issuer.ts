/**
 * The shapes of what an owner has for their machines: an issuer (the wire: provider), which is an OpenID Connect issuer of its
 * own, the workloads it issues tokens to (the wire: clients), and its domains. The issuers a tenant trusts are in src/core/trust,
 * the identity providers that users sign in with in src/core/upstream.
 */
import type { Resource } from '../records/resources.js'

export interface IssuerContent {
  name: string
  description: string
  /** The verified domain whose URL its tokens carry, if there is one. */
  customDomain?: string
}

export type Issuer = IssuerContent & Resource

/** A workload has one audience, and its id is the subject of its tokens. */
export interface WorkloadContent {
  name: string
  audience: string
}

export type Workload = WorkloadContent & Resource

export interface DomainContent {
  /** In lower case. */
  domain: string
  verified: boolean
  challenge: string
}

export type Domain = DomainContent & Resource

/** The longest life of a token of a workload. */
export const LONGEST_TOKEN_SECONDS = 172_800
