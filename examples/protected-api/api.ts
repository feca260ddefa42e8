/** The routes of the example: one for everybody, one for each kind of scope. */
import type { VerifierOptions } from '@grantd/verify'
import { verifyTokens } from '@grantd/verify/fastify'
import Fastify, { type FastifyInstance } from 'fastify'

type Settings = Pick<VerifierOptions, 'issuer' | 'audience' | 'credentials'>

export async function buildApi(settings: Settings): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'warn' } })
  /** By user, for as long as the process lives. */
  const reports = new Map<string, string[]>()

  await app.register(verifyTokens, {
    ...settings,
    revocations: 'feed',
    onFeed: ({ state, error }) => app.log.warn({ err: error, state }, 'revocation feed'),
    metadata: { resource_name: 'Reports API', scopes_supported: ['reports.read', 'reports.write'] }
  })

  app.get('/health', async () => ({ feed: app.verifier.feed()?.state }))

  app.get('/reports', { onRequest: app.requireToken({ scope: 'reports.read' }) }, async ({ token }) => ({
    reports: reports.get(token?.sub ?? '') ?? []
  }))

  const schema = {
    body: { type: 'object', required: ['title'], properties: { title: { type: 'string', maxLength: 200 } } }
  }
  const onRequest = app.requireToken({ scope: 'reports.write' })
  app.post<{ Body: { title: string } }>('/reports', { onRequest, schema }, async ({ token, body }, reply) => {
    const sub = token?.sub ?? ''
    reports.set(sub, [...(reports.get(sub) ?? []), body.title].slice(-100))
    return reply.code(201).send({ title: body.title })
  })

  return app
}
