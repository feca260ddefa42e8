/**
 * Whose request it is: an API key with the right to it names its owner (RFC 6750 §2.1), and may make so many an hour. And what is
 * shown of the owner's things: their content, their id and their times, and nothing that is kept beside it.
 */

import type { FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'
import { challengeNameOf } from '../../core/issuers/challenge.js'
import type { Domain, Issuer, Workload } from '../../core/issuers/issuer.js'
import type { Resource } from '../../core/records/resources.js'
import type { Policy, Tenant, TrustedIssuer } from '../../core/trust/tenant.js'
import type { App } from '../app.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose API key the request brought; null where none is asked for. */
    owner: string | null
  }
}

export function authenticateOwner(app: App) {
  return async (request: FastifyRequest): Promise<void> => {
    const text = request.bearerToken()
    if (text === undefined) throw fault('unauthenticated')
    const key = await app.core.callers.identifyApiKey(text, 'tokens')
    await app.limits.perApiKey(request, key.id)
    request.owner = key.owner
  }
}

export function ownerOf(request: FastifyRequest): string {
  if (request.owner === null) throw fault('internal', { detail: 'a route reads its account without asking for one' })
  return request.owner
}

/** What the core found for an owner. What is not there is 404, and so is what belongs to somebody else. */
export function found<T>(answer: T | false | undefined): T {
  if (answer === undefined || answer === false) throw fault('not_found')
  return answer
}

function idAndTimes({ id, createdAtMs, updatedAtMs }: Resource) {
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
