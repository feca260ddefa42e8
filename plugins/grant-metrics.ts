/** The counters of what happens to grants. Their polls are counted by frequent-metrics.ts. */
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Flow, RedeemOutcome } from '../src/core/grants/grant.js'
import type { Rule } from '../src/core/rules/rule.js'

type GrantEvent = 'started' | 'approved' | 'denied' | 'collected'

/** `rules` are those whose refusals are counted. */
export function createGrantMetrics(registry: Registry, rules: readonly Rule[]) {
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })

  const grants = counter('grantd_grants_total', 'Grants by what happened to them.', 'outcome', 'flow')
  const ruleRefusals = counter('grantd_rule_refusals_total', 'Grants that a rule has refused, by rule.', 'rule', 'flow')
  // The first refusal is an increase only from a zero.
  for (const { name, consequence, when } of rules) {
    if (consequence !== 'refuse') continue
    for (const flow of when.flows ?? ['device', 'code']) ruleRefusals.inc({ rule: name, flow }, 0)
  }
  const redemptions = counter('grantd_code_redemptions_total', 'Authorization codes presented, by outcome.', 'outcome')
  const decisions = new Histogram({
    name: 'grantd_decision_seconds',
    help: 'Seconds from the code to the decision.',
    buckets: [5, 10, 20, 30, 60, 120, 300, 600, 900],
    registers
  })

  return {
    countGrant: (outcome: GrantEvent, flow: Flow) => grants.inc({ outcome, flow }),
    countRuleRefusal: (rule: string, flow: Flow) => ruleRefusals.inc({ rule, flow }),
    countRedemption: (outcome: RedeemOutcome['kind']) => redemptions.inc({ outcome }),
    observeDecision: (seconds: number) => decisions.observe(seconds)
  }
}
