#!/usr/bin/env bash
# Node.js, http.Agent with keepAlive: it sends on connections that the server has announced to close.
#
# Most would guess: an agent heeds "Keep-Alive: timeout=2", which the server sends with each answer, and lets a connection go before.
# What happens: it does so only if the announced time is shorter than the agent's own option `timeout`, which is none unless it is
#   set. Without it a connection is kept until the server closes it, a second after the announced time. A client that is busy at that
#   moment sends first and reads of the end afterwards: ECONNRESET, without an answer, and nothing says whether the request was read.
# Seen with: Node.js 20.20.2, 22.23.3, 24.21.0 and 26.10.0. With a `timeout` longer than any announced time no request is lost.
# Output: "without timeout: some of 300 lost" and "with timeout: 0 of 300 lost"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >server.mjs <<'JS'
import { createServer } from 'node:http'
const server = createServer({ keepAliveTimeout: 2_000 }, (request, response) => {
  // All connections are opened at once, as none is free before the first answer.
  request.resume().on('end', () => setTimeout(() => response.end('ok'), 50))
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
JS
cat >client.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const server = spawn(process.execPath, ['server.mjs'], { stdio: ['ignore', 'pipe', 'inherit'] })
const port = Number(String((await once(server.stdout, 'data'))[0]))

const isLost = (agent) =>
  new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, agent, method: 'POST' }, (answer) => {
      answer.resume().on('end', () => resolve(false))
    })
    sent.on('error', () => resolve(true))
    sent.end('x')
  })

/** Uses 100 connections, and again after the server has begun to close them, with a client that was busy in between. */
async function lostWith(options) {
  let lost = 0
  for (let round = 0; round < 3; round++) {
    const agent = new Agent({ keepAlive: true, ...options })
    await Promise.all(Array.from({ length: 100 }, () => isLost(agent)))
    const until = performance.now() + 3_100
    await sleep(2_900)
    while (performance.now() < until);
    const again = await Promise.all(Array.from({ length: 100 }, () => isLost(agent)))
    lost += again.filter(Boolean).length
    agent.destroy()
  }
  return lost
}

const without = await lostWith({})
const withIt = await lostWith({ timeout: 3_600_000 })
server.kill()
console.log(`without timeout: ${without > 0 ? 'some' : 'none'} of 300 lost`)
console.log(`with timeout: ${withIt} of 300 lost`)
process.exit(without > 0 && withIt === 0 ? 0 : 1)
JS
node client.mjs
