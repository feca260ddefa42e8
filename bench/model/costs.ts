/** What operations cost, as the benchmarks measured it. */
import { GRANTD } from '../support/names.js'
import { numberOf, type Result } from '../support/result.js'

/** CPU in µs of the service and of Redis. */
export interface Cost {
  service: number
  redis: number
}

export interface Costs {
  /** A poll that shares a run of the script with many others. */
  poll: Cost
  /** What a run of the script costs beside the polls in it: sending it, waking Redis, reading its answer. */
  run: Cost
  start: Cost
  /** Looking, approving and collecting, with two signatures (RS256). */
  approval: Cost
  /** Bytes of Redis for a pending grant with its user code. */
  grantBytes: number
  /** Bytes of an instance for a poll that it holds. */
  heldBytes: number
}

const MICROS = 1_000_000
const KIBIBYTE = 1_024

export function costsOf(result: Result): Costs {
  const most = Math.max(...result.sizes.pending).toLocaleString('en')
  const of = (section: string, name: string) => numberOf(result, section, name)
  const start = { service: MICROS / of('start', GRANTD), redis: of('start', `Redis, ${GRANTD}`) }
  const beyondFullSpeed = (who: string) =>
    Math.max(0, of('instances', `${who}, 1 instance`) - of('instances', `${who}, 1 instance at full speed`))
  return {
    poll: { service: MICROS / of('peers', GRANTD), redis: of('scale', `redis, ${most} grants`) },
    run: { service: beyondFullSpeed('service'), redis: beyondFullSpeed('redis') },
    start,
    approval: {
      service: of('collect', `CPU, ${GRANTD}`) - start.service,
      redis: of('collect', `Redis, ${GRANTD}`) - start.redis
    },
    grantBytes: of('memory', `${most} grants`),
    heldBytes: of('wait', 'memory per waiting request') * KIBIBYTE
  }
}
