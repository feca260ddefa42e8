/** Standard OAuth endpoints. */
import type { FastifyInstance } from 'fastify'
import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { getJwks } from './get-jwks.js'

export async function oauth(app: FastifyInstance): Promise<void> {
  getJwks(app)
  refuseOtherMethods(app, oauthOperations)
}
