/** The question of a device: looked up by its user code, judged by the rules of the operator, answered, and undone. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Approvals } from '../authorizations/approvals.js'
import type { Clients } from '../clients/clients.js'
import type { Admission, Answerer } from './admission.js'
import type { CodeGrantEvents } from './code-grants.js'
import type { DecidedBy, DecideFound } from './decisions.js'
import type { Action, DecideOutcome, PeekOutcome, Question, Refused, UndoOutcome } from './grant.js'
import { askTold, decisionTold, questionOf, shownTold, undoTold } from './grant-events.js'
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
  /** Notes that a user is shown the question of a grant: the first time on this instance, which is told. Rejects with `unavailable`. */
  shown(question: Question, userId: string, by: Origin): Promise<void>
  /** Notes the same of a program on the same device, and its start with it. */
  asked(question: Question, userId: string, by: Origin): Promise<void>
  /** Undoes this user's approval, whether or not it was collected: the authorization is revoked. */
  undo(typedUserCode: string, userId: string, by: Origin): Promise<UndoOutcome>
}

export interface QuestionsParts {
  find(typedUserCode: string): Promise<FoundGrant | undefined>
  decideFound: DecideFound
  admission: Admission
  approvals: Approvals
  clients: Clients
  audit: AuditTrail
  events: CodeGrantEvents
}

export function createQuestions(parts: QuestionsParts): Questions {
  const { find, decideFound, admission, approvals, clients, audit, events } = parts
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
    },

    shown: (question, userId, by) => audit.tellOnce(shownTold(question, userId, by)),

    async asked(question, userId, by) {
      await audit.tellOnce(askTold(question, { ip: by.ip, location: by.location }))
      await audit.tellOnce(shownTold(question, userId, by))
    },

    async undo(typedUserCode, userId, by) {
      const found = await find(typedUserCode)
      const decision = found?.decision
      if (!found || decision?.action !== 'approve' || decision.userId !== userId) return { kind: 'unknown' }
      const { request } = found
      await approvals.revoke(clients.find(request.clientId), { request, decision }, 'owner', by)
      await audit.tellOnce(undoTold(found, userId, decision.authorizationId, by))
      return { kind: 'undone' }
    }
  }
}
