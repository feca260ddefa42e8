import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  oauthOperations,
  type TokenError,
  type TokenRequest,
  type TokenResponse
} from '../../../schemas/generated/oauth.js'
import {
  type Client,
  CODE_GRANT,
  DEVICE_CODE_GRANT,
  isKnownByUrl,
  requireGrantType
} from '../../core/clients/client.js'
import { readResources } from '../../core/clients/resource.js'
import { LONGEST_SCOPE, readScope } from '../../core/clients/scope.js'
import { fault } from '../../core/fault.js'
import type { Collecting } from '../../core/grants/grant.js'
import type { App } from '../app.js'
import { answerOnce, isRoutine, pollGrant } from '../grants.js'
import { renderPoll, renderTokens } from './token-answers.js'

/** What most polls ask for, which is nothing in particular. */
const AS_APPROVED: Omit<Collecting, 'whence'> = { resources: [], takesRefreshToken: true }

const PENDING = answerOnce<TokenError>({ error: 'authorization_pending' })

type TokenRoute = FastifyRequest<{ Body: TokenRequest }>

/** POST /oauth/token (RFC 6749 §3.2): tokens for a code (§4.1.3), a device code (RFC 8628 §3.4) or a refresh token (§6). */
export function requestToken(app: App): void {
  /** Codes are counted with refresh tokens: either costs as much. */
  const limitRefreshes = app.limits.perAddress('refresh')

  app.route({
    ...oauthOperations.requestToken,
    config: { waitsForOthers: true, isPolled: true },
    // Not async, and its parts answer with plain values: that saves a promise for every poll.
    handler: (request, reply) => {
      const client = app.authenticateClient(request)
      if (client instanceof Promise) return client.then((proved) => redeem(proved, request, reply))
      return redeem(client, request, reply)
    }
  })

  function redeem(client: Client, request: TokenRoute, reply: FastifyReply): Promise<TokenResponse | TokenError> {
    const { body } = request
    if (body.grant_type === DEVICE_CODE_GRANT) return redeemDeviceCode(client, body, request, reply)
    if (body.grant_type === 'refresh_token') {
      return app.withinTimeLimit(request, redeemRefreshToken(client, body, request, reply))
    }
    if (body.grant_type === CODE_GRANT) return app.withinTimeLimit(request, redeemCode(client, body, request, reply))
    throw fault('unsupported_grant_type')
  }

  function redeemDeviceCode(
    client: Client,
    { device_code: deviceCode, scope = '', resource, code_verifier: codeVerifier }: TokenRequest,
    request: FastifyRequest,
    reply: FastifyReply
  ): Promise<TokenResponse | TokenError> {
    requireGrantType(client, DEVICE_CODE_GRANT)
    // The token has what was approved, whatever is asked for here.
    if (scope.length > LONGEST_SCOPE) throw fault('invalid_scope')
    if (!deviceCode) throw fault('invalid_request', { hint: 'device_code is missing' })
    const asked =
      resource === undefined && codeVerifier === undefined
        ? AS_APPROVED
        : { ...AS_APPROVED, resources: readResources(client.resources, resource), codeVerifier }
    const collecting = isKnownByUrl(client.id) ? { ...asked, clientId: client.id } : asked
    return pollGrant(app, request, reply, deviceCode, client.tag, collecting).then((outcome) => {
      if (outcome.kind === 'approved') return renderTokens(outcome.tokens, app.clock(), reply)
      if (outcome.kind === 'invalid_target') throw fault('invalid_target')
      reply.isRoutine = isRoutine(outcome)
      reply.code(400)
      if (outcome.kind === 'pending') return PENDING(reply)
      if (outcome.kind === 'slow_down') reply.header('retry-after', outcome.intervalSeconds)
      return renderPoll(outcome)
    })
  }

  async function redeemCode(
    client: Client,
    { code, redirect_uri: redirectUri, code_verifier: codeVerifier, resource }: TokenRequest,
    request: FastifyRequest,
    reply: FastifyReply
  ): Promise<TokenResponse | TokenError> {
    requireGrantType(client, CODE_GRANT)
    if (!code) throw fault('invalid_request', { hint: 'code is missing' })
    const collecting = {
      ...{ ...AS_APPROVED, resources: readResources(client.resources, resource), codeVerifier },
      userAgent: request.headers['user-agent'],
      whence: () => app.whereabouts.whence(request)
    }
    await limitRefreshes(request)
    const outcome = await app.core.grants.redeemCode(code, client, redirectUri || undefined, collecting)
    if (outcome.kind === 'approved') return renderTokens(outcome.tokens, app.clock(), reply)
    if (outcome.kind === 'invalid_target') throw fault('invalid_target')
    throw fault('invalid_grant', { detail: outcome.kind, hint: 'The code is not valid' })
  }

  async function redeemRefreshToken(
    client: Client,
    { refresh_token: refreshToken, scope, resource }: TokenRequest,
    request: FastifyRequest,
    reply: FastifyReply
  ): Promise<TokenResponse | TokenError> {
    requireGrantType(client, 'refresh_token')
    if (!refreshToken) throw fault('invalid_request', { hint: 'refresh_token is missing' })
    const scopes = readScope(scope)
    if (!scopes) throw fault('invalid_scope')
    const resources = readResources(client.resources, resource)
    await limitRefreshes(request)
    const wished = scopes.length > 0 ? scopes : undefined
    const from = app.whereabouts.whence(request)
    const outcome = await app.core.tokens.refresh(client, refreshToken, wished, resources, from)
    if (outcome.kind === 'refreshed') return renderTokens(outcome.tokens, app.clock(), reply)
    const { kind } = outcome
    throw fault(kind === 'invalid_scope' || kind === 'invalid_target' ? kind : 'invalid_grant', { detail: kind })
  }
}
