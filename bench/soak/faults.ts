/** What an operator does to a service, and what happens to it, while it is soaked. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { moveSlots } from '../../test/support/move-slots.js'
import { runProgram } from '../../test/support/programs.js'
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Fleet } from './fleet.js'
import type { SoakRedis } from './redis.js'

export interface SoakFault {
  name: string
  /** Causes it, and resolves when it is repaired. `round` counts from nought. */
  happens(round: number): Promise<void>
}

const DEAD_FOR_MS = 2_000
const SLOTS_AT_ONCE = 32

/** Those that end instances come first, so that the new ones live for as long as possible and their memory can be judged. */
export function faultsOf(fleet: Fleet, { nodes, isCluster }: SoakRedis): SoakFault[] {
  const secrets = [fleet.variables().GRANTD_SECRET as string]
  const nodeOf = (round: number) => nodes[round % nodes.length] as RedisServer

  const changeSecret = async () => {
    // First everybody reads the new one, then everybody writes it. The old ones go on reading what they wrote.
    const added = randomBytes(36).toString('base64')
    await fleet.restartOneByOne({ GRANTD_SECRET: [...secrets, added].join(',') })
    secrets.unshift(added)
    await fleet.restartOneByOne({ GRANTD_SECRET: secrets.join(',') })
  }
  const killRedis = async (round: number) => {
    const server = nodeOf(round)
    await server.kill()
    await sleep(DEAD_FOR_MS)
    await server.start()
  }
  const rotateKeys = async (round: number) => {
    const args = ['keys', 'rotate', ...(round % 2 === 0 ? ['--now'] : [])]
    const { code, stderr } = await runProgram('cli.js', args, fleet.variables())
    if (code !== 0) throw new Error(`keys rotate: ${stderr}`)
  }
  const giveSlotsAway = async (round: number) => {
    const [from, to] = [nodeOf(round), nodeOf(round + 1)]
    const id = await from.client.cluster('MYID')
    const owned = (await from.client.cluster('SLOTS')).filter((range) => range[2]?.[2] === id)
    const [first = 0, last = -1] = owned.sort((a, b) => b[1] - b[0] - (a[1] - a[0]))[0] ?? []
    const most = Math.min(SLOTS_AT_ONCE, last - first + 1)
    await moveSlots(
      from,
      to,
      Array.from({ length: most }, (_, i) => first + i)
    )
  }

  return [
    { name: '`GRANTD_SECRET` changed, in two rolling restarts', happens: changeSecret },
    { name: 'instances restarted one by one (`SIGTERM`)', happens: () => fleet.restartOneByOne() },
    {
      name: `\`kill -9\` of ${isCluster ? 'one primary of three' : 'Redis'}, started again after 2 s`,
      happens: killRedis
    },
    { name: 'signing key rotated, every other time `--now`', happens: rotateKeys },
    ...(isCluster ? [{ name: `${SLOTS_AT_ONCE} slots given to another primary`, happens: giveSlotsAway }] : [])
  ]
}
