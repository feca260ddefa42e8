/**
 * Races of simultaneous requests for one thing, with the outcome that the rules in src/core (grants, tokens, records,
 * limits) demand.
 */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { codeTagOf } from '../../src/core/clients/client.js'
import type { Storage } from '../../src/core/storage.js'
import {
  CLIENT_TAG,
  decisionOf,
  type Engine,
  INTERVAL_MS,
  LIFE_MS,
  newDigest,
  newTag,
  requestOf,
  type StartEngine,
  tally,
  times
} from './engine.js'
import { signingKeyOf } from './signing-key-store.js'

/** The stores that the races use. */
export type Stores = Pick<Storage, 'grants' | 'refreshFamilies' | 'authorizations' | 'limits' | 'locks' | 'signingKeys'>

export interface Course extends Pick<Engine, 'clock'> {
  storage: Stores
  other: Stores
}

export interface Outcome {
  is: unknown
  shouldBe: unknown
}

export type Race = (course: Course) => Promise<Outcome>

const CLIENTS = 20
export const ROUNDS = 10
const WINDOW_MS = 600_000

/** Sends all requests before the first is answered, half of them to the other instance. */
function all<T>({ storage, other }: Course, ask: (stores: Stores, index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(times(CLIENTS, (i) => ask(i % 2 === 0 ? storage : other, i)))
}

const kinds = (answers: { kind: string }[]) => tally(answers.map(({ kind }) => kind))
/** Counts the different answers. */
const different = (answers: unknown[]) => new Set(answers.map((answer) => JSON.stringify(answer))).size
const newGrant = () => ({ request: requestOf(), clientTag: CLIENT_TAG, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS })

async function created({ storage }: Course): Promise<{ digest: string; tag: string }> {
  const [digest, tag] = [newDigest(), newTag()]
  await storage.grants.create(digest, tag, newGrant())
  return { digest, tag }
}

const toPoll: Race = async (course) => {
  const { digest } = await created(course)
  const answers = await all(course, ({ grants }) => grants.poll(digest, CLIENT_TAG))
  return { is: kinds(answers), shouldBe: { pending: 2, slow_down: CLIENTS - 2 } }
}

const toDecide: Race = async (course) => {
  const { digest, tag } = await created(course)
  const made = times(CLIENTS, (i) => decisionOf({ action: i % 4 < 2 ? 'approve' : 'deny', userId: `user ${i}` }))
  const answers = await all(course, ({ grants }, i) => grants.decide(digest, made[i] as (typeof made)[0]))
  const winner = made[answers.findIndex(({ kind }) => kind === 'decided')]
  const kept = (await course.storage.grants.find(tag))?.decision
  return { is: [kinds(answers), kept], shouldBe: [{ decided: 1, resolved: CLIENTS - 1 }, winner] }
}

/** The first request wins: a withdrawn grant is never approved, and a withdrawal is told of an earlier approval. */
const toWithdraw: Race = async (course) => {
  const { digest, tag } = await created(course)
  const made = times(CLIENTS, (i) => decisionOf({ userId: `user ${i}` }))
  const answers = await all(
    course,
    ({ grants }, i): Promise<{ kind: string }> =>
      i % 2 === i % 4 ? grants.withdraw(digest, CLIENT_TAG) : grants.decide(digest, made[i] as (typeof made)[0])
  )
  const isApproved = answers.some(({ kind }) => kind === 'decided')
  const kept = await course.storage.grants.find(tag)
  return {
    is: [kinds(answers), kept?.state, (await course.storage.grants.poll(digest, CLIENT_TAG)).kind],
    shouldBe: isApproved
      ? [{ approved: CLIENTS / 2, decided: 1, resolved: CLIENTS / 2 - 1 }, 'resolved', 'approved']
      : [{ withdrawn: CLIENTS }, 'withdrawn', 'expired']
  }
}

/** A poll that has read the grant before the decision must not write after it. */
const toDecideAmongPolls: Race = async (course) => {
  const { digest } = await created(course)
  const answers = await all(course, async ({ grants }, i) =>
    i === CLIENTS / 2 ? grants.decide(digest, decisionOf()) : grants.poll(digest, CLIENT_TAG)
  )
  const afterwards = await course.storage.grants.poll(digest, CLIENT_TAG)
  return { is: [answers[CLIENTS / 2]?.kind, afterwards.kind], shouldBe: ['decided', 'approved'] }
}

/**
 * The collections claim to be further apart in time than a collection may be repeated. Only the first that the store
 * handles starts the time for repetitions, so a second request for the same moment must get the same answer.
 */
const toCollect: Race = async (course) => {
  const { digest } = await created(course)
  await course.storage.grants.decide(digest, decisionOf())
  const startMs = course.clock()
  const collectAt = ({ grants }: Stores, index: number) => {
    course.clock.advance(startMs + ((index * 7) % CLIENTS) * 31_000 - course.clock())
    return grants.collect(digest)
  }
  const told = await all(course, collectAt)
  const toldAgain = await all(course, collectAt)
  return { is: toldAgain, shouldBe: told }
}

const toRedeem: Race = async (course) => {
  const [digest, tag] = [newDigest(), codeTagOf('cli')]
  const { grants } = course.storage
  await grants.create(digest, undefined, { ...newGrant(), clientTag: tag })
  await grants.decide(digest, decisionOf())
  const answers = await all(course, (stores) => stores.grants.redeem(digest, tag))
  const afterwards = await grants.lookAtCode(digest, tag)
  return { is: [tally(answers), afterwards.kind], shouldBe: [{ collected: 1, spent: CLIENTS - 1 }, 'spent'] }
}

const toTakeCode: Race = async (course) => {
  const tag = newTag()
  const answers = await all(course, ({ grants }) => grants.create(newDigest(), tag, newGrant()))
  return { is: tally(answers), shouldBe: { created: 1, user_code_taken: CLIENTS - 1 } }
}

const toBeginFamily: Race = async (course) => {
  const [id, until] = [randomUUID(), course.clock() + WINDOW_MS]
  const answers = await all(course, ({ refreshFamilies }, i) =>
    refreshFamilies.begin(id, { userId: `user ${i}`, currentDigest: newDigest() }, until)
  )
  return { is: different(answers), shouldBe: 1 }
}

const toRotate: Race = async (course) => {
  const { refreshFamilies } = course.storage
  const [id, first] = [randomUUID(), newDigest()]
  await refreshFamilies.begin(id, { userId: 'alice', currentDigest: first }, course.clock() + WINDOW_MS)
  const answers = await all(course, (stores) => stores.refreshFamilies.rotate(id, first, newDigest()))
  const current = (await refreshFamilies.find(id))?.currentDigest
  const told = answers.map((answer) => 'currentDigest' in answer && answer.currentDigest)
  return {
    is: [kinds(answers), told.filter((digest) => digest === current).length],
    shouldBe: [{ rotated: 1, repeated: CLIENTS - 1 }, CLIENTS]
  }
}

const toCreateRecord: Race = async (course) => {
  const [parent, until] = [randomUUID(), course.clock() + WINDOW_MS]
  const answers = await all(course, ({ authorizations }, i) =>
    authorizations.create(parent, 'one', { by: `client ${i}` }, until)
  )
  return { is: different(answers), shouldBe: 1 }
}

const toCreateLastRecord: Race = async (course) => {
  const [parent, until] = [randomUUID(), course.clock() + WINDOW_MS]
  const answers = await all(course, ({ authorizations }, i) =>
    authorizations.createWithin(parent, `${i}`, { by: `client ${i}` }, until, { withinMs: 1_000, most: 3 })
  )
  return { is: answers.filter((answer) => answer !== 'full').length, shouldBe: 3 }
}

const toEndRecord: Race = async (course) => {
  const [parent, until] = [randomUUID(), course.clock() + WINDOW_MS]
  await course.storage.authorizations.create(parent, 'one', { by: 'nobody' }, until)
  const answers = await all(course, ({ authorizations }, i) =>
    authorizations.end(parent, ['one'], { field: 'ended', value: `${i}` }, until - 1_000)
  )
  return { is: answers.flat(), shouldBe: ['one'] }
}

/** Each change is conditional on there having been none before. */
const toChangeRecord: Race = async (course) => {
  const [parent, until] = [randomUUID(), course.clock() + WINDOW_MS]
  await course.storage.authorizations.create(parent, 'one', { by: 'nobody' }, until)
  const answers = await all(course, ({ authorizations }, i) =>
    authorizations.change(parent, 'one', { onlyIf: { field: 'by', is: 'nobody' }, set: { by: `client ${i}` } })
  )
  return { is: different(answers), shouldBe: 1 }
}

const toTakeAttempt: Race = async (course) => {
  const key = randomUUID()
  const answers = await all(course, ({ limits }, i) => limits.take(key, `${i}`, 3, WINDOW_MS))
  return { is: answers.filter((refused) => refused === undefined).length, shouldBe: 3 }
}

const toHit: Race = async (course) => {
  const key = randomUUID()
  const answers = await all(course, ({ limits }) => limits.hit(key, WINDOW_MS))
  return { is: answers.map(({ count }) => count).sort((a, b) => a - b), shouldBe: times(CLIENTS, (i) => i + 1) }
}

const toLock: Race = async (course) => {
  const name = randomUUID()
  const answers = await all(course, ({ locks }, i) => locks.acquire(name, `holder ${i}`, WINDOW_MS))
  return { is: answers.filter((isAcquired) => isAcquired).length, shouldBe: 1 }
}

const toSucceedKey: Race = async (course) => {
  await course.storage.signingKeys.clear()
  const answers = await all(course, ({ signingKeys }, i) =>
    signingKeys.succeed(undefined, signingKeyOf(`key ${i}`), [])
  )
  return { is: [different(answers), (await course.storage.signingKeys.list()).length], shouldBe: [1, 1] }
}

export const RACES = {
  'to poll': toPoll,
  'to decide': toDecide,
  'to withdraw': toWithdraw,
  'to decide among polls': toDecideAmongPolls,
  'to collect': toCollect,
  'to redeem a code': toRedeem,
  'to take a user code': toTakeCode,
  'to begin a family of refresh tokens': toBeginFamily,
  'to rotate a refresh token': toRotate,
  'to create a record': toCreateRecord,
  'to create the last record that fits': toCreateLastRecord,
  'to end a record': toEndRecord,
  'to change a record': toChangeRecord,
  'to take an attempt': toTakeAttempt,
  'to be counted': toHit,
  'to take a lock': toLock,
  'to succeed a signing key': toSucceedKey
} as const satisfies Record<string, Race>
export type RaceName = keyof typeof RACES

/** Returns the outcomes of the rounds that did not end as they should. */
export async function faults(name: RaceName, course: Course): Promise<Outcome[]> {
  const found = []
  for (let round = 0; round < ROUNDS; round++) {
    const outcome = await RACES[name](course)
    if (!isDeepStrictEqual(outcome.is, outcome.shouldBe)) found.push(outcome)
  }
  return found
}

/** Every race, one after another: one turns the clock, and one clears the signing keys. */
export function racesContract(t: Test, start: StartEngine): void {
  for (const name of Object.keys(RACES) as RaceName[]) {
    t.test(`a race ${name}`, async (t) => t.strictSame(await faults(name, await start(t)), []))
  }
}
