/**
 * A TCP proxy in front of Redis that loses replies (what was asked has been done, and the connection ends before the answer), or
 * delays them.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { freePort } from './ports.js'

export interface FaultProxy {
  url: string
  /** How many pieces requests have come in so far. */
  pieces(): number
  /** How many replies were lost so far. */
  lost(): number
  /** The share of replies to lose from now on, 0 to 1. */
  lose(share: number): void
  /** Holds replies back from now on, until what it returns is called. */
  hold(): () => void
  /** How long each reply is held back from now on. */
  delay(ms: number): void
  close(): Promise<void>
}

/** A connection introduces itself with these; without their answers it would never be one. */
const HANDSHAKE = /^\*\d+\r\n\$\d+\r\n(info|client)\r\n/i

/** `random` decides, 0 to 1: hand in a seeded one. */
export async function startFaultProxy(redisPort: number, random: () => number): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  let share = 0
  let delayMs = 0
  let held: (() => void)[] | undefined
  let lost = 0
  let pieces = 0

  const server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1')
    let introducing = true
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
      pieces += 1
      introducing = HANDSHAKE.test(request.toString('latin1'))
      redis.write(request)
    })
    redis.on('data', (reply) => {
      if (!introducing && random() < share) {
        lost += 1
        end()
      } else if (held) {
        held.push(() => client.write(reply))
      } else if (delayMs > 0 || dueAt > performance.now()) {
        // None overtakes another, whatever the delay is by now.
        dueAt = Math.max(dueAt, performance.now() + delayMs)
        setTimeout(() => client.write(reply), dueAt - performance.now())
      } else {
        client.write(reply)
      }
    })
  })
  server.listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
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
        for (const pass of mine) pass()
      }
    },
    delay(ms) {
      delayMs = ms
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}

/** Reproducible randomness (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
