/**
 * The code grant (RFC 6749 §4.1, with PKCE for everybody): a grant that is kept from its approval on, because until then the
 * browser alone has it. What it leads to is what a device grant leads to. The code is its grant code, of which the store has the
 * digest; it is redeemed once, by whoever knows the verifier.
 */
import { BY_ITSELF } from '../audit/event.js'
import { type Client, codeTagOf } from '../clients/client.js'
import { digestOf } from '../secrets/digest.js'
import type { Admission, Answerer, Ruled } from './admission.js'
import { isGrantCode } from './codes.js'
import { type Collect, knowsVerifier } from './collection.js'
import type { DecidedBy, DecideFound, DecisionsParts } from './decisions.js'
import type {
  Action,
  Cautions,
  Collecting,
  DecideOutcome,
  Flow,
  GrantRequest,
  RedeemOutcome,
  Refused
} from './grant.js'
import { decisionTold } from './grant-events.js'

/** A request of the authorization endpoint, with the code that an approval makes good. */
export interface AskedCode {
  code: string
  request: GrantRequest & { codeChallenge: string; redirectUri: string }
  askedAtMs: number
}

/** What is known of one before it is answered. */
export interface PendingCode extends Pick<AskedCode, 'code' | 'askedAtMs'> {
  request: Ruled
}

export interface CodeGrants {
  /** What the rules of the operator make of what was asked for. What they refuse is told like a denial, by the browser. */
  admitCode(asked: PendingCode, by: Answerer): Promise<({ kind: 'open' } & Cautions) | Refused>
  /**
   * Approves or denies what was asked for. Idempotent for the same user and action, while the code that an approval makes good can be
   * redeemed: from then on it is `resolved`. The rules judge it again before an approval. Rejects with `unavailable`.
   */
  answerCode(asked: AskedCode, action: Action, by: DecidedBy): Promise<DecideOutcome>
  /**
   * Redeems a code, once. `redirectUri` is the one that was sent along, if any (OAuth 2.1 asks for none where there is PKCE). Whoever
   * presents it with another client, redirect URI or verifier leaves it as it is. Rejects with `unavailable`.
   */
  redeemCode(
    code: string,
    client: Client,
    redirectUri: string | undefined,
    collecting: Collecting
  ): Promise<RedeemOutcome>
}

export interface CodeGrantsParts extends Pick<DecisionsParts, 'store' | 'approvals' | 'audit'> {
  collect: Collect
  decideFound: DecideFound
  admission: Admission
  clock: () => number
  events: CodeGrantEvents
}

/** Callbacks for metrics. */
export interface CodeGrantEvents {
  /** By a rule of the operator, which happens to a grant once. */
  ruleRefused(rule: string, flow: Flow): void
  decided(action: Action, secondsFromStart: number, flow: Flow): void
  redeemed(outcome: RedeemOutcome['kind']): void
}

/** From the approval on (RFC 6749 §4.1.2 recommends ten minutes at most). */
export const CODE_LIFE_MS = 60_000
/** A code grant is never polled; the columns of a grant have an interval all the same. */
const INTERVAL_MS = 5_000

export function createCodeGrants(parts: CodeGrantsParts): CodeGrants {
  const { store, approvals, collect, decideFound, admission, audit, clock, events } = parts
  const secondsSince = (askedAtMs: number) => Math.max(0, clock() - askedAtMs) / 1000

  /** Nothing else is kept of a denial: the client hears of it from the browser, which cannot approve any more. */
  async function deny({ code, request, askedAtMs }: PendingCode, by: DecidedBy): Promise<void> {
    await audit.tellOnce(decisionTold({ grantDigest: digestOf(code), request }, 'deny', by, {}))
    events.decided('deny', secondsSince(askedAtMs), 'code')
  }

  const redeem: CodeGrants['redeemCode'] = async (code, client, redirectUri, collecting) => {
    if (!isGrantCode(code)) return { kind: 'unknown' }
    const [grantDigest, tag] = [digestOf(code), codeTagOf(client.id)]
    const seen = await store.lookAtCode(grantDigest, tag)
    if (seen.kind === 'unknown' || !isMeant(seen.request, client, redirectUri, collecting)) return { kind: 'unknown' }
    const by = { ...BY_ITSELF, ...collecting.whence() }
    if (seen.kind === 'spent') {
      // RFC 6749 §4.1.2: two know the code and its verifier.
      await approvals.revoke(client, seen, 'code', by)
      return { kind: 'spent' }
    }
    const outcome = await collect(code, seen, collecting, () => store.redeem(grantDigest, tag))
    // Another redemption was faster.
    if (outcome.kind === 'spent') await approvals.revoke(client, seen, 'code', by)
    // The code ended when the authorization was collected already. Nobody has used it twice.
    if (outcome.kind === 'unknown') await approvals.revoke(client, seen, 'code', by)
    return outcome
  }

  const admitCode: CodeGrants['admitCode'] = async (asked, by) => {
    const judgement = admission.judge(asked.request, asked.askedAtMs, by)
    if (judgement.kind === 'open') return judgement
    const rule = judgement.rule.name
    await deny(asked, { ...by, rule })
    events.ruleRefused(rule, 'code')
    return { kind: 'refused', ...admission.sayOf(rule) }
  }

  return {
    admitCode,

    async answerCode({ code, request, askedAtMs }, action, by) {
      if (action === 'deny') {
        await deny({ code, request, askedAtMs }, by)
        return { kind: 'decided' }
      }
      const decided = () => events.decided(action, secondsSince(askedAtMs), 'code')
      const grantDigest = digestOf(code)
      const clientTag = codeTagOf(request.clientId)
      const grant = { request, clientTag, lifeMs: CODE_LIFE_MS, intervalMs: INTERVAL_MS }
      await store.create(grantDigest, undefined, grant)
      const found = await store.get(grantDigest)
      // It was approved so long ago that it is forgotten, and its key is there still.
      if (!found) return { kind: 'resolved' }
      // What stands already is judged no more: its user may send the approval again, from wherever they are by then.
      if (found.state === 'pending') {
        const admitted = await admitCode({ code, request, askedAtMs }, by)
        if (admitted.kind === 'refused') return admitted
        if (admitted.isProofDue) return { kind: 'unproved' }
      } else if ((await store.lookAtCode(grantDigest, clientTag)).kind !== 'open') {
        // An approval whose answer was lost is given again, but leads on only while its code is good for somebody.
        return { kind: 'resolved' }
      }
      return decideFound(found, action, by, decided)
    },

    async redeemCode(...redemption) {
      const outcome = await redeem(...redemption)
      events.redeemed(outcome.kind)
      return outcome
    }
  }
}

function isMeant(
  request: GrantRequest,
  client: Client,
  redirectUri: string | undefined,
  collecting: Collecting
): boolean {
  const isRedirectSame = redirectUri === undefined || redirectUri === request.redirectUri
  return request.clientId === client.id && isRedirectSame && knowsVerifier(request, collecting.codeVerifier)
}
