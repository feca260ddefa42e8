/**
 * Polls of a grant (RFC 8628 §3.4): asked once or held until the decision, and what collects an approved one. Owns the order of
 * things at collection; whether a poll came too early is judged in the store, by rules.ts.
 */
import type { Authorizations } from '../authorizations/authorizations.js'
import type { Clients } from '../clients/clients.js'
import { digestOf } from '../secrets/digest.js'
import type { Tokens } from '../tokens/tokens.js'
import { isGrantCode } from './codes.js'
import type { Decision, GrantRequest, PollOutcome } from './grant.js'
import type { GrantStore, StoredPoll } from './grant-store.js'
import { type HeldPoll, type HeldPolls, LONGEST_WAIT_SECONDS } from './held-polls.js'

export interface Wait {
  /** As the caller asked; what is longer than the longest wait is cut. */
  seconds: number
  gone: AbortSignal
}

export interface Polls {
  /**
   * One poll (RFC 8628 §3.4) of a client with this tag; collects an approved grant. Any number of polls get at most one
   * authorization between them.
   */
  poll(grantCode: string, clientTag: string): Promise<PollOutcome>
  /**
   * The same, but while the grant is pending the answer waits: for the decision, so many seconds, until the caller has gone or
   * the instance stops. `waitSeconds` is how long it could have waited; undefined if there was no room, or the poll came too
   * early, and so it was answered at once.
   */
  pollAndWait(grantCode: string, clientTag: string, wait: Wait): Promise<{ outcome: PollOutcome; waitSeconds?: number }>
}

export interface PollsParts {
  store: GrantStore
  authorizations: Authorizations
  clients: Clients
  tokens: Tokens
  heldPolls: HeldPolls
  events: { polled(outcome: PollOutcome['kind']): void; collected(): void }
  /** Bounds what collecting a grant takes in all, for it asks several things one after the other. */
  limitTime: <T>(work: Promise<T>) => Promise<T>
}

export function createPolls(parts: PollsParts): Polls {
  const { store, authorizations, clients, tokens, heldPolls, events, limitTime } = parts

  /** Everything that can fail comes before the claim, and nothing is handed out without it. */
  async function collect(grantCode: string, request: GrantRequest, decision: Decision): Promise<PollOutcome> {
    const client = clients.find(request.clientId)
    if (!client) return { kind: 'denied' }
    const authorization = await authorizations.create(client, request, decision)
    if (authorization.revokedAtMs !== undefined) return { kind: 'denied' }
    const issued = await tokens.issue(client, authorization, grantCode)
    const claim = await store.collect(digestOf(grantCode))
    if (claim !== 'collected') return { kind: claim }
    events.collected()
    return { kind: 'approved', tokens: issued }
  }

  function conclude(grantCode: string, poll: StoredPoll): PollOutcome | Promise<PollOutcome> {
    if (poll.kind === 'slow_down') return { kind: 'slow_down', intervalSeconds: poll.intervalMs / 1000 }
    if (poll.kind === 'approved') return limitTime(collect(grantCode, poll.request, poll.decision))
    return poll
  }

  /** Asks until there is more to say than that the grant is pending. A held poll counts as the one it is. */
  async function hold(place: HeldPoll, grantCode: string, clientTag: string, forMs: number): Promise<PollOutcome> {
    const grantDigest = digestOf(grantCode)
    const ask = async () => conclude(grantCode, await store.poll(grantDigest, clientTag))
    const untilMs = performance.now() + forMs
    const first = await ask()
    if (first.kind !== 'pending') return first
    for (;;) {
      const end = await place.wait(Math.max(0, untilMs - performance.now()))
      if (end === 'gone' || end === 'stopping') return first
      // Whatever is not pending any more is told however early it is asked for; asking otherwise would be another poll.
      if (end === 'decided' || (await store.stateOf(grantDigest)) !== 'pending') return ask()
      if (end === 'over') return first
    }
  }

  const counted = (outcome: PollOutcome) => {
    events.polled(outcome.kind)
    return outcome
  }

  // The hottest path there is, so no more promises than it takes.
  function poll(grantCode: string, clientTag: string): Promise<PollOutcome> {
    if (!isGrantCode(grantCode)) return Promise.resolve(counted({ kind: 'unknown' }))
    return store.poll(digestOf(grantCode), clientTag).then((stored) => {
      const outcome = conclude(grantCode, stored)
      return outcome instanceof Promise ? outcome.then(counted) : counted(outcome)
    })
  }

  return {
    poll,

    async pollAndWait(grantCode, clientTag, { seconds, gone }) {
      const waitSeconds = Math.min(seconds, LONGEST_WAIT_SECONDS)
      const place = isGrantCode(grantCode) ? heldPolls.enter(digestOf(grantCode), gone) : undefined
      if (!place) return { outcome: await poll(grantCode, clientTag) }
      try {
        const outcome = counted(await hold(place, grantCode, clientTag, waitSeconds * 1000))
        return { outcome, ...(outcome.kind !== 'slow_down' && { waitSeconds }) }
      } finally {
        place.leave()
      }
    }
  }
}
