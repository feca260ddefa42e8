/** Runs one row: load on two instances, the cut, the repair, the reading of what is there, the verdict. */
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../faults/checker.js'
import { whatDoesNotComeBack } from '../faults/come-back.js'
import { readFinalState } from '../faults/final-state.js'
import type { Entry } from '../faults/history.js'
import { startLoad } from '../faults/load.js'
import { type Losses, lossesOf, type Times } from '../faults/losses.js'
import { createRecorder } from '../faults/recorder.js'
import type { Ends } from '../faults/stack.js'
import { RULES, type Rule } from '../faults/stories.js'
import { createTransport, type Sent } from '../faults/transport.js'
import { percentile } from '../support/report.js'
import { prepareFarRevocation } from './far-revocation.js'
import type { Network } from './namespaces.js'
import { watchReadiness } from './readiness.js'
import type { Row } from './rows.js'
import { type Stack, startStack } from './stack.js'
import { countUntoldStarts } from './untold-starts.js'

/** Seconds from the strike; those after the repair are told from the repair. */
export interface Span {
  from: number | undefined
  to: number | undefined
}

export interface Result {
  /** Answers that were none, of the instances that the network is broken for, by status, and when the first and the last of them came. */
  errors: Record<string, number>
  refused: Span
  notReady: Span
  p99Ms: { before: number; during: number }
  losses: Losses
  facts: number
  violations: string[]
  remarks: string[]
  times: Times
}

const PACE = { actorsPerSecond: 8, pauseMs: 200 }
const WARM_UP_MS = 3_000
const BROKEN_MS = 10_000
const SETTLE_MS = 5_000
/** A revocation on the other side is made when that has a primary. */
const REVOKE_AFTER_MS = 5_000
const WHOLE_WITHIN_TRIES = 600
const LEAST_FACTS: Record<Rule, number> = {
  'approval kept': 30,
  'denial kept': 5,
  'revocation kept': 15,
  'rename kept': 20,
  'one authorization': 30,
  'revoked is refused': 20,
  'decision is seen': 30,
  'no false refusal': 400,
  'known answer': 600,
  'told in the trail': 100,
  'no secret in the trail': 30
}
const NONE = Object.fromEntries(RULES.map((rule) => [rule, 0]))

export async function runRow(t: Ends, network: Network, row: Row, directory: string): Promise<Result> {
  const stack = await startStack(t, network, directory, row.wanted)
  const transports = stack.services.map(({ url }) => createTransport(url))
  t.teardown(() => transports.map((transport) => transport.close()))
  const [here, there] = transports.map(createRecorder) as [Recording, Recording]
  const readiness = watchReadiness(stack.services[0].url)
  t.teardown(() => readiness.end())
  const far = row.parts && (await prepareFarRevocation(...(transports as Pair<(typeof transports)[number]>)))

  // Two by two, because actors on the API and on the OAuth endpoints alternate.
  const load = startLoad((actor) => (actor % 4 < 2 ? here : there), PACE)
  const startedAt = performance.now()
  await sleep(WARM_UP_MS)
  const struckAt = performance.now()
  const heal = await row.strike(stack)
  const revoking = far && sleep(REVOKE_AFTER_MS).then(far.revoke)
  await sleep(BROKEN_MS)
  const remarks = await heal()
  const healedAt = performance.now()
  const [wholeAt] = await Promise.all([whenWhole(stack), sleep(SETTLE_MS)])
  const leftovers = await load.end()
  if (revoking) remarks.push(`what the other one revoked was accepted here for ${seconds(await revoking)} s`)

  const next = { count: 0 }
  const send = (what: Sent) => (transports[next.count++ % 2] as (typeof transports)[number]).send(what)
  const state = await readFinalState({ send, close() {} }, leftovers, [await stack.primary()])
  const history = [...here.history, ...there.history]
  const affected = row.both ? history : here.history
  const spans = spansOf(affected, struckAt)
  const times = { struckAt, healedAt, backAt: Math.max(healedAt, spans.refused.to ?? 0), wholeAt }
  const losses = lossesOf(affected, state, times)
  const { losers } = row.mayLose ? losses : { losers: new Set<string>() }
  const verdict = check(
    history.filter(({ actor }) => !losers.has(actor)),
    state,
    LEAST_FACTS
  )
  // What follows from a loss is no violation of its own, but an answer that the contract does not have is one.
  const ofLosers = check(
    history.filter(({ actor }) => losers.has(actor)),
    state,
    NONE
  )
  const unknown = ofLosers.violations.filter((violation) => /^(known answer|no secret in the trail)/.test(violation))
  const dead = stack.services.filter(({ process }) => process.exitCode !== null || process.signalCode !== null)
  if (wholeAt - healedAt > 1_000) remarks.push(`Redis whole ${seconds(wholeAt - healedAt)} s after the repair`)
  // One grant is that of the revocation far away.
  const untold = (await countUntoldStarts(history, await stack.primary())) - (far ? 1 : 0)
  if (untold > 0) remarks.push(`${untold} starts done that were answered with an error`)
  return {
    ...spans,
    notReady: { from: readiness.firstDown(struckAt), to: readiness.upSince() },
    p99Ms: {
      before: p99(affected, startedAt + 1_000, struckAt),
      during: p99(affected, struckAt, healedAt)
    },
    losses,
    facts: Object.values(verdict.facts).reduce((sum, count) => sum + count, 0),
    violations: [
      ...verdict.violations,
      ...unknown,
      ...dead.map((service) => `an instance has ended by itself:\n${service.output().slice(-4_000)}`),
      ...(await whatDoesNotComeBack(stack.services))
    ],
    remarks,
    times
  }
}

type Recording = ReturnType<typeof createRecorder>
type Pair<T> = [T, T]

const seconds = (ms: number) => (ms / 1_000).toFixed(1)

/** Waits until Redis has one primary that all others follow. A single one is whole as soon as it is reached. */
async function whenWhole({ redis }: Stack): Promise<number> {
  for (let tries = 0; tries < WHOLE_WITHIN_TRIES; tries++) {
    const infos = await Promise.all(redis.map(({ client }) => client.info('replication')))
    const primaries = infos.filter((info) => info.includes('role:master'))
    const followers = infos.filter((info) => info.includes('master_link_status:up'))
    if (primaries.length === 1 && followers.length === redis.length - 1) return performance.now()
    await sleep(50)
  }
  throw new Error('Redis does not become whole')
}

function spansOf(history: readonly Entry[], struckAt: number) {
  const failed = history.filter(({ outcome }) => outcome === 'unavailable' || outcome === 'unexpected')
  const errors: Record<string, number> = {}
  for (const { status } of failed) errors[status] = (errors[status] ?? 0) + 1
  const since = failed.filter(({ answeredAt }) => answeredAt >= struckAt)
  const refused: Span =
    since.length === 0
      ? { from: undefined, to: undefined }
      : {
          from: Math.min(...since.map(({ answeredAt }) => answeredAt)),
          to: Math.max(...since.map(({ answeredAt }) => answeredAt))
        }
  return { errors, refused }
}

function p99(history: readonly Entry[], from: number, to: number): number {
  const asked = history.filter(({ kind, sentAt }) => kind !== 'wait' && sentAt >= from && sentAt < to)
  return percentile(
    asked.map(({ sentAt, answeredAt }) => answeredAt - sentAt),
    0.99
  )
}
