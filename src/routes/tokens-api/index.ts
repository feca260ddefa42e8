/** The tokens API, mounted under /v1: what accounts do with their API keys. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { authenticateAccount } from './account.js'
import { addDomain } from './add-domain.js'
import { answerTokensApiFault } from './answers.js'
import { createAccessToken } from './create-access-token.js'
import { createClient } from './create-client.js'
import { createProvider } from './create-provider.js'
import { createTenant } from './create-tenant.js'
import { createTenantProvider } from './create-tenant-provider.js'
import { createTenantProviderPolicy } from './create-tenant-provider-policy.js'
import { deleteClient } from './delete-client.js'
import { deleteDomain } from './delete-domain.js'
import { deleteProvider } from './delete-provider.js'
import { deleteTenant } from './delete-tenant.js'
import { deleteTenantProvider } from './delete-tenant-provider.js'
import { deleteTenantProviderPolicy } from './delete-tenant-provider-policy.js'
import { getClient } from './get-client.js'
import { getDomain } from './get-domain.js'
import { getProvider } from './get-provider.js'
import { getTenant } from './get-tenant.js'
import { getTenantProvider } from './get-tenant-provider.js'
import { getTenantProviderPolicy } from './get-tenant-provider-policy.js'
import { listClients } from './list-clients.js'
import { listDomains } from './list-domains.js'
import { listProviders } from './list-providers.js'
import { listTenantProviderPolicies } from './list-tenant-provider-policies.js'
import { listTenantProviders } from './list-tenant-providers.js'
import { listTenants } from './list-tenants.js'
import { validateToken } from './validate-token.js'
import { verifyDomain } from './verify-domain.js'

export const tokensApi = surface('tokens-api', ['core', 'authentication', 'limits'], async (app) => {
  app.setErrorHandler(answerTokensApiFault)
  app.setNotFoundHandler(() => {
    throw fault('not_found')
  })
  app.decorateRequest('account', null)
  app.register(async (inner) => {
    inner.addHook('onRequest', inner.limitTime(authenticateAccount(inner)))
    listProviders(inner)
    createProvider(inner)
    getProvider(inner)
    deleteProvider(inner)
    listClients(inner)
    createClient(inner)
    getClient(inner)
    deleteClient(inner)
    createAccessToken(inner)
    listDomains(inner)
    addDomain(inner)
    getDomain(inner)
    deleteDomain(inner)
    verifyDomain(inner)
    listTenants(inner)
    createTenant(inner)
    getTenant(inner)
    deleteTenant(inner)
    listTenantProviders(inner)
    createTenantProvider(inner)
    getTenantProvider(inner)
    deleteTenantProvider(inner)
    listTenantProviderPolicies(inner)
    createTenantProviderPolicy(inner)
    getTenantProviderPolicy(inner)
    deleteTenantProviderPolicy(inner)
    validateToken(inner)
  })
  refuseOtherMethods(app, Object.values(tokensOperations))
})
