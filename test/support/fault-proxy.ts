/**
 * A TCP proxy in front of Redis, or of a service, that delays replies or loses them. Before a lost reply Redis has run the
 * command, and the connection ends instead of an answer.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { freePort } from './ports.js'

export interface FaultProxy {
  url: string
  port: number
  /** The number of TCP chunks with requests that have arrived so far. Those of subscribers, which ping every second, are not counted. */
  pieces(): number
  /** The number of lost replies so far. */
  lost(): number
  /** Sets the share of replies to lose from now on, 0 to 1. */
  lose(share: number): void
  /** Holds replies back from now on. The returned function sends them and ends the holding. */
  hold(): () => void
  /** Delays each reply from now on. */
  delay(ms: number): void
  /** Resolves when a request that matches has arrived, which is the last one that is passed on. */
  stopAfter(pattern: RegExp): Promise<void>
  /** Ends all connections. New ones are taken. */
  cut(): void
  close(): Promise<void>
}

/**
 * The driver sends these commands when it connects. Their replies are never lost, because no connection would be ready
 * then.
 */
const HANDSHAKE = /^\*\d+\r\n\$\d+\r\n(info|client)\r\n/i

const SUBSCRIBES = /^\*\d+\r\n\$\d+\r\ns?subscribe\r\n/im

/**
 * Starts the proxy. `random` returns 0 to 1 and decides which replies are lost; a seeded one makes a test repeatable.
 */
export async function startFaultProxy(redisPort: number, random: () => number): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  let share = 0
  let delayMs = 0
  let held: (() => void)[] | undefined
  let lost = 0
  let pieces = 0
  let last: { pattern: RegExp; pass(): void } | undefined
  let isStopped = false

  const server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1')
    let introducing = true
    let isSubscriber = false
    let dueAt = 0
    const end = () => {
      client.destroy()
      redis.destroy()
    }
    for (const socket of [client, redis]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    client.on('data', (request) => {
      const text = request.toString('latin1')
      isSubscriber ||= SUBSCRIBES.test(text)
      if (!isSubscriber) pieces += 1
      if (isStopped) return
      introducing = HANDSHAKE.test(text)
      redis.write(request)
      if (!last?.pattern.test(text)) return
      isStopped = true
      last.pass()
    })
    redis.on('data', (reply) => {
      if (!introducing && random() < share) {
        lost += 1
        end()
      } else if (held) {
        held.push(() => client.write(reply))
      } else if (delayMs > 0 || dueAt > performance.now()) {
        // A reply never overtakes an earlier one, even if the delay has become shorter.
        dueAt = Math.max(dueAt, performance.now() + delayMs)
        setTimeout(() => client.write(reply), dueAt - performance.now())
      } else {
        client.write(reply)
      }
    })
  })
  server.listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')

  const { port } = server.address() as AddressInfo
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    cut,
    pieces: () => pieces,
    lost: () => lost,
    lose(newShare) {
      share = newShare
    },
    hold() {
      const mine: (() => void)[] = []
      held = mine
      return () => {
        held = undefined
        for (const pass of mine.splice(0)) pass()
      }
    },
    delay(ms) {
      delayMs = ms
    },
    stopAfter: (pattern) =>
      new Promise((pass) => {
        last = { pattern, pass }
      }),
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    }
  }
}

/** A reproducible random generator (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
