import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'

/** POST /v1/providers/{providerId}/clients/{clientId}/tokens: a JWT for a workload. */
export function createAccessToken(app: App): void {
  app.route({
    ...tokensOperations.createAccessToken,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const { providerId, clientId } = request.params
      const [provider, client] = await Promise.all([
        providerOf(app, request),
        app.core.issuers.findWorkload(providerId, clientId)
      ])
      if (!client) throw fault('not_found')
      const { expiresIn, ...wish } = request.body ?? {}
      const minted = await app.core.workloadTokens.mint(provider, client, { ...wish, expiresInSeconds: expiresIn })
      const expiresAt = new Date(minted.expiresAtMs).toISOString()
      return reply.code(201).send({ accessToken: minted.accessToken, expiresAt, type: 'Bearer' as const })
    }
  })
}
