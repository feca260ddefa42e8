/**
 * Where spans go: to a receiver of OTLP over HTTP, or into the log. A receiver that is away or slow costs requests nothing: the queue
 * before it is bounded, what does not fit is dropped, and the log is told when that begins and ends.
 */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, hrTimeToMilliseconds } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node'
import type { TracingConfig } from '../config/tracing.js'
import { leaving } from './what-leaves.js'

export interface TracingLog {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

/** A receiver that stays away is told of again after so long. */
const SILENT_FOR_MS = 15 * 60_000

/** The exporter of the configuration. Its packages are loaded here, the one that is used alone. */
export async function createExporter(config: TracingConfig, log: TracingLog): Promise<SpanExporter> {
  return guarded(config.exporter === 'console' ? intoLog(log) : await overHttp(config), log)
}

async function overHttp({ protocol, url }: TracingConfig): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto')
  return new OTLPTraceExporter(url === undefined ? {} : { url })
}

/** One line for each span. The SDK's own exporter would write what is no JSON line. */
function intoLog(log: TracingLog): SpanExporter {
  return {
    export(spans, done) {
      for (const span of spans) {
        const { traceId, spanId } = span.spanContext()
        const facts = {
          trace_id: traceId,
          span_id: spanId,
          parent_span_id: span.parentSpanContext?.spanId,
          kind: SpanKind[span.kind].toLowerCase(),
          ms: hrTimeToMilliseconds(span.duration),
          failed: span.status.code === SpanStatusCode.ERROR,
          ...span.attributes
        }
        log.info(facts, `span ${span.name}`)
      }
      done({ code: ExportResultCode.SUCCESS })
    },
    shutdown: async () => {}
  }
}

/** Lets nothing out but what may leave, and tells the log of a receiver that is away, once. */
export function guarded(inner: SpanExporter, log: TracingLog, nowMs = () => performance.now()): SpanExporter {
  let lost = 0
  let toldAtMs = Number.NEGATIVE_INFINITY

  function judge(spans: readonly ReadableSpan[], { code, error }: ExportResult): void {
    if (code !== ExportResultCode.SUCCESS) {
      lost += spans.length
      if (nowMs() - toldAtMs < SILENT_FOR_MS) return
      toldAtMs = nowMs()
      log.warn({ lost, reason: error?.message }, 'traces are not taken where they are sent to, and are dropped')
    } else if (lost > 0) {
      log.info({ lost }, 'traces are taken again')
      lost = 0
      toldAtMs = Number.NEGATIVE_INFINITY
    }
  }

  return {
    export(spans, done) {
      inner.export(spans.map(leaving), (result) => {
        judge(spans, result)
        done(result)
      })
    },
    shutdown: () => inner.shutdown(),
    forceFlush: async () => inner.forceFlush?.()
  }
}
