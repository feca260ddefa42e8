/**
 * Compares what the service told its clients with what is stored: checks a history against the final state. Every rule
 * counts the facts it has checked, because a rule without facts would also report no violation.
 */
import type { Entry, FinalState } from './history.js'
import { judgeAnswers } from './judge-answers.js'
import { judgeState } from './judge-state.js'
import { judgeTrail } from './judge-trail.js'
import { RULES, type Rule, storiesOf } from './stories.js'

export interface Verdict {
  facts: Record<Rule, number>
  violations: string[]
}

/** Checks all rules. `least` is the number of facts that each rule needs for the verdict to mean anything. */
export function check(history: readonly Entry[], state: FinalState, least: Partial<Record<Rule, number>>): Verdict {
  const facts = Object.fromEntries(RULES.map((rule) => [rule, 0])) as Record<Rule, number>
  const violations: string[] = []
  for (const story of storiesOf(history)) {
    for (const { rule, broken } of [...judgeAnswers(story), ...judgeState(story, state), ...judgeTrail(story, state)]) {
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
