/**
 * Plays the life of one grant in a soak, most of it polls. The grant is approved, denied, waited for by a held poll, or
 * expires.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sessionOf } from '../../test/support/tokens.js'
import type { Surface } from '../faults/surfaces.js'
import * as surfaces from '../faults/surfaces.js'
import type { Answered, Sent } from '../faults/transport.js'
import { GRANT_TTL_SECONDS, type Ledger, POLL_INTERVAL_SECONDS } from './ledger.js'

const HELD_SECONDS = 8

export interface World {
  /** Sends the request to any of the instances. */
  send(what: Sent): Promise<Answered>
  ledger: Ledger
  /** Lives do not pause between polls, to find the highest possible rate. */
  isHurried: boolean
}

type End = 'collected' | 'revoked' | 'denied' | 'held' | 'expired'
const ENDS: readonly End[] = ['collected', 'denied', 'revoked', 'held', 'expired']
const POLLS: Record<End, number> = { collected: 6, revoked: 6, denied: 4, held: 0, expired: GRANT_TTL_SECONDS }

/** The state that the steps of a life share. */
interface Life {
  world: World
  surface: Surface
  session: string
  grantCode: string
  userCode: string
}

export async function live(world: World, number: number): Promise<void> {
  const { ledger } = world
  const user = `${world.isHurried ? 'hurried' : 'soaked'}-${number}`
  const surface = number % 2 === 0 ? surfaces.dashboard : surfaces.oauth
  const end = ENDS[number % ENDS.length] as End
  const session = await sessionOf(user)
  const startedAt = Date.now()
  const started = await world.send(surface.start(user))
  if (!ledger.expects('start', started, started.status === 200)) return
  ledger.started(startedAt, Date.now())
  const life = { world, surface, session, ...surface.codesIn(started.body) }

  const held = end === 'held' ? poll(life, HELD_SECONDS) : undefined
  for (let polls = 0; polls < POLLS[end]; polls++) {
    await poll(life)
    if (!world.isHurried) await sleep(POLL_INTERVAL_SECONDS * 1_000)
  }
  // The last poll of an expired grant must say so; a hurried grant has not waited for its expiry, so it is still
  // pending.
  if (end === 'expired') return void (await poll(life))
  if (end === 'held' && !world.isHurried) await sleep(HELD_SECONDS * 500)
  const action = end === 'denied' ? 'deny' : 'approve'
  const decided = await world.send(surfaces.decide(life.userCode, action, session))
  ledger.expects('decide', decided, decided.status === 200)
  await conclude(life, end, await (held ?? poll(life)))
}

async function conclude({ world, surface, session }: Life, end: End, last: Answered): Promise<void> {
  const { ledger } = world
  const outcome = surface.pollOutcome(last)
  if (!ledger.expects('last poll', last, outcome === (end === 'denied' ? 'denied' : 'approved'))) return
  if (outcome === 'denied') return
  const { access, authorization, refresh } = surface.tokensIn(last.body)
  ledger.collected(refresh !== undefined)
  const used = await world.send(surface.use(access))
  ledger.expects('use', used, used.status === 200)
  if (end !== 'revoked') return
  const revoked = await world.send(surfaces.revoke(authorization, session))
  ledger.expects('revoke', revoked, revoked.status === 200)
  const refused = await world.send(surface.use(access))
  ledger.expects('use after revocation', refused, refused.status === 401)
}

async function poll({ world, surface, grantCode }: Life, waitSeconds?: number): Promise<Answered> {
  const answer = await world.send(surface.poll(grantCode, waitSeconds))
  const outcome = surface.pollOutcome(answer)
  const isEarly = outcome === 'slow_down' && !world.isHurried
  world.ledger.expects('poll', answer, outcome !== 'unexpected' && !isEarly)
  return answer
}
