/** A receiver of traces by OTLP over HTTP, on the loopback. It keeps what was sent, and may be slow or away. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { freePort } from './ports.js'

export interface ReceivedSpan {
  name: string
  /** 1 is internal, 2 is a request to the service, 3 one that it sends. */
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  /** Error is 2. */
  status: { code: number; message?: string }
  attributes: Record<string, unknown>
  events: { name: string; attributes: Record<string, unknown> }[]
  resource: Record<string, unknown>
}

export interface Receiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string
  readonly requests: { path: string; headers: IncomingHttpHeaders; body: Buffer }[]
  /** What was sent as JSON, read. */
  spans(): ReceivedSpan[]
  /** Whether requests are answered. Those that came before stay without an answer. */
  answers: boolean
  down(): Promise<void>
  up(): Promise<void>
}

interface Pair {
  key: string
  value: Record<string, unknown>
}

/** Starts a receiver on a free port. The test stops it. */
export async function startReceiver(t: { teardown(handler: () => unknown): void }): Promise<Receiver> {
  const port = await freePort()
  const waiting: ServerResponse[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    receiver.requests.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) })
    if (receiver.answers) response.writeHead(200, { 'content-type': request.headers['content-type'] }).end()
    else waiting.push(response)
  })
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}`,
    requests: [],
    answers: true,
    spans: () => receiver.requests.flatMap(({ body }) => spansIn(JSON.parse(body.toString()))),
    async down() {
      server.closeAllConnections()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
    async up() {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    }
  }
  await receiver.up()
  t.teardown(receiver.down)
  return receiver
}

// biome-ignore lint/suspicious/noExplicitAny: the JSON of OTLP, of which the tests read a part
function spansIn({ resourceSpans }: any): ReceivedSpan[] {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    scopeSpans.flatMap(({ spans }: any) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above
      spans.map((span: any) => ({
        ...span,
        attributes: read(span.attributes),
        // biome-ignore lint/suspicious/noExplicitAny: as above
        events: span.events.map((event: any) => ({ name: event.name, attributes: read(event.attributes) })),
        resource: read(resource.attributes)
      }))
    )
  )
}

const read = (pairs: Pair[]) => Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
