/**
 * The schema of OAUTH_CLIENTS_FILE, which src/config/clients-file.ts reads. Members of clients are named like the client metadata of
 * RFC 7591 §2 where there is such.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { CLIENT_TYPES, GRANT_TYPES } from '../src/core/clients/client.js'
import { LONGEST_REDIRECT_URI } from '../src/core/clients/redirect-uri.js'
import { LONGEST_SCOPE, SCOPE_TOKEN } from '../src/core/clients/scope.js'
import { oneOf } from './config.js'

/** Adds `expects`: what the message about a wrong value says is expected. */
function member<T extends TSchema>(schema: T, expects: string): T {
  return { ...schema, expects }
}

const seconds = (minimum: number, maximum: number) =>
  member(Type.Integer({ minimum, maximum }), `a whole number of seconds from ${minimum} to ${maximum}`)

/** The consent page shows the name as trustworthy, so it may hold no control or format characters, and no outer spaces. */
const VISIBLE = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u

const name = member(Type.RegExp(VISIBLE), 'at most 64 characters, all of them visible, no space at either end')

const scope = member(
  Type.String({ pattern: `^(${SCOPE_TOKEN}( ${SCOPE_TOKEN}){0,49})?$`, maxLength: LONGEST_SCOPE }),
  'at most 50 words of RFC 6749 §3.3, separated by single spaces'
)

const flag = member(Type.Boolean(), 'true or false')

const DAY_SECONDS = 86_400
const DIGEST = 'a digest as "npm run grantd -- clients secret" makes it'

/** The characters of a URI (RFC 3986 §2) but for #, so that there is no fragment (RFC 8707 §2), and no space either. */
const identifier = member(
  Type.String({ pattern: "^https?://[A-Za-z0-9\\-._~:/?[\\]@!$&'()*+,;=%]+$", maxLength: 255 }),
  'an absolute URI without fragment, of 255 characters at most'
)

/** A resource (RFC 8707). */
export const ResourceEntry = member(
  Type.Object(
    {
      identifier,
      name,
      scope: Type.Optional(scope),
      access_token_ttl_seconds: Type.Optional(seconds(60, 30 * DAY_SECONDS)),
      built_in_clients: Type.Optional(flag),
      default: Type.Optional(flag)
    },
    { additionalProperties: false }
  ),
  'an object'
)

export const ClientEntry = member(
  Type.Object(
    {
      client_id: member(Type.String({ pattern: '^[A-Za-z0-9._~-]{1,64}$' }), '1 to 64 letters, digits and . _ ~ -'),
      /** The entry changes the built-in client of this name, instead of making a client. */
      built_in: Type.Optional(member(Type.Literal(true), 'true, or to be left out')),
      /** Switches a built-in client off: it is unknown then. */
      off: Type.Optional(flag),
      client_name: Type.Optional(name),
      client_type: Type.Optional(member(oneOf(CLIENT_TYPES), `one of ${CLIENT_TYPES.join(', ')}`)),
      client_secret_digests: Type.Optional(
        member(
          Type.Array(member(Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }), DIGEST), {
            minItems: 1,
            maxItems: 5,
            uniqueItems: true
          }),
          '1 to 5 digests, each once'
        )
      ),
      grant_types: Type.Optional(
        member(
          Type.Array(member(oneOf(GRANT_TYPES), `one of ${GRANT_TYPES.join(', ')}`), { uniqueItems: true }),
          'a list of grant types, each once'
        )
      ),
      redirect_uris: Type.Optional(
        member(
          Type.Array(member(Type.String({ maxLength: LONGEST_REDIRECT_URI }), 'a URI without fragment'), {
            maxItems: 20,
            uniqueItems: true
          }),
          'a list of at most 20 URIs, each once'
        )
      ),
      scope: Type.Optional(scope),
      optional_scope: Type.Optional(scope),
      device_scope: Type.Optional(scope),
      resources: Type.Optional(
        member(Type.Array(identifier, { uniqueItems: true }), 'a list of identifiers of resources, each once')
      ),
      access_token_ttl_seconds: Type.Optional(seconds(60, 30 * DAY_SECONDS)),
      authorization_ttl_seconds: Type.Optional(seconds(60, 366 * DAY_SECONDS))
    },
    { additionalProperties: false }
  ),
  'an object'
)

export const ClientsFile = member(
  Type.Object(
    {
      clients: Type.Optional(member(Type.Array(ClientEntry, { maxItems: 10_000 }), 'a list of clients')),
      resources: Type.Optional(member(Type.Array(ResourceEntry, { maxItems: 1_000 }), 'a list of resources'))
    },
    { additionalProperties: false }
  ),
  'an object with clients, resources, or both'
)

export type ClientsFile = Static<typeof ClientsFile>
export type ResourceEntry = Static<typeof ResourceEntry>
export type ClientEntry = Static<typeof ClientEntry>
