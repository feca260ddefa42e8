/**
 * The span of each request, by @fastify/otel: its name is the method and the route pattern, and it has no span for each hook, which
 * would be dozens. Everything else here is about whose child it is, and that the work of a request knows its span.
 */
import { FastifyOtelInstrumentation } from '@fastify/otel'
import { context, defaultTextMapGetter, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { FastifyInstance, FastifyRequest } from 'fastify'

export interface RequestTracing {
  provider: NodeTracerProvider
  /** Whether the `traceparent` of a request is that of a caller who may say what is traced. */
  believes(request: FastifyRequest): boolean
}

/** Traces the requests of routes that are added from here on, but those of probes and of the metrics. */
export async function traceRequests(app: FastifyInstance, { provider, believes }: RequestTracing): Promise<void> {
  const requests = new FastifyOtelInstrumentation({
    instrumentHooks: false,
    instrumentHandler: false,
    requestHook(span, { method, routeOptions: { url } }) {
      span.updateName(url === undefined ? method : `${method} ${url}`)
    }
  })
  requests.setTracerProvider(provider)
  const propagator = new W3CTraceContextPropagator()

  app.addHook('onRoute', (route) => {
    if (route.config?.isVital) route.config = { ...route.config, otel: false }
  })
  // No propagator is registered, so that nothing is ever added to what is sent. The one parent that counts is put here.
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.traceparent === undefined || !believes(request)) return done()
    context.with(propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter), done)
  })
  await app.register(requests.plugin())
  // A body that came later was read in the context of its connection, which knows no request.
  app.addHook('preValidation', (request, _reply, done) => {
    if (trace.getSpan(context.active())) return done()
    const { context: own } = request.opentelemetry()
    if (own) context.with(own, done)
    else done()
  })
}
