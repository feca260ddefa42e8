/** Who has signed in at an upstream, by its ID token (OpenID Connect Core 1.0 §2, §5.1) or its user info. */
import * as client from 'openid-client'
import type { PlainEndpoints, Upstream, UpstreamIdentity } from './upstream.js'

type TokenAnswer = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers

/** Longer ones could not be shown or kept. */
const LONGEST_TEXT = 255

export async function identify(
  configuration: client.Configuration,
  { endpoints }: Upstream,
  answer: TokenAnswer
): Promise<UpstreamIdentity> {
  return 'issuer' in endpoints ? readClaims(configuration, answer) : readUserInfo(configuration, endpoints, answer)
}

async function readClaims(configuration: client.Configuration, answer: TokenAnswer): Promise<UpstreamIdentity> {
  const claims = answer.claims()
  if (!claims) throw new Error('no ID token')
  // Many issuers leave all but the subject to the user info (§5.4).
  const isAllThere = claims.name !== undefined || !configuration.serverMetadata().userinfo_endpoint
  const more = isAllThere ? {} : await client.fetchUserInfo(configuration, answer.access_token, claims.sub)
  const all: Record<string, unknown> = { ...claims, ...more }
  const { preferred_username: preferred, email, name, email_verified } = all
  return readIdentity(claims.sub, preferred ?? email, name ?? preferred ?? email, email, email_verified)
}

async function readUserInfo(
  configuration: client.Configuration,
  { userinfo, subjectMember, usernameMember, nameMember }: PlainEndpoints,
  answer: TokenAnswer
): Promise<UpstreamIdentity> {
  // Some services refuse requests that do not say who sends them.
  const headers = new Headers({ accept: 'application/json', 'user-agent': 'grantd' })
  const url = new URL(userinfo)
  const info = await client.fetchProtectedResource(configuration, answer.access_token, url, 'GET', undefined, headers)
  if (!info.ok) throw new Error(`user info answered ${info.status}`)
  const members = (await info.json()) as Record<string, unknown>
  const username = members[usernameMember]
  // Whether the address belongs to the account is nothing such a service tells.
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
  if (!isSubject || /\p{Surrogate}/u.test(subject)) throw new Error('no usable subject')
  const known = readText(username) ?? subject
  const address = readText(email)
  return {
    subject,
    username: known,
    name: readText(name) ?? known,
    ...(address !== undefined && { email: address, isEmailVerified: isEmailVerified === true })
  }
}

function readText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.trim() === '') return undefined
  return value.slice(0, LONGEST_TEXT).replace(/\p{Surrogate}/gu, '\uFFFD')
}
