/**
 * MCP: the server of examples/mcp-server, and clients that others wrote, as they are in the registry: the client of
 * @modelcontextprotocol/sdk, mcp-remote, and the scenarios of @modelcontextprotocol/conformance for authorization servers.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import t, { type Test } from 'tap'
import { createMcpServer } from '../../examples/mcp-server/server.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { startApp } from '../support/app.js'
import { claimsOf } from '../support/client.js'
import { answer } from '../support/code-flow.js'
import { clientsFile } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { root } from '../support/root.js'
import { answerWith, authorityFile, listen } from '../support/trusted-issuer.js'
import { until } from '../support/until.js'
import { signedIn } from '../support/visitor.js'

const [port, mcpPort] = [await freePort(), await freePort()]
const issuer = `http://127.0.0.1:${port}`
const audience = `http://127.0.0.1:${mcpPort}/mcp`
const SECRET = 'the secret of the notes'

/** The document of a client that is known by a URL, at every path. */
const host = await listen(t, (request, response) =>
  answerWith(
    JSON.stringify({
      client_id: host.origin + request.url,
      client_name: 'Editor',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none'
    })
  )(request, response)
)

const service = await startApp(
  t,
  {
    ...{ PUBLIC_URL: issuer, LIMITS: 'off', SIGNING_ALG: 'EdDSA', POLL_INTERVAL_SECONDS: '1' },
    ...{
      CLIENT_ID_METADATA: 'on',
      FOREIGN_ISSUERS_ON_LOOPBACK: 'on',
      FOREIGN_ISSUER_CA_FILE: authorityFile(t)
    },
    OAUTH_CLIENTS_FILE: clientsFile(
      t,
      [{ client_id: 'notes-server', client_secret_digests: [digestOf(SECRET)], grant_types: [] }],
      [{ identifier: audience, name: 'Notes', scope: 'notes.read notes.write', built_in_clients: true }]
    )
  },
  // The clients are programs with a clock of their own.
  { testClock: Date.now, awaitsCollection: false }
)
await service.app.listen({ host: '127.0.0.1', port })
const ann = await signedIn(service)

const { server, verifier } = createMcpServer({
  issuer,
  audience,
  credentials: { clientId: 'notes-server', clientSecret: SECRET }
})
server.listen(mcpPort, '127.0.0.1')
await once(server, 'listening')
t.teardown(async () => {
  server.close()
  server.closeAllConnections()
  await verifier.close()
})
await verifier.ready()

/** Opens an address as a browser does, and approves what is asked there. Returns where the browser goes on to. */
async function approve({ pathname, search }: URL): Promise<URL> {
  await ann.follow(ann.get(pathname + search))
  return answer(ann)
}

/** Has ann revoke the authorization of a token in her list, and waits until the MCP server has heard of it. */
async function revoke(token: string): Promise<void> {
  await ann.get('/account/clients')
  const { status } = await ann.post(`/account/clients/${claimsOf(token).cid}/revoke`)
  if (status !== 303) throw new Error(`not revoked: ${status}`)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  await until(async () => (await fetch(audience, { method: 'POST', headers, body: '{}' })).status === 401)
}

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text
