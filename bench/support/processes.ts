/** The processes under measurement: Redis, the service as it is built and run, the yardstick, and the peers. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, type RedisServer, startRedis } from '../../test/support/redis-server.js'
import { startService } from '../../test/support/service.js'
import type { Lifetime } from './lifetime.js'

const YARDSTICK = fileURLToPath(new URL('../yardstick.ts', import.meta.url))

export interface Target {
  pid: number
  /** Without a path. */
  url: string
}

/**
 * A Redis of the bench's own. Rewrites of the append-only file are off: one that begins in the middle of a round
 * would be charged to whoever is measured in it.
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

/** The built service with everything on but the limits, which would refuse the load. */
export async function startGrantd(
  lifetime: Lifetime,
  redis: RedisServer,
  more: Record<string, string> = {}
): Promise<Target> {
  const variables = { REDIS_URL: redis.url, LIMITS: 'off', LOG_LEVEL: 'info', ...more }
  const { process: child, url } = await startService({ teardown: lifetime.ends }, variables)
  return { pid: child.pid as number, url }
}

/** The yardstick: `/poll`, `/token` and `/get`, and `/static/BYTES` for those lengths (see bench/yardstick.ts). */
export function startYardstick(
  lifetime: Lifetime,
  redis: RedisServer,
  lengths: readonly number[] = []
): Promise<Target> {
  return startSource(lifetime, YARDSTICK, [redis.url, ...lengths.map(String)])
}

/** One of bench/peers, over the store it is told of, in the mode it is meant to be deployed in. */
export function startPeer(lifetime: Lifetime, file: string, ...args: readonly string[]): Promise<Target> {
  return startSource(lifetime, fileURLToPath(new URL(`../peers/${file}`, import.meta.url)), args)
}

/** A server of the bench's own, which takes its port as the first argument. */
async function startSource(lifetime: Lifetime, file: string, args: readonly string[]): Promise<Target> {
  const port = await freePort()
  // Started the way this process was, so that it runs from its source.
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
    // Any answer will do: that there is nothing at / is one.
    const answers = await fetch(url).then(
      () => true,
      () => false
    )
    if (answers) return { pid: child.pid as number, url }
    await sleep(50)
  }
  throw new Error(`${file} did not start:\n${complaints}`)
}
