/** What operators and orchestrators ask: life, readiness, numbers, and the contract, to read and to try. */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type LightMyRequestResponse } from 'fastify'
import { openapiDocument } from '../../../schemas/generated/openapi.js'
import { opsOperations } from '../../../schemas/generated/ops.js'
import { fault, isFault } from '../../core/fault.js'
import { type App, surface } from '../app.js'
import { isHeldBy } from '../if-none-match.js'
import { refuseOtherMethods } from '../method-not-allowed.js'

/** The log is not told of a success, and overload refuses none of these. */
const PROBE = { routine: true, isVital: true }

const JSON_TYPE = 'application/json; charset=utf-8'

/** What a page of the documentation keeps of the headers that it is made with; the rest are those of every answer. */
const KEPT_HEADERS = ['content-type', 'content-security-policy', 'cache-control', 'etag', 'location'] as const

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

  const document = { ...openapiDocument, servers: [{ url: app.config.publicUrl }] }
  // The same bytes for everybody, however many answers wait to be taken.
  const json = Buffer.from(JSON.stringify(document))
  // The second name is the one that clients of the tokens API look for.
  for (const url of ['/openapi.json', '/open-api.json']) {
    app.get(url, { config: { routine: true } }, (_request, reply) => reply.type(JSON_TYPE).send(json))
  }
  if (app.config.showsDocs) await getDocs(app, document)
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

/**
 * GET /docs and what is below, from memory: a file that is sent while it is read stays open as long as nobody takes it. Each page
 * is made when it is first asked for, by an application that does nothing else.
 */
async function getDocs(app: App, document: typeof openapiDocument): Promise<void> {
  const maker = Fastify({ pluginTimeout: 0 })
  app.addHook('onClose', () => maker.close())
  await maker.register(swagger, { mode: 'static', specification: { document } })
  await maker.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    uiConfig: { tryItOutEnabled: true }
  })
  async function make(url: string): Promise<LightMyRequestResponse> {
    const page = await maker.inject(url)
    // What went wrong is for the log alone, and the next one who asks has it tried again.
    if (page.statusCode >= 400) throw new Error(`${url} could not be made: ${page.statusCode} ${page.payload}`)
    return page
  }

  // A program asks for what a page needs, so that a file that is not there is told as to a program.
  app.get('/docs/static/*', async () => {
    throw fault('not_found')
  })
  const folder = join(dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui')), 'static')
  const files = new Set([...readdirSync(folder), 'swagger-initializer.js'])
  const paths = ['', '/', '/json', '/yaml', ...[...files].map((file) => `/static/${file}`)]
  for (const url of paths.map((path) => `/docs${path}`)) {
    let page: LightMyRequestResponse | undefined
    app.get(url, async (request, reply) => {
      page ??= await make(url)
      const { statusCode, headers, rawPayload } = page
      for (const name of KEPT_HEADERS) if (headers[name] !== undefined) reply.header(name, headers[name])
      if (headers.etag !== undefined && isHeldBy(request, headers.etag)) return reply.code(304).send()
      return reply.code(statusCode).send(rawPayload.length > 0 ? rawPayload : undefined)
    })
  }
}
