/** Gives slots of a Redis Cluster to another primary, in the way that the server has for it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from './redis-server.js'

/** Is told which slots are at which stage of their way, and does not hold them up. */
type Watch = (stage: string, slots: readonly number[]) => void

/** How long each key is being copied, so that a few of them take as long as many would: where that is watched, and for ever. */
const WATCHED_US = 20_000
const NEVER_US = 1_000_000

/** Whether slots can be moved in one piece (CLUSTER MIGRATESLOTS), as since Valkey 9. */
export async function canMoveAtOnce({ client }: RedisServer): Promise<boolean> {
  const [command] = (await client.call('COMMAND', 'INFO', 'cluster|migrateslots')) as unknown[]
  return Boolean(command)
}

/** Resolves when both primaries know who has the slots by now. Both go on answering meanwhile. */
export async function moveSlots(
  from: RedisServer,
  to: RedisServer,
  slots: readonly number[],
  watch?: Watch
): Promise<void> {
  const move = (await canMoveAtOnce(from)) ? moveAtOnce : moveKeyByKey
  await move(from, to, slots, watch)
}

async function moveAtOnce(from: RedisServer, to: RedisServer, slots: readonly number[], watch?: Watch) {
  await begin(from, to, slots, watch ? WATCHED_US : 0)
  let before = 'begun'
  watch?.(before, slots)
  for (;;) {
    const { state, message } = await lastMove(from)
    if (state === 'success') return
    if (state === 'failed' || state === 'cancelled') throw new Error(`the slots were not moved: ${state}, ${message}`)
    if (state !== before) watch?.(state, slots)
    before = state
    await sleep(1)
  }
}

/** Cancels a move in one piece while keys are copied. Calls `meanwhile` before that. Returns what has become of the move. */
export async function cancelMove(
  from: RedisServer,
  to: RedisServer,
  slots: readonly number[],
  meanwhile: () => Promise<unknown>
): Promise<string> {
  await begin(from, to, slots, NEVER_US)
  while ((await lastMove(from)).state !== 'snapshotting') await sleep(1)
  await meanwhile()
  await from.client.call('CLUSTER', 'CANCELSLOTMIGRATIONS')
  return (await lastMove(from)).state
}

async function begin({ client }: RedisServer, to: RedisServer, slots: readonly number[], copiedForUs: number) {
  await client.config('SET', 'rdb-key-save-delay', copiedForUs)
  const target = (await to.client.cluster('MYID')) as string
  const ranges = slots.flatMap((slot) => [slot, slot])
  await client.call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...ranges, 'NODE', target)
}

/** The one that was begun last comes first. */
async function lastMove({ client }: RedisServer): Promise<{ state: string; message: string }> {
  const [fields = []] = (await client.call('CLUSTER', 'GETSLOTMIGRATIONS')) as string[][]
  const fieldOf = (name: string) => String(fields[fields.indexOf(name) + 1])
  return { state: fieldOf('state'), message: fieldOf('message') }
}

async function moveKeyByKey(from: RedisServer, to: RedisServer, slots: readonly number[], watch?: Watch) {
  const [source = '', target = ''] = await Promise.all(
    [from, to].map(({ client }) => client.cluster('MYID') as Promise<string>)
  )
  for (const slot of slots) {
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', source)
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', target)
    watch?.('half moved', [slot])
    for (;;) {
      const keys = (await from.client.cluster('GETKEYSINSLOT', slot, 100)) as string[]
      if (keys.length === 0) break
      await from.client.migrate('127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
    }
    watch?.('without keys', [slot])
    for (const { client } of [to, from]) await client.cluster('SETSLOT', slot, 'NODE', target)
  }
}
