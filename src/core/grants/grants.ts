/**
 * The operations on a grant: a client starts it, a user looks it up and decides it, the client polls and collects it, or
 * withdraws it. This file handles codes, decisions and withdrawals; polls.ts handles polls and collection, rules.ts holds the
 * state machine, and the surfaces (src/routes) render the outcomes.
 */
import { randomUUID } from 'node:crypto'
import type { RevokedBy } from '../authorizations/authorizations.js'
import { BUILT_IN_TAG, type Client, isBuiltIn, isPublic, tagOf } from '../clients/client.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import { formatUserCode, isGrantCode, newGrantCode, newUserCode, readUserCode } from './codes.js'
import type {
  Action,
  DecideOutcome,
  Decision,
  GrantRequest,
  PeekOutcome,
  PollOutcome,
  UndoOutcome,
  WithdrawOutcome
} from './grant.js'
import type { FoundGrant } from './grant-store.js'
import { createPolls, type Polls, type PollsParts } from './polls.js'

/** Caps the retries after a collision of user codes. Among a million live grants, one new code in 25,600 collides. */
const USER_CODE_TRIES = 10

export interface StartedGrant {
  grantCode: string
  /** In the form XXXX-XXXX. */
  userCode: string
  expiresInSeconds: number
  intervalSeconds: number
}

/** Callbacks for metrics. */
export interface GrantEvents {
  started(): void
  polled(outcome: PollOutcome['kind']): void
  decided(action: Action, secondsFromStart: number): void
  collected(): void
}

export interface Grants extends Polls {
  /** Starts a grant (RFC 8628 §3.1). Rejects with `unavailable` when it could not be stored. */
  start(request: GrantRequest): Promise<StartedGrant>
  /** Looks up the grant of a typed user code. */
  peek(typedUserCode: string): Promise<PeekOutcome>
  /** Approves or denies a grant. Idempotent for the same user and action, so that a request can be retried. */
  decide(typedUserCode: string, action: Action, by: { userId: string; ip: string }): Promise<DecideOutcome>
  /** Undoes this user's approval, whether or not it was collected: the authorization is revoked. */
  undo(typedUserCode: string, userId: string): Promise<UndoOutcome>
  /**
   * Ends a grant for the client that holds its code: a pending one cannot be approved any more, and what an approval led to is
   * revoked, collected or not. To a client with another tag the grant is unknown and stays as it is. Idempotent. Rejects with
   * `unavailable`.
   */
  withdraw(grantCode: string, clientTag: string): Promise<WithdrawOutcome>
  /** Withdraws for whoever holds the code of a public client's grant, which could prove no more. Another's is `not_public`. */
  withdrawHeld(grantCode: string): Promise<WithdrawOutcome | { kind: 'not_public' }>
}

export interface GrantsParts extends PollsParts {
  keyring: Keyring
  events: GrantEvents
  grantTtlSeconds: number
  pollIntervalSeconds: number
}

export function createGrants(parts: GrantsParts): Grants {
  const { store, keyring, authorizations, clients, events } = parts
  const { poll, pollAndWait } = createPolls(parts)
  /** What the tags of all public clients begin with: those of the built-in ones alike, the others one by one. */
  const publicTags = new Set(
    clients
      .list()
      .filter(isPublic)
      .map(({ id, tag }) => (isBuiltIn(id) ? BUILT_IN_TAG : tag))
  )
  const tagsOf = (userCode: string) => keyring.tags('user-code', userCode)

  async function find(typedUserCode: string): Promise<FoundGrant | undefined> {
    const userCode = readUserCode(typedUserCode)
    for (const tag of userCode ? tagsOf(userCode) : []) {
      const found = await store.find(tag)
      if (found) return found
    }
    return undefined
  }

  /** If the grant was not collected yet, this creates its authorization, so that a later collection finds it revoked. */
  async function revoke(client: Client, request: GrantRequest, decision: Decision, by: RevokedBy): Promise<void> {
    const authorization = await authorizations.create(client, request, decision)
    await authorizations.revoke(decision.userId, authorization.id, by)
  }

  async function withdraw(grantCode: string, clientTag: string): Promise<WithdrawOutcome> {
    if (!isGrantCode(grantCode)) return { kind: 'unknown' }
    const result = await store.withdraw(digestOf(grantCode), clientTag)
    if (result.kind !== 'approved') return { kind: result.kind }
    const client = clients.find(result.request.clientId)
    // The tokens of a client that the operator has removed are not valid any more.
    if (client) await revoke(client, result.request, result.decision, 'token')
    return { kind: 'revoked' }
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
    pollAndWait,

    async peek(typedUserCode) {
      const found = await find(typedUserCode)
      if (found?.state === 'pending') {
        const { request, createdAtMs } = found
        return { kind: 'pending', request, client: clients.find(request.clientId), createdAtMs }
      }
      return { kind: found?.state ?? 'unknown' }
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
      await revoke(client, found.request, decision, 'owner')
      return { kind: 'undone' }
    },

    withdraw,

    async withdrawHeld(grantCode) {
      for (const tag of publicTags) {
        const outcome = await withdraw(grantCode, tag)
        if (outcome.kind !== 'unknown') return outcome
      }
      const isThere = isGrantCode(grantCode) && (await store.stateOf(digestOf(grantCode))) !== 'unknown'
      return { kind: isThere ? 'not_public' : 'unknown' }
    }
  }
}
