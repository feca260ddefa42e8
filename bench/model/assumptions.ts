/** What the model takes for granted. Nothing here comes from the benchmarks. */

/** How a deployment is used and set. */
export interface Setting {
  /** POLL_INTERVAL_SECONDS. */
  intervalSeconds: number
  /** The part of the clients whose polls are held (`Prefer: wait=30`). */
  heldShare: number
  /** HELD_POLLS. */
  heldPolls: number
  /** GRANT_TTL_SECONDS. A grant that nobody decides is pending for so long, and its client starts another. */
  grantSeconds: number
  /** How many grants of each client that waits are approved in a day, in the mean. */
  approvedPerDay: number
  /** How long a grant is pending that is approved. */
  approvedAfterSeconds: number
  /** CLIENT_TOKEN_TTL_SECONDS, in days. */
  tokenDays: number
  /** EVENTS_KEPT is 0: there is no audit trail in Redis. */
  isWithoutTrail: boolean
  /** Memory of a primary for what it keeps, in GiB. */
  primaryGibibytes: number
  /** Slots were moved until each primary has as many groups of grants as the others; otherwise it has as many slots. */
  isEven: boolean
  /** maxclients of Redis. */
  mostConnections: number
}

export const BASE: Setting = {
  intervalSeconds: 5,
  heldShare: 0,
  heldPolls: 10_000,
  grantSeconds: 900,
  approvedPerDay: 1,
  approvedAfterSeconds: 60,
  tokenDays: 30,
  isWithoutTrail: false,
  primaryGibibytes: 16,
  isEven: false,
  mostConnections: 10_000
}

/** What an instance and a primary may use of their core. */
export const SERVICE_SHARE = 0.5
export const REDIS_SHARE = 0.6

/** The longest wait of a poll for others that its run takes along (WAIT_MS of src/storage/redis/poll-batches.ts), and the most in a run. */
export const GATHER_SECONDS = 0.002
export const MOST_IN_RUN = 100

export const HELD_SECONDS = 30
/** How long Redis keeps a grant after its end. */
export const GRANT_KEPT_SECONDS = 360
/** An authorized client is listed for so long after its end, and takes so many bytes (`npm run bench:directory`). */
export const LISTED_DAYS = 90
export const AUTHORIZATION_BYTES = 840

/** Events of the audit trail, and what one costs the primary that has the stream. */
export const EVENTS_OF_START = 1
export const EVENTS_OF_APPROVAL = 3
export const EVENT_MICROS = 10

/** What an instance pays to hear of a decision, and what a primary pays to tell one instance. */
export const HEAR_MICROS = 5
export const TELL_MICROS = 2
/** Each instance pings each primary so often, by its subscription; the cost to the primary. */
export const BEATS_PER_SECOND = 1
export const BEAT_MICROS = 7
/** Connections of an instance to each primary: commands, decisions, and writes that wait for replicas. */
export const CONNECTIONS_PER_PRIMARY = 3

/** A Cluster of more nodes than that is beyond what Redis is made for. */
export const MOST_NODES = 1_000
export const REPLICAS = 2

/** What a refusal costs an instance, in polls: under overload, and while Redis is away, when each has a line in the log. */
export const REFUSAL_SHARE = 0.4
export const AWAY_SHARE = 1.5
/** A new connection with TLS, at the edge. */
export const HANDSHAKE_MICROS = 1_000
/** What a replica is sent in a second when it copies everything. */
export const COPY_MEBIBYTES_PER_SECOND = 100
