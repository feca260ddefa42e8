/** The schema of WEBHOOKS_FILE, which src/config/webhooks-file.ts reads: the endpoints that events are sent to. */
import { type Static, type TSchema, Type } from '@sinclair/typebox'

/** Adds `expects`: what the message about a wrong value says is expected. */
function member<T extends TSchema>(schema: T, expects: string): T {
  return { ...schema, expects }
}

export const SECRET = '"whsec_" and 24 to 64 bytes in base64'
const secret = member(Type.String({ pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$' }), SECRET)

export const WebhookEntry = member(
  Type.Object(
    {
      id: Type.Optional(
        member(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' }), '1 to 32 lower-case letters, digits and hyphens')
      ),
      url: member(Type.String({ pattern: '^https?://[^\\s#]+$', maxLength: 2048 }), 'an https URL without fragment'),
      secret: member(
        Type.Union([secret, Type.Array(secret, { minItems: 1, maxItems: 5, uniqueItems: true })]),
        `${SECRET}, or a list of up to 5 of them, each once`
      ),
      types: member(
        Type.Array(
          member(
            Type.String({ pattern: '^(\\*|[a-z_]+\\.(\\*|[a-z_]+))$' }),
            'a type of events such as grant.approved, grant.*, or *'
          ),
          { minItems: 1, maxItems: 100, uniqueItems: true }
        ),
        'a list of types of events, each once'
      ),
      internal: Type.Optional(member(Type.Boolean(), 'true or false'))
    },
    { additionalProperties: false }
  ),
  'an object'
)

export const WebhooksFile = member(
  Type.Array(WebhookEntry, { minItems: 1, maxItems: 20 }),
  'a list of 1 to 20 endpoints'
)

export type WebhooksFile = Static<typeof WebhooksFile>
export type WebhookEntry = Static<typeof WebhookEntry>
