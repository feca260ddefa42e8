#!/usr/bin/env bash
# @modelcontextprotocol/sdk 1.32.2, client: who has a refresh token is never asked for more scopes.
#
# Most would guess: a 403 with error="insufficient_scope" and a scope sends the user back to the authorization server for that scope
#   (step-up authorization), whether or not the client could refresh what it has.
# What happens: with a refresh token the client refreshes instead, which cannot add a scope (RFC 6749 §6) and does not even name the
#   one that was asked for, sends the message again, and gives up at the second 403: "Server returned 403 after trying upscoping". Its
#   user hears nothing, and each later call goes the same way. Without a refresh token the user is asked, as expected.
# Seen with: @modelcontextprotocol/sdk 1.32.2, Node.js 20.20.2.
# Output: "without a refresh token: asks for notes.read notes.write" and "with a refresh token: refreshes without a scope, asks for
#   nothing, Streamable HTTP error: Server returned 403 after trying upscoping"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @modelcontextprotocol/sdk@1.32.2
cat >run.mjs <<'JS'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const refreshes = []
/** A server of MCP that wants one more scope for tools, and the authorization server that it names. */
const server = createServer(async (request, response) => {
  const origin = `http://127.0.0.1:${server.address().port}`
  const answer = (body, status = 200, headers = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  let body = ''
  for await (const chunk of request) body += chunk
  if (request.url === '/.well-known/oauth-protected-resource/mcp') {
    return answer({ resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ['notes.read'] })
  }
  if (request.url === '/.well-known/oauth-authorization-server') {
    return answer({
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none']
    })
  }
  if (request.url === '/token') {
    refreshes.push(new URLSearchParams(body).get('scope') ?? 'without a scope')
    return answer({ access_token: 'narrow', token_type: 'Bearer', refresh_token: 'next', scope: 'notes.read' })
  }
  if (request.method !== 'POST') return response.writeHead(405).end()
  const { id, method } = JSON.parse(body)
  if (method === 'initialize') {
    const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }
    return answer({ jsonrpc: '2.0', id, result })
  }
  if (id === undefined) return response.writeHead(202).end()
  const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
  const challenge = `Bearer error="insufficient_scope", scope="notes.read notes.write", ${metadata}`
  return answer({}, 403, { 'www-authenticate': challenge })
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`)

async function callTool(refreshToken) {
  let asked = 'nothing'
  let tokens = { access_token: 'narrow', token_type: 'Bearer', issuer: url.origin, ...refreshToken }
  const authProvider = {
    redirectUrl: 'http://127.0.0.1:1/callback',
    clientMetadata: { redirect_uris: ['http://127.0.0.1:1/callback'] },
    clientInformation: () => ({ client_id: 'mcp', issuer: url.origin }),
    tokens: () => tokens,
    saveTokens: (given) => {
      tokens = given
    },
    redirectToAuthorization: (to) => {
      asked = to.searchParams.get('scope')
    },
    saveCodeVerifier: () => {},
    codeVerifier: () => ''
  }
  const client = new Client({ name: 'c', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider }))
  const { message } = await client.callTool({ name: 'add_note' }).catch((error) => error)
  await client.close()
  return { asked, message }
}

const without = await callTool({})
const refreshedWithout = refreshes.length
const withIt = await callTool({ refresh_token: 'first' })
console.log(`without a refresh token: asks for ${without.asked}`)
console.log(`with a refresh token: refreshes ${refreshes.join(', ')}, asks for ${withIt.asked}, ${withIt.message}`)
server.close()
server.closeAllConnections()
const isSo =
  without.asked === 'notes.read notes.write' &&
  refreshedWithout === 0 &&
  refreshes.join() === 'without a scope' &&
  withIt.asked === 'nothing' &&
  withIt.message.includes('403 after trying upscoping')
process.exit(isSo ? 0 : 1)
JS
node run.mjs
