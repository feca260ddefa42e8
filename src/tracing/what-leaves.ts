/**
 * What a span may take out of this process. Spans are made by libraries as well, which write paths of requests and messages of errors
 * into them, where codes, tokens and names may be. So each span is made anew of what is allowed here, and the rest stays.
 */
import { type Attributes, SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'

/** All of them have values that are few and known: methods, route patterns, statuses, hosts, commands, codes of errors. */
const ATTRIBUTES = new Set([
  'http.request.method',
  'http.route',
  'http.response.status_code',
  'error.type',
  'db.system.name',
  'db.operation.name',
  'server.address',
  'server.port',
  'url.scheme'
])
/** Of an exception its type alone, which is the code of a fault. Messages and stack traces are for the log. */
const OF_EVENTS = new Set(['exception.type'])

/** The part of a span that is exported. */
export function leaving(span: ReadableSpan): ReadableSpan {
  const { name, kind, parentSpanContext, startTime, endTime, duration, ended, resource, instrumentationScope } = span
  const attributes = only(ATTRIBUTES, span.attributes)
  return {
    ...{ name, kind, startTime, endTime, duration, ended, resource, instrumentationScope },
    ...(parentSpanContext && { parentSpanContext }),
    spanContext: () => span.spanContext(),
    attributes,
    status: statusOf(span, attributes),
    links: [],
    events: span.events.map((event) => ({
      name: event.name,
      time: event.time,
      attributes: only(OF_EVENTS, event.attributes ?? {}),
      droppedAttributesCount: 0
    })),
    droppedAttributesCount: 0,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: 0
  }
}

const only = (names: ReadonlySet<string>, attributes: Attributes): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => names.has(name)))

/** A request that was refused is no error of this service, as the semantic conventions for HTTP say. */
function statusOf({ kind, status }: ReadableSpan, attributes: Attributes): SpanStatus {
  if (kind !== SpanKind.SERVER) return { code: status.code }
  const answered = Number(attributes['http.response.status_code'] ?? 0)
  return { code: answered >= 500 ? SpanStatusCode.ERROR : SpanStatusCode.UNSET }
}
