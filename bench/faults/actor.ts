/**
 * An actor is one user with one program. This file plays an actor from the start of its grant to the last use of its
 * tokens.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sessionOf } from '../../test/support/tokens.js'
import type { Recorder } from './recorder.js'
import type { Surface, Tokens } from './surfaces.js'
import * as surfaces from './surfaces.js'
import type { Answered } from './transport.js'

/** What an actor is going to do. */
export interface Plan {
  surface: Surface
  decision: 'approve' | 'deny'
  /** The program polls with "Prefer: wait" instead of polling again and again. */
  waits: boolean
  /**
   * The program does not collect the decision until the final check, so the service must have kept the decision until
   * then.
   */
  leaves: boolean
  revokes: boolean
  /** The pause between two uses of the token. All other pauses of the user are multiples of this one. */
  pauseMs: number
}

/** What the final check needs to know about an actor. */
export interface Leftover {
  actor: string
  surface: Surface
  grantCode: string
  userCode: string
  tokens?: Tokens
}

/** The POLL_INTERVAL_SECONDS of the instances. */
export const POLL_INTERVAL_SECONDS = 1
const WAIT_SECONDS = 4
const USES = 4
/** USES pauses of this length are longer than a revocation may take to reach every instance (REVOKED_WITHIN_MS). */
const PAUSE_AFTER_REVOCATION_MS = 350

export const planOf = (number: number, pauseMs: number): Plan => ({
  pauseMs,
  surface: number % 2 === 0 ? surfaces.dashboard : surfaces.oauth,
  decision: number % 5 === 4 ? 'deny' : 'approve',
  waits: number % 4 > 1,
  leaves: number % 7 === 3,
  revokes: number % 3 > 0
})

export async function act(recorder: Recorder, number: number, plan: Plan): Promise<Leftover | undefined> {
  const { surface } = plan
  const actor = `user-${number}`
  const session = await sessionOf(actor)
  const operation = { actor, outcomeOf: surfaces.doneOutcome }

  const started = await recorder.insist({ ...operation, kind: 'start', what: surface.start(actor) })
  if (started?.outcome !== 'done') return undefined
  const { grantCode, userCode } = surface.codesIn(started.answer.body)
  const leftover: Leftover = { actor, surface, grantCode, userCode }
  const polling = plan.leaves ? undefined : collect(recorder, plan, leftover)

  await sleep(plan.pauseMs * (1 + (number % 10) / 3))
  const said = plan.decision
  const what = surfaces.decide(userCode, said, session)
  const decided = await recorder.insist({ ...operation, kind: 'decide', said, what })
  const tokens = decided ? await polling : undefined
  if (!tokens) return leftover
  leftover.tokens = tokens
  const id = tokens.authorization

  for (const label of ['first', 'second']) {
    const what = surfaces.rename(id, label, session)
    await recorder.insist({ ...operation, kind: 'rename', said: label, what })
    await useSometimes(recorder, plan, leftover)
  }
  if (tokens.refresh) await renew(recorder, leftover, tokens.refresh)
  // Two polls race here after the first collection: every further collection of a grant must hand out the same
  // authorization.
  await Promise.all([1, 2].map(() => recorder.once(pollOf(plan, leftover))))
  if (plan.revokes) await recorder.insist({ ...operation, kind: 'revoke', what: surfaces.revoke(id, session) })
  await useSometimes(recorder, { ...plan, pauseMs: PAUSE_AFTER_REVOCATION_MS }, leftover)
  return leftover
}

const pollOf = ({ surface }: Plan, { actor, grantCode }: Leftover, waitSeconds?: number) => ({
  actor,
  kind: waitSeconds === undefined ? ('poll' as const) : ('wait' as const),
  what: surface.poll(grantCode, waitSeconds),
  outcomeOf: surface.pollOutcome,
  authorizationIn: ({ body }: Answered) => surface.tokensIn(body).authorization
})

/**
 * Polls at the allowed interval until the answer is neither `pending` nor `slow_down`. Returns tokens if the grant was
 * approved.
 */
async function collect(recorder: Recorder, plan: Plan, leftover: Leftover): Promise<Tokens | undefined> {
  for (;;) {
    const polled = await recorder.insist(pollOf(plan, leftover, plan.waits ? WAIT_SECONDS : undefined))
    if (polled?.outcome === 'approved') return plan.surface.tokensIn(polled.answer.body)
    if (polled?.outcome !== 'pending' && polled?.outcome !== 'slow_down') return undefined
    await sleep(1_000 * Number(polled.answer.headers['retry-after'] ?? POLL_INTERVAL_SECONDS))
  }
}

/**
 * Uses the token several times with pauses, as a program does. Requests are not repeated, so every answer is recorded
 * as it is.
 */
async function useSometimes(
  recorder: Recorder,
  { surface, pauseMs }: Plan,
  { actor, tokens }: Leftover
): Promise<void> {
  if (!tokens) return
  const { access } = tokens
  for (let i = 0; i < USES; i++) {
    await sleep(pauseMs)
    await recorder.once({ actor, kind: 'use', what: surface.use(access), outcomeOf: surfaces.useOutcome })
    const introspection = { what: surfaces.introspect(access), outcomeOf: surfaces.introspectOutcome }
    await recorder.once({ actor, kind: 'introspect', ...introspection })
  }
}

async function renew(recorder: Recorder, { actor }: Leftover, refresh: string): Promise<void> {
  const operation = { actor, kind: 'refresh' as const, outcomeOf: surfaces.refreshOutcome }
  await recorder.insist({ ...operation, what: surfaces.refresh(refresh) })
}
