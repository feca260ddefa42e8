#!/usr/bin/env bash
# openid-client 6.9.0, pollDeviceAuthorizationGrant: a 503 whose Retry-After is a date that has come already ends the login for good.
#
# Most would guess: Retry-After may be seconds or a date (RFC 9110 section 10.2.3), and a date in the past means "now", as seconds of 0
#   do; a client whose clock is some seconds ahead of the server's would at worst ask too early.
# What happens: after "Retry-After: 0" it polls again after its interval. After a date that is not in the future by its own clock it
#   throws "invalid Retry-After header value", and whoever approves on the other device approves for nobody.
#   The same happens where the server's "in two seconds" is over when it is read. So seconds are the one form to send, and a proxy in
#   front must not turn them into a date. A 429 ends the login whatever its Retry-After says.
# Seen with: openid-client 6.9.0, Node.js 20.20.2.
# Output: "503, 0: polls again", "503, a date ahead: polls again", "503, a date that has come: invalid Retry-After header value" and
#   "429, 0: OAUTH_RESPONSE_BODY_ERROR"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent openid-client@6.9.0
cat >run.mjs <<'JS'
import { once } from 'node:events'
import { createServer } from 'node:http'
import * as client from 'openid-client'

let first
/** The token endpoint of a server that is short of something at the first poll, and has an approval at the second. */
const server = createServer((request, response) => {
  const answer = (status, body, headers = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  request.resume()
  if (first) {
    const { status, retryAfter } = first
    first = undefined
    return answer(status, { error: 'temporarily_unavailable' }, { 'retry-after': retryAfter() })
  }
  answer(200, { access_token: 'a', token_type: 'bearer', expires_in: 60 })
}).listen(0, '127.0.0.1')
await once(server, 'listening')

const issuer = `http://127.0.0.1:${server.address().port}`
const config = new client.Configuration({ issuer, token_endpoint: `${issuer}/token` }, 'cli', undefined, client.None())
client.allowInsecureRequests(config)

async function outcomeOf(status, retryAfter) {
  first = { status, retryAfter }
  const grant = { device_code: 'a', user_code: 'B', verification_uri: issuer, expires_in: 60, interval: 1 }
  return client.pollDeviceAuthorizationGrant(config, grant).then(
    ({ access_token }) => (access_token === 'a' ? 'polls again' : 'something else'),
    ({ code, message }) => code ?? message
  )
}

const dateIn = (seconds) => () => new Date(Date.now() + seconds * 1_000).toUTCString()
const outcomes = [
  ['503, 0', 503, () => '0', 'polls again'],
  ['503, a date ahead', 503, dateIn(3), 'polls again'],
  ['503, a date that has come', 503, dateIn(-1), 'invalid Retry-After header value'],
  ['429, 0', 429, () => '0', 'OAUTH_RESPONSE_BODY_ERROR']
]
let isAsSeen = true
for (const [name, status, retryAfter, seen] of outcomes) {
  const outcome = await outcomeOf(status, retryAfter)
  console.log(`${name}: ${outcome}`)
  isAsSeen &&= outcome === seen
}
server.closeAllConnections()
server.close()
process.exit(isAsSeen ? 0 : 1)
JS
node run.mjs
