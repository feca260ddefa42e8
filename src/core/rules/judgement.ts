/** What all rules of the operator together make of a question. */
import { type Circumstances, holds, type Rule } from './rule.js'

/**
 * `open`: it may be asked and answered, with these warnings beside it. `isProofDue`: but only by somebody who has signed in since the
 * grant was started, which this one has not.
 */
export type Judgement =
  | { kind: 'refused'; rule: Rule }
  | { kind: 'open'; warnings: readonly string[]; isProofDue: boolean }

/** Without rules every question is open. */
export const UNRULED: Judgement = { kind: 'open', warnings: [], isProofDue: false }

/**
 * The first rule that refuses wins, wherever it stands among the others. `hasProved`: whether whoever answers has signed in since the
 * grant was started.
 */
export function judge(rules: readonly Rule[], circumstances: Circumstances, hasProved: boolean): Judgement {
  const applying = rules.filter(({ when }) => holds(when, circumstances))
  const refusing = applying.find(({ consequence }) => consequence === 'refuse')
  if (refusing) return { kind: 'refused', rule: refusing }
  return {
    kind: 'open',
    warnings: applying.flatMap(({ say }) => (say === undefined ? [] : [say])),
    isProofDue: !hasProved && applying.some(({ consequence }) => consequence === 'reauthenticate')
  }
}
