/**
 * The life of a grant: started by a client, looked at and decided by a user, polled and collected by the client.
 * Owns the codes and the order of things at collection; the rules are in rules.ts, the surfaces render the outcomes.
 */
import { randomUUID } from 'node:crypto'
import type { AuthorizedClients } from '../authorized-clients/service.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import type { ClientTokens } from '../tokens/client-tokens.js'
import type { Action, DecideOutcome, Decision, GrantRequest, PeekOutcome, PollOutcome } from './grant.js'
import { isGrantCode, newGrantCode } from './grant-code.js'
import type { FoundGrant, GrantStore, StoredPoll } from './grant-store.js'
import { formatUserCode, newUserCode, readUserCode } from './user-code.js'

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

export interface Grants {
  /** Starts a grant (RFC 8628 §3.1). Rejects with `unavailable` when it could not be kept. */
  start(request: GrantRequest): Promise<StartedGrant>
  /** One poll (RFC 8628 §3.4); collects an approved grant. Any number of polls get at most one authorization between them. */
  poll(grantCode: string): Promise<PollOutcome>
  /** What a user code stands for, as it was typed. */
  peek(typedUserCode: string): Promise<PeekOutcome>
  /** Approves or denies. The same decision by the same user again is no error, so that a request can be retried. */
  decide(typedUserCode: string, action: Action, by: { userId: string; ip: string }): Promise<DecideOutcome>
}

export interface GrantsParts {
  store: GrantStore
  keyring: Keyring
  authorizedClients: AuthorizedClients
  clientTokens: ClientTokens
  events: GrantEvents
  grantTtlSeconds: number
  pollIntervalSeconds: number
}

export function createGrants(parts: GrantsParts): Grants {
  const { store, keyring, authorizedClients, clientTokens, events } = parts
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
  async function collect(grantDigest: string, request: GrantRequest, decision: Decision): Promise<PollOutcome> {
    const client = await authorizedClients.authorize(request, decision)
    if (client.revokedAtMs !== undefined) return { kind: 'denied' }
    const token = clientTokens.mint(client)
    const claim = await store.collect(grantDigest)
    if (claim !== 'collected') return { kind: claim }
    events.collected()
    return { kind: 'approved', token, expiresAtMs: client.expiresAtMs }
  }

  function conclude(grantDigest: string, poll: StoredPoll): PollOutcome | Promise<PollOutcome> {
    if (poll.kind === 'slow_down') return { kind: 'slow_down', intervalSeconds: poll.intervalMs / 1000 }
    if (poll.kind === 'approved') return collect(grantDigest, poll.request, poll.decision)
    return poll
  }

  const counted = (outcome: PollOutcome) => {
    events.polled(outcome.kind)
    return outcome
  }

  return {
    async start(request) {
      const grantCode = newGrantCode()
      const grant = { request, lifeMs: parts.grantTtlSeconds * 1000, intervalMs: parts.pollIntervalSeconds * 1000 }
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

    // The hottest path there is, so no more promises than it takes.
    poll(grantCode) {
      if (!isGrantCode(grantCode)) return Promise.resolve(counted({ kind: 'unknown' }))
      const grantDigest = digestOf(grantCode)
      return store.poll(grantDigest).then((poll) => {
        const outcome = conclude(grantDigest, poll)
        return outcome instanceof Promise ? outcome.then(counted) : counted(outcome)
      })
    },

    async peek(typedUserCode) {
      const found = await find(typedUserCode)
      if (found?.state === 'pending') return { kind: 'pending', request: found.request }
      return { kind: found ? 'resolved' : 'unknown' }
    },

    async decide(typedUserCode, action, { userId, ip }) {
      const found = await find(typedUserCode)
      if (!found) return { kind: 'unknown' }
      const decision = { action, userId, ip, authorizedClientId: randomUUID() }
      const result = await store.decide(found.grantDigest, decision)
      if (result.kind === 'decided') events.decided(action, result.afterMs / 1000)
      return { kind: result.kind === 'repeated' ? 'decided' : result.kind }
    }
  }
}
