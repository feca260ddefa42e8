/**
 * MCP: the server of examples/mcp-server, and clients that others wrote, as they are in the registry: the client of
 * @modelcontextprotocol/sdk, mcp-remote, and the scenarios of @modelcontextprotocol/conformance for authorization servers.
 */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import * as fs from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
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
import { signedIn, type Visitor } from '../support/visitor.js'

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
async function approve({ pathname, search }: URL, person: Visitor = ann): Promise<URL> {
  await person.follow(person.get(pathname + search))
  return answer(person)
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

/** What the SDK throws when its user has to be asked. */
const UNAUTHORIZED = { message: 'Unauthorized' }
const REDIRECT_URI = 'http://127.0.0.1:43124/callback'

interface Program extends OAuthClientProvider {
  /** What it asked over HTTP, and how it was answered: "POST /mcp 401". */
  readonly requests: string[]
  /** Where it sent its user last. */
  asked: URL | undefined
  kept: OAuthTokens | undefined
  fetch: FetchLike
}

/** What the SDK leaves to whoever uses it: a place for tokens, and a way to send the user somewhere, with scopes added if need be. */
function createProgram(known: { client_id: string } | { clientMetadataUrl: string }, moreScopes = ''): Program {
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
      url.searchParams.set('scope', `${url.searchParams.get('scope')}${moreScopes}`)
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
      const [, error] = /"error":"(\w+)"/.exec(await answer.clone().text()) ?? []
      // The SDK asks for a stream besides, at a time of its own, and there is none.
      if (answer.status === 405) return answer
      program.requests.push([init?.method ?? 'GET', pathname, answer.status, error].filter(Boolean).join(' '))
      return answer
    }
  }
  return program
}

const transportOf = (program: Program) =>
  new StreamableHTTPClientTransport(new URL(audience), { authProvider: program, fetch: program.fetch })

async function connect(t: Test, program: Program): Promise<Client> {
  const client = new Client({ name: 'editor', version: '1.0.0' })
  t.teardown(() => client.close())
  await client.connect(transportOf(program))
  return client
}

/** Goes where the program sent its user, and brings the answer back to it. */
async function finish(program: Program): Promise<URL> {
  if (!program.asked) throw new Error('nobody was sent anywhere')
  const answered = await approve(program.asked)
  await transportOf(program).finishAuth(answered.searchParams.get('code') ?? '')
  return answered
}

for (const [name, known] of [
  ['the built-in client mcp', { client_id: 'mcp' }],
  ['a client known by a URL', { clientMetadataUrl: `${host.origin}/editor.json` }]
] as const) {
  t.test(`the client of the SDK as ${name}: 401, metadata, code, tool, refresh, revoked`, async (t) => {
    const client_id = 'client_id' in known ? known.client_id : known.clientMetadataUrl
    const program = createProgram(known, ' offline_access')
    await t.rejects(connect(t, program), UNAUTHORIZED)
    t.strictSame(program.requests, [
      'POST /mcp 401',
      'GET /.well-known/oauth-protected-resource/mcp 200',
      'GET /.well-known/oauth-authorization-server 200'
    ])
    const sent = Object.fromEntries(program.asked?.searchParams ?? [])
    t.match(sent, { client_id, resource: audience, scope: 'notes.read offline_access', code_challenge_method: 'S256' })
    const answered = await finish(program)
    t.match(Object.fromEntries(answered.searchParams), { state: 'a state', iss: issuer })
    t.match(program.kept, { token_type: /^bearer$/i, refresh_token: String, scope: 'notes.read' })
    t.match(claimsOf(program.kept?.access_token ?? ''), { iss: issuer, aud: audience, client_id, sub: 'ann' })

    const client = await connect(t, program)
    const { tools } = await client.listTools()
    t.strictSame(
      tools.map((tool) => tool.name),
      ['list_notes', 'add_note']
    )
    t.match(textOf(await client.callTool({ name: 'list_notes' })), 'ann has 0 notes.')

    const before = program.kept
    program.kept = { ...before, access_token: 'what is refused', token_type: 'Bearer' }
    program.requests.length = 0
    t.match(textOf(await client.callTool({ name: 'list_notes' })), 'ann has 0 notes.')
    const [first, ...others] = program.requests
    t.strictSame(
      [first, ...others.slice(-2)],
      ['POST /mcp 401 invalid_token', 'POST /oauth/token 200', 'POST /mcp 200']
    )
    t.not(program.kept?.refresh_token, before?.refresh_token, 'refreshed')

    await revoke(program.kept?.access_token ?? '')
    program.requests.length = 0
    await t.rejects(client.callTool({ name: 'list_notes' }), UNAUTHORIZED)
    t.equal(program.requests[0], 'POST /mcp 401 invalid_token')
    t.ok(program.requests.includes('POST /oauth/token 400 invalid_grant'), program.requests.join())
    t.equal(program.kept, undefined, 'what it had is of no use any more, and its user has to be asked')
  })
}

t.test('the client of the SDK asks its user for what a tool needs beside, when it needs it', async (t) => {
  const program = createProgram({ client_id: 'mcp' })
  await t.rejects(connect(t, program), UNAUTHORIZED)
  t.equal(program.asked?.searchParams.get('scope'), 'notes.read')
  await finish(program)
  const client = await connect(t, program)
  const narrow = program.kept?.access_token ?? ''
  const add = () => client.callTool({ name: 'add_note', arguments: { text: 'milk' } })
  program.requests.length = 0
  await t.rejects(add(), UNAUTHORIZED)
  t.equal(program.requests[0], 'POST /mcp 403 insufficient_scope')
  t.equal(program.asked?.searchParams.get('scope'), 'notes.read notes.write')
  await finish(program)
  t.equal(textOf(await add()), 'Noted for ann.')
  t.equal(textOf(await client.callTool({ name: 'list_notes' })), 'ann has 1 notes.\nmilk')
  for (const token of [narrow, program.kept?.access_token ?? '']) await revoke(token)
  await t.rejects(add(), UNAUTHORIZED)
  t.equal(program.asked?.searchParams.get('scope'), 'notes.read')
})

t.test('the server refuses what is not for it', async (t) => {
  const program = createProgram({ client_id: 'mcp' })
  await t.rejects(connect(t, program), UNAUTHORIZED)
  await finish(program)
  const authorization = `Bearer ${program.kept?.access_token}`
  const send = async (body: string, headers: Record<string, string> = { authorization }, method = 'POST') => {
    const url = new URL(audience)
    const type = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const answered = await fetch(url, {
      ...{ method, headers: { ...type, ...headers } },
      ...(method === 'POST' && { body })
    })
    return [answered.status, answered.headers.get('www-authenticate') ?? undefined]
  }
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'add_note', arguments: { text: 'x' } } }
  const metadata = `resource_metadata="${new URL(audience).origin}/.well-known/oauth-protected-resource/mcp"`
  t.strictSame(await send('{}', {}), [401, `Bearer ${metadata}`])
  t.match(await send('{}', { authorization: 'Bearer garbage' }), [401, /error="invalid_token"/])
  t.match(await send(JSON.stringify(call)), [403, /error="insufficient_scope".* scope="notes.read notes.write"/])
  t.strictSame(await send(JSON.stringify([call])), [400, undefined], 'a list hides no tool')
  for (const body of ['', '{', '7', 'null', JSON.stringify({ ...call, x: 'x'.repeat(70_000) })]) {
    t.strictSame(await send(body), [400, undefined], body.slice(0, 10))
  }
  for (const name of ['constructor', '__proto__', ['add_note'], { add_note: 1 }, null]) {
    const [status] = await send(JSON.stringify({ ...call, params: { ...call.params, name } }))
    t.equal(status, 200, 'an error of the protocol')
  }
  t.strictSame(await send('', { authorization }, 'GET'), [405, undefined])
  const preflight = await fetch(audience, { method: 'OPTIONS', headers: { origin: 'https://inspector.example' } })
  t.strictSame([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, '*'])
  t.equal((await fetch(new URL('/elsewhere', audience))).status, 404)
})

t.test('the example as a program', async (t) => {
  const run = (env: NodeJS.ProcessEnv) => {
    const main = ['--import=tsx', 'examples/mcp-server/main.ts']
    const child = spawn(process.execPath, main, { cwd: root, env: { PATH: process.env.PATH, ...env } })
    t.teardown(() => child.kill('SIGKILL'))
    return { child, ended: once(child, 'exit') }
  }
  const bare = run({ ISSUER: issuer })
  const [told] = await once(bare.child.stderr, 'data')
  t.match(String(told), /^Set ISSUER, AUDIENCE, CLIENT_ID and CLIENT_SECRET/)
  t.strictSame(await bare.ended, [1, null])

  const PORT = `${await freePort()}`
  const whole = run({ ISSUER: issuer, AUDIENCE: audience, CLIENT_ID: 'notes-server', CLIENT_SECRET: SECRET, PORT })
  let said = ''
  for (const stream of [whole.child.stdout, whole.child.stderr]) stream.on('data', (data) => (said += data))
  while (!/MCP server at/.test(said) || !/revocation feed: live/.test(said)) {
    await Promise.race([once(whole.child.stdout, 'data'), once(whole.child.stderr, 'data')])
  }
  t.equal((await fetch(`http://127.0.0.1:${PORT}/mcp`, { method: 'POST' })).status, 401)
  whole.child.kill('SIGTERM')
  t.strictSame(await whole.ended, [0, null])
})

const folder = await mkdtemp(join(tmpdir(), 'grantd-mcp-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
/** No browser is opened, whatever the machine has. */
const ENV = { PATH: process.env.PATH ?? '', HOME: folder, BROWSER: 'true' }

/** Longer than anything takes: the SDK and mcp-remote have limits of their own for what a person does. */
const PATIENCE_SECONDS = 600

/** Runs mcp-remote as a program does that speaks MCP through a command. `says` resolves to what it says on its standard error. */
function mcpRemote(t: Test, name: string, ...args: string[]) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      ...[join(root, 'node_modules/mcp-remote/dist/proxy.js'), audience, ...args],
      ...['--auth-timeout', `${PATIENCE_SECONDS}`]
    ],
    env: { ...ENV, MCP_REMOTE_CONFIG_DIR: join(folder, name) },
    stderr: 'pipe'
  })
  const arrivals = new EventEmitter()
  let said = ''
  let isOver = false
  transport.stderr?.on('data', (data) => {
    said += data
    arrivals.emit('more')
  })
  transport.stderr?.on('end', () => {
    isOver = true
    arrivals.emit('more')
  })
  const client = new Client({ name, version: '1.0.0' })
  t.teardown(() => client.close())
  const connected = client.connect(transport, { timeout: PATIENCE_SECONDS * 1_000 })
  return {
    ...{ client, connected },
    async says(what: RegExp): Promise<string> {
      for (;;) {
        const found = what.exec(said)
        if (found) return found[1] ?? ''
        if (isOver) throw new Error(`it ended without saying ${what}:\n${said}`)
        await once(arrivals, 'more')
      }
    }
  }
}

t.test('mcp-remote with a client id', async (t) => {
  const known = ['--static-oauth-client-info', '{"client_id":"mcp"}']

  /** What it keeps in a folder of its own, for the next time it is started. */
  async function keptBy(name: string): Promise<OAuthTokens> {
    const files = await readdir(join(folder, name), { recursive: true })
    const file = files.find((one) => one.endsWith('_tokens.json')) ?? ''
    return JSON.parse(await readFile(join(folder, name, file), 'utf8'))
  }

  /** Calls a tool and has its user revoke it: the next call has no answer, and its user is asked again. */
  async function useUntilRevoked(t: Test, name: string, remote: ReturnType<typeof mcpRemote>, asks: RegExp) {
    const { client, connected, says } = remote
    await connected
    t.equal(textOf(await client.callTool({ name: 'list_notes' })), 'ann has 1 notes.\nmilk')
    const kept = await keptBy(name)
    t.match(claimsOf(kept.access_token), { iss: issuer, aud: audience, client_id: 'mcp', scope: 'notes.read' })
    await revoke(kept.access_token)
    const answered = client.callTool({ name: 'list_notes' }).then(textOf, (error) => error.message)
    await says(new RegExp(`${asks.source}[^]*${asks.source}`))
    await client.close()
    t.match(await answered, /Connection closed/)
    return kept
  }

  t.test('over a loopback address', async (t) => {
    const remote = mcpRemote(t, 'loopback', `${await freePort()}`, ...known)
    const asks = /visiting:\s+(http\S+)/
    const asked = new URL(await remote.says(asks))
    t.match(Object.fromEntries(asked.searchParams), { scope: 'notes.read offline_access', resource: audience })
    t.equal((await fetch(await approve(asked))).status, 200)
    const { refresh_token = '' } = await useUntilRevoked(t, 'loopback', remote, asks)
    const refresh = { grant_type: 'refresh_token', client_id: 'mcp', refresh_token }
    const refused = await fetch(`${issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams(refresh) })
    t.match(await refused.json(), { error: 'invalid_grant' })
  })

  t.test('with --device-code', async (t) => {
    const remote = mcpRemote(t, 'device', ...known, '--device-code')
    const asks = /visit:\s+\[\d+\]\s+(http\S+)/
    const asked = new URL(await remote.says(asks))
    t.equal(asked.pathname, '/device')
    await ann.enter(asked.searchParams.get('code') ?? '')
    t.equal((await ann.post('/device/confirm', { action: 'approve', same: 'yes' })).status, 303)
    const { refresh_token } = await useUntilRevoked(t, 'device', remote, asks)
    t.equal(refresh_token, undefined, 'it does not ask for one this way')
  })
})

/** Node.js 20 has no `globSync`, which another command of the package imports, so that none would start there. */
const FS =
  "data:text/javascript,export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = undefined"
const HOOK = `export const resolve = (name, { parentURL = '' }, next) =>
  name === 'fs' && parentURL.includes('/conformance/dist/') ? { url: ${JSON.stringify(FS)}, shortCircuit: true } : next(name)`
const dataUrl = (script: string) => `data:text/javascript,${encodeURIComponent(script)}`
const WITH_GLOB =
  'globSync' in fs
    ? []
    : [`--import=${dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOK))})`)}`]

/** Runs all scenarios for authorization servers, with a person at the browser. Resolves to their checks, and what failed of each. */
async function conformance(t: Test, url: string, person: Visitor, ...client: string[]): Promise<unknown[]> {
  const output = await mkdtemp(join(folder, 'conformance-'))
  const file = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')
  const options = ['authorization', '--url', url, '--port', `${await freePort()}`, '--output-dir', output, ...client]
  const child = spawn(process.execPath, [...WITH_GLOB, file, ...options], { env: ENV })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  let said = ''
  let isAsked = false
  child.stderr.on('data', (data) => {
    said += data
  })
  for await (const data of child.stdout) {
    said += data
    const [asked] = /^http\S+\/oauth\/authorize\?\S+$/m.exec(said) ?? []
    if (isAsked || asked === undefined || !said.includes('Callback server started')) continue
    isAsked = true
    await fetch(await approve(new URL(asked), person))
  }
  await ended
  t.comment(said)
  const checks: { id: string; status: string; errorMessage?: string }[] = []
  for (const name of (await readdir(output)).sort()) {
    checks.push(...JSON.parse(await readFile(join(output, name, 'checks.json'), 'utf8')))
  }
  return checks.map(({ id, status, errorMessage }) => [
    id,
    status,
    ...(errorMessage === undefined ? [] : [errorMessage])
  ])
}

t.test('the conformance scenarios for authorization servers', async (t) => {
  t.test('all pass with clients known by a URL switched on', async (t) => {
    t.strictSame(await conformance(t, issuer, ann, '--client-id', 'mcp', '--resource', audience), [
      ['authorization-code-grant', 'SUCCESS'],
      ['authorization-server-metadata', 'SUCCESS'],
      ['authorization-server-metadata-cimd', 'SUCCESS']
    ])
  })

  t.test(
    'without them that one does not, nor does the code of a client with a secret, which is not sent',
    async (t) => {
      const port = await freePort()
      const url = `http://127.0.0.1:${port}`
      const tool = {
        client_id: 'tool',
        client_secret_digests: [digestOf(SECRET)],
        redirect_uris: ['http://127.0.0.1/callback']
      }
      const variables = {
        PUBLIC_URL: url,
        LIMITS: 'off',
        SIGNING_ALG: 'EdDSA',
        OAUTH_CLIENTS_FILE: clientsFile(t, [tool])
      }
      const other = await startApp(t, variables)
      await other.app.listen({ host: '127.0.0.1', port })
      const bob = await signedIn(other, 'bob')
      t.strictSame(await conformance(t, url, bob, '--client-id', 'tool', '--client-secret', SECRET), [
        // The scenario sends no secret to a service that has public clients, too, and grantd does not let it in.
        ['authorization-code-grant', 'FAILURE', 'Invalid status code: 401'],
        ['authorization-server-metadata', 'SUCCESS'],
        [
          'authorization-server-metadata-cimd',
          'WARNING',
          'Authorization server metadata does not include "client_id_metadata_document_supported"'
        ]
      ])
    }
  )
})
