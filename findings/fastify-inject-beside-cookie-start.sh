#!/usr/bin/env bash
# fastify and @fastify/cookie: `inject` throws while another application of the process is starting.
#
# Most would guess: two applications in one process, as in a test file, share nothing; `inject` works on one, whatever the other does.
# What happens: both lead to the package `cookie`, which is an ES module since its version 2. @fastify/cookie does `await import` of it
#   when it is registered, and fastify does `require` of it, by way of light-my-request, at the first `inject` of the process. If
#   that comes while the import is under way, Node.js refuses it. The error names neither application, and the next `inject` works.
# Seen with: fastify 5.12.8, light-my-request 6.8.1, @fastify/cookie 11.1.5 and cookie 2.0.2 on Node.js 20.20.2, as long as the file is
#   read, which on a busy machine takes a while (ERR_INTERNAL_ASSERTION); on 24.21.0 and 26.10.0 in one turn of the
#   microtasks alone (ERR_REQUIRE_ESM_RACE_CONDITION); not on 22.23.3. With one `inject` before the first start it does not happen.
# Output: "while the other starts: ERR_INTERNAL_ASSERTION", "a moment later: 200" and "inject first: 200"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts=false \
  node@20.20.2 fastify@5.12.8 light-my-request@6.8.1 @fastify/cookie@11.1.5 cookie@2.0.2
cat >two.js <<'JS'
import { setImmediate } from 'node:timers/promises'
import cookie from '@fastify/cookie'
import Fastify from 'fastify'

const plain = Fastify()
plain.get('/', async () => 'ok')
await plain.ready()
const ask = () =>
  plain.inject('/').then(
    ({ statusCode }) => statusCode,
    ({ code }) => code
  )
const tell = (when, outcome) => console.log(`${when}: ${outcome}`)

if (process.argv[2] === 'first') await ask()
const withCookies = Fastify()
withCookies.register(cookie)
const starting = withCookies.ready()
await setImmediate()
// What `inject` throws it throws at once, and not by its promise.
const outcome = await (async () => ask())().catch(({ code }) => code)
await starting
if (process.argv[2] === 'first') tell('inject first', outcome)
else {
  tell('while the other starts', outcome)
  tell('a moment later', await ask())
}
JS
run() { ./node_modules/.bin/node two.js "$@"; }
output=$(run && run first)
echo "$output"
[ "$output" = $'while the other starts: ERR_INTERNAL_ASSERTION\na moment later: 200\ninject first: 200' ]
