/** What operators and orchestrators ask: life, readiness, numbers, and the contract, to read and to try. */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import { opsOperations } from '../../../schemas/generated/ops.js'
import { fault } from '../../core/fault.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { getHealth, getMetrics, getReadiness } from './probes.js'

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
