/** The start of a grant over HTTP, the same on both surfaces: what is asked for, and the codes. */
import type { FastifyRequest } from 'fastify'
import type { Client } from '../core/clients/client.js'
import type { DescribedClient } from '../core/clients/clients.js'
import { readRequestedResources, type SentResources } from '../core/clients/resource.js'
import { readRequestedScopes } from '../core/clients/scope.js'
import type { ClientMetadata, GrantRequest } from '../core/grants/grant.js'
import { nameFromUserAgent } from '../core/grants/user-agent.js'
import type { App } from './app.js'

/** What a client asks for: scopes, and resources (RFC 8707 §2). Throws `invalid_target` or `invalid_scope`. */
export function readAsked(client: Client | DescribedClient, sent: { scope?: string; resource?: SentResources }) {
  const resources = readRequestedResources(client.resources, sent.resource)
  const scopes = readRequestedScopes(client, resources, sent.scope)
  return { scopes, ...(resources.length > 0 && { resources: resources.map(({ identifier }) => identifier) }) }
}

/**
 * What a stock client says about itself, none of it verified: in its document, in parameters of the request, which count as left
 * out if they are empty (RFC 6749 §3.1), and in its User-Agent.
 */
export function readClaims(
  client: Client | DescribedClient,
  { headers }: FastifyRequest,
  { device_name: device, client_version: version }: { device_name?: string; client_version?: string }
): ClientMetadata {
  const hostname = device || nameFromUserAgent(headers['user-agent'])
  return metadataOf(client, { hostname, version })
}

/** The same of what has been read: what is empty is left out. */
export function metadataOf(
  client: Client | DescribedClient,
  { hostname, version }: { hostname: string | undefined; version: string | undefined }
): ClientMetadata {
  const name = 'claimedName' in client ? client.claimedName : undefined
  return { ...(name && { name }), ...(version && { version }), ...(hostname && { hostname }) }
}

/** Rules may ask whether a program named itself at all. */
export const readUserAgent = ({ headers }: FastifyRequest): { hasNoUserAgent?: true } =>
  headers['user-agent']?.trim() ? {} : { hasNoUserAgent: true }

/** Starts a grant. Answers with its code, and with the rest of the answer (RFC 8628 §3.2). */
export async function beginGrant(
  app: App,
  request: FastifyRequest,
  asked: Omit<GrantRequest, 'ip' | 'location' | 'hasNoUserAgent'>
) {
  const { whereabouts, core, config } = app
  const location = whereabouts.location(request)
  const ip = whereabouts.ip(request)
  const grant = await core.grants.start({ ...asked, ip, ...(location && { location }), ...readUserAgent(request) })
  const answer = {
    user_code: grant.userCode,
    verification_uri: config.verificationUri,
    verification_uri_complete: `${config.verificationUri}?code=${grant.userCode}`,
    expires_in: grant.expiresInSeconds,
    interval: grant.intervalSeconds
  }
  return { grantCode: grant.grantCode, answer }
}
