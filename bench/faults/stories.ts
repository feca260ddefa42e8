/** Splits a history into one story per actor, and finds the times at which promises to an actor began. */
import type { Entry, Kind } from './history.js'

export const RULES = [
  'approval kept',
  'denial kept',
  'revocation kept',
  'rename kept',
  'one authorization',
  'revoked is refused',
  'decision is seen',
  'no false refusal',
  'known answer',
  'told in the trail',
  'no secret in the trail'
] as const
export type Rule = (typeof RULES)[number]

/** One check of a rule. */
export interface Fact {
  rule: Rule
  /** The violation as a sentence; false or undefined if the rule was kept. */
  broken?: string | false | undefined
}

export interface Story {
  actor: string
  /** All entries, in the order in which they were sent. */
  entries: readonly Entry[]
  /** The entries of these kinds, in the same order. */
  all(...kinds: Kind[]): readonly Entry[]
  /** When such a request was first sent. From then on its effect is possible, whatever the answer was. */
  firstSent(kind: Kind, said?: string): number
  /** When such a request was first acknowledged. From then on its effect is promised. */
  firstDone(kind: Kind, said?: string): number
}

export function storiesOf(history: readonly Entry[]): Story[] {
  const byActor = new Map<string, Entry[]>()
  for (const entry of [...history].sort((a, b) => a.sentAt - b.sentAt)) {
    const known = byActor.get(entry.actor)
    if (known) known.push(entry)
    else byActor.set(entry.actor, [entry])
  }
  return [...byActor].map(([actor, entries]) => tell(actor, entries))
}

function tell(actor: string, entries: readonly Entry[]): Story {
  const all = (...kinds: Kind[]) => entries.filter(({ kind }) => kinds.includes(kind))
  const these = (kind: Kind, said?: string) => all(kind).filter((entry) => said === undefined || entry.said === said)
  return {
    actor,
    entries,
    all,
    firstSent: (kind, said) => Math.min(...these(kind, said).map(({ sentAt }) => sentAt)),
    firstDone(kind, said) {
      const done = these(kind, said).filter(({ outcome }) => outcome === 'done')
      return Math.min(...done.map(({ answeredAt }) => answeredAt))
    }
  }
}
