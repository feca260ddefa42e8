#!/usr/bin/env bash
# ioredis 6.0.0, option failoverDetector: a client told of a promotion while it asks Sentinels for the primary never connects again.
#
# Most would guess: a client with a retryStrategy reconnects after every failover, and failoverDetector makes it do so sooner.
# What happens: the announcement (+switch-master) makes the detector disconnect the connector. If the client is asking a Sentinel
#   for the primary at that moment, the pending connect rejects, the client's status becomes "end", and retryStrategy is not asked
#   any more. It takes a process that is busy enough for the question to overlap with the announcement.
# Seen with: ioredis 6.0.0, Node.js 20.20.2. Without failoverDetector the same events lead to "ready".
# Output: "without failoverDetector: ready" and "with failoverDetector: end"; exits 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent ioredis@6.0.0
cat >run.cjs <<'JS'
const { createServer } = require('node:net')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { Redis } = require('ioredis')

const bulk = (...words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`

/** A server of RESP that answers each command by a function. */
async function serve(answer) {
  const sockets = new Set()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    // Commands are short: each arrives whole, several may come together.
    socket.on('data', (data) => {
      for (const command of String(data).split(/\*\d+\r\n/).slice(1)) {
        answer(socket, command.split('\r\n').filter((line) => line !== '' && !/^\$\d/.test(line)).map((word) => word.toLowerCase()))
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: server.address().port, stop }
}

/** A primary says whatever a client has to hear before it is ready. */
const primary = () =>
  serve((socket, words) => socket.write(words.includes('info') ? '$11\r\nloading:0\r\n\r\n' : '+OK\r\n'))

async function statusAfterPromotion(failoverDetector) {
  const [old, next] = [await primary(), await primary()]
  let named = old.port
  let isHeld = false
  const held = []
  const listeners = new Set()
  const sentinel = await serve((socket, words) => {
    if (words.includes('subscribe')) {
      listeners.add(socket)
      socket.write('*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n')
    } else if (words.includes('get-master-addr-by-name')) {
      const tell = () => socket.write(bulk('127.0.0.1', String(named)))
      if (isHeld) held.push(tell)
      else tell()
    } else if (words.includes('sentinels')) socket.write('*0\r\n')
    else socket.write('+OK\r\n')
  })
  const client = new Redis({
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    name: 'main',
    failoverDetector,
    updateSentinels: false,
    protocol: 2,
    disableClientInfo: true,
    retryStrategy: () => 50,
    sentinelRetryStrategy: () => 50
  })
  client.on('error', () => {})
  await once(client, 'ready')
  // The detector subscribes once the client is connected.
  for (let i = 0; failoverDetector && listeners.size === 0 && i < 100; i++) await sleep(20)
  isHeld = true
  old.stop()
  for (let i = 0; held.length === 0 && i < 100; i++) await sleep(20)
  named = next.port
  for (const socket of listeners) {
    socket.write(bulk('message', '+switch-master', `main 127.0.0.1 ${old.port} 127.0.0.1 ${next.port}`))
  }
  await sleep(200)
  isHeld = false
  for (const tell of held) tell()
  await sleep(2_000)
  const { status } = client
  client.disconnect()
  sentinel.stop()
  next.stop()
  return status
}

async function main() {
  const without = await statusAfterPromotion(false)
  const withIt = await statusAfterPromotion(true)
  console.log(`without failoverDetector: ${without}`)
  console.log(`with failoverDetector: ${withIt}`)
  process.exit(without === 'ready' && withIt === 'end' ? 0 : 1)
}
main()
JS
node run.cjs
