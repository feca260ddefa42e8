/**
 * A gate through which every request to an upstream of the tests goes. It records the requests, and a test decides what
 * happens to each: it is passed on, answered otherwise or held, its answer is lost, or changed on its way back.
 */
import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  request as sendRequest
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { freePort } from './ports.js'
import './abort-timeouts.js'

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer | string
}

export interface Exchange {
  method: string
  path: string
  headers: IncomingHttpHeaders
  /** The body as a form; empty if it is none. */
  form: URLSearchParams
  /** Passes the request on to the upstream and resolves to its answer. */
  ask(): Promise<Reply>
}

/** Decides what happens to a request. 'hang up' ends the connection without an answer. */
export type Passage = (exchange: Exchange) => Promise<Reply | 'hang up'>

export interface Gate {
  origin: string
  /** Puts the upstream behind the gate. */
  serve(provider: RequestListener): void
  /** Sends requests to a path through this passage from now on; without a passage they are passed on. */
  at(path: string, passage?: Passage): void
  /** The requests so far, such as `POST /token refresh_token`. */
  readonly requests: string[]
  /** The number of requests that contain this text. */
  count(text: string): number
  /** Stops listening and destroys all connections. */
  down(): Promise<void>
  /** Listens again at the same address. */
  up(): Promise<void>
}

/** Opens a gate on a free port of the loopback. The test closes it. */
export async function openGate(t: { teardown(handler: () => unknown): void }): Promise<Gate> {
  const requests: string[] = []
  const passages = new Map<string, Passage>()
  const inner = createServer()
  inner.listen(await freePort(), '127.0.0.1')
  await once(inner, 'listening')
  const { port: innerPort } = inner.address() as AddressInfo

  const outer = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const body = await bodyOf(request)
    const path = url.split('?', 1)[0] ?? ''
    const form = new URLSearchParams(headers['content-type']?.includes('form') ? body.toString() : '')
    requests.push(`${method} ${path} ${form.get('grant_type') ?? ''}`.trim())
    const ask = () => passOn(innerPort, { method, url, headers }, body)
    const passage = passages.get(path) ?? ask
    const reply = await passage({ method, path, headers, form, ask })
    if (reply === 'hang up') {
      response.destroy()
      return
    }
    response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body) })
    response.end(reply.body)
  }

  async function down(): Promise<void> {
    if (!outer.listening) return
    outer.close()
    outer.closeAllConnections()
    await once(outer, 'close')
  }
  async function listen(port: number): Promise<number> {
    outer.listen(port, '127.0.0.1')
    await once(outer, 'listening')
    return (outer.address() as AddressInfo).port
  }
  const port = await listen(await freePort())
  t.teardown(async () => {
    await down()
    inner.close()
    inner.closeAllConnections()
  })

  return {
    origin: `http://127.0.0.1:${port}`,
    serve: (provider) => {
      inner.on('request', provider)
    },
    at(path, passage) {
      if (passage) passages.set(path, passage)
      else passages.delete(path)
    },
    requests,
    count: (text) => requests.filter((request) => request.includes(text)).length,
    down,
    async up() {
      await listen(port)
    }
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Headers that belong to a single connection (hop by hop) are not passed on. */
const OF_A_CONNECTION = ['connection', 'keep-alive', 'transfer-encoding']

async function passOn(
  port: number,
  { method, url, headers }: { method: string; url: string; headers: IncomingHttpHeaders },
  body: Buffer
): Promise<Reply> {
  const passed = sendRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false })
  passed.end(body)
  const [answer] = (await once(passed, 'response')) as [IncomingMessage]
  const kept = Object.entries(answer.headers).filter(([name]) => !OF_A_CONNECTION.includes(name))
  return { status: answer.statusCode ?? 0, headers: Object.fromEntries(kept), body: await bodyOf(answer) }
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** Answers with this JSON in place of the upstream. */
export const json =
  (body: unknown, status = 200, headers: IncomingHttpHeaders = {}): Passage =>
  async () => ({ status, headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) })

export const text =
  (body: string, status = 200, headers: IncomingHttpHeaders = {}): Passage =>
  async () => ({ status, headers: { 'content-type': 'text/html', ...headers }, body })

/** Answers with the upstream's own answer, with some members changed. */
export const changed =
  (changes: object): Passage =>
  async ({ ask }) => {
    const reply = await ask()
    return { ...reply, body: JSON.stringify({ ...JSON.parse(reply.body.toString()), ...changes }) }
  }
