/**
 * Holds what was told against what is: replays a history against the final state. Every rule counts what it has looked at, so
 * that finding nothing can be told from having looked at nothing.
 */
import type { Entry, FinalState } from './history.js'
import { judgeAnswers } from './judge-answers.js'
import { judgeState } from './judge-state.js'
import { RULES, type Rule, storiesOf } from './stories.js'

export interface Verdict {
  facts: Record<Rule, number>
  violations: string[]
}

/** `least`: how many facts of each rule there must be for the verdict to mean anything. */
export function check(history: readonly Entry[], state: FinalState, least: Partial<Record<Rule, number>>): Verdict {
  const facts = Object.fromEntries(RULES.map((rule) => [rule, 0])) as Record<Rule, number>
  const violations: string[] = []
  for (const story of storiesOf(history)) {
    for (const { rule, broken } of [...judgeAnswers(story), ...judgeState(story, state)]) {
      facts[rule] += 1
      if (broken) violations.push(`${rule}: ${story.actor}: ${broken}`)
    }
  }
  for (const rule of RULES) {
    const needed = least[rule] ?? 1
    if (facts[rule] < needed)
      violations.push(`${rule}: ${facts[rule]} facts, too few to say anything (${needed} needed)`)
  }
  return { facts, violations }
}
