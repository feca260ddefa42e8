/** The faults: how each is caused in a stack, and how it is repaired. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Shape, Stack } from './stack.js'

export interface Fault {
  name: string
  shape: Shape
  /** The name of the fault in the table of docs/faults.md. */
  title: string
  /**
   * Causes the fault. Resolves when the fault is in force, with the function that repairs it; that function resolves
   * after the repair.
   */
  strike(stack: Stack): Promise<() => Promise<void>>
  /** The time between the end of `strike` and the start of the repair. */
  lastsMs: number
}

/** A failover, and some load on the promoted replica, must fit into this time before the old primary comes back. */
const FAILOVER_MS = 8_000
const FLUSH_EVERY_MS = 50

const killPrimary = (shape: Shape, title: string): Fault => ({
  name: `${shape}-kill`,
  shape,
  title,
  lastsMs: FAILOVER_MS,
  async strike(stack) {
    const victim = await stack.primary()
    const replaced = await replacementOf(stack, shape)
    await victim.kill()
    return async () => {
      await replaced()
      await victim.start()
    }
  }
})

const stopPrimary = (shape: Shape, title: string): Fault => ({
  name: `${shape}-stop`,
  shape,
  title,
  lastsMs: FAILOVER_MS,
  async strike(stack) {
    const pid = (await stack.primary()).pid()
    const replaced = await replacementOf(stack, shape)
    process.kill(pid, 'SIGSTOP')
    return async () => {
      await replaced()
      process.kill(pid, 'SIGCONT')
    }
  }
})

/**
 * Returns a wait until another primary has replaced the lost one. If the old primary came back earlier, there would be
 * no failover.
 */
async function replacementOf(stack: Stack, shape: Shape): Promise<() => Promise<void>> {
  const known = await stack.primaries()
  return async () => {
    // A single Redis has no replica that could take over.
    const isReplaced = (now: RedisServer[]) => now.length === known.length && now.some((one) => !known.includes(one))
    for (let tries = 0; shape !== 'single' && !isReplaced(await stack.primaries()); tries++) {
      if (tries === 600) throw new Error('nobody took over')
      await sleep(50)
    }
  }
}

const flushScripts = (shape: Shape, title: string): Fault => ({
  name: `${shape}-script-flush`,
  shape,
  title,
  lastsMs: 4_000,
  async strike(stack) {
    const primaries = await stack.primaries()
    const flush = () => Promise.all(primaries.map(({ client }) => client.script('FLUSH')))
    const timer = setInterval(flush, FLUSH_EVERY_MS)
    return async () => clearInterval(timer)
  }
})

/** Lets snapshots fail, as on a full disk. Redis then refuses writes with MISCONF. */
async function failToSave(stack: Stack): Promise<() => Promise<void>> {
  const { client } = await stack.primary()
  const [, directory = ''] = (await client.config('GET', 'dir')) as [string, string]
  // Nobody, not even root, can create a file in /proc.
  await client.config('SET', 'dir', '/proc')
  await client.config('SET', 'save', '1 1')
  for (let tries = 0; !/last_bgsave_status:err/.test(await client.info('persistence')); tries++) {
    if (tries === 200) throw new Error('Redis saves all the same')
    await sleep(50)
  }
  return async () => {
    await client.config('SET', 'dir', directory)
    await client.config('SET', 'save', '')
    await client.bgsave()
  }
}

async function fillMemory(stack: Stack): Promise<() => Promise<void>> {
  const { client } = await stack.primary()
  const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
  // The limit is far below the used memory, because Redis does not count AOF buffers against it, and they vary by
  // kilobytes.
  await client.config('SET', 'maxmemory', Math.floor(used / 2))
  return async () => void (await client.config('SET', 'maxmemory', 0))
}

async function restartOneByOne(stack: Stack): Promise<() => Promise<void>> {
  for (const [i, service] of stack.services.entries()) {
    await service.stop('SIGTERM')
    await stack.restart(i)
  }
  return async () => {}
}

async function killInstance(stack: Stack): Promise<() => Promise<void>> {
  await stack.services[1]?.stop('SIGKILL')
  return () => stack.restart(1)
}

async function pauseNetwork({ proxy }: Stack): Promise<() => Promise<void>> {
  proxy?.pause()
  return async () => proxy?.resume()
}

const onOne = (name: string, title: string, lastsMs: number, strike: Fault['strike']): Fault => {
  return { name, shape: 'single', title, lastsMs, strike }
}

export const FAULTS: readonly Fault[] = [
  killPrimary('sentinel', 'Sentinel: `kill -9` of the primary'),
  stopPrimary('sentinel', 'Sentinel: `SIGSTOP` of the primary'),
  killPrimary('cluster', 'Cluster: `kill -9` of one primary of three'),
  stopPrimary('cluster', 'Cluster: `SIGSTOP` of one primary of three'),
  flushScripts('cluster', 'Cluster: `SCRIPT FLUSH` on every primary, every 50 ms for 4 s'),
  flushScripts('single', 'one Redis: `SCRIPT FLUSH`, every 50 ms for 4 s'),
  killPrimary('single', 'one Redis: `kill -9`, started again after 8 s'),
  onOne('misconf', 'one Redis: snapshots fail for 4 s (`MISCONF`)', 4_000, failToSave),
  onOne('oom', 'one Redis: memory full for 4 s (`OOM`)', 4_000, fillMemory),
  onOne('network-pause', 'one Redis: its network silent for 5 s', 5_000, pauseNetwork),
  onOne('rolling-restart', 'instances restarted one by one (`SIGTERM`)', 0, restartOneByOne),
  onOne('instance-kill', '`kill -9` of one of two instances, started again after 4 s', 4_000, killInstance)
]
