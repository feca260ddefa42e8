/** What operators and orchestrators ask: life, readiness, numbers, and the contract, to read and to try. */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import { opsOperations } from '../../../schemas/generated/ops.js'
import { fault, isFault } from '../../core/fault.js'
import { type App, surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'

/** The log is not told of a success, and overload refuses none of these. */
const PROBE = { routine: true, isVital: true }

/** Of these pages alone: scripts of this origin run here, and nowhere else does one. */
const DOCS_POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'form-action': "'none'",
  'base-uri': "'none'",
  'frame-ancestors': "'none'"
}

export const ops = surface('ops', ['config', 'metrics', 'readiness'], async (app) => {
  getHealth(app)
  getReadiness(app)
  getMetrics(app)
  refuseOtherMethods(app, Object.values(opsOperations))

  const document = documentOf(app.config.publicUrl)
  // The second name is the one that clients of the tokens API look for.
  for (const url of ['/openapi.json', '/open-api.json']) {
    app.get(url, { config: { routine: true } }, async () => document)
  }
  if (app.config.showsDocs) app.register((inner) => docs(inner, document))
})

/** GET /healthz: the process is alive. Looks at nothing else, so that an outage elsewhere restarts nobody. */
function getHealth(app: App): void {
  app.route({
    ...opsOperations.getHealth,
    config: PROBE,
    handler: async () => ({ status: 'ok' as const })
  })
}

/** GET /readyz: the instance can serve, which takes an answer from Redis. */
function getReadiness(app: App): void {
  app.route({
    ...opsOperations.getReadiness,
    config: PROBE,
    handler: async (_request, reply) => {
      try {
        await app.readiness.check()
        return { status: 'ready' as const }
      } catch (error) {
        if (!isFault(error)) throw error
        return reply.code(503).send({ status: 'not_ready', reason: error.detail ?? error.code })
      }
    }
  })
}

/** GET /metrics: the numbers of this instance, in the text format of Prometheus. */
function getMetrics(app: App): void {
  app.route({
    ...opsOperations.getMetrics,
    config: PROBE,
    handler: async (_request, reply) => reply.type(app.metrics.contentType).send(await app.metrics.text())
  })
}

const documentOf = (publicUrl: string) => ({ ...openapiDocument, servers: [{ url: publicUrl }] })

/** GET /docs and what is below. */
async function docs(app: FastifyInstance, document: ReturnType<typeof documentOf>): Promise<void> {
  const files = new Set(
    readdirSync(join(dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui')), 'static'))
  )
  // Only files that are there are looked for: a path that no file system takes would be an error of ours.
  app.addHook('onRequest', (request: FastifyRequest<{ Params: { '*'?: string } }>, _reply, done) => {
    const { '*': path } = request.params
    done(path === undefined || files.has(path.replace(/^\//, '')) ? undefined : fault('not_found'))
  })
  await app.register(swagger, { mode: 'static', specification: { document } })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    uiConfig: { tryItOutEnabled: true }
  })
}
