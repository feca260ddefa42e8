/** What relying parties read of providers: by path, and under the hosts of providers, where nothing else is to be found. */
import { issuersOperations } from '../../../schemas/generated/issuers.js'
import { fault } from '../../core/fault.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { answerTokensApiFault } from '../tokens-api/answers.js'
import { getProviderJwks } from './get-provider-jwks.js'
import { getProviderJwksJson } from './get-provider-jwks-json.js'
import { getProviderOpenidConfiguration } from './get-provider-openid-configuration.js'
import { sendDocument } from './send-document.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on what is served under the host of a provider, and described by the operation that serves it by path. */
    byHost?: boolean
  }
}

/** By path, under the service's own URL. */
export const issuersByPath = surface('issuers-by-path', ['core'], async (app) => {
  app.setErrorHandler(answerTokensApiFault)
  getProviderOpenidConfiguration(app)
  getProviderJwks(app)
  getProviderJwksJson(app)
  refuseOtherMethods(app, Object.values(issuersOperations))
})

/** By host: see host-constraint.ts. */
export const issuersByHost = surface('issuers-by-host', ['core'], async (app) => {
  app.setErrorHandler(answerTokensApiFault)
  const documents = {
    '/.well-known/openid-configuration': 'metadata',
    '/.well-known/jwks': 'jwks',
    '/.well-known/jwks.json': 'jwks'
  } as const
  for (const [url, which] of Object.entries(documents)) {
    app.route({
      method: 'GET',
      url,
      constraints: { foreignHost: true },
      config: { byHost: true },
      handler: sendDocument(app, which)
    })
  }
  // What RFC 8414 calls it is the service's own alone.
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
