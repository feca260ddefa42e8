/**
 * The shapes of the resources by which an owner issues tokens to machines: an OpenID Connect issuer (the wire:
 * provider), its workloads (the wire: clients), and its domains. src/core/trust has the issuers that a tenant trusts,
 * src/core/upstream the identity providers at which users sign in.
 */
import type { Resource } from '../records/resources.js'

export interface IssuerContent {
  name: string
  description: string
  /** The verified domain that the `iss` of its tokens names, if any. */
  customDomain?: string
}

export type Issuer = IssuerContent & Resource

/** A workload has one audience. Its id is the subject of its tokens. */
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

/** The longest lifetime of a workload's token. */
export const LONGEST_TOKEN_SECONDS = 172_800
