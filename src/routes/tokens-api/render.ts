/** What the tokens API shows of things: their content, their id and their times, and nothing that is kept beside it. */
import { challengeNameOf } from '../../core/issuers/challenge.js'
import type { Domain, Issuer, Workload } from '../../core/issuers/issuer.js'
import type { JsonRecord } from '../../core/records/json-records.js'
import type { Policy, Tenant, TrustedIssuer } from '../../core/trust/tenant.js'

function idAndTimes({ id, createdAtMs, updatedAtMs }: JsonRecord) {
  return { id, createdAt: new Date(createdAtMs).toISOString(), updatedAt: new Date(updatedAtMs).toISOString() }
}

export function renderIssuer(issuer: Issuer) {
  return { ...idAndTimes(issuer), name: issuer.name, description: issuer.description }
}

export function renderWorkload(workload: Workload) {
  return { ...idAndTimes(workload), name: workload.name, audience: workload.audience }
}

export function renderDomain(domain: Domain) {
  const { domain: name, verified, challenge } = domain
  return { ...idAndTimes(domain), domain: name, verified, challenge, challengeName: challengeNameOf(name) }
}

export function renderTenant(tenant: Tenant) {
  return { ...idAndTimes(tenant), name: tenant.name, description: tenant.description }
}

export function renderTrustedIssuer(issuer: TrustedIssuer) {
  const { url, fingerprints, audience, earliestIssuanceTimeAllowed } = issuer
  return { ...idAndTimes(issuer), url, fingerprints, audience, earliestIssuanceTimeAllowed }
}

export function renderPolicy(policy: Policy) {
  const { name, description, audience, conditions } = policy
  return { ...idAndTimes(policy), name, description, audience, conditions }
}
