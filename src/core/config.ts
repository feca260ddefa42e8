/** What the core runs by: the part of the configuration that concerns the rules. Durations carry their unit in the name. */
import type { Client } from './clients/client.js'
import type { SigningAlg } from './tokens/signing-key.js'
import type { Upstream } from './upstream/upstream.js'

export interface CoreConfig {
  /** The issuer of what is signed here, without a slash at its end. */
  readonly publicUrl: string
  /** What `iss` and `aud` of a client JWT must be; undefined while PUBLIC_URL is a guess that every instance makes for itself. */
  readonly expectedIssuer: string | undefined
  /** GRANTD_SECRET: the first one writes, all of them read. */
  readonly secrets: readonly string[]
  /** How session JWTs of the dashboard are verified. */
  readonly dashboard: {
    readonly key: { readonly secret: string } | { readonly jwksUrl: string }
    readonly issuer: string | undefined
    readonly audience: string | undefined
  }
  /** All of them, the built-in ones first. */
  readonly clients: readonly Client[]
  readonly upstreams: readonly Upstream[]
  readonly tokensApi: {
    readonly baseDomain: string | undefined
    readonly signingAlg: SigningAlg
    readonly keySeconds: number
    readonly dnsResolver: string | undefined
    readonly foreignIssuers: { readonly ca: string | undefined; readonly allowLoopback: boolean }
  }
  readonly sessions: { readonly idleSeconds: number; readonly ttlSeconds: number }
  readonly grantTtlSeconds: number
  readonly pollIntervalSeconds: number
  /** How many polls may be held at a time. */
  readonly heldPolls: number
  readonly signingAlg: SigningAlg
}
