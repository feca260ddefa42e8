/**
 * A provider of the tokens API: an OpenID Connect issuer of an account's own, its clients and its domains. (The identity
 * providers that users sign in with are src/core/upstream/upstream.ts.)
 */
import type { Resource } from '../records/resources.js'

export interface IssuerContent {
  name: string
  description: string
  /** The verified domain whose URL its tokens carry, if there is one. */
  customDomain?: string
}

export type Issuer = IssuerContent & Resource

/** A workload: one audience, and its id for a subject. */
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

/** The longest life of a token of a provider. */
export const LONGEST_TOKEN_SECONDS = 172_800
