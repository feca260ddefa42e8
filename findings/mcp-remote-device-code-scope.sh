#!/usr/bin/env bash
# mcp-remote 0.15.1, option --device-code: it does not ask for offline_access, which it asks for over a loopback address.
#
# Most would guess: the same server leads to the same scopes by both ways, and the way that is for jobs without a browser ends with a
#   refresh token; the sources say of it that the refresh token is what makes later runs non-interactive.
# What happens: over a loopback address offline_access is added where the authorization server knows it. With --device-code the scopes
#   are those of the protected resource alone, so that a server which gives refresh tokens for offline_access gives none, and somebody
#   has to approve again whenever the access token has ended. --static-oauth-client-metadata '{"scope":"…"}' names them all.
# Seen with: mcp-remote 0.15.1, Node.js 20.20.2.
# Output: "over a loopback address: notes.read offline_access" and "with --device-code: notes.read"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent mcp-remote@0.15.1
cat >run.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'

let askedByDevice
/** A server of MCP that takes tokens, and the authorization server that it names. */
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
      device_authorization_endpoint: `${origin}/device_authorization`,
      scopes_supported: ['notes.read', 'offline_access'],
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none']
    })
  }
  if (request.url === '/device_authorization') {
    askedByDevice = new URLSearchParams(body).get('scope')
    return answer({ device_code: 'a', user_code: 'B', verification_uri: `${origin}/device`, expires_in: 60, interval: 5 })
  }
  if (request.url === '/token') return answer({ error: 'authorization_pending' }, 400)
  const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
  return answer({}, 401, { 'www-authenticate': `Bearer ${metadata}` })
}).listen(0, '127.0.0.1')
await once(server, 'listening')

/** Runs it until it asks somebody for approval. Returns what it has said. */
async function run(name, ...more) {
  const url = `http://127.0.0.1:${server.address().port}/mcp`
  const known = ['--static-oauth-client-info', '{"client_id":"mcp"}']
  const child = spawn(process.execPath, ['node_modules/mcp-remote/dist/proxy.js', url, ...known, ...more], {
    env: { PATH: process.env.PATH, BROWSER: 'true', MCP_REMOTE_CONFIG_DIR: join(process.cwd(), name) }
  })
  let said = ''
  for await (const data of child.stderr) {
    said += data
    if (/visiting:\s+http\S+\s|Waiting for approval/.test(said)) break
  }
  child.kill('SIGKILL')
  return said
}

const asked = new URL(/visiting:\s+(http\S+)/.exec(await run('loopback'))?.[1] ?? 'about:blank').searchParams.get('scope')
await run('device', '--device-code')
console.log(`over a loopback address: ${asked}`)
console.log(`with --device-code: ${askedByDevice}`)
process.exit(asked === 'notes.read offline_access' && askedByDevice === 'notes.read' ? 0 : 1)
JS
node run.mjs
