/**
 * The life of a grant: started by a client, looked at and decided by a user, polled and collected by the client.
 * Owns the codes and the order of things at collection; the rules are in rules.ts, the surfaces render the outcomes.
 */
import { randomUUID } from 'node:crypto'
import type { Authorizations } from '../authorizations/authorizations.js'
import { tagOf } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import type { Tokens } from '../tokens/tokens.js'
import { formatUserCode, isGrantCode, newGrantCode, newUserCode, readUserCode } from './codes.js'
import type { Action, DecideOutcome, Decision, GrantRequest, PeekOutcome, PollOutcome, UndoOutcome } from './grant.js'
import type { FoundGrant, GrantStore, StoredPoll } from './grant-store.js'
import { type HeldPoll, type HeldPolls, LONGEST_WAIT_SECONDS } from './held-polls.js'

/** How often a fresh user code is tried before giving up; one collision in a row is already one in ten thousand million. */
const USER_CODE_TRIES = 10

export interface StartedGrant {
  grantCode: string
  /** Formatted for people. */
  userCode: string
  expiresInSeconds: number
  intervalSeconds: number
}

/** Told of what happens, for the metrics. */
export interface GrantEvents {
  started(): void
  polled(outcome: PollOutcome['kind']): void
  decided(action: Action, secondsFromStart: number): void
  collected(): void
}

export interface Wait {
  /** As the caller asked; what is longer than the longest wait is cut. */
  seconds: number
  gone: AbortSignal
}

export interface Grants {
  /** Starts a grant (RFC 8628 §3.1). Rejects with `unavailable` when it could not be kept. */
  start(request: GrantRequest): Promise<StartedGrant>
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
  /** What a user code stands for, as it was typed. */
  peek(typedUserCode: string): Promise<PeekOutcome>
  /** Approves or denies. The same decision by the same user again is no error, so that a request can be retried. */
  decide(typedUserCode: string, action: Action, by: { userId: string; ip: string }): Promise<DecideOutcome>
  /** Takes an approval of this user's back, whether or not it has been collected: the authorization is revoked. */
  undo(typedUserCode: string, userId: string): Promise<UndoOutcome>
}

export interface GrantsParts {
  store: GrantStore
  keyring: Keyring
  authorizations: Authorizations
  clients: Clients
  tokens: Tokens
  heldPolls: HeldPolls
  events: GrantEvents
  /** Bounds what collecting a grant takes in all, for it asks several things one after the other. */
  limitTime: <T>(work: Promise<T>) => Promise<T>
  grantTtlSeconds: number
  pollIntervalSeconds: number
}

export function createGrants(parts: GrantsParts): Grants {
  const { store, keyring, authorizations, clients, tokens, heldPolls, events } = parts
  const tagsOf = (userCode: string) => keyring.tags('user-code', userCode)

  async function find(typedUserCode: string): Promise<FoundGrant | undefined> {
    const userCode = readUserCode(typedUserCode)
    for (const tag of userCode ? tagsOf(userCode) : []) {
      const found = await store.find(tag)
      if (found) return found
    }
    return undefined
  }

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
    if (poll.kind === 'approved') return parts.limitTime(collect(grantCode, poll.request, poll.decision))
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
    async start(request) {
      const grantCode = newGrantCode()
      const grant = {
        request,
        clientTag: tagOf(request.clientId),
        lifeMs: parts.grantTtlSeconds * 1000,
        intervalMs: parts.pollIntervalSeconds * 1000
      }
      for (let attempt = 0; attempt < USER_CODE_TRIES; attempt++) {
        const userCode = newUserCode()
        const [tag = ''] = tagsOf(userCode)
        if ((await store.create(digestOf(grantCode), tag, grant)) === 'user_code_taken') continue
        events.started()
        return {
          grantCode,
          userCode: formatUserCode(userCode),
          expiresInSeconds: parts.grantTtlSeconds,
          intervalSeconds: parts.pollIntervalSeconds
        }
      }
      throw fault('unavailable', { detail: `${USER_CODE_TRIES} user codes in a row were taken` })
    },

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
    },

    async peek(typedUserCode) {
      const found = await find(typedUserCode)
      if (found?.state === 'pending') {
        return { kind: 'pending', request: found.request, createdAtMs: found.createdAtMs }
      }
      return { kind: found ? 'resolved' : 'unknown' }
    },

    async decide(typedUserCode, action, { userId, ip }) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      const decision = { action, userId, ip, authorizationId: randomUUID() }
      const result = await store.decide(found.grantDigest, decision)
      if (result.kind === 'decided') events.decided(action, result.afterMs / 1000)
      if (result.kind !== 'decided' && result.kind !== 'repeated') return { kind: result.kind }
      const { authorizationId } = result.kind === 'decided' ? decision : (found.decision ?? {})
      return { kind: 'decided', ...(action === 'approve' && authorizationId && { authorizationId }) }
    },

    async undo(typedUserCode, userId) {
      const found = await find(typedUserCode)
      const decision = found?.decision
      const client = found && clients.find(found.request.clientId)
      if (!client || decision?.action !== 'approve' || decision.userId !== userId) return { kind: 'unknown' }
      // Made now if it has not been collected: whoever collects it later finds it revoked.
      const authorization = await authorizations.create(client, found.request, decision)
      await authorizations.revoke(userId, authorization.id)
      return { kind: 'undone' }
    }
  }
}
