/** Decides whether a soak has left anything behind: memory, keys, subscriptions, connections, open files. */
import { type Finding, growth, memoryOf } from './growth.js'
import type { Ledger, Surprise } from './ledger.js'
import type { InstanceSample, Sample } from './samples.js'
import type { Told } from './trouble.js'

/** At the end of a soak of hours this much is without faults, and the last quarter of a shorter one (schedule.ts). */
const LEFT_ALONE_SECONDS = 600

export interface Ended {
  /** The sample taken before the load, when everything was in use once. */
  first: Sample
  /** The samples taken under load, but for those of a moment at which a fault was in force. */
  samples: readonly Sample[]
  /** The sample taken after the load has ended. */
  last: Sample
  keys: Record<string, number>
  explained: ReturnType<Ledger['explained']>
  surprises: Record<string, Surprise>
  /** What the instances wrote to their logs while no fault was in force. */
  said: Record<string, Surprise>
  /** When the load began, by `performance.now()`: what came before it came while the highest rate was measured. */
  beganAtMs: number
  /** The longest time that the machine held up the load, which then could neither send nor read. */
  heldUpMs: number
  /** What each fault has led to. */
  faults: Record<string, Told>
  /** What some instance does not do any more. */
  missing: readonly string[]
  requests: number
}

export function judgeSoak(ended: Ended): Finding[] {
  const { first, samples, last, keys, explained, surprises, beganAtMs, heldUpMs, faults, missing, requests, said } =
    ended
  // What a fault has ended is back by then, and nothing is there twice.
  const lateFrom = last.atSeconds - Math.min(last.atSeconds / 4, LEFT_ALONE_SECONDS)
  const late = samples.filter(({ atSeconds }) => atSeconds >= lateFrom)
  const seconds = (ms: number) => Math.round((ms - beganAtMs) / 1_000)
  const listOf = (all: Record<string, Surprise>) => Object.entries(all).map(ofSurprise).join(', ')
  const ofSurprise = ([what, { count, fromMs, toMs }]: [string, Surprise]) =>
    `${count} × ${what} (${seconds(fromMs)} to ${seconds(toMs)} s)`
  const constant = (name: string, of: (sample: Sample) => number): Finding => {
    const seen = [...new Set([first, ...samples].map(of))].sort((a, b) => a - b)
    return { name, value: seen.join(', '), isGood: late.every((sample) => of(sample) === of(first)) }
  }
  const kinds = [...new Set([...Object.keys(keys), ...Object.keys(explained)])].sort()
  const ofKinds = kinds.map((kind): Finding => {
    const count = keys[kind] ?? 0
    const { atLeast, atMost } = explained[kind] ?? { atLeast: 0, atMost: 0 }
    const due = atLeast === atMost ? `${atLeast}` : `${atLeast} to ${atMost}`
    return { name: `keys: ${kind}`, value: `${count}, explained ${due}`, isGood: count >= atLeast && count <= atMost }
  })
  const held = last.instances.map(({ heldPolls }) => heldPolls)
  const files = [first, last].map(({ instances }) => instances.map(({ openFiles }) => openFiles))
  return [
    ...last.instances.flatMap((_, i) => memoryOf(samples, i)),
    growth('memory of Redis, which keeps what is authorized', samples, ({ redis }) => redis.memoryBytes, false),
    ...ofKinds,
    constant('channels listened to', ({ redis }) => redis.channels),
    constant('subscriptions to them', ({ redis }) => redis.subscribers),
    constant('connections to Redis', ({ redis }) => redis.clients),
    { name: 'polls held, at most', value: `${most(samples, ({ heldPolls }) => heldPolls)}` },
    { name: 'polls held after the end', value: held.join(', '), isGood: held.every((count) => count === 0) },
    {
      name: 'open files, before the load → most → after its connections were ended',
      value: `${files[0]?.join(', ')} → ${most(samples, ({ openFiles }) => openFiles)} → ${files[1]?.join(', ')}`,
      isGood: last.instances.every(({ openFiles }, i) => openFiles <= (files[0]?.[i] ?? 0))
    },
    ...Object.entries(faults).map(ofFault),
    { name: 'the machine held up the load, at most', value: `${Math.round(heldUpMs)} ms` },
    { name: 'what instances do not do any more', value: missing.join(', ') || 'nothing', isGood: missing.length === 0 },
    { name: 'what instances logged while there was no fault', value: listOf(said) || 'nothing' },
    {
      name: 'answers that were not due',
      value: `${listOf(surprises) || 'none'} of ${requests}`,
      isGood: Object.keys(surprises).length === 0
    }
  ]
}

function ofFault([name, { times, repeated, expired }]: [string, Told]): Finding {
  const answers = Object.entries(repeated).map(([what, count]) => `${count} × ${what}`)
  const value = `${times} ×; answers that were none: ${answers.join(', ') || 'none'}; grants that expired over it: ${expired}`
  return { name, value }
}

const most = (samples: readonly Sample[], of: (sample: InstanceSample) => number) =>
  Math.max(...samples.flatMap(({ instances }) => instances.map(of)))
