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

const REDIRECT_URI = 'http://127.0.0.1:43124/callback'

interface Program extends OAuthClientProvider {
  /** What it asked over HTTP, and how it was answered: "POST /mcp 401". */
  readonly requests: string[]
  /** Where it sent its user last. */
  asked: URL | undefined
  kept: OAuthTokens | undefined
  fetch: FetchLike
}

/** What the SDK leaves to whoever uses it: a place for tokens, and a way to send the user somewhere. */
function createProgram(known: { client_id: string } | { clientMetadataUrl: string }): Program {
  let [information, codeVerifier] = ['client_id' in known ? known : undefined, '']
  const program: Program = {
    requests: [],
    asked: undefined,
    kept: undefined,
    redirectUrl: REDIRECT_URI,
    ...('clientMetadataUrl' in known && known),
    clientMetadata: {
      client_name: 'Editor',
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none'
    },
    state: () => 'a state',
    clientInformation: () => information,
    saveClientInformation(given) {
      information = given
    },
    tokens: () => program.kept,
    saveTokens(tokens) {
      program.kept = tokens
    },
    redirectToAuthorization(url) {
      program.asked = url
    },
    saveCodeVerifier(given) {
      codeVerifier = given
    },
    codeVerifier: () => codeVerifier,
    invalidateCredentials(scope) {
      if (scope === 'tokens' || scope === 'all') program.kept = undefined
    },
    async fetch(url, init) {
      const answer = await fetch(url, init)
      const { pathname } = new URL(url)
      const body = await answer.clone().text()
      const [, error] = /"error":"(\w+)"/.exec(body) ?? []
      program.requests.push([init?.method ?? 'GET', pathname, answer.status, error].filter(Boolean).join(' '))
      return answer
    }
  }
  return program
}

const transportOf = (program: Program) =>
  new StreamableHTTPClientTransport(new URL(audience), { authProvider: program, fetch: program.fetch })

/** Goes where the program sent its user, and brings the answer back to it. */
async function finish(program: Program): Promise<URL> {
  const { asked } = program
  if (!asked) throw new Error('nobody was sent anywhere')
  const answered = await approve(asked)
  await transportOf(program).finishAuth(answered.searchParams.get('code') ?? '')
  return answered
}

for (const [name, known] of [
  ['the built-in client mcp', { client_id: 'mcp' }],
  ['a client known by a URL', { clientMetadataUrl: `${host.origin}/editor.json` }]
] as const) {
  t.test(`the client of the SDK as ${name}: 401, metadata, code, tool, refresh, revoked`, async (t) => {
    const program = createProgram(known)
    const connect = async () => {
      const client = new Client({ name: 'editor', version: '1.0.0' })
      await client.connect(transportOf(program))
      return client
    }
    await t.rejects(connect(), UnauthorizedError)
    t.strictSame(program.requests, [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-authorization-server 200'
    ])
    const sent = Object.fromEntries(program.asked?.searchParams ?? [])
    const client_id = 'client_id' in known ? known.client_id : known.clientMetadataUrl
    t.match(sent, { client_id, resource: audience, scope: 'notes.read offline_access', code_challenge_method: 'S256' })
    const answered = await finish(program)
    t.equal(answered.searchParams.get('iss'), issuer)
    t.match(program.kept, { token_type: /^bearer$/i, refresh_token: String, expires_in: 3600 })
    t.match(claimsOf(program.kept?.access_token ?? ''), { iss: issuer, aud: audience, client_id, sub: 'ann' })

    const client = await connect()
    t.strictSame(
      (await client.listTools()).tools.map((tool) => tool.name),
      ['list_notes', 'add_note']
    )
    t.match(textOf(await client.callTool({ name: 'list_notes' })), /^ann has \d notes/)

    const before = program.kept?.refresh_token
    program.kept = { ...program.kept, access_token: 'what is refused', token_type: 'Bearer' }
    program.requests.length = 0
    t.match(textOf(await client.callTool({ name: 'list_notes' })), /^ann has/)
    t.equal(program.requests[0], 'POST /mcp 401')
    t.match(program.requests, ['POST /oauth/token 200', 'POST /mcp 200'])
    t.not(program.kept?.refresh_token, before, 'the refresh token has changed')

    await revoke(program.kept?.access_token ?? '')
    program.requests.length = 0
    await t.rejects(client.callTool({ name: 'list_notes' }), UnauthorizedError)
    t.ok(program.requests.includes('POST /oauth/token 400 invalid_grant'), program.requests.join())
    t.equal(program.kept, undefined, 'what it had is of no use any more')
    await client.close()
  })
}

/** Runs a program of a package as its users do. Its folder of settings is one that goes with the test. */
