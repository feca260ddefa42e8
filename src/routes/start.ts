/** The start of a grant over HTTP, the same on both surfaces; only who asks, and what its code is called, differs. */
import type { FastifyRequest } from 'fastify'
import type { GrantRequest } from '../core/grants/grant.js'
import type { App } from './app.js'

/** Starts a grant. Answers with its code, and with the rest of the answer (RFC 8628 §3.2). */
export async function beginGrant(app: App, request: FastifyRequest, asked: Omit<GrantRequest, 'ip' | 'location'>) {
  const { whereabouts, core, config } = app
  const location = whereabouts.location(request)
  const ip = whereabouts.ip(request)
  const grant = await core.grants.start({ ...asked, ip, ...(location && { location }) })
  const answer = {
    user_code: grant.userCode,
    verification_uri: config.verificationUri,
    verification_uri_complete: `${config.verificationUri}?code=${grant.userCode}`,
    expires_in: grant.expiresInSeconds,
    interval: grant.intervalSeconds
  }
  return { grantCode: grant.grantCode, answer }
}
