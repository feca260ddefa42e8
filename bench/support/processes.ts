/** The processes under measurement: Redis, the service as it is built and run, and the yardstick. */
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
export async function startYardstick(
  lifetime: Lifetime,
  redis: RedisServer,
  lengths: readonly number[] = []
): Promise<Target> {
  const port = await freePort()
  // Started the way this process was, so that it runs from its source.
  const child = spawn(
    process.execPath,
    [...process.execArgv, YARDSTICK, `${port}`, redis.url, ...lengths.map(String)],
    {
      stdio: ['ignore', 'inherit', 'inherit']
    }
  )
  lifetime.ends(() => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    // Any answer will do: that there is nothing at / is one.
    const answers = await fetch(url).then(
      () => true,
      () => false
    )
    if (answers) return { pid: child.pid as number, url }
    await sleep(50)
  }
  throw new Error('the yardstick did not start')
}
