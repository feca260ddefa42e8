/**
 * Loopback ports for the servers of tests. No port is given twice in a process, because caches by address (a failed
 * issuer, a kept-alive connection) would take the new server for the old one. Ports are outside the ephemeral range of
 * the system, because another program's connection could get the port while a server is restarted.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Ephemeral ports start at 32768 or higher; browsers and fetch refuse some ports below 10240. */
const [FIRST, LAST] = [10_240, 32_767]
/**
 * A process listens on the first port of its block for its whole life, which keeps other processes from using the
 * block.
 */
const BLOCK = 64
const BLOCKS = Math.floor((LAST + 1 - FIRST) / BLOCK)

let blocksTried = 0
const startBlock = process.pid % BLOCKS
let block: Promise<() => number | undefined> | undefined

/** Returns a port on which nothing listens, and which this process gets only once. */
export async function freePort(): Promise<number> {
  for (;;) {
    block ??= takeBlock()
    const mine = block
    const port = (await mine)()
    if (port === undefined) {
      if (block === mine) block = undefined
      continue
    }
    // A program outside the tests may use the port.
    const server = await listenAt(port)
    if (!server) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Takes a block. Returns the function that returns its ports one after another. */
async function takeBlock(): Promise<() => number | undefined> {
  while (blocksTried < BLOCKS) {
    const first = FIRST + ((startBlock + blocksTried++) % BLOCKS) * BLOCK
    const guard = await listenAt(first)
    if (!guard) continue
    guard.unref()
    let given = 0
    return () => (++given < BLOCK ? first + given : undefined)
  }
  throw new Error(`no port from ${FIRST} to ${LAST} is left`)
}

/** Listens on a port. Returns undefined if it is in use. */
async function listenAt(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy())
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return server
  } catch {
    return undefined
  }
}
