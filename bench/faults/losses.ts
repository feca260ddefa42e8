/** What clients were told was done and what is not there in the end: by the audit trail, which has an event of each change. */
import type { Entry, FinalState } from './history.js'
import { acknowledgedOf, EVENTS } from './judge-trail.js'
import { type Story, storiesOf } from './stories.js'

export interface Losses {
  /** How many changes were acknowledged from the cut until the instance was back at the right Redis. */
  acknowledged: number
  /** What was acknowledged since the cut and is not there, by what it was. */
  lost: Record<string, number>
  /** The actors that have lost something. */
  losers: ReadonlySet<string>
}

/** When the network was broken, when it was repaired, when the instance was back at the right Redis, and when that was whole again. */
export interface Times {
  struckAt: number
  healedAt: number
  backAt: number
  wholeAt: number
}

const NAMES: Record<string, string> = {
  'grant.started': 'starts',
  'grant.approved': 'approvals',
  'grant.denied': 'denials',
  'authorization.renamed': 'renames',
  'authorization.revoked': 'revocations'
}

export function lossesOf(history: readonly Entry[], { trail }: FinalState, times: Times): Losses {
  const { struckAt, backAt, wholeAt } = times
  const losses = { acknowledged: 0, lost: {} as Record<string, number>, losers: new Set<string>() }
  const lose = (actor: string, what: string, count: number) => {
    losses.lost[what] = (losses.lost[what] ?? 0) + count
    losses.losers.add(actor)
  }

  for (const story of storiesOf(history)) {
    const events = trail.told.get(story.actor) ?? []
    for (const expected of EVENTS) {
      const { type } = expected
      const done = acknowledgedOf(story, expected)
      const within = (to: number) => done.filter(({ answeredAt }) => answeredAt >= struckAt && answeredAt <= to).length
      const told = events.filter((event) => event.type === type).length
      losses.acknowledged += within(backAt)
      const missing = Math.min(done.length - told, within(wholeAt))
      if (missing > 0) lose(story.actor, NAMES[type] as string, missing)
    }
    const missing = collectedIn(story, struckAt, wholeAt).filter(
      (id) => !events.some(({ type, authorization }) => type === 'grant.collected' && authorization === id)
    )
    losses.acknowledged += collectedIn(story, struckAt, backAt).length
    if (missing.length > 0) lose(story.actor, 'collected tokens', missing.length)
  }
  return losses
}

/** The authorizations whose tokens were first handed out in that time. */
function collectedIn({ entries }: Story, from: number, to: number): string[] {
  const first = new Map<string, number>()
  for (const { authorization, answeredAt } of entries) {
    if (authorization !== undefined) {
      first.set(authorization, Math.min(answeredAt, first.get(authorization) ?? Number.POSITIVE_INFINITY))
    }
  }
  return [...first].filter(([, at]) => at >= from && at <= to).map(([id]) => id)
}
