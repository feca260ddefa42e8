/** What the tokens API shows of things: their content, their id and their times, and nothing that is kept beside it. */
import { challengeNameOf } from '../../core/issuers/challenge.js'
import type { Domain, Issuer, Workload } from '../../core/issuers/issuer.js'
import type { Resource } from '../../core/records/resources.js'
import type { Policy, Tenant, TrustedIssuer } from '../../core/trust/tenant.js'

function common({ id, createdAtMs, updatedAtMs }: Resource) {
  return { id, createdAt: new Date(createdAtMs).toISOString(), updatedAt: new Date(updatedAtMs).toISOString() }
}

export function renderProvider(provider: Issuer) {
  return { ...common(provider), name: provider.name, description: provider.description }
}

export function renderClient(client: Workload) {
  return { ...common(client), name: client.name, audience: client.audience }
}

export function renderDomain(domain: Domain) {
  const { domain: name, verified, challenge } = domain
  return { ...common(domain), domain: name, verified, challenge, challengeName: challengeNameOf(name) }
}

export function renderTenant(tenant: Tenant) {
  return { ...common(tenant), name: tenant.name, description: tenant.description }
}

export function renderTenantProvider(provider: TrustedIssuer) {
  const { url, fingerprints, audience, earliestIssuanceTimeAllowed } = provider
  return { ...common(provider), url, fingerprints, audience, earliestIssuanceTimeAllowed }
}

export function renderPolicy(policy: Policy) {
  const { name, description, audience, conditions } = policy
  return { ...common(policy), name, description, audience, conditions }
}
