/** At how many pending clients each limit is reached. */

import { MOST_NODES, REDIS_SHARE, REPLICAS, type Setting } from './assumptions.js'
import type { Costs } from './costs.js'
import { type Deployment, deploymentOf } from './deployment.js'
import { GROUPS } from './groups.js'

export interface Limit {
  name: string
  isReached(deployment: Deployment, setting: Setting): boolean
  /** What moves it. */
  moves: string
}

const GIBIBYTE = 2 ** 30
/** What goes on beside the work may take this part of a core. */
const ASIDE = 0.1

export const LIMITS: readonly Limit[] = [
  {
    name: 'one Redis without a Cluster: its memory',
    isReached: ({ grantBytes, keptBytes }, { primaryGibibytes }) =>
      grantBytes + keptBytes > primaryGibibytes * GIBIBYTE,
    moves: 'a Cluster; a larger machine; `CLIENT_TOKEN_TTL_SECONDS`: what stays is the authorized clients'
  },
  {
    name: `one Redis without a Cluster: ${REDIS_SHARE * 100} % of its core`,
    isReached: ({ primaries = Number.POSITIVE_INFINITY, redisCores }) => primaries > 1 && redisCores > REDIS_SHARE,
    moves: 'a Cluster; `Prefer: wait`; `POLL_INTERVAL_SECONDS`'
  },
  {
    name: '`maxclients` of a primary: each instance has three connections to each',
    isReached: ({ connections }, { mostConnections }) => connections > mostConnections,
    moves: '`maxclients` of Redis'
  },
  {
    name: `a Cluster of ${MOST_NODES.toLocaleString('en')} nodes: a primary and ${REPLICAS} replicas each`,
    isReached: ({ primaries = Number.POSITIVE_INFINITY }) => primaries * (1 + REPLICAS) > MOST_NODES,
    moves: '`Prefer: wait`; `POLL_INTERVAL_SECONDS`; one replica less; several deployments'
  },
  {
    name: 'the audit trail, one stream on one primary: 60 % of its core',
    isReached: ({ trail }) => trail > REDIS_SHARE,
    moves: '`EVENTS_KEPT=0` with `AUDIT_LOG=stdout`'
  },
  {
    name: 'beats of all instances at each primary: a tenth of its core',
    isReached: ({ beats }) => beats > ASIDE,
    moves: 'nothing: fewer instances, by `Prefer: wait` with a larger `HELD_POLLS`'
  },
  {
    name: 'decisions told to all instances: a tenth of a primary',
    isReached: ({ telling }) => telling > ASIDE,
    moves: 'nothing: it grows with decisions and with instances'
  },
  {
    name: 'decisions heard by each instance: a tenth of its core',
    isReached: ({ hearing }) => hearing > ASIDE,
    moves: 'nothing: each instance hears of every decision'
  },
  {
    name: `the ${GROUPS.toLocaleString('en')} groups of grants: no number of primaries is enough`,
    isReached: ({ primaries }) => primaries === undefined,
    moves: '`Prefer: wait`; `POLL_INTERVAL_SECONDS`; several deployments'
  }
]

const LEAST = 1_000
const MOST = 1e12
/** Half of the distance, on the logarithm, is as good as exact after so many steps. */
const STEPS = 40

/** The number of pending clients at which a limit is first reached; undefined if it never is. */
export function reachedAt(limit: Limit, costs: Costs, setting: Setting): number | undefined {
  const isReached = (pending: number) => limit.isReached(deploymentOf(costs, setting, pending), setting)
  if (!isReached(MOST)) return undefined
  let [below, above] = [Math.log(LEAST), Math.log(MOST)]
  for (let i = 0; i < STEPS; i++) {
    const middle = (below + above) / 2
    if (isReached(Math.exp(middle))) above = middle
    else below = middle
  }
  return Math.exp(above)
}
