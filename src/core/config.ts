/**
 * The part of the configuration that the core reads; src/config/config.ts extends it. Durations carry their unit in the name.
 */
import type { Client } from './clients/client.js'
import type { Rule } from './rules/rule.js'
import type { SigningAlg } from './tokens/signing-key.js'
import type { Upstream } from './upstream/upstream.js'
import type { WebhookEndpoint } from './webhooks/endpoint.js'

export interface CoreConfig {
  /** `iss` of the tokens signed here, without a trailing slash. */
  readonly publicUrl: string
  /**
   * What `iss` and `aud` of a presented client JWT must be. Undefined when PUBLIC_URL is not set: each instance then derives
   * its own default, so that another instance's tokens may carry another issuer.
   */
  readonly expectedIssuer: string | undefined
  /** GRANTD_SECRET as a list: the first secret encrypts, all of them decrypt, so that the secret can be rotated. */
  readonly secrets: readonly string[]
  /** How the dashboard's session JWTs are verified. With neither secrets nor a URL there is no dashboard, and no session is valid. */
  readonly dashboard: {
    /** Each of them verifies HS256, so that the secret can be rotated. */
    readonly secrets: readonly string[]
    /** Where the dashboard publishes its keys as a JWK Set (RFC 7517). */
    readonly jwksUrl: string | undefined
    readonly issuer: string | undefined
    readonly audience: string | undefined
    /** How far ahead `exp` may be with the keys of a JWK Set. */
    readonly ttlSeconds: number
  }
  /** All OAuth clients, the built-in ones first, but for those that the operator has switched off. */
  readonly clients: readonly Client[]
  /** The built-in client whose scopes, resources and lifetimes clients have that are known by a URL. */
  readonly clientsByUrlLike: Client
  /** Whether clients may be known by a URL: all of them, or those of these hosts. */
  readonly clientIdMetadata: 'off' | 'on' | readonly string[]
  /** In the order of RULES_FILE. */
  readonly rules: readonly Rule[]
  readonly upstreams: readonly Upstream[]
  /** Where events are sent; without any, nobody delivers. */
  readonly webhooks: readonly WebhookEndpoint[]
  /** Who may see the admin pages, as users/admins.ts has it. Without any, nobody may. */
  readonly admins: readonly string[]
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
  /** How many polls this instance holds at a time. */
  readonly heldPolls: number
  readonly signingAlg: SigningAlg
  /** Whether tokens name a place in a status list, and the lists are there. */
  readonly tokenStatusList: boolean
}
