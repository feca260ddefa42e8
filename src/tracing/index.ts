/**
 * Traces by OpenTelemetry. This folder is loaded by plugins/tracing.ts, and only where the configuration says so: it is the one place
 * that knows the SDK. No loader hook is needed, because nothing is replaced: each thing that is traced is asked where it tells.
 */
import { createRequire } from 'node:module'
import { context, isSpanContextValid, TraceFlags, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector
} from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TracingConfig } from '../config/tracing.js'
import type { TraceCall } from '../core/storage.js'
import { createTraceCall, traceOutgoing } from './calls.js'
import { createExporter, type TracingLog } from './exporter.js'
import { type RequestTracing, traceRequests } from './requests.js'

/** A stop waits so long for the last spans. They are worth less than the end of requests, which the rest of its time is for. */
const FLUSH_WITHIN_MS = 2_000

export interface Tracing {
  traceCall: TraceCall
  /** What the log line of a request says of its trace; undefined if that is not recorded. */
  idsOf(request: FastifyRequest): { trace_id: string; span_id: string } | undefined
  /** Traces the requests of the routes that are added after this. */
  follow(app: FastifyInstance, believes: RequestTracing['believes']): Promise<void>
  /** Sends what was not sent yet, within its time. */
  stop(): Promise<void>
}

export async function startTracing(config: TracingConfig, log: TracingLog): Promise<Tracing> {
  const { version } = createRequire(import.meta.url)('grantd/package.json') as { version: string }
  const own = resourceFromAttributes({ 'service.name': 'grantd', 'service.version': version })
  const instance = detectResources({ detectors: [serviceInstanceIdDetector] })
  const named = detectResources({ detectors: [envDetector] })
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(own).merge(instance).merge(named),
    spanProcessors: [new BatchSpanProcessor(await createExporter(config, log))]
  })
  const contexts = new AsyncLocalStorageContextManager().enable()
  const isFirst = context.setGlobalContextManager(contexts)
  const tracer = provider.getTracer('grantd', version)
  const stopOutgoing = traceOutgoing(tracer)

  return {
    traceCall: createTraceCall(tracer),

    idsOf(request) {
      const { context: of } = request.opentelemetry()
      const ids = of && trace.getSpanContext(of)
      if (!ids || !isSpanContextValid(ids) || (ids.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
      return { trace_id: ids.traceId, span_id: ids.spanId }
    },

    follow: (app, believes) => traceRequests(app, { provider, believes }),

    async stop() {
      stopOutgoing()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<'late'>((resolve) => {
        timer = setTimeout(resolve, FLUSH_WITHIN_MS, 'late')
      })
      const flushed = provider.shutdown().catch((error: unknown) => error)
      const outcome = await Promise.race([flushed, late])
      clearTimeout(timer)
      // Several applications may live in one process, and share what the first of them registered.
      if (isFirst) context.disable()
      if (outcome !== undefined) log.warn({}, 'the last traces were not taken before the stop')
    }
  }
}
