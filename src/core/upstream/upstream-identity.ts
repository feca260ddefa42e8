/**
 * What a sign-in at an upstream brings: the tokens, and the identity of whoever signed in, which is read from the ID token (OpenID
 * Connect Core 1.0 §2, §5.1) and user info of an issuer, or from the user info of a plain OAuth 2.0 service.
 */
import * as client from 'openid-client'
import type { PlainEndpoints, Upstream, UpstreamIdentity, UpstreamTokens } from './upstream.js'
import { failureOf, upstreamFailure } from './upstream-fetch.js'

type TokenAnswer = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers

/** The length cap of texts. A longer subject is refused, for truncation could make two subjects equal; others are truncated. */
const LONGEST_TEXT = 255

/** Reads the identity after the code exchange. Rejects when there is no usable subject, or the user info cannot be fetched. */
export async function identify(
  configuration: client.Configuration,
  { endpoints, groupsClaim = 'groups' }: Upstream,
  answer: TokenAnswer
): Promise<UpstreamIdentity> {
  return 'issuer' in endpoints
    ? readClaims(configuration, groupsClaim, answer)
    : readUserInfo(configuration, endpoints, answer)
}

async function readClaims(
  configuration: client.Configuration,
  groupsClaim: string,
  answer: TokenAnswer
): Promise<UpstreamIdentity> {
  const claims = answer.claims()
  if (!claims) throw new Error('no ID token')
  // Many issuers put only the subject in the ID token, and all other claims in the user info (§5.4).
  const isAllThere = readText(claims.name) !== undefined || !configuration.serverMetadata().userinfo_endpoint
  const more = isAllThere ? {} : await fetchMore(configuration, answer.access_token, claims.sub)
  const all: Record<string, unknown> = { ...claims, ...more }
  const { preferred_username: preferred, email, name, email_verified } = all
  const identity = readIdentity(claims.sub, preferred ?? email, name ?? preferred ?? email, email, email_verified)
  // From the ID token alone, which is signed: they may make somebody an admin.
  const groups = readGroups(claims[groupsClaim])
  return groups.length > 0 ? { ...identity, groups } : identity
}

/** A list of names. Some issuers write a list of one as its name. */
function readGroups(claim: unknown): string[] {
  return [claim].flat().filter((name): name is string => typeof name === 'string' && name !== '')
}

/**
 * The claims of the user info, or none if it is refused, signed or unreadable: the ID token is a sign-in without them (§5.4).
 * Rejects if the upstream is ill, and if the subject is another (§5.3.2), for then the access token is somebody else's.
 */
async function fetchMore(configuration: client.Configuration, accessToken: string, subject: string): Promise<object> {
  try {
    return await client.fetchUserInfo(configuration, accessToken, subject)
  } catch (error) {
    const isAnotherSubject = error instanceof client.ClientError && error.code === ANOTHER_VALUE
    if (isAnotherSubject || failureOf(error)?.verdict === 'ill') throw error
    return {}
  }
}

/** The error code of oauth4webapi for a member whose value is not the expected one. */
const ANOTHER_VALUE = 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED'

async function readUserInfo(
  configuration: client.Configuration,
  { userinfo, subjectMember, usernameMember, nameMember }: PlainEndpoints,
  answer: TokenAnswer
): Promise<UpstreamIdentity> {
  // GitHub's API refuses requests without a user agent.
  const headers = new Headers({ accept: 'application/json', 'user-agent': 'grantd' })
  const url = new URL(userinfo)
  const info = await client.fetchProtectedResource(configuration, answer.access_token, url, 'GET', undefined, headers)
  const members = (await info.json()) as Record<string, unknown>
  const username = members[usernameMember]
  // The user info of a plain service does not say whether the e-mail address is verified.
  return readIdentity(members[subjectMember], username, members[nameMember] ?? username, members.email, false)
}

function readIdentity(
  sub: unknown,
  username: unknown,
  name: unknown,
  email: unknown,
  isEmailVerified: unknown
): UpstreamIdentity {
  const subject = typeof sub === 'number' && Number.isSafeInteger(sub) ? String(sub) : sub
  const isSubject = typeof subject === 'string' && subject !== '' && subject.length <= LONGEST_TEXT
  if (!isSubject || /\p{Surrogate}/u.test(subject)) {
    throw upstreamFailure({ asked: 'user_info', verdict: 'unreadable', detail: 'there is no usable subject' })
  }
  const known = readText(username) ?? subject
  const address = readText(email)
  // Cognito (2024) and others write the truth as a text.
  const isVerified = isEmailVerified === true || isEmailVerified === 'true'
  return {
    subject,
    username: known,
    name: readText(name) ?? known,
    ...(address !== undefined && { email: address, isEmailVerified: isVerified })
  }
}

function readText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.trim() === '') return undefined
  return [...value]
    .slice(0, LONGEST_TEXT)
    .join('')
    .replace(/\p{Surrogate}/gu, '\uFFFD')
}

/** A hundred years: a longer `expires_in` counts as no expiry, for the sum could exceed what a Date holds. */
const LONGEST_LIFE_SECONDS = 3_155_760_000

/** The tokens of an answer as openid-client has read it. `isIssuer` is false for a plain OAuth 2.0 service. */
export function toTokens(answer: client.TokenEndpointResponse, isIssuer: boolean, nowMs: number): UpstreamTokens {
  const { expires_in: seconds } = answer
  const isEndless = seconds === undefined || seconds > LONGEST_LIFE_SECONDS
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token,
    // Some plain OAuth 2.0 services, such as GitHub, separate scopes with commas.
    scopes: answer.scope?.split(isIssuer ? ' ' : /[ ,]/).filter((word) => word !== ''),
    expiresAtMs: isEndless ? undefined : nowMs + seconds * 1000,
    lifeSeconds: isEndless && seconds !== undefined ? Number.POSITIVE_INFINITY : seconds
  }
}
