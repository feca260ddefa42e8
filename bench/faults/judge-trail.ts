/** Judges the audit trail: it must tell everything that was acknowledged, and nothing secret. */
import type { FinalState, Kind } from './history.js'
import type { Fact, Story } from './stories.js'

/** What is told of an acknowledged request. */
export const EVENTS: readonly { kind: Kind; said?: string; type: string }[] = [
  { kind: 'start', type: 'grant.started' },
  { kind: 'decide', said: 'approve', type: 'grant.approved' },
  { kind: 'decide', said: 'deny', type: 'grant.denied' },
  { kind: 'rename', type: 'authorization.renamed' },
  { kind: 'revoke', type: 'authorization.revoked' }
]

/** The requests of this kind that were acknowledged. */
export const acknowledgedOf = (story: Story, { kind, said }: (typeof EVENTS)[number]) =>
  story.all(kind).filter((entry) => entry.outcome === 'done' && (said ?? entry.said) === entry.said)

export function* judgeTrail(story: Story, { trail: { told, leaks } }: FinalState): Generator<Fact> {
  const events = told.get(story.actor) ?? []
  for (const expected of EVENTS) {
    const { type } = expected
    const done = acknowledgedOf(story, expected)
    if (done.length === 0) continue
    const count = events.filter((event) => event.type === type).length
    const broken = count < done.length && `${type} is told ${count} times, acknowledged ${done.length} times`
    yield { rule: 'told in the trail', broken }
  }
  for (const id of new Set(story.entries.flatMap(({ authorization }) => authorization ?? []))) {
    const isTold = events.some(({ type, authorization }) => type === 'grant.collected' && authorization === id)
    yield { rule: 'told in the trail', broken: !isTold && 'a collection is not told' }
  }
  if (events.length > 0) {
    yield { rule: 'no secret in the trail', broken: leaks.has(story.actor) && 'a code or a token is in it' }
  }
}
