/**
 * An upstream, that is an identity provider: somebody else's service that says who a user is, and whose tokens are kept for them. Its shape as
 * configured; talking to it is provider-client.ts.
 */
export interface Upstream {
  readonly id: string
  /** What people read on the button. */
  readonly name: string
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: 'client_secret_basic' | 'client_secret_post'
  /** What is asked for, as the provider wants it written. */
  readonly scope: string
  /** What else goes into every authorization request. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** What goes in as well when the user has to prove again who they are. */
  readonly reauthenticationParameters: Readonly<Record<string, string>>
  /** Whether users may sign in with it, or only connect it. */
  readonly signsIn: boolean
  /** Whether the user's id here is the one they have there. At most one provider can say so. */
  readonly subjectIsUserId: boolean
  /** An OpenID Connect issuer with discovery, or the endpoints of a plain OAuth 2.0 service. */
  readonly endpoints: { readonly issuer: string } | PlainEndpoints
}

export interface PlainEndpoints {
  readonly authorization: string
  readonly token: string
  readonly userinfo: string
  readonly revocation: string | undefined
  /** Names of members of the user info: the account's id, what its owner calls it, and the owner's name. */
  readonly subjectMember: string
  readonly usernameMember: string
  readonly nameMember: string
}

/** Who somebody is at an upstream. Accounts are told apart by provider and subject, never by e-mail address. */
export interface UpstreamIdentity {
  subject: string
  /** How the account is known to its owner: a login name or an e-mail address. */
  username: string
  /** What to call the person. */
  name: string
  email?: string
  /** Whether the provider vouches for the address. */
  isEmailVerified?: boolean
}

/** Tokens as a provider hands them out. */
export interface UpstreamTokens {
  accessToken: string
  refreshToken: string | undefined
  /** Undefined where the provider named none. */
  scopes: string[] | undefined
  expiresAtMs: number | undefined
}
