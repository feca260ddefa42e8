import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type OAuthError, oauthOperations, type RevocationList } from '../../../schemas/generated/oauth.js'
import type { FeedPage } from '../../core/authorizations/revocation-store.js'
import type { App } from '../app.js'
import { readWaitSeconds, sayWaited, waitOf } from '../grants.js'
import { identifyIntrospector } from './introspect-token.js'

const compress = promisify(gzip)
/** A smaller answer fits into the first packets as it is. */
const LEAST_COMPRESSED = 1_024

const GONE: OAuthError = {
  error: 'invalid_request',
  error_description: 'The cursor is not remembered: start over without one.'
}

/** GET /oauth/revocations: what to refuse, told to resource servers that verify tokens by themselves. */
export function listRevocations(app: App): void {
  const { revocationFeed } = app.core
  const limit = app.limits.perCaller('introspect')

  app.route({
    ...oauthOperations.listRevocations,
    config: { takesClientOrKey: true, waitsForOthers: true },
    handler: async (request, reply) => {
      await app.withinTimeLimit(request, admit(request))
      // A parameter without a value counts as left out (RFC 6749 §3.1).
      const after = request.query.after || undefined
      const { prefer } = request.headers
      const seconds = typeof prefer === 'string' ? readWaitSeconds(prefer) : undefined
      // Whoever begins wants to know what there is, though it be nothing.
      const isHeld = seconds !== undefined && seconds > 0 && after !== undefined
      const { reading, waitSeconds } = isHeld
        ? await revocationFeed.readAndWait(after, waitOf(app, request, reply, seconds))
        : { reading: await app.withinTimeLimit(request, revocationFeed.read(after)) }
      sayWaited(app, reply, waitSeconds)
      if (reading === 'gone') return reply.code(410).send(GONE)
      reply.isRoutine = reading.revocations.length === 0
      return send(request, reply, render(reading))
    }
  })

  async function admit(request: FastifyRequest): Promise<void> {
    const { name } = await identifyIntrospector(app, request)
    await limit(request, name)
  }
}

function render({ revocations, next, isMore }: FeedPage): RevocationList {
  return {
    revocations: revocations.map(({ authorizationId, revokedAtMs, untilMs }) => ({
      cid: authorizationId,
      revoked_at: Math.floor(revokedAtMs / 1000),
      until: Math.ceil(untilMs / 1000)
    })),
    cursor: next,
    more: isMore
  }
}

async function send(request: FastifyRequest, reply: FastifyReply, list: RevocationList): Promise<FastifyReply> {
  const bytes = Buffer.from(reply.serializeInput(list, '200') as string)
  reply.type('application/json').header('vary', 'accept-encoding')
  if (bytes.length < LEAST_COMPRESSED || request.accepts().encoding(['gzip', 'identity']) !== 'gzip') {
    return reply.send(bytes)
  }
  return reply.header('content-encoding', 'gzip').send(await compress(bytes))
}
