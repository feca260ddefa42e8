/**
 * An upstream: an identity provider (such as Google) at which users sign in and connect accounts, and whose tokens are kept for
 * them. This file holds its configured shape and what it hands out; upstream-client.ts speaks to it.
 */
import type { Verdict } from './upstream-answer.js'

export interface Upstream {
  readonly id: string
  /** The label of its button on the sign-in page. */
  readonly name: string
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: 'client_secret_basic' | 'client_secret_post'
  /** The `scope` of authorization requests, in the upstream's own syntax; empty to send none. */
  readonly scope: string
  /** Extra parameters of every authorization request. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** Extra parameters of an authorization request that makes the user sign in again. */
  readonly reauthenticationParameters: Readonly<Record<string, string>>
  /** Whether it always has users sign in anew, which counts as proof of a fresh sign-in where it tells no `auth_time`. */
  readonly alwaysReauthenticates: boolean
  /** True for one that refuses a code verifier: its codes are not bound to their attempt (RFC 7636). */
  readonly withoutPkce?: boolean
  /** Whether users may sign in with it, or only connect an account. */
  readonly signsIn: boolean
  /** Whether its subject becomes the user id; true of one upstream at most. */
  readonly subjectIsUserId: boolean
  /** The claim of the ID token that holds the groups of whoever signs in, if that is not `groups`. */
  readonly groupsClaim?: string
  /** The life of access tokens whose answers name none; absent if such tokens do not end. */
  readonly accessTokenTtlSeconds?: number
  /** The issuer of an OpenID Connect provider with discovery, or the endpoints of a plain OAuth 2.0 service. */
  readonly endpoints: { readonly issuer: string } | PlainEndpoints
}

export interface PlainEndpoints {
  readonly authorization: string
  readonly token: string
  readonly userinfo: string
  readonly revocation: string | undefined
  /** The members of the user info that hold the account's id, its login name, and its holder's name. */
  readonly subjectMember: string
  readonly usernameMember: string
  readonly nameMember: string
}

/**
 * A user's identity at an upstream. The upstream and the subject identify it, never the e-mail address, which can change hands.
 */
export interface UpstreamIdentity {
  subject: string
  /** The login name or e-mail address by which its holder recognizes the account. */
  username: string
  /** The person's display name. */
  name: string
  email?: string
  /** Whether the upstream says that the address is verified. */
  isEmailVerified?: boolean
  /** The groups that the ID token names; absent if it names none. */
  groups?: readonly string[]
}

/** The tokens of one token answer of an upstream. */
export interface UpstreamTokens {
  accessToken: string
  refreshToken: string | undefined
  /** Undefined if the answer named none. */
  scopes: string[] | undefined
  /** Undefined if the access token does not end, or the answer named no life. */
  expiresAtMs: number | undefined
  /** The life that the answer named; Infinity if it is beyond all calendars, absent if it named none. */
  lifeSeconds?: number | undefined
}

/** `unusable`: the answer holds no usable access token, but the refresh token that follows the one spent for it. */
export type UpstreamRefreshOutcome =
  | { kind: 'refreshed'; tokens: UpstreamTokens }
  | { kind: 'refused' }
  | { kind: 'unusable'; refreshToken: string }

/** What an upstream's answers amount to, for metrics and the log. `unacceptable`: openid-client rejects what it read. */
export interface UpstreamEvents {
  upstreamAnswered(upstreamId: string, verdict: Verdict): void
  upstreamRefused(upstreamId: string, verdict: Verdict | 'unacceptable', detail: string): void
}
