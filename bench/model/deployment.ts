/** What a deployment needs for so many pending clients: rates, instances, primaries, and how loaded they are. */
import {
  AUTHORIZATION_BYTES,
  BEAT_MICROS,
  BEATS_PER_SECOND,
  CONNECTIONS_PER_PRIMARY,
  EVENT_MICROS,
  EVENTS_OF_APPROVAL,
  EVENTS_OF_START,
  GATHER_SECONDS,
  GRANT_KEPT_SECONDS,
  HEAR_MICROS,
  HELD_SECONDS,
  LISTED_DAYS,
  MOST_IN_RUN,
  REDIS_SHARE,
  SERVICE_SHARE,
  type Setting,
  TELL_MICROS
} from './assumptions.js'
import type { Cost, Costs } from './costs.js'
import { GROUPS, largestShare } from './groups.js'

export interface Deployment {
  pending: number
  /** All per second. */
  polls: number
  starts: number
  approvals: number
  events: number
  instances: number
  /** Polls in a run of the script. */
  inRun: number
  /** Primaries; undefined if no number of them is enough. */
  primaries: number | undefined
  /** CPU of Redis in all, in cores. */
  redisCores: number
  grantBytes: number
  keptBytes: number
  /** Parts of a core: of the primary with the most grants, and of the one with the audit trail, for that alone. */
  hottest: number
  trail: number
  /** Of an instance, for hearing of all decisions; of a primary, for telling all instances, and for their beats. */
  hearing: number
  telling: number
  beats: number
  /** At each primary. */
  connections: number
}

const MICROS = 1_000_000
const GIBIBYTE = 2 ** 30
const DAY_SECONDS = 86_400
/** The size of a run follows from instances and primaries, and these from it: it is settled after a few rounds. */
const ROUNDS = 12

export function deploymentOf(costs: Costs, setting: Setting, pending: number): Deployment {
  const { heldShare, intervalSeconds, approvedPerDay, approvedAfterSeconds, grantSeconds, tokenDays } = setting
  const approvals = (pending * approvedPerDay) / DAY_SECONDS
  const starts = approvals + Math.max(0, pending - approvals * approvedAfterSeconds) / grantSeconds
  // A poll that is held asks twice: when it comes, and when its time is up.
  const polls = pending * ((1 - heldShare) / intervalSeconds + (2 * heldShare) / HELD_SECONDS)
  const events = setting.isWithoutTrail ? 0 : starts * EVENTS_OF_START + approvals * EVENTS_OF_APPROVAL
  const grantBytes = starts * (grantSeconds + GRANT_KEPT_SECONDS) * costs.grantBytes
  const keptBytes = approvals * DAY_SECONDS * (tokenDays + LISTED_DAYS) * AUTHORIZATION_BYTES

  const coresOf = (part: keyof Cost, inRun: number) =>
    (polls * (costs.poll[part] + costs.run[part] / inRun) +
      starts * costs.start[part] +
      approvals * costs.approval[part]) /
    MICROS
  const hearing = (approvals * HEAR_MICROS) / MICROS
  let inRun = MOST_IN_RUN
  let instances = 2
  let primaries: number | undefined = 1
  for (let i = 0; i < ROUNDS; i++) {
    const room = SERVICE_SHARE - hearing
    const byCpu = room > 0 ? coresOf('service', inRun) / room : Number.POSITIVE_INFINITY
    instances = Math.max(2, Math.ceil(byCpu), Math.ceil((pending * heldShare) / setting.heldPolls))
    const cores = coresOf('redis', inRun)
    const byMemory = Math.ceil((grantBytes + keptBytes) / (setting.primaryGibibytes * GIBIBYTE))
    primaries = leastPrimaries(cores, byMemory, setting.isEven)
    inRun = Math.min(MOST_IN_RUN, Math.max(1, ((polls / instances) * GATHER_SECONDS) / (primaries ?? GROUPS)))
  }
  const over = primaries ?? GROUPS
  const redisCores = coresOf('redis', inRun)
  return {
    ...{ pending, polls, starts, approvals, events, instances, inRun, primaries, redisCores, grantBytes, keptBytes },
    hottest: redisCores * largestShare(over, setting.isEven),
    trail: (events * EVENT_MICROS) / MICROS,
    hearing,
    telling: ((approvals / over) * instances * TELL_MICROS) / MICROS,
    beats: (instances * BEATS_PER_SECOND * BEAT_MICROS) / MICROS,
    connections: instances * CONNECTIONS_PER_PRIMARY
  }
}

/** The fewest primaries of which none is too loaded, and each has room for its part. */
function leastPrimaries(cores: number, byMemory: number, isEven: boolean): number | undefined {
  const least = Math.max(1, byMemory, Math.floor(cores / REDIS_SHARE))
  // More primaries than groups would be without grants.
  for (let primaries = least; primaries <= GROUPS; primaries++) {
    if (cores * largestShare(primaries, isEven) <= REDIS_SHARE) return primaries
  }
  return undefined
}
