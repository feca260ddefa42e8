/** The question of a device: looked up by its user code, judged by the rules of the operator, and answered. */
import type { Clients } from '../clients/clients.js'
import type { Admission, Answerer } from './admission.js'
import type { DecidedBy, DecideFound } from './decisions.js'
import type { Action, DecideOutcome, Flow, PeekOutcome, Refused } from './grant.js'
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
  events: { decided(action: Action, secondsFromStart: number, flow: Flow): void }
}

export function createQuestions({ find, decideFound, admission, clients, events }: QuestionsParts): Questions {
  /** What a rule has made of a grant for this user, however often they ask. */
  function refusalOf({ decision }: FoundGrant, { userId }: Answerer): Refused | undefined {
    if (decision?.rule === undefined || decision.userId !== userId) return undefined
    return { kind: 'refused', ...admission.sayOf(decision.rule) }
  }

  /** What the rules make of a grant that still waits. What they refuse is denied, and its client told so. */
  async function admit(found: FoundGrant, by: Answerer) {
    const { grantDigest, request, createdAtMs } = found
    const judgement = admission.judge(request, createdAtMs, by)
    if (judgement.kind === 'open') return judgement
    const { rule } = judgement
    const { userId, ip } = by
    const afterMs: number[] = []
    const denied = await decideFound(found, 'deny', { userId, ip, rule: rule.name }, (ms) => afterMs.push(ms))
    for (const ms of afterMs) {
      events.decided('deny', ms / 1000, 'device')
      await admission.refused(rule, grantDigest, request, by)
    }
    // Somebody else was faster.
    if (denied.kind !== 'decided') return { kind: denied.kind === 'withdrawn' ? 'withdrawn' : 'resolved' } as const
    return { kind: 'refused', ...admission.sayOf(rule.name) } as const
  }

  return {
    async peek(typedUserCode, by) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      if (found.state !== 'pending') return (by && refusalOf(found, by)) ?? { kind: found.state }
      const { request, createdAtMs } = found
      const judged = by ? await admit(found, by) : { kind: 'open' as const, warnings: [], isProofDue: false }
      if (judged.kind !== 'open') return judged
      const { warnings, isProofDue } = judged
      const client = clients.find(request.clientId)
      return { kind: 'pending', request, client, createdAtMs, warnings, isProofDue }
    },

    async decide(typedUserCode, action, by) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      if (action === 'approve') {
        const refusal = refusalOf(found, by)
        if (refusal) return refusal
        const judged = found.state === 'pending' ? await admit(found, by) : undefined
        if (judged && judged.kind !== 'open') return judged
        if (judged?.isProofDue) return { kind: 'unproved' }
      }
      return decideFound(found, action, by, (afterMs) => events.decided(action, afterMs / 1000, 'device'))
    }
  }
}
