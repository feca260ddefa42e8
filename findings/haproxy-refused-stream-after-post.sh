#!/usr/bin/env bash
# HAProxy 2.6.12 and HTTP/2: a POST that the back end has read is told to its client as REFUSED_STREAM when the back end dies.
#
# Most would guess: 502, as over HTTP/1.1; or at the least an error that says nothing of what was done. REFUSED_STREAM says that the request
#   was not processed at all (RFC 9113, 8.7), so that HTTP/2 clients may, and some do, repeat a POST by themselves.
# What happens: HAProxy resets the stream with REFUSED_STREAM although the back end has had the whole request, head and body. It is what
#   "close without an answer, the client will retry" of kept HTTP/1.1 connections becomes. It is so from the first stream of a connection on,
#   and with `retries 0`, `retry-on none` and `http-reuse never`, as below.
# Seen with: HAProxy 2.6.12-1+deb12u3 of Debian 12, Node.js 20.20.2. HAProxy 3.2.26 answers 502 here, and does so where its
#   connection to the back end has been used before.
# Output: "HTTP/1.1: 502" and "HTTP/2: NGHTTP2_REFUSED_STREAM, of a request that the back end has read"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# The package with its libraries, unpacked here and not installed: apt with a state of its own.
mkdir -p lists/partial cache/archives/partial none
: >status
mirror=$(apt-get indextargets --format '$(SITE)' | grep -m1 -E '/debian/?$')
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >sources.list
cat >apt.conf <<CONF
Dir::State "$folder";
Dir::State::status "$folder/status";
Dir::State::lists "$folder/lists";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "$folder/none";
Dir::Etc::preferencesparts "$folder/none";
APT::Sandbox::User "$(id -un)";
Debug::NoLocking "true";
CONF
export APT_CONFIG=$folder/apt.conf
apt-get update -qq
apt-get install -y -qq --no-install-recommends --download-only 'haproxy=2.6.12*' >/dev/null
for archive in cache/archives/*.deb; do dpkg -x "$archive" root; done
loader=$(find root -name 'ld-linux*' -print -quit)
libraries=$(dirname "$(find root -name libc.so.6 -print -quit)")

cat >haproxy.cfg <<'CFG'
defaults
  mode http
  retries 0
  retry-on none
  http-reuse never
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend edge
  bind "unix@${FOLDER}/plain.sock"
  bind "unix@${FOLDER}/edge.sock" proto h2
  default_backend service
backend service
  server service "unix@${FOLDER}/service.sock"
CFG
cat >run.mjs <<'JS'
import { existsSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

// It dies with each request, when it has read the whole of it.
const read = []
const server = createServer(async (request) => {
  let body = ''
  for await (const piece of request) body += piece
  read.push(body)
  request.socket.destroy()
})
await new Promise((resolve) => server.listen(`${process.cwd()}/service.sock`, resolve))
for (let i = 0; i < 200 && !existsSync('edge.sock'); i++) await sleep(50)

const overHttp1 = new Promise((resolve) => {
  const sent = request({ socketPath: `${process.cwd()}/plain.sock`, method: 'POST' }, (answer) => resolve(answer.statusCode))
  sent.on('error', (error) => resolve(error.code)).end('one')
})
const first = await overHttp1

const session = connect('http://edge', { createConnection: () => connectSocket(`${process.cwd()}/edge.sock`) })
session.on('error', () => {})
const second = await new Promise((resolve) => {
  const stream = session.request({ ':method': 'POST', ':path': '/' })
  stream.on('response', (headers) => resolve(String(headers[':status'])))
  stream.on('error', (error) => resolve(/NGHTTP2_\w+/.exec(error.message)?.[0] ?? error.code))
  stream.resume().end('two')
})
console.log(`HTTP/1.1: ${first}`)
console.log(`HTTP/2: ${second}, of a request that the back end has ${read.includes('two') ? '' : 'not '}read`)
process.exit(first === 502 && second === 'NGHTTP2_REFUSED_STREAM' && read.join() === 'one,two' ? 0 : 1)
JS
FOLDER=$folder "$loader" --library-path "$libraries" root/usr/sbin/haproxy -db -f haproxy.cfg >haproxy.log 2>&1 &
haproxy=$!
trap 'kill "$haproxy" 2>/dev/null || true; rm -rf "$folder"' EXIT
node run.mjs || { cat haproxy.log; exit 1; }
