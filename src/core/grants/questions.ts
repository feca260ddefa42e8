/** The question of a device: looked up by its user code, judged by the rules of the operator, and answered. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Clients } from '../clients/clients.js'
import type { Admission, Answerer } from './admission.js'
import type { CodeGrantEvents } from './code-grants.js'
import type { DecidedBy, DecideFound } from './decisions.js'
import type { Action, DecideOutcome, PeekOutcome, Refused } from './grant.js'
import { decisionTold, questionOf } from './grant-events.js'
import type { FoundGrant } from './grant-store.js'

export interface Questions {
  /**
   * Looks up the grant of a typed user code. For whoever is to be asked, the rules of the operator judge it as well, and what they
   * refuse is denied.
   */
  peek(typedUserCode: string, by?: Answerer): Promise<PeekOutcome>
  /**
   * Approves or denies a grant. Idempotent for the same user and action, so that a request can be retried. The rules judge it again
   * before an approval, whatever they made of the question.
   */
  decide(typedUserCode: string, action: Action, by: DecidedBy): Promise<DecideOutcome>
}

export interface QuestionsParts {
  find(typedUserCode: string): Promise<FoundGrant | undefined>
  decideFound: DecideFound
  admission: Admission
  clients: Clients
  audit: AuditTrail
  events: CodeGrantEvents
}

export function createQuestions(parts: QuestionsParts): Questions {
  const { find, decideFound, admission, clients, audit, events } = parts
  /** What a rule has made of a grant for this user, however often they ask. The first answer, and its telling, may have been lost. */
  async function refusalOf(found: FoundGrant, by: Answerer): Promise<Refused | undefined> {
    const rule = found.decision?.rule
    if (rule === undefined || found.decision?.userId !== by.userId) return undefined
    await audit.tellOnce(decisionTold(found, 'deny', { ...by, rule }, {}))
    return { kind: 'refused', ...admission.sayOf(rule) }
  }

  /** What the rules make of a grant that still waits. What they refuse is denied, and its client told so. */
  async function admit(found: FoundGrant, by: Answerer) {
    const judgement = admission.judge(found.request, found.createdAtMs, by)
    if (judgement.kind === 'open') return judgement
    const rule = judgement.rule.name
    const denied = await decideFound(found, 'deny', { ...by, leftOut: [], rule }, (afterMs) => {
      events.decided('deny', afterMs / 1000, 'device')
      events.ruleRefused(rule, 'device')
    })
    // Somebody else was faster.
    if (denied.kind !== 'decided') return { kind: denied.kind === 'withdrawn' ? 'withdrawn' : 'resolved' } as const
    return { kind: 'refused', ...admission.sayOf(rule) } as const
  }

  return {
    async peek(typedUserCode, by) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      if (found.state !== 'pending') return (by && (await refusalOf(found, by))) ?? { kind: found.state }
      const { request, createdAtMs } = found
      const judged = by ? await admit(found, by) : { kind: 'open' as const, warnings: [], isProofDue: false }
      if (judged.kind !== 'open') return judged
      const { warnings, isProofDue } = judged
      const client = clients.find(request.clientId)
      return { kind: 'pending', request, client, createdAtMs, warnings, isProofDue, ...questionOf(found) }
    },

    async decide(typedUserCode, action, by) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      if (action === 'approve') {
        const refusal = await refusalOf(found, by)
        if (refusal) return refusal
        const judged = found.state === 'pending' ? await admit(found, by) : undefined
        if (judged && judged.kind !== 'open') return judged
        if (judged?.isProofDue) return { kind: 'unproved' }
      }
      return decideFound(found, action, by, (afterMs) => events.decided(action, afterMs / 1000, 'device'))
    }
  }
}
