/**
 * The model: grants by the rules of src/core/grants/state-machine.ts, kept in plain maps, as the reference for every engine. A
 * step says which answers are right and which state follows from the given one. It changes nothing in place, so that
 * simultaneous operations can be tried in every order.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Decision, GrantRequest } from '../../src/core/grants/grant.js'
import type { GrantStanding, GrantStore, NewGrant } from '../../src/core/grants/grant-store.js'
import {
  COLLECT_AGAIN_MS,
  type GrantState,
  isForgotten,
  judgeCollection,
  judgeDecision,
  judgePoll,
  judgeWithdrawal,
  TTL_SLACK_MS
} from '../../src/core/grants/state-machine.js'
import { CLIENT_TAG } from './engine.js'

export interface ModelGrant extends GrantState {
  request: GrantRequest
  createdAtMs: number
  decision: Decision | undefined
}

export interface ModelState {
  /** The grants by their digests. */
  grants: ReadonlyMap<string, ModelGrant>
  /** The digest of the latest grant under each user code. */
  holders: ReadonlyMap<string, string>
}

export type Operation =
  | { kind: 'create'; digest: string; tag: string; grant: NewGrant }
  | { kind: 'poll' | 'collect' | 'withdraw' | 'stateOf'; digest: string }
  | { kind: 'decide'; digest: string; decision: Decision }
  | { kind: 'find'; tag: string }

/** An operation with the answer of the store. */
export interface Done {
  operation: Operation
  answer: unknown
}

export interface Step {
  /** The right answers; several where engines may differ. */
  right: unknown[]
  after: ModelState
}

/** An order of the operations that explains their answers, and the state after it. */
export interface Explanation {
  order: Done[]
  after: ModelState
}

export function perform(grants: GrantStore, operation: Operation): Promise<unknown> {
  if (operation.kind === 'create') return grants.create(operation.digest, operation.tag, operation.grant)
  if (operation.kind === 'decide') return grants.decide(operation.digest, operation.decision)
  if (operation.kind === 'find') return grants.find(operation.tag)
  if (operation.kind === 'poll') return grants.poll(operation.digest, CLIENT_TAG)
  if (operation.kind === 'withdraw') return grants.withdraw(operation.digest, CLIENT_TAG)
  return grants[operation.kind](operation.digest)
}

/** Returns all orders in which the rules give these answers, one operation after another. */
export function explain(state: ModelState, done: readonly Done[], nowMs: number): Explanation[] {
  if (done.length === 0) return [{ order: [], after: state }]
  return done.flatMap((first) => {
    const { right, after } = step(state, first, nowMs)
    if (!right.some((answer) => isDeepStrictEqual(answer, first.answer))) return []
    const others = done.filter((other) => other !== first)
    return explain(after, others, nowMs).map((rest) => ({ ...rest, order: [first, ...rest.order] }))
  })
}

export function step(state: ModelState, { operation, answer }: Done, nowMs: number): Step {
  switch (operation.kind) {
    case 'create':
      return create(state, operation, answer, nowMs)
    case 'poll':
      return poll(state, operation.digest, nowMs)
    case 'decide':
      return decide(state, operation.digest, operation.decision, nowMs)
    case 'withdraw':
      return withdraw(state, operation.digest, nowMs)
    case 'collect':
      return collect(state, operation.digest, nowMs)
    case 'stateOf':
      return { right: [standingOf(state.grants.get(operation.digest), nowMs)], after: state }
    case 'find':
      return { right: [find(state, operation.tag, nowMs)], after: state }
  }
}

const isOver = (grant: ModelGrant, nowMs: number, slackMs = 0) =>
  isForgotten(grant, nowMs - slackMs) &&
  (grant.phase !== 'collected' || nowMs - slackMs > grant.collectedAtMs + COLLECT_AGAIN_MS)

/** Copies a grant, because the rules write into the grant they judge. */
const copyOf = ({ grants }: ModelState, digest: string) => ({ ...grants.get(digest) }) as ModelGrant

const withGrant = (state: ModelState, digest: string, grant: ModelGrant): ModelState => ({
  ...state,
  grants: new Map(state.grants).set(digest, grant)
})

function create(
  state: ModelState,
  { digest, tag, grant }: Operation & { kind: 'create' },
  answer: unknown,
  nowMs: number
): Step {
  const holder = state.grants.get(state.holders.get(tag) ?? '')
  const right = []
  // After the rules forget a grant, an engine may take some time to collect it as garbage. Both answers are right until
  // then.
  if (!holder || isOver(holder, nowMs)) right.push('created')
  if (holder && !isOver(holder, nowMs, TTL_SLACK_MS)) right.push('user_code_taken')
  if (answer !== 'created') return { right, after: state }
  const { request, lifeMs, intervalMs } = grant
  const made: ModelGrant = {
    ...{ request, intervalMs, createdAtMs: nowMs, expiresAtMs: nowMs + lifeMs },
    ...{ phase: 'pending', polledAtMs: 0, isRepeatable: false, collectedAtMs: 0, decision: undefined }
  }
  return { right, after: { ...withGrant(state, digest, made), holders: new Map(state.holders).set(tag, digest) } }
}

function poll(state: ModelState, digest: string, nowMs: number): Step {
  const grant = copyOf(state, digest)
  const isGarbage = isOver(grant, nowMs)
  const kind = judgePoll(grant, nowMs)
  const { intervalMs, request, decision } = grant
  const right: unknown[] = []
  if (kind === 'slow_down') right.push({ kind, intervalMs })
  else if (kind === 'approved') right.push({ kind, request, decision, createdAtMs: grant.createdAtMs })
  else right.push({ kind })
  // A spent grant that an engine has already swept is answered as unknown.
  if (kind === 'spent' && isGarbage) right.push({ kind: 'unknown' })
  return { right, after: withGrant(state, digest, grant) }
}

function decide(state: ModelState, digest: string, decision: Decision, nowMs: number): Step {
  const grant = copyOf(state, digest)
  const judged = judgeDecision(grant, nowMs)
  if (judged === 'open') {
    const phase = decision.action === 'approve' ? 'approved' : 'denied'
    const right = [{ kind: 'decided', afterMs: nowMs - grant.createdAtMs }]
    return { right, after: withGrant(state, digest, { ...grant, phase, decision }) }
  }
  const isRepeated = grant.decision?.action === decision.action && grant.decision.userId === decision.userId
  if (judged !== 'resolved' || !isRepeated) return { right: [{ kind: judged }], after: state }
  return { right: [{ kind: 'repeated', authorizationId: grant.decision?.authorizationId }], after: state }
}

function withdraw(state: ModelState, digest: string, nowMs: number): Step {
  const grant = copyOf(state, digest)
  const kind = judgeWithdrawal(grant, nowMs)
  const { request, decision, createdAtMs } = grant
  const facts = { approved: { request, decision, createdAtMs }, withdrawn: { request }, resolved: {}, unknown: {} }
  const right = [{ kind, ...facts[kind] }]
  return { right, after: withGrant(state, digest, grant) }
}

function collect(state: ModelState, digest: string, nowMs: number): Step {
  const grant = copyOf(state, digest)
  const isGarbage = isOver(grant, nowMs)
  const judged = judgeCollection(grant, nowMs)
  const right = judged === 'spent' && isGarbage ? [judged, 'unknown'] : [judged]
  return { right, after: withGrant(state, digest, grant) }
}

function standingOf(grant: ModelGrant | undefined, nowMs: number): GrantStanding {
  const judged = grant ? judgeDecision(grant, nowMs) : 'unknown'
  return judged === 'open' ? 'pending' : judged
}

function find(state: ModelState, tag: string, nowMs: number): unknown {
  const grantDigest = state.holders.get(tag) ?? ''
  const grant = state.grants.get(grantDigest)
  const standing = standingOf(grant, nowMs)
  if (!grant || standing === 'unknown') return undefined
  const { request, createdAtMs, expiresAtMs, decision } = grant
  return { grantDigest, state: standing, request, createdAtMs, expiresAtMs, decision }
}
