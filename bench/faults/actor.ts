/** One user and one program: from the start of a grant to the last use of what came of it. */
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
  /** Polls with "Prefer: wait" instead of coming again and again. */
  waits: boolean
  /** The decision is left alone until all is over, so that it must have been kept. */
  leaves: boolean
  revokes: boolean
  /** Between uses of the token; and so the measure of all other pauses that are a user's. */
  pauseMs: number
}

/** What is left of an actor for the look at the end. */
export interface Leftover {
  actor: string
  surface: Surface
  grantCode: string
  tokens?: Tokens
}

/** POLL_INTERVAL_SECONDS of the instances, and what a held poll asks for. */
export const POLL_INTERVAL_SECONDS = 1
const WAIT_SECONDS = 4
const USES = 4
/** After its revocation a token is tried for longer than that may take to come through. */
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
  const leftover: Leftover = { actor, surface, grantCode }
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
  // Two at once long after: a grant that is collected again, by whomever, is the same authorization.
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

/** Polls in time until there is more to say than that it is pending. */
async function collect(recorder: Recorder, plan: Plan, leftover: Leftover): Promise<Tokens | undefined> {
  for (;;) {
    const polled = await recorder.insist(pollOf(plan, leftover, plan.waits ? WAIT_SECONDS : undefined))
    if (polled?.outcome === 'approved') return plan.surface.tokensIn(polled.answer.body)
    if (polled?.outcome !== 'pending' && polled?.outcome !== 'slow_down') return undefined
    await sleep(1_000 * Number(polled.answer.headers['retry-after'] ?? POLL_INTERVAL_SECONDS))
  }
}

/** As a program does: now and then, and whatever comes of it is taken for an answer. */
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
