/**
 * Whether the slots of a Redis Cluster stay where they are while all keys are looked at: a slot that goes from a primary not looked at yet
 * to one that was would be left out without a word. Each primary is asked what it has, before and after, since only it knows for sure.
 * It does not tell of a slot that was half moved in between and taken back (SETSLOT STABLE).
 */

const SLOTS = 16_384
const NOBODYS = 'a part of the Redis Cluster has no primary now: its keys cannot be looked at'
/** What was looked at and deleted before is done; what was not is unknown. */
export const MOVED =
  'slots of the Redis Cluster were moved, or a primary replaced, while its keys were looked at: run it again'

/** What a primary says of itself in CLUSTER NODES. */
interface Holding {
  /** Its id, its epoch and its slots. The epoch rises when it takes slots: one that left and came back has raised it. */
  text: string
  slots: number[]
  /** The slots whose keys are on the way from or to it: it has a part of them. */
  open: string[]
}

/** Does `work`. Rejects with a sentence for the operator unless the primaries have all slots, and the same ones before and after. */
export async function whileSlotsStay(nodesOfEach: () => Promise<string[]>, work: () => Promise<void>): Promise<void> {
  const look = async () => {
    const holdings = (await nodesOfEach()).map(holdingOf)
    const [open] = holdings.flatMap((one) => one.open)
    if (open !== undefined) throw new Error(halfMoved(open))
    return { text: holdings.map(({ text }) => text).join('\n'), slots: holdings.flatMap(({ slots }) => slots) }
  }
  const before = await look()
  if (new Set(before.slots).size < SLOTS) throw new Error(NOBODYS)
  // Two that have the same slot: the one that gives it away has not heard yet.
  if (before.slots.length > SLOTS) throw new Error(MOVED)
  await work()
  if ((await look()).text !== before.text) throw new Error(MOVED)
}

const halfMoved = (slot: string) =>
  `slot ${slot} of the Redis Cluster is half moved: finish that (redis-cli --cluster check lists such slots, --cluster fix finishes them), and run it again`

function holdingOf(nodes: string): Holding {
  // ID ADDRESS FLAGS PRIMARY PING PONG EPOCH LINK SLOT… with 0-99, 7, [8->-ID] and [9-<-ID] as slots. A replica has none.
  const own = nodes.split('\n').find((line) => line.split(' ')[2]?.split(',').includes('myself')) ?? ''
  const [id, , , , , , epoch, , ...parts] = own.trim().split(' ')
  return {
    text: [id, epoch, ...parts].join(' '),
    slots: parts.flatMap((part) => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
      if (first === undefined) return []
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i)
    }),
    open: parts.flatMap((part) => /^\[(\d+)-[<>]-/.exec(part)?.[1] ?? [])
  }
}
