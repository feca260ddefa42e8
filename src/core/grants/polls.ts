/**
 * Polls of a grant (RFC 8628 §3.4), answered at once or held until the decision; a poll of an approved grant collects it
 * (collection.ts). The store judges the pacing of polls, by state-machine.ts.
 */
import { digestOf } from '../secrets/digest.js'
import { isGrantCode } from './codes.js'
import { type Collect, knowsVerifier } from './collection.js'
import type { Collecting, PollOutcome } from './grant.js'
import type { ApprovedGrant, GrantStore, StoredPoll } from './grant-store.js'
import { type HeldGrantPoll, type HeldPolls, LONGEST_WAIT_SECONDS, type Wait } from './held-polls.js'

export interface Polls {
  /**
   * One poll by a client with this tag; collects the grant if it is approved. However many polls collect a grant, it has one
   * authorization. Rejects with `unavailable`.
   */
  poll(grantCode: string, clientTag: string, collecting: Collecting): Promise<PollOutcome>
  /**
   * A poll that is held while the grant is pending: until the decision, the end of the wait, the next poll that is held, the caller's
   * disconnection or the instance's stop. One that is refused, because it came too early or of another client, ends nobody's wait.
   * `waitSeconds` is the wait that applied; undefined if the poll was not held, for want of a free place or because it came too early,
   * or if it was held until another one replaced it.
   */
  pollAndWait(grantCode: string, clientTag: string, collecting: Collecting, wait: Wait): Promise<PollWaited>
}

export interface PollWaited {
  outcome: PollOutcome
  waitSeconds?: number
  isReplaced?: true
}

export interface PollsParts {
  store: GrantStore
  collect: Collect
  heldPolls: HeldPolls
  events: { polled(outcome: PollOutcome['kind']): void }
  /** Puts a time limit on a whole collection, which makes several storage calls in a row. */
  limitTime: <T>(work: Promise<T>) => Promise<T>
}

export function createPolls(parts: PollsParts): Polls {
  const { store, collect, heldPolls, events, limitTime } = parts

  const claim = (grantCode: string) => () => store.collect(digestOf(grantCode))

  async function collectApproved(
    grantCode: string,
    approved: ApprovedGrant,
    collecting: Collecting
  ): Promise<PollOutcome> {
    // Whoever does not know the verifier has the code from somebody else, and leaves the grant as it is.
    if (!knowsVerifier(approved.request, collecting.codeVerifier)) return { kind: 'unknown' }
    const { clientId = approved.request.clientId } = collecting
    if (clientId !== approved.request.clientId) return { kind: 'unknown' }
    return collect(grantCode, approved, collecting, claim(grantCode))
  }

  function conclude(grantCode: string, poll: StoredPoll, collecting: Collecting): PollOutcome | Promise<PollOutcome> {
    if (poll.kind === 'slow_down') return { kind: 'slow_down', intervalSeconds: poll.intervalMs / 1000 }
    if (poll.kind === 'approved') return limitTime(collectApproved(grantCode, poll, collecting))
    return poll
  }

  /** Polls, then polls again once the grant is decided or expired. Counts as one poll in the metrics and the pacing. */
  async function hold(
    place: HeldGrantPoll,
    grantCode: string,
    clientTag: string,
    collecting: Collecting,
    waitSeconds: number
  ): Promise<PollWaited> {
    const grantDigest = digestOf(grantCode)
    const ask = async () => conclude(grantCode, await store.poll(grantDigest, clientTag, true), collecting)
    const untilMs = performance.now() + waitSeconds * 1000
    const first = await ask()
    if (first.kind === 'slow_down') return { outcome: first }
    if (first.kind !== 'pending') return { outcome: first, waitSeconds }
    // Only now, because until the store has judged it, it may be anybody's.
    place.takeOver()
    for (;;) {
      const end = await place.wait(Math.max(0, untilMs - performance.now()))
      if (end === 'replaced') return { outcome: first, isReplaced: true }
      if (end === 'gone' || end === 'stopping') return { outcome: first, waitSeconds }
      // A poll of a decided or expired grant is never too early. While the grant is pending, `stateOf` looks instead, because
      // another poll would count against the pace.
      if (end === 'decided' || (await store.stateOf(grantDigest)) !== 'pending') {
        return { outcome: await ask(), waitSeconds }
      }
      if (end === 'over') return { outcome: first, waitSeconds }
    }
  }

  const counted = (outcome: PollOutcome) => {
    events.polled(outcome.kind)
    return outcome
  }

  // The hottest path of the service: written without async functions, to save their promises.
  function poll(grantCode: string, clientTag: string, collecting: Collecting): Promise<PollOutcome> {
    if (!isGrantCode(grantCode)) return Promise.resolve(counted({ kind: 'unknown' }))
    return store.poll(digestOf(grantCode), clientTag).then((stored) => {
      const outcome = conclude(grantCode, stored, collecting)
      return outcome instanceof Promise ? outcome.then(counted) : counted(outcome)
    })
  }

  return {
    poll,

    async pollAndWait(grantCode, clientTag, collecting, { seconds, ...who }) {
      const waitSeconds = Math.min(seconds, LONGEST_WAIT_SECONDS)
      const place = isGrantCode(grantCode) ? heldPolls.enter(digestOf(grantCode), who) : undefined
      if (!place) return { outcome: await poll(grantCode, clientTag, collecting) }
      try {
        const held = await hold(place, grantCode, clientTag, collecting, waitSeconds)
        counted(held.outcome)
        return held
      } finally {
        place.leave()
      }
    }
  }
}
