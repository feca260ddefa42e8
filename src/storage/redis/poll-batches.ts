/**
 * Polls that come together are judged together: they go to each primary as one run of grant-poll.lua, because a run costs Redis
 * and this process as much as judging several polls.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { fault } from '../../core/fault.js'
import type { StoredPoll } from '../../core/grants/grant-store.js'
import type { TraceCall } from '../../core/storage.js'
import type { RedisConnection } from './connection.js'
import { groupOf, type Keys } from './keys.js'
import type { PrimaryAddress, Servers } from './servers.js'

/** Caps a run, because Redis does nothing else while it judges: some two microseconds for each poll. */
const MOST_TOGETHER = 100
/** The longest wait of a poll for others. Timers are as exact as a millisecond. */
const WAIT_MS = 2
/** So many polls wait for no others. */
const ENOUGH = 16
/** A wait is worth its while if at least so many others are to be expected in it. */
const WORTH_WAITING_FOR = 3
/** How much the newest run counts for the pace at which polls come. */
const NEWEST = 1 / 8
/** How long it is remembered that the clock of Redis is ahead: it may be set right, and a failover brings another one. */
const REMEMBER_AHEAD_MS = 60_000
/** The cap on polls under way. Further ones are refused, because they would only wait for each other. */
const MOST_UNDER_WAY = 10_000

const PENDING: StoredPoll = { kind: 'pending' }

/**
 * What a run of grant-poll.lua says of a grant that is not pending: the number of its poll, from 1, a verdict and its value. A run that
 * came too late has one verdict, `late`, with the time of Redis.
 */
type Verdict = readonly [number: number, verdict: string, value: number | string | null]

interface Poll {
  key: string
  /** A prefix of client tags. */
  clientTag: string
  resolve(poll: StoredPoll): void
  reject(reason: unknown): void
}

/**
 * Judges a poll by a client with this tag. `isUrgent`: it waits for no other polls, because somebody waits for a decision. Rejects
 * with `unavailable` when Redis could not be asked.
 */
export type JudgePoll = (grantDigest: string, clientTag: string, isUrgent: boolean) => Promise<StoredPoll>

export interface PollBatchesParts {
  connection: Pick<RedisConnection, 'runOver' | 'withinMs'>
  keys: Pick<Keys, 'grant'>
  /** The Cluster; undefined if there is one primary. */
  cluster: Pick<Servers, 'slotOf' | 'addressOf'> | undefined
  traceCall?: TraceCall | undefined
  /** Reads a verdict that is not `failed`. Throws `unavailable` if the record with it cannot be read. */
  readVerdict(verdict: string, value: number | string | null): StoredPoll
  /** The time of this instance. */
  clock: Clock
  /** The last argument of the script, in tests. */
  now(): readonly number[]
}

export function createPollBatches(parts: PollBatchesParts): JudgePoll {
  const { connection, keys, cluster, traceCall, readVerdict, clock, now } = parts
  const addressOf = cluster ? addressesByGroup(cluster, keys) : () => undefined
  /** The polls that are gathered now, by primary and key. The script takes a grant once. */
  const gathered = new Map<PrimaryAddress | undefined, Map<string, Poll>>()
  const departure = createDeparture(judgeGathered)
  const deadline = createRunDeadline(connection.withinMs)
  let underWay = 0

  function judgeGathered(): void {
    for (const polls of gathered.values()) judge([...polls.values()])
    gathered.clear()
  }

  /** `runId` is that of a run that was late, which another command may have judged in time: a lost one that the driver sent again. */
  function judge(polls: readonly Poll[], runId?: string): void {
    const grants = polls.map(({ key }) => key)
    const asked = polls.map(({ clientTag }) => `p${clientTag}`)
    // A Cluster takes the keys of one slot alone. It does not look at the others, which are all of the same primary.
    const declared = cluster ? 1 : grants.length
    const sentAtMs = clock()
    const id = runId ?? nextRunId()
    const args = [id, deadline.of(sentAtMs), grants.length, ...asked, ...grants.slice(declared), ...now()]
    connection.runOver('grant-poll', grants.slice(0, declared), args, 'at-once').then(
      (answer) => {
        const verdicts = answer as Verdict[] | null
        const [, verdict, redisMs] = verdicts?.[0] ?? []
        if (verdict !== 'late') return settle(polls, verdicts)
        deadline.learn(sentAtMs, redisMs as number, clock())
        if (runId === undefined) judge(polls, id)
        else refuse(polls, fault('unavailable', { detail: 'Redis is too slow, or its clock does not keep still' }))
      },
      (reason: unknown) => refuse(polls, reason)
    )
  }

  function refuse(polls: readonly Poll[], reason: unknown): void {
    underWay -= polls.length
    for (const { reject } of polls) reject(reason)
  }

  function settle(polls: readonly Poll[], verdicts: readonly Verdict[] | null): void {
    const others = new Map<number, Verdict>()
    for (const verdict of verdicts ?? []) others.set(verdict[0], verdict)
    for (const [i, poll] of polls.entries()) {
      const [, verdict, value = null] = others.get(i + 1) ?? []
      if (verdict === 'failed') {
        judge([poll])
        continue
      }
      underWay -= 1
      try {
        poll.resolve(verdict === undefined ? PENDING : readVerdict(verdict, value))
      } catch (error) {
        poll.reject(error)
      }
    }
  }

  function gather(address: PrimaryAddress | undefined, poll: Poll): void {
    const polls = gathered.get(address)
    if (polls === undefined) {
      gathered.set(address, new Map([[poll.key, poll]]))
    } else if (polls.size === MOST_TOGETHER || polls.has(poll.key)) {
      judge([...polls.values()])
      gathered.set(address, new Map([[poll.key, poll]]))
    } else {
      polls.set(poll.key, poll)
    }
  }

  const judgePoll: JudgePoll = (grantDigest, clientTag, isUrgent) => {
    if (underWay >= MOST_UNDER_WAY) {
      return Promise.reject(fault('unavailable', { detail: 'too much is asked of Redis already' }))
    }
    underWay += 1
    departure.add(isUrgent)
    return new Promise((resolve, reject) =>
      gather(addressOf(grantDigest), { key: keys.grant(grantDigest), clientTag, resolve, reject })
    )
  }
  // A run has many parents, so what is traced is each poll's wait for it.
  return traceCall ? (...poll) => traceCall('grant-poll', judgePoll(...poll)) : judgePoll
}

/** Returns which primary owns a grant. The slot of a group is computed once, because that costs more than judging a poll. */
function addressesByGroup({ slotOf, addressOf }: Pick<Servers, 'slotOf' | 'addressOf'>, keys: Pick<Keys, 'grant'>) {
  const slots = new Map<string, number>()
  return (grantDigest: string): PrimaryAddress | undefined => {
    const group = groupOf(grantDigest)
    const slot = slots.get(group) ?? slotOf(keys.grant(grantDigest))
    slots.set(group, slot)
    return addressOf(slot)
  }
}

/**
 * Says when polls leave: at the end of a turn of the event loop if they are many, or if at the pace of the last runs hardly another
 * one would come soon. Otherwise they wait for others, because a run for each few polls would wake Redis, and then this process, each
 * time. `leave` sends what is gathered; `nowMs` is a time that never goes back.
 */
export function createDeparture(leave: () => void, nowMs: () => number = () => performance.now()) {
  let count = 0
  let isHurried = false
  let timer: NodeJS.Timeout | undefined
  let leftAtMs = nowMs()
  /** The time from one poll to the next, as a moving average. One that is longer than a wait counts as that. */
  let gapMs = WAIT_MS

  function endTurn(): void {
    if (isHurried || count >= ENOUGH || gapMs * WORTH_WAITING_FOR > WAIT_MS) depart()
    else timer = setTimeout(depart, WAIT_MS)
  }

  function depart(): void {
    const now = nowMs()
    gapMs += (Math.min((now - leftAtMs) / count, WAIT_MS) - gapMs) * NEWEST
    leftAtMs = now
    count = 0
    isHurried = false
    timer = undefined
    leave()
  }

  return {
    /** Called for every poll that is gathered. What is urgent leaves at the end of this turn, with all that wait. */
    add(isUrgent: boolean): void {
      if (count === 0) setImmediate(endTurn)
      count += 1
      isHurried ||= isUrgent
      if (timer && (isHurried || count >= ENOUGH)) {
        clearTimeout(timer)
        timer = undefined
        setImmediate(depart)
      }
    }
  }
}

/**
 * Says until when a run may be judged, in Unix milliseconds of Redis. A Redis that hung goes on with commands of connections that were
 * given up meanwhile. Polls among them, judged as if they had just come, would make their clients too early, who were told 503 and come
 * again soon. `withinMs` is how long the answer to a run is awaited. The clock of this instance is good enough: if Redis is behind, what
 * is late by no more than that is judged; if it is ahead, it says so.
 */
function createRunDeadline(withinMs: number) {
  let aheadMs = 0
  let learnedAtMs = 0
  return {
    of(sentAtMs: number): number {
      if (Math.abs(sentAtMs - learnedAtMs) > REMEMBER_AHEAD_MS) aheadMs = 0
      return sentAtMs + aheadMs + withinMs
    },
    /** Takes the time of Redis from an answer that is awaited still, and yet is that the run came late. */
    learn(sentAtMs: number, redisMs: number, receivedAtMs: number): void {
      // Otherwise not the clock is ahead, but the way there took so long.
      if (redisMs <= receivedAtMs) return
      // What the run took on its way is given to those that follow.
      aheadMs = redisMs - sentAtMs
      learnedAtMs = sentAtMs
    }
  }
}

const processPart = randomBytes(4).toString('base64url')
const COUNT_LIMIT = 36 ** 6
let count = 0

/**
 * The id of a run of grant-poll.lua or grant-redeem.lua, by which the script recognizes a command that the driver sent twice. It has
 * the twelve characters that the layout reserves: six random ones for the process and a counter of six. Collisions between distant runs
 * are harmless, because an id is compared with those of the last runs for the same grant alone.
 */
export function nextRunId(): string {
  count = (count + 1) % COUNT_LIMIT
  return processPart + count.toString(36).padStart(6, '0')
}
