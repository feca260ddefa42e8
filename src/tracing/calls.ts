/** Spans for what a request waits for: calls of Redis, and requests to servers of others. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { isTracingSuppressed } from '@opentelemetry/core'
import { isFault } from '../core/fault.js'
import type { TraceCall } from '../core/storage.js'

/** Whether the work under way belongs to a request that is traced. What nobody asked for, such as a sweep, is not. */
const isTraced = () => trace.getSpan(context.active())?.isRecording() === true && !isTracingSuppressed(context.active())

/** Makes a span of each call of Redis: the name of its command or script, and neither a key nor an argument. */
export function createTraceCall(tracer: Tracer): TraceCall {
  return (name, answer) => {
    if (!isTraced()) return answer
    const attributes = { 'db.system.name': 'redis', 'db.operation.name': name }
    const span = tracer.startSpan(`redis ${name}`, { kind: SpanKind.CLIENT, attributes })
    answer.then(
      () => span.end(),
      (error: unknown) => fail(span, isFault(error) ? error.code : error instanceof Error ? error.name : 'unknown')
    )
    return answer
  }
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR }).end()
}

/** What Node.js's fetch tells of a request, on the channels of undici. */
interface Fetched {
  request: { method: string; origin: string | URL }
  response?: { statusCode: number }
  error?: Error & { code?: string }
}

/**
 * Makes a span of each request that this process sends while it answers one that is traced. It listens where fetch and node:http
 * publish what they do, so nothing is replaced, and nothing is added to what is sent: no server of others learns of a trace.
 * Returns the function that ends it.
 */
export function traceOutgoing(tracer: Tracer): () => void {
  const spans = new WeakMap<object, Span>()
  const answeredOnes = new WeakSet<object>()

  function begin(request: object, method: string, origin: string): void {
    // What a listener throws would end the process.
    if (!URL.canParse(origin)) return
    const to = new URL(origin)
    const attributes = {
      'http.request.method': method,
      'server.address': to.hostname.replace(/^\[|\]$/g, ''),
      'server.port': Number(to.port) || (to.protocol === 'https:' ? 443 : 80),
      'url.scheme': to.protocol.slice(0, -1)
    }
    spans.set(request, tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes }))
  }
  function answered(request: object, status: number): void {
    answeredOnes.add(request)
    const span = spans.get(request)?.setAttribute('http.response.status_code', status)
    if (status >= 400) span?.setAttribute('error.type', `${status}`).setStatus({ code: SpanStatusCode.ERROR })
  }
  function end(request: object): void {
    spans.get(request)?.end()
    spans.delete(request)
  }
  function failed(request: object, error: (Error & { code?: string }) | undefined): void {
    const span = spans.get(request)
    if (span) fail(span, error?.code ?? error?.name ?? 'unknown')
    spans.delete(request)
  }

  const listeners: Record<string, (message: never) => void> = {
    'undici:request:create': ({ request }: Fetched) => {
      if (isTraced()) begin(request, request.method, String(request.origin))
    },
    'undici:request:headers': ({ request, response }: Fetched) => answered(request, response?.statusCode ?? 0),
    'undici:request:trailers': ({ request }: Fetched) => end(request),
    'undici:request:error': ({ request, error }: Fetched) => failed(request, error),
    'http.client.request.start': ({ request }: { request: ClientRequest }) => {
      if (!isTraced()) return
      begin(request, request.method, `${request.protocol}//${request.getHeader('host')}`)
      request.once('close', () =>
        answeredOnes.has(request) ? end(request) : failed(request, request.errored ?? undefined)
      )
    },
    'http.client.response.finish': ({ request, response }: { request: ClientRequest; response: IncomingMessage }) =>
      answered(request, response.statusCode ?? 0)
  }
  const all = Object.entries(listeners) as [string, (message: unknown) => void][]
  for (const [channel, listener] of all) subscribe(channel, listener)
  return () => {
    for (const [channel, listener] of all) unsubscribe(channel, listener)
  }
}
