/** The public documents of a provider, by path or by host. They are the same bytes for everybody, and go out as they are. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'
import type { Documents } from '../../core/issuers/issuer-documents.js'
import { JWKS_MAX_AGE_SECONDS } from '../../core/tokens/signing-keys.js'
import type { App } from '../app.js'
import { nameOf } from './host-constraint.js'

const CACHE_CONTROL = `public, max-age=${JWKS_MAX_AGE_SECONDS}`
/** In place of the serializer, which would take the text for a value. */
const asItIs = (text: unknown) => text as string

export function sendDocument(app: App, which: keyof Documents) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { providerId } = request.params as { providerId?: string }
    const { issuerDocuments } = app.core
    const documents = await (providerId === undefined
      ? issuerDocuments.byHost(nameOf(request.headers.host))
      : issuerDocuments.byPath(providerId))
    if (!documents) throw fault('not_found')
    // Relying parties ask all the time: that says nothing.
    reply.isRoutine = true
    reply.header('cache-control', CACHE_CONTROL).type('application/json').serializer(asItIs)
    return reply.send(documents[which])
  }
}
