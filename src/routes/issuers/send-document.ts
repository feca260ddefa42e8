/** The public documents of a provider, by path or by host. They are the same bytes for everybody, and go out as they are. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fault } from '../../fault.js'
import type { IssuerDocuments } from '../../providers/issuers.js'
import { JWKS_MAX_AGE_SECONDS } from '../../tokens/signing-keys.js'
import type { App } from '../app.js'
import { nameOf } from './host-constraint.js'

export function sendDocument(app: App, which: keyof IssuerDocuments) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { providerId } = request.params as { providerId?: string }
    const { issuers } = app.tokensApi
    const documents = await (providerId === undefined
      ? issuers.byHost(nameOf(request.headers.host))
      : issuers.byPath(providerId))
    if (!documents) throw fault('not_found')
    reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`).type('application/json')
    // Without the serializer, which would take the text for a value.
    reply.serializer((text: unknown) => text as string)
    return reply.send(documents[which])
  }
}
