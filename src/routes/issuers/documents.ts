/** The public documents of an issuer, by path or by host. They are the same bytes for everybody, and go out as they are. */
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { issuersOperations } from '../../../schemas/generated/issuers.js'
import { fault } from '../../core/fault.js'
import type { Documents } from '../../core/issuers/held-documents.js'
import { JWKS_MAX_AGE_SECONDS } from '../../core/tokens/signing-keys.js'
import type { App } from '../app.js'
import { nameOf } from './host-constraint.js'

const CACHE_CONTROL = `public, max-age=${JWKS_MAX_AGE_SECONDS}`
/** In place of the serializer, which would take the text for a value. */
const asItIs = (text: unknown) => text as string

/** Under the service's own URL, at the path of the issuer. */
export function documentsByPath(app: App): void {
  /** GET /{providerId}/.well-known/openid-configuration (OpenID Connect Discovery 1.0 §4). */
  app.route({ ...issuersOperations.getProviderOpenidConfiguration, handler: sendDocument(app, 'metadata') })

  /** GET /{providerId}/.well-known/jwks (RFC 7517 §5). */
  app.route({
    ...issuersOperations.getProviderJwks,
    config: { waitsForOthers: true },
    handler: sendDocument(app, 'jwks')
  })

  /** GET /{providerId}/.well-known/jwks.json: the same by the name that most others give it. */
  app.route({
    ...issuersOperations.getProviderJwksJson,
    config: { waitsForOthers: true },
    handler: sendDocument(app, 'jwks')
  })
}

/** The same under the host of an issuer, by the constraint that tells such hosts. Returns where they are. */
export function documentsByHost(app: App, onHosts: Pick<RouteOptions, 'constraints' | 'config'>) {
  const documents = {
    '/.well-known/openid-configuration': 'metadata',
    '/.well-known/jwks': 'jwks',
    '/.well-known/jwks.json': 'jwks'
  } as const
  return Object.entries(documents).map(([url, which]) => {
    app.route({ ...onHosts, method: 'GET', url, handler: sendDocument(app, which) })
    return { method: 'GET', url }
  })
}

function sendDocument(app: App, which: keyof Documents) {
  const { issuerDocuments } = app.core
  function send(documents: Documents | undefined, reply: FastifyReply): void {
    if (!documents) throw fault('not_found')
    // Relying parties ask all the time, so an answer is no news for the log.
    reply.isRoutine = true
    reply.header('cache-control', CACHE_CONTROL).type('application/json').serializer(asItIs)
    reply.send(documents[which])
  }

  return (request: FastifyRequest, reply: FastifyReply): void | Promise<void> => {
    const { providerId } = request.params as { providerId?: string }
    const documents =
      providerId === undefined
        ? issuerDocuments.byHost(nameOf(request.headers.host))
        : issuerDocuments.byPath(providerId)
    // Relying parties ask all the time, so no promise is made where none is needed.
    if (documents instanceof Promise) return documents.then((made) => send(made, reply))
    send(documents, reply)
  }
}
