/** Counts what random histories have come across, because a history that never reaches a case does not test it. */
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { tally } from './engine.js'
import type { Done, Explanation } from './grant-model.js'

export interface Sightings {
  note(done: Done[], explanations: Explanation[], statesLeft: number): void
  /** Reports the counts. Fails if a case was never seen. */
  judge(t: Test, demands: Demands): void
}

export interface Demands {
  /**
   * Whether chance decides the order of simultaneous requests. Some engines send one kind of request ahead of another.
   */
  anyFirst: boolean
  /** Whether simultaneous requests can overtake each other at all. */
  overtaking: boolean
}

const ANSWERS = [
  ...['create created', 'create user_code_taken', 'find pending', 'find resolved', 'find withdrawn', 'find unknown'],
  ...['pending', 'slow_down', 'approved', 'denied', 'expired', 'spent', 'unknown'].map((kind) => `poll ${kind}`),
  ...['decided', 'repeated', 'resolved', 'withdrawn', 'unknown'].map((kind) => `decide ${kind}`),
  ...['withdrawn', 'approved', 'resolved', 'unknown'].map((kind) => `withdraw ${kind}`),
  ...['collected', 'spent', 'unknown'].map((kind) => `collect ${kind}`),
  ...['pending', 'resolved', 'withdrawn', 'unknown'].map((kind) => `stateOf ${kind}`)
].flatMap((answer) => [answer, `together, ${answer}`])

type Scenes = Record<string, string[]>

/** Answers to simultaneous requests that must occur together. */
const RACES: Scenes = {
  'two decide, one too late': ['decide decided', 'decide resolved'],
  'one decides twice': ['decide decided', 'decide repeated'],
  'two collect': ['collect collected', 'collect collected'],
  'two poll': ['poll pending', 'poll slow_down'],
  'one poll repeats another': ['poll pending', 'poll pending'],
  'a third poll is too early': ['poll pending', 'poll pending', 'poll slow_down'],
  'two want one code': ['create created', 'create user_code_taken']
}

const ORDERS: Scenes = {
  'a poll just before the decision': ['decide decided', 'poll pending'],
  'a refused poll just before the decision': ['decide decided', 'poll slow_down'],
  'a poll just after the approval': ['decide decided', 'poll approved'],
  'a poll just after the denial': ['decide decided', 'poll denied'],
  'a collection just before the decision': ['decide decided', 'collect unknown'],
  'a collection just after the decision': ['decide decided', 'collect collected'],
  'a decision just before the withdrawal': ['decide decided', 'withdraw approved'],
  'a decision just after the withdrawal': ['decide withdrawn', 'withdraw withdrawn'],
  'a code looked for just before it is taken': ['create created', 'find unknown'],
  'a code looked for just after it is taken': ['create created', 'find pending']
}

const SEVERAL_ORDERS = 'together, more than one order explains it'
const SEVERAL_STATES = 'together, more than one state is left'
const OVERTAKEN = 'together, not in the order of asking'

export function createSightings(): Sightings {
  const seen = new Map<string, number>()
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)

  return {
    note(done, explanations, statesLeft) {
      const said = done.map(wordsOf)
      if (done.length === 1) {
        said.forEach(count)
        return
      }
      for (const words of said) count(`together, ${words}`)
      for (const [scene, words] of Object.entries({ ...RACES, ...ORDERS })) {
        if (includesAll(said, words)) count(`together, ${scene}`)
      }
      if (explanations.length > 1) count(SEVERAL_ORDERS)
      if (statesLeft > 1) count(SEVERAL_STATES)
      if (!explanations.some(({ order }) => isDeepStrictEqual(order, done))) count(OVERTAKEN)
    },

    judge(t, { anyFirst, overtaking }) {
      for (const [what, times] of [...seen].sort()) t.comment(`${what}: ${times}`)
      const scenes = Object.keys({ ...RACES, ...(anyFirst && ORDERS) }).map((scene) => `together, ${scene}`)
      for (const what of [...ANSWERS, ...scenes, SEVERAL_ORDERS]) t.ok(seen.get(what), `came by: ${what}`)
      t.equal(seen.has(OVERTAKEN), overtaking, `${overtaking ? 'came' : 'never came'} by: ${OVERTAKEN}`)
    }
  }
}

export function wordsOf({ operation, answer }: Done): string {
  if (typeof answer !== 'object') return `${operation.kind} ${answer ?? 'unknown'}`
  const { kind, state } = answer as { kind?: string; state?: string }
  return `${operation.kind} ${kind ?? state}`
}

function includesAll(said: string[], words: string[]): boolean {
  const counts = tally(said)
  return Object.entries(tally(words)).every(([word, count]) => (counts[word] ?? 0) >= count)
}
