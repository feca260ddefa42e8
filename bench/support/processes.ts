/** Starts the processes under measurement: Redis, the built service, the yardstick, and the peers. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, type RedisServer, startRedis } from '../../test/support/redis-server.js'
import { startService } from '../../test/support/service.js'
import type { Lifetime } from './lifetime.js'

const YARDSTICK = fileURLToPath(new URL('../yardstick.ts', import.meta.url))

export interface Target {
  pid: number
  /** The origin, without a path. */
  url: string
}

/**
 * Starts a Redis for the bench alone. Automatic rewrites of the append-only file are off, because a rewrite in the
 * middle of a round would be charged to the side measured in it.
 */
export async function startBenchRedis(lifetime: Lifetime, appendOnly: 'yes' | 'no'): Promise<RedisServer> {
  const redis = await startRedis(
    '--appendonly',
    appendOnly,
    '--appendfsync',
    'everysec',
    '--auto-aof-rewrite-percentage',
    '0'
  )
  lifetime.ends(() => redis.stop())
  return redis
}

/**
 * Starts the built service, or another build by its file. Only the limits are off, because they would refuse the load.
 */
export async function startGrantd(
  lifetime: Lifetime,
  redis: RedisServer,
  more: Record<string, string> = {},
  server?: string
): Promise<Target> {
  const variables = { REDIS_URL: redis.url, LIMITS: 'off', LOG_LEVEL: 'info', ...more }
  const { process: child, url } = await startService({ teardown: lifetime.ends }, variables, server)
  return { pid: child.pid as number, url }
}

/**
 * Starts the yardstick with `/poll`, `/token` and `/get`, and with `/static/BYTES` for these lengths (see
 * bench/yardstick.ts).
 */
export function startYardstick(
  lifetime: Lifetime,
  redis: RedisServer,
  lengths: readonly number[] = []
): Promise<Target> {
  return startSource(lifetime, YARDSTICK, [redis.url, ...lengths.map(String)])
}

/** Starts a file of bench/peers with these arguments: its store, and the mode of its driver. */
export function startPeer(lifetime: Lifetime, file: string, ...args: readonly string[]): Promise<Target> {
  return startSource(lifetime, fileURLToPath(new URL(`../peers/${file}`, import.meta.url)), args)
}

/** Starts a server of the bench, which takes its port as the first argument. */
async function startSource(lifetime: Lifetime, file: string, args: readonly string[]): Promise<Target> {
  const port = await freePort()
  // The child runs with the same Node.js options as this process, so that it can run TypeScript source.
  const child = spawn(process.execPath, [...process.execArgv, file, `${port}`, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, NODE_ENV: 'production' }
  })
  lifetime.ends(() => child.kill('SIGKILL'))
  let complaints = ''
  child.stderr.on('data', (data) => {
    complaints += data
  })
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 400; tries++) {
    if (child.exitCode !== null) break
    // Any answer shows that the server is up, even a 404 for /.
    const answers = await fetch(url).then(
      () => true,
      () => false
    )
    if (answers) return { pid: child.pid as number, url }
    await sleep(50)
  }
  throw new Error(`${file} did not start:\n${complaints}`)
}
