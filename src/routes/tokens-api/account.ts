/** Whose request it is: an API key names its account (RFC 6750 §2.1), and may make so many requests an hour. */
import type { FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'
import type { Issuer } from '../../core/issuers/issuer.js'
import type { Tenant, TrustedIssuer } from '../../core/trust/tenant.js'
import type { App } from '../app.js'

declare module 'fastify' {
  interface FastifyRequest {
    account: string | null
  }
}

export function authenticateAccount(app: App) {
  return async (request: FastifyRequest): Promise<void> => {
    const text = request.bearerToken()
    if (text === undefined) throw fault('unauthenticated')
    const key = await app.core.apiKeys.use(text)
    if (!key) throw fault('invalid_token', { detail: 'no API key' })
    await app.limits.perApiKey(request, key.id)
    request.account = key.owner
  }
}

export function accountOf(request: FastifyRequest): string {
  if (request.account === null) throw fault('internal', { detail: 'a route reads its account without asking for one' })
  return request.account
}

/** The provider a path names, if it is the caller's. */
export async function providerOf(app: App, request: FastifyRequest): Promise<Issuer> {
  const { providerId } = request.params as { providerId: string }
  const provider = await app.core.issuers.find(accountOf(request), providerId)
  if (!provider) throw fault('not_found')
  return provider
}

/** The tenant a path names, if it is the caller's. */
export async function tenantOf(app: App, request: FastifyRequest): Promise<Tenant> {
  const { tenantId } = request.params as { tenantId: string }
  const tenant = await app.core.tenants.find(accountOf(request), tenantId)
  if (!tenant) throw fault('not_found')
  return tenant
}

/** The trusted issuer a path names, if it is one of the caller's tenant's. */
export async function tenantProviderOf(app: App, request: FastifyRequest): Promise<TrustedIssuer> {
  const { tenantProviderId } = request.params as { tenantProviderId: string }
  const tenant = await tenantOf(app, request)
  const provider = await app.core.tenants.findIssuer(tenant.id, tenantProviderId)
  if (!provider) throw fault('not_found')
  return provider
}
