/**
 * The schema of PROVIDERS_FILE, which src/config/upstreams-file.ts reads: the upstreams at which users sign in and connect
 * accounts. Members are named like client and server metadata (RFC 7591 §2, RFC 8414 §2) where there is such.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { oneOf } from './config.js'

/** Adds `expects`: what the message about a wrong value says is expected. */
function member<T extends TSchema>(schema: T, expects: string): T {
  return { ...schema, expects }
}

const VISIBLE = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u
const text = (maxLength: number) =>
  member(Type.String({ minLength: 1, maxLength }), `a text of at most ${maxLength} characters`)
const url = member(
  Type.String({ pattern: '^https?://[^\\s#]+$', maxLength: 2048 }),
  'an https URL (http only for localhost)'
)
const memberName = member(Type.String({ pattern: '^[A-Za-z0-9_]{1,64}$' }), 'the name of a member of the user info')
const parameters = member(
  Type.Record(Type.String({ pattern: '^[a-z0-9_.]{1,64}$' }), text(512), { additionalProperties: false }),
  'an object of texts'
)

export const UpstreamEntry = member(
  Type.Object(
    {
      id: member(
        Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' }),
        '1 to 32 lower-case letters, digits and hyphens'
      ),
      name: member(Type.RegExp(VISIBLE), 'at most 64 characters, all of them visible, no space at either end'),
      client_id: text(512),
      client_secret: Type.Optional(text(2048)),
      token_endpoint_auth_method: Type.Optional(
        member(oneOf(['client_secret_basic', 'client_secret_post']), 'one of client_secret_basic, client_secret_post')
      ),
      scope: Type.Optional(text(1024)),
      authorization_parameters: Type.Optional(parameters),
      reauthentication_parameters: Type.Optional(parameters),
      always_reauthenticates: Type.Optional(member(Type.Boolean(), 'true or false')),
      pkce: Type.Optional(member(Type.Boolean(), 'true or false')),
      sign_in: Type.Optional(member(Type.Boolean(), 'true or false')),
      subject_is_user_id: Type.Optional(member(Type.Boolean(), 'true or false')),
      groups_claim: Type.Optional(
        member(
          Type.String({ pattern: '^[\\x21-\\x7e]{1,255}$' }),
          'the name of a claim: at most 255 letters, digits and signs, without a space'
        )
      ),
      access_token_ttl_seconds: Type.Optional(
        member(Type.Integer({ minimum: 60, maximum: 31_536_000 }), 'a whole number of seconds from 60 to 31536000')
      ),
      issuer: Type.Optional(url),
      authorization_endpoint: Type.Optional(url),
      token_endpoint: Type.Optional(url),
      userinfo_endpoint: Type.Optional(url),
      revocation_endpoint: Type.Optional(url),
      subject_member: Type.Optional(memberName),
      username_member: Type.Optional(memberName),
      name_member: Type.Optional(memberName)
    },
    { additionalProperties: false }
  ),
  'an object'
)

export const UpstreamsFile = member(
  Type.Object(
    { providers: member(Type.Array(UpstreamEntry, { minItems: 1, maxItems: 50 }), 'a list of 1 to 50 providers') },
    { additionalProperties: false }
  ),
  'an object with one member, providers'
)

export type UpstreamEntry = Static<typeof UpstreamEntry>
