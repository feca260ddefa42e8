/**
 * The code grant (RFC 6749 §4.1, with PKCE for everybody): a grant that is kept from its approval on, because until then the
 * browser alone has it. What it leads to is what a device grant leads to. The code is its grant code, of which the store has the
 * digest; it is redeemed once, by whoever knows the verifier.
 */
import { type Client, codeTagOf } from '../clients/client.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import { isGrantCode } from './codes.js'
import { type Collect, knowsVerifier } from './collection.js'
import type { DecidedBy, DecideFound, DecisionsParts } from './decisions.js'
import type { Action, Collecting, DecideOutcome, GrantRequest, RedeemOutcome } from './grant.js'

/** A request of the authorization endpoint, with the code that an approval makes good. */
export interface AskedCode {
  code: string
  request: GrantRequest & { codeChallenge: string; redirectUri: string }
  askedAtMs: number
}

export interface CodeGrants {
  /** Approves or denies what was asked for. Idempotent for the same user and action. Rejects with `unavailable`. */
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

export interface CodeGrantsParts extends Pick<DecisionsParts, 'store' | 'approvals'> {
  collect: Collect
  decideFound: DecideFound
  clock: () => number
  events: { started(): void; decided(action: Action, secondsFromStart: number): void }
}

/** From the approval on (RFC 6749 §4.1.2 recommends ten minutes at most). */
export const CODE_LIFE_MS = 60_000
/** A code grant is never polled; the columns of a grant have an interval all the same. */
const INTERVAL_MS = 5_000

export function createCodeGrants(parts: CodeGrantsParts): CodeGrants {
  const { store, approvals, collect, decideFound, clock, events } = parts

  return {
    async answerCode({ code, request, askedAtMs }, action, by) {
      const decided = () => {
        // It was never kept waiting here, so that it starts with its decision.
        events.started()
        events.decided(action, Math.max(0, clock() - askedAtMs) / 1000)
      }
      if (action === 'deny') {
        // Nothing is kept of it: the client hears of it from the browser, which cannot approve any more.
        decided()
        return { kind: 'decided' }
      }
      const grantDigest = digestOf(code)
      const clientTag = codeTagOf(request.clientId)
      const grant = { request, clientTag, lifeMs: CODE_LIFE_MS, intervalMs: INTERVAL_MS }
      await store.create(grantDigest, undefined, grant)
      const found = await store.get(grantDigest)
      if (!found) throw fault('unavailable', { detail: 'a code grant was lost while it was approved' })
      return decideFound(found, action, by, decided)
    },

    async redeemCode(code, client, redirectUri, collecting) {
      if (!isGrantCode(code)) return { kind: 'unknown' }
      const [grantDigest, tag] = [digestOf(code), codeTagOf(client.id)]
      const seen = await store.lookAtCode(grantDigest, tag)
      if (seen.kind === 'unknown' || !isMeant(seen.request, client, redirectUri, collecting)) return { kind: 'unknown' }
      const revoke = () => approvals.revoke(client, seen, 'replay')
      if (seen.kind === 'spent') {
        // RFC 6749 §4.1.2: two know the code and its verifier.
        await revoke()
        return { kind: 'spent' }
      }
      const outcome = await collect(code, seen, collecting, () => store.redeem(grantDigest, tag))
      // Another redemption was faster, or the code ended meanwhile, when the authorization was collected already.
      if (outcome.kind === 'spent' || outcome.kind === 'unknown') await revoke()
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
