/** Reads PROVIDERS_FILE (the upstreams), or lists its faults. Its format is described in schemas/upstreams-file.ts. */
import { type UpstreamEntry, UpstreamsFile } from '../../schemas/upstreams-file.js'
import type { Upstream } from '../core/upstream/upstream.js'
import { isSafeUrl } from './faults.js'
import { MOST_FAULTS, readJsonFile } from './named-files.js'

export interface UpstreamsFileContent {
  upstreams: Upstream[]
  /** One line each: the place, and what was expected there. Never the value, which could be a secret. */
  faults: string[]
}

export function readUpstreamsFile(path: string | undefined): UpstreamsFileContent {
  if (path === undefined) return { upstreams: [], faults: [] }
  const { content, faults: malformed } = readJsonFile(path, UpstreamsFile)
  if (malformed) return { upstreams: [], faults: malformed }
  const { providers } = content
  const faults = providers.flatMap((entry, i) => [...crossFaults(entry, i, providers)])
  return { upstreams: providers.map(toUpstream), faults: faults.slice(0, MOST_FAULTS) }
}

const URLS = ['issuer', 'authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'revocation_endpoint'] as const
const ONLY_WITHOUT_ISSUER = [
  ...URLS.slice(1),
  'subject_member',
  'username_member',
  'name_member'
] as (keyof UpstreamEntry)[]

function* crossFaults(entry: UpstreamEntry, index: number, all: readonly UpstreamEntry[]): Generator<string> {
  const place = `providers[${index}]`
  if (all.findIndex(({ id }) => id === entry.id) !== index) yield `${place}.id: is there twice`
  for (const name of URLS) {
    const value = entry[name]
    if (value !== undefined && !isSafeUrl(value))
      yield `${place}.${name}: expected an https URL (http only for localhost)`
  }
  if (entry.issuer !== undefined) {
    for (const name of ONLY_WITHOUT_ISSUER) {
      if (entry[name] !== undefined) yield `${place}.${name}: not together with issuer, whose discovery tells it`
    }
    const scope = entry.scope ?? DEFAULT_SCOPE
    if (!scope.split(' ').includes('openid')) yield `${place}.scope: needs openid, the provider is an issuer`
  } else {
    for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint'] as const) {
      if (entry[name] === undefined) yield `${place}.${name}: is missing, or else issuer`
    }
  }
  if (entry.groups_claim !== undefined && entry.issuer === undefined) {
    yield `${place}.groups_claim: needs issuer, groups are read from its ID token`
  }
  if (entry.token_endpoint_auth_method && !entry.client_secret) {
    yield `${place}.client_secret: is missing, token_endpoint_auth_method needs it`
  }
  if (entry.pkce === false && !entry.client_secret) {
    yield `${place}.pkce: cannot be false without client_secret, codes could be redeemed by anybody`
  }
  if (entry.subject_is_user_id) {
    if (all.findIndex((other) => other.subject_is_user_id) !== index) {
      yield `${place}.subject_is_user_id: can be true of one provider only, ids of several would collide`
    }
    if (entry.sign_in === false) yield `${place}.subject_is_user_id: needs sign_in`
  }
  if (index === 0 && all.every(({ sign_in }) => sign_in === false)) {
    yield `${place}.sign_in: one of the providers must sign users in`
  }
}

const DEFAULT_SCOPE = 'openid profile email'

function toUpstream(entry: UpstreamEntry): Upstream {
  const isIssuer = entry.issuer !== undefined
  return {
    id: entry.id,
    name: entry.name,
    clientId: entry.client_id,
    clientSecret: entry.client_secret,
    authMethod: entry.token_endpoint_auth_method ?? 'client_secret_basic',
    scope: entry.scope ?? (isIssuer ? DEFAULT_SCOPE : ''),
    authorizationParameters: entry.authorization_parameters ?? {},
    reauthenticationParameters:
      entry.reauthentication_parameters ?? (isIssuer ? { prompt: 'login', max_age: '0' } : {}),
    alwaysReauthenticates: entry.always_reauthenticates ?? false,
    signsIn: entry.sign_in ?? true,
    subjectIsUserId: entry.subject_is_user_id ?? false,
    ...(entry.pkce === false && { withoutPkce: true }),
    ...(entry.groups_claim !== undefined && { groupsClaim: entry.groups_claim }),
    ...(entry.access_token_ttl_seconds !== undefined && { accessTokenTtlSeconds: entry.access_token_ttl_seconds }),
    endpoints: isIssuer
      ? { issuer: entry.issuer as string }
      : {
          authorization: entry.authorization_endpoint ?? '',
          token: entry.token_endpoint ?? '',
          userinfo: entry.userinfo_endpoint ?? '',
          revocation: entry.revocation_endpoint,
          subjectMember: entry.subject_member ?? 'id',
          usernameMember: entry.username_member ?? 'login',
          nameMember: entry.name_member ?? 'name'
        }
  }
}
