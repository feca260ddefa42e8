/** Starts a real redis-server on a free port, in a temporary directory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { killedAtExit } from './killed-at-exit.js'
import { commandAt, LOOPBACK, type Place } from './place.js'
import { freePort } from './ports.js'

export { freePort }

export interface RedisServer {
  port: number
  url: string
  /** A plain client that looks into the server. */
  client: Redis
  pid(): number
  /** Kills the server with SIGKILL, as a crash does. */
  kill(): Promise<void>
  /** Starts the server again on the same port and directory, with further options if given. */
  start(...more: string[]): Promise<void>
  /** Starts the server like `start`, without waiting for its first answer. */
  launch(...more: string[]): void
  stop(): Promise<void>
}

/** Starts a server with AOF and noeviction. `options` are added to its command line. */
export function startRedis(...options: string[]): Promise<RedisServer> {
  return startRedisAt(LOOPBACK, ...options)
}

/** The same at another place. It listens there on all addresses, and whoever reaches one may ask it. */
export async function startRedisAt(place: Place, ...options: string[]): Promise<RedisServer> {
  const { host } = place
  const bound = place === LOOPBACK ? ['--bind', host] : ['--bind', '0.0.0.0', '--protected-mode', 'no']
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'grantd-redis-'))
  const client = new Redis(port, host, { protocol: 2, lazyConnect: true, retryStrategy: () => 50 })
  // The client's connection errors are expected, because tests stop the server on purpose.
  client.on('error', () => {})
  let server: ChildProcess | undefined

  function launch(...more: string[]): void {
    // With `no` a write is in the kernel when it is acknowledged and survives a killed server. With `everysec` a slow
    // disk delays it.
    const durable = ['--appendonly', 'yes', '--appendfsync', 'no']
    const args = ['--port', `${port}`, ...bound, '--dir', directory, '--save', '']
    const all = [...args, ...durable, '--maxmemory-policy', 'noeviction', ...options, ...more]
    const process = killedAtExit(spawn(...commandAt(place, 'redis-server', all), { stdio: 'ignore' }))
    // A missing redis-server must fail the test and not skip it.
    process.on('error', (error) => {
      throw error
    })
    server = process
  }

  async function start(...more: string[]): Promise<void> {
    launch(...more)
    // There is no time limit, because a busy machine may be slow. A server that cannot start ends, which stops the
    // loop.
    while (!isOver()) {
      const answer = await ping(host, port)
      if (answer === 'PONG') return
      await sleep(30)
    }
    throw new Error('redis-server did not start')
  }

  const isOver = () => !server || server.exitCode !== null || server.signalCode !== null

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!server || isOver()) return
    const exited = once(server, 'exit')
    server.kill(signal)
    server.kill('SIGCONT')
    await exited
  }

  await start()
  await client.connect()
  return {
    port,
    url: `redis://${host}:${port}`,
    client,
    pid: () => server?.pid as number,
    kill: () => end('SIGKILL'),
    start,
    launch,
    async stop() {
      client.disconnect()
      await end('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    }
  }
}

async function ping(host: string, port: number): Promise<string> {
  const probe = new Redis(port, host, { protocol: 2, lazyConnect: true, retryStrategy: () => null })
  probe.on('error', () => {})
  try {
    await probe.connect()
    return await probe.ping()
  } catch (error) {
    return String(error)
  } finally {
    probe.disconnect()
  }
}
