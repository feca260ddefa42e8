/** app.tracing: traces by OpenTelemetry. It is undefined, and nothing of it is loaded, unless the configuration says so. */
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Tracing } from '../src/tracing/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    tracing: Tracing | undefined
  }
}

export const tracing = fp(
  async (app) => {
    const { config, log, whereabouts } = app
    if (config.tracing === undefined) {
      app.decorate('tracing', undefined)
      return
    }
    const { startTracing } = await import('../src/tracing/index.js')
    const started = await startTracing(config.tracing, log)
    app.decorate('tracing', started)
    // Anybody else could have every request of theirs recorded, or write into the traces of others.
    const believes = (request: FastifyRequest) =>
      whereabouts.isBehindProxy(request) || whereabouts.countedAs(whereabouts.ip(request)) === undefined
    await started.follow(app, believes)
    // Registered before everything that is traced, so this runs when the rest has closed.
    app.addHook('onClose', () => started.stop())
  },
  { name: 'tracing', dependencies: ['config', 'whereabouts'] }
)
