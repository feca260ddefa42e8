/**
 * Plays the life of one grant in a soak, most of it polls. The grant is approved, denied, waited for by a held poll, or
 * expires.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sessionOf } from '../../test/support/tokens.js'
import type { Surface } from '../faults/surfaces.js'
import * as surfaces from '../faults/surfaces.js'
import type { Answered } from '../faults/transport.js'
import { GRANT_TTL_SECONDS, type Ledger, POLL_INTERVAL_SECONDS } from './ledger.js'
import type { Send, Trouble } from './trouble.js'

const HELD_SECONDS = 8

export interface World {
  /** Sends the request to any of the instances. */
  send: Send
  ledger: Ledger
  trouble: Trouble
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
  /** The fault, if there was one, that may have kept this life from what it wanted. */
  hindered(): string | undefined
}

export async function live(world: World, number: number): Promise<void> {
  const { ledger } = world
  const user = `${world.isHurried ? 'hurried' : 'soaked'}-${number}`
  const surface = number % 2 === 0 ? surfaces.dashboard : surfaces.oauth
  const end = ENDS[number % ENDS.length] as End
  const session = await sessionOf(user)
  const [startedAt, bornAt] = [Date.now(), performance.now()]
  const started = await world.send(surface.start(user), ledger.mayHaveStarted)
  if (!ledger.expects('start', started, started.status === 200)) return
  ledger.started(startedAt, Date.now())
  const hindered = () => world.trouble.since(bornAt)
  const life = { world, surface, session, hindered, ...surface.codesIn(started.body) }

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
  const isTooLate = decided.status === 404 && hindered() !== undefined
  ledger.expects('decide', decided, decided.status === 200 || isTooLate)
  await conclude(life, end, await lastPoll(life, held ?? poll(life)))
}

/** An instance that ends answers the polls that it holds, and who was sent away for a while comes before their time: both ask again. */
async function lastPoll(life: Life, first: Promise<Answered>): Promise<Answered> {
  for (let answer = await first; ; answer = await poll(life)) {
    const isOpen = ['pending', 'slow_down'].includes(life.surface.pollOutcome(answer))
    if (!isOpen || life.hindered() === undefined) return answer
    await sleep(POLL_INTERVAL_SECONDS * 1_000)
  }
}

async function conclude({ world, surface, session, hindered }: Life, end: End, last: Answered): Promise<void> {
  const { ledger, trouble } = world
  const outcome = surface.pollOutcome(last)
  const fault = outcome === 'gone' ? hindered() : undefined
  if (fault !== undefined) {
    trouble.told(fault).expired += 1
    if (end !== 'denied') ledger.mayBeAuthorized()
    return
  }
  const isDue = ledger.expects('last poll', last, outcome === (end === 'denied' ? 'denied' : 'approved'))
  // What was not told of its approval may have one.
  if (!isDue && end !== 'denied') ledger.mayBeAuthorized()
  if (!isDue || outcome === 'denied') return
  const { access, authorization, refresh } = surface.tokensIn(last.body)
  ledger.collected({ hasRefreshToken: refresh !== undefined, hindered: hindered() !== undefined })
  const used = await world.send(surface.use(access))
  ledger.expects('use', used, used.status === 200)
  if (end !== 'revoked') return
  const revoked = await world.send(surfaces.revoke(authorization, session))
  if (!ledger.expects('revoke', revoked, revoked.status === 200)) return
  const refused = await world.send(surface.use(access))
  ledger.expects('use after revocation', refused, refused.status === 401)
}

async function poll({ world, surface, grantCode, hindered }: Life, waitSeconds?: number): Promise<Answered> {
  const answer = await world.send(surface.poll(grantCode, waitSeconds))
  const outcome = surface.pollOutcome(answer)
  // A poll that was judged and whose answer was lost comes again before its time.
  const isEarly = outcome === 'slow_down' && !world.isHurried && hindered() === undefined
  world.ledger.expects('poll', answer, outcome !== 'unexpected' && !isEarly)
  return answer
}
