/**
 * Ports of the loopback for what tests start. None is given twice in a process: whoever remembers something of an address
 * (that an issuer failed, a connection that is kept) would take the next server there for the one that was. None is one that
 * the system hands out by itself: between two starts of a server it would go to whoever connects somewhere in the meantime.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Systems choose from 32768 on, or higher; browsers and fetch refuse some ports below 10240. */
const [FIRST, LAST] = [10_240, 32_767]
/** The first of a block is listened to for as long as the process lives: so the others are no other process's. */
const BLOCK = 64
const BLOCKS = Math.floor((LAST + 1 - FIRST) / BLOCK)

let blocksTried = 0
const startBlock = process.pid % BLOCKS
let block: Promise<() => number | undefined> | undefined

/** A port that nothing listens on, and that this process gets once. */
export async function freePort(): Promise<number> {
  for (;;) {
    block ??= takeBlock()
    const mine = block
    const port = (await mine)()
    if (port === undefined) {
      if (block === mine) block = undefined
      continue
    }
    // Somebody who has nothing to do with the tests may be there.
    const server = await listenAt(port)
    if (!server) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Answers with what gives the ports of a block one after another. */
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

/** Undefined where somebody listens already. */
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
