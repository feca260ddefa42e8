/** What clients were told was done and what is not there in the end: by the audit trail, which has an event of each change. */
import type { Entry, FinalState } from '../faults/history.js'
import { EVENTS } from '../faults/judge-trail.js'
import { type Story, storiesOf } from '../faults/stories.js'

export interface Losses {
  /** How many changes were acknowledged in that time. */
  acknowledged: number
  /** Those of them that are not there, by what they were. */
  lost: Record<string, number>
  /** The actors that have lost something. */
  losers: ReadonlySet<string>
  /** Changes that were done and answered with an error; their repetition is another event. */
  unanswered: number
}

const NAMES: Record<string, string> = {
  'grant.started': 'starts',
  'grant.approved': 'approvals',
  'grant.denied': 'denials',
  'authorization.renamed': 'renames',
  'authorization.revoked': 'revocations'
}

export function lossesOf(history: readonly Entry[], { trail }: FinalState, from: number, to: number): Losses {
  const losses = { acknowledged: 0, lost: {} as Record<string, number>, losers: new Set<string>(), unanswered: 0 }
  const lose = (actor: string, what: string, count: number) => {
    losses.lost[what] = (losses.lost[what] ?? 0) + count
    losses.losers.add(actor)
  }

  for (const story of storiesOf(history)) {
    const events = trail.told.get(story.actor) ?? []
    for (const { kind, said, type } of EVENTS) {
      const done = story.all(kind).filter((entry) => entry.outcome === 'done' && (said ?? entry.said) === entry.said)
      const meanwhile = done.filter(({ answeredAt }) => answeredAt >= from && answeredAt <= to)
      const told = events.filter((event) => event.type === type).length
      losses.acknowledged += meanwhile.length
      losses.unanswered += Math.max(0, told - done.length)
      const missing = Math.min(done.length - told, meanwhile.length)
      if (missing > 0) lose(story.actor, NAMES[type] as string, missing)
    }
    const collected = collectedIn(story, from, to)
    const missing = collected.filter(
      (id) => !events.some(({ type, authorization }) => type === 'grant.collected' && authorization === id)
    )
    losses.acknowledged += collected.length
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
