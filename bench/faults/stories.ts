/** A history told actor by actor, with what each of them was promised. */
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
  'known answer'
] as const
export type Rule = (typeof RULES)[number]

/** Something that was looked at by a rule. */
export interface Fact {
  rule: Rule
  /** What is wrong with it. */
  broken?: string | false | undefined
}

export interface Story {
  actor: string
  /** In the order they were sent. */
  entries: readonly Entry[]
  /** Of a kind, in the same order. */
  all(...kinds: Kind[]): readonly Entry[]
  /** When it was first sent, whatever became of it; what it asked for may have been done from then on. */
  firstSent(kind: Kind, said?: string): number
  /** When it was first acknowledged; it must stand from then on. */
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
