/** The tokens API, mounted under /v1: what owners of API keys do with their issuers and tenants. One file per resource. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { createCursors, createListAnswers } from '../paging.js'
import { answerTokensApiFault } from './answers.js'
import { domains } from './domains.js'
import { issuers } from './issuers.js'
import { authenticateMinting, authenticateOwner, ownerOf } from './owner.js'
import { policies } from './policies.js'
import { tenants } from './tenants.js'
import { trustedIssuers } from './trusted-issuers.js'
import { workloads, workloadTokens } from './workloads.js'

export const tokensApi = surface('tokens-api', ['core', 'authentication', 'limits'], async (app) => {
  app.setErrorHandler(answerTokensApiFault)
  app.setNotFoundHandler(() => {
    throw fault('not_found')
  })
  app.decorateRequest('owner', null)
  app.decorateRequest('tokenSources', null)
  const answerList = createListAnswers(createCursors(app.core), app.core.wholeLists, ownerOf)
  app.register(async (inner) => {
    inner.addHook('onRequest', inner.limitTime(authenticateOwner(inner)))
    issuers(inner, answerList)
    workloads(inner, answerList)
    domains(inner, answerList)
    tenants(inner, answerList)
    trustedIssuers(inner, answerList)
    policies(inner, answerList)
  })
  app.register(async (inner) => {
    inner.addHook('onRequest', inner.limitTime(authenticateMinting(inner)))
    workloadTokens(inner)
  })
  refuseOtherMethods(app, Object.values(tokensOperations))
})
