/** What relying parties read of issuers: by path, and under the hosts of issuers, where nothing else is to be found. */
import { issuersOperations } from '../../../schemas/generated/issuers.js'
import { fault } from '../../core/fault.js'
import { allowAnyOrigin } from '../any-origin.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { answerTokensApiFault } from '../tokens-api/answers.js'
import { documentsByHost, documentsByPath } from './documents.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on what is served under the host of an issuer, and described by the operation that serves it by path. */
    byHost?: boolean
  }
}

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
  allowAnyOrigin(app, { methods: ['GET'] })
  documentsByHost(app)
  // The metadata of RFC 8414 is the service's own alone.
  app.route({
    method: 'GET',
    url: '/.well-known/oauth-authorization-server',
    constraints: { foreignHost: true },
    config: { byHost: true },
    handler: async () => {
      throw fault('not_found')
    }
  })
})
