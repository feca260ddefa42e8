/**
 * An MCP server over Streamable HTTP that takes tokens: who comes without one is told where to get it (RFC 9728), who comes with too few
 * scopes is told which. It keeps no sessions: each request says by its token whose it is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createVerifier, isVerifyError, type Verifier, type VerifierOptions } from '@grantd/verify'
import { sendError, serveMetadata } from '@grantd/verify/middleware'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createTools, type Message, READ, scopesOf } from './tools.js'

export type Settings = Pick<VerifierOptions, 'issuer' | 'credentials' | 'onFeed'> & {
  /** The URL of this server as clients know it, which is what their tokens are for. */
  audience: string
}

const LONGEST_MESSAGE = 65_536

/**
 * For clients that are pages, such as the MCP Inspector: they bring no cookies, and may read why they were refused. So any origin may ask:
 * without a token of its own for this server, which no browser adds by itself, a page gets what is public, under whatever name it reaches it.
 */
const FOR_PAGES = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, DELETE',
  'access-control-allow-headers': 'authorization, content-type, accept, mcp-protocol-version, mcp-session-id',
  'access-control-expose-headers': 'www-authenticate, retry-after'
}

/** A server that listens to nothing yet, and its verifier, which is to be closed with it. */
export function createMcpServer({ audience, ...settings }: Settings): { server: Server; verifier: Verifier } {
  const verifier = createVerifier({
    ...{ ...settings, audience, revocations: 'feed' },
    // What clients ask for at first. For more they are sent back to their user when they need it.
    metadata: { resource: audience, resource_name: 'Notes', scopes_supported: [READ] }
  })
  const metadata = serveMetadata(verifier)
  const { pathname } = new URL(audience)
  /** By user, for as long as the process lives. */
  const notes = new Map<string, string[]>()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    for (const [name, value] of Object.entries(FOR_PAGES)) response.setHeader(name, value)
    if (request.url?.split('?')[0] !== pathname) return response.writeHead(404).end()
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    const { authorization } = request.headers
    const { sub } = await verifier.authenticate(authorization, { scope: READ })
    // There is nothing to stream, and no session to end.
    if (request.method !== 'POST') return response.writeHead(405, { allow: 'POST' }).end()
    const message = await readMessage(request)
    if (!message) return response.writeHead(400, { connection: 'close' }).end()
    await verifier.authenticate(authorization, { scope: scopesOf(message) })

    const mine = notes.get(sub) ?? []
    notes.set(sub, mine)
    const tools = createTools(sub, mine)
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on('close', () => tools.close())
    await tools.connect(transport)
    return transport.handleRequest(request, response, message)
  }

  const server = createServer((request, response) =>
    metadata(request, response, () =>
      answer(request, response).catch((error) => {
        if (isVerifyError(error)) return sendError(response, error)
        console.error(error)
        if (!response.headersSent) response.writeHead(500)
        response.end()
      })
    )
  )
  return { server, verifier }
}

/** The message that a request brings; undefined if it is too long, or not one message: tools are told apart by it, so there are no lists. */
async function readMessage(request: IncomingMessage): Promise<Message | undefined> {
  let text = ''
  // Not destroyed, so that whoever sends too much is told so.
  for await (const chunk of request.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk
    if (text.length > LONGEST_MESSAGE) return undefined
  }
  try {
    const message: unknown = JSON.parse(text)
    return typeof message === 'object' && message !== null && !Array.isArray(message) ? message : undefined
  } catch {
    return undefined
  }
}
