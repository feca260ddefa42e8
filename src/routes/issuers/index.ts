/** What relying parties read of issuers: by path, and under the hosts of issuers, where nothing else is to be found. */
import { issuersOperations } from '../../../schemas/generated/issuers.js'
import { fault } from '../../core/fault.js'
import { allowAnyOrigin } from '../any-origin.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { answerTokensApiFault } from '../tokens-api/answers.js'
import { documentsByHost, documentsByPath } from './documents.js'
import { whyHostUnknown } from './host-constraint.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on what is served under the host of an issuer, and described by the operation that serves it by path. */
    byHost?: boolean
  }
}

const ON_HOSTS = { constraints: { issuerHost: true }, config: { byHost: true } }

/** By path, under the service's own URL. */
export const issuersByPath = surface('issuers-by-path', ['core'], async (app) => {
  app.setErrorHandler(answerTokensApiFault)
  allowAnyOrigin(app, { methods: ['GET'] })
  documentsByPath(app)
  refuseOtherMethods(app, Object.values(issuersOperations))
})

/** By host: see host-constraint.ts. */
export const issuersByHost = surface('issuers-by-host', ['core'], async (app) => {
  app.setErrorHandler(answerTokensApiFault)
  app.addHook('onRequest', (request, _reply, done) => done(whyHostUnknown(request) as Error | undefined))
  app.register(async (inner) => {
    allowAnyOrigin(inner, { methods: ['GET'] })
    refuseOtherMethods(inner, documentsByHost(inner, ON_HOSTS), ON_HOSTS)
  })
  // Neither the service's own metadata, nor its pages, its documentation and its numbers.
  app.route({
    ...ON_HOSTS,
    method: app.supportedMethods,
    url: '/*',
    onRequest: async () => {
      throw fault('not_found')
    },
    handler: async () => {}
  })
})
