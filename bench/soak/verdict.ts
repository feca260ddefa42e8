/** Decides whether a soak has left anything behind: memory, keys, subscriptions, connections. */
import type { Ledger } from './ledger.js'
import type { InstanceSample, Sample } from './samples.js'

export interface Finding {
  name: string
  value: string
  /** The verdict; absent for a finding that has no target. */
  isGood?: boolean
}

/**
 * The share by which memory of the last quarter may exceed that of the second. The first quarter is left out as
 * warm-up.
 */
const MOST_GROWTH = 0.05
/** In a shorter soak the heap may still be growing to its working size, so its memory is not judged. */
const SHORTEST_FOR_MEMORY_SECONDS = 600

export interface Ended {
  /** The samples taken under load. */
  samples: readonly Sample[]
  /** The sample taken after the load has ended. */
  last: Sample
  keys: Record<string, number>
  explained: ReturnType<Ledger['explained']>
  surprises: Record<string, number>
  requests: number
}

export function judgeSoak({ samples, last, keys, explained, surprises, requests }: Ended): Finding[] {
  const quarter = (number: number) =>
    samples.slice(Math.floor(((number - 1) * samples.length) / 4), Math.floor((number * samples.length) / 4))
  const [second, fourth] = [quarter(2), quarter(4)]
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

  const growth = (name: string, of: (sample: Sample) => number, isBound: boolean): Finding => {
    const [before, after] = [mean(second.map(of)), mean(fourth.map(of))]
    const by = after / before - 1
    const value = `${mebibytes(before)} → ${mebibytes(after)}, ${by >= 0 ? '+' : ''}${(by * 100).toFixed(1)} %`
    return isBound ? { name, value, isGood: by <= MOST_GROWTH } : { name, value }
  }
  const isLong = last.atSeconds >= SHORTEST_FOR_MEMORY_SECONDS
  const instances = last.instances.flatMap((_, i) => {
    const of = (read: (sample: InstanceSample) => number) => (sample: Sample) =>
      read(sample.instances[i] as InstanceSample)
    return [
      growth(
        `RSS of instance ${i + 1}, second quarter → last`,
        of(({ rssBytes }) => rssBytes),
        isLong
      ),
      growth(
        'its heap',
        of(({ heapBytes }) => heapBytes),
        false
      )
    ]
  })

  // Instances open all their connections at start, so the number must not change.
  const constant = (name: string, of: (sample: Sample) => number): Finding => {
    const seen = [...new Set(samples.map(of))].sort((a, b) => a - b)
    return { name, value: seen.join(', '), isGood: seen.length === 1 }
  }
  const kinds = [...new Set([...Object.keys(keys), ...Object.keys(explained)])].sort()
  const ofKinds = kinds.map((kind): Finding => {
    const count = keys[kind] ?? 0
    const { atLeast, atMost } = explained[kind] ?? { atLeast: 0, atMost: 0 }
    const due = atLeast === atMost ? `${atLeast}` : `${atLeast} to ${atMost}`
    return { name: `keys: ${kind}`, value: `${count}, explained ${due}`, isGood: count >= atLeast && count <= atMost }
  })
  const held = last.instances.map(({ heldPolls }) => heldPolls)
  return [
    ...instances,
    growth('memory of Redis, which keeps what is authorized', ({ redis }) => redis.memoryBytes, false),
    ...ofKinds,
    constant('channels listened to', ({ redis }) => redis.channels),
    constant('subscriptions to them', ({ redis }) => redis.subscribers),
    constant('connections to Redis', ({ redis }) => redis.clients),
    { name: 'polls held, at most', value: `${most(samples, ({ heldPolls }) => heldPolls)}` },
    { name: 'polls held after the end', value: held.join(', '), isGood: held.every((count) => count === 0) },
    { name: 'open files, most → after the end', value: openFiles(samples, last) },
    {
      name: 'answers that were not due',
      value: `${JSON.stringify(surprises)} of ${requests}`,
      isGood: Object.keys(surprises).length === 0
    }
  ]
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const most = (samples: readonly Sample[], of: (sample: InstanceSample) => number) =>
  Math.max(...samples.flatMap(({ instances }) => instances.map(of)))
const openFiles = (samples: readonly Sample[], last: Sample) =>
  `${most(samples, ({ openFiles }) => openFiles)} → ${last.instances.map(({ openFiles }) => openFiles).join(', ')}`
