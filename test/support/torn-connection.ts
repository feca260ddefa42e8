/**
 * A connection to Redis whose scripts are no longer atomic. A script runs on a copy of its keys taken one turn earlier,
 * and the copy then replaces the keys. The races must fail with it, which shows that their tests can fail.
 */
import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { RedisConnection } from '../../src/storage/redis/connection.js'
import { loadScripts, type ScriptName } from '../../src/storage/redis/scripts.js'

/** SET with NX, which reserves a user code, is the one change that is a plain command and not a script. */
export type Tearable = ScriptName | 'user-code-reserve'

interface Copy {
  dump: Buffer | null
  /** The time to live; 0 means no expiry. */
  leftMs: number
}

/** Decides when calls begin: at once, or after the earlier ones have ended. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>

export const allAtOnce: Queue = (work) => work()

export function oneAtATime(): Queue {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const done = last.then(work)
    last = done.catch(() => {})
    return done
  }
}

const scripts = loadScripts()

export function tear(connection: RedisConnection, names: readonly Tearable[], queue: Queue): RedisConnection {
  const ask = <T>(command: (redis: Redis) => Promise<T>) =>
    connection.call('torn', (redis) => command(redis as unknown as Redis))

  async function copyOf(key: string): Promise<Copy> {
    const [dump, leftMs] = await ask((redis) => Promise.all([redis.dumpBuffer(key), redis.pttl(key)]))
    return { dump, leftMs: Math.max(0, leftMs) }
  }

  async function put(key: string, { dump, leftMs }: Copy): Promise<void> {
    if (dump) await ask((redis) => redis.restore(key, leftMs, dump, 'REPLACE'))
    else await ask((redis) => redis.del(key))
  }

  async function runTorn(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]) {
    const before = await Promise.all(keys.map(copyOf))
    await turn()
    const copies = keys.map(() => `copy:${randomUUID()}`)
    await Promise.all(copies.map((copy, i) => put(copy, before[i] as Copy)))
    const verdict = await connection.runOver(name, copies, args)
    for (const [i, copy] of copies.entries()) {
      const after = await copyOf(copy)
      // A copy that the script has not changed is not written back.
      if (after.dump?.toString('hex') !== before[i]?.dump?.toString('hex')) await put(keys[i] as string, after)
      await ask((redis) => redis.del(copy))
    }
    return verdict
  }

  /** Splits SET NX into a read, and a write one turn later. */
  const inTwo = (redis: Redis) => ({
    async set(key: string, value: string, _px: 'PX', ttlMs: number): Promise<string | null> {
      const holder = await redis.get(key)
      await turn()
      if (holder === null) await redis.set(key, value, 'PX', ttlMs)
      return holder
    }
  })

  const runOver: RedisConnection['runOver'] = (name, keys, args) =>
    queue(() => (names.includes(name) ? runTorn(name, keys, args) : connection.runOver(name, keys, args)))
  const run: RedisConnection['run'] = (name, ...keysThenArgs) => {
    const count = scripts[name].numberOfKeys
    return runOver(name, keysThenArgs.slice(0, count).map(String), keysThenArgs.slice(count))
  }
  const call: RedisConnection['call'] = (name, command) =>
    queue(() =>
      connection.call(name, (redis) =>
        command(names.includes(name as Tearable) ? (inTwo(redis as Redis) as unknown as Redis) : redis)
      )
    )
  return {
    ...connection,
    run,
    runOver,
    runDurably: run,
    runDurablyOver: runOver,
    call,
    callDurably: (name, _key, command) => call(name, command)
  }
}
