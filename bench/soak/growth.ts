/** Compares what a soak held late with what it held early, which says whether something grows. */

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
/** In a shorter time the heap may still be growing to its working size, so its memory is not judged. */
const SHORTEST_FOR_MEMORY_SECONDS = 600

/** `isBound`: it must not have grown. */
export function growth<T>(name: string, taken: readonly T[], of: (one: T) => number, isBound: boolean): Finding {
  const quarter = (number: number) =>
    taken.slice(Math.floor(((number - 1) * taken.length) / 4), Math.floor((number * taken.length) / 4))
  const [before, after] = [mean(quarter(2).map(of)), mean(quarter(4).map(of))]
  const by = after / before - 1
  const value = `${mebibytes(before)} → ${mebibytes(after)}, ${by >= 0 ? '+' : ''}${(by * 100).toFixed(1)} %`
  return isBound ? { name, value, isGood: by <= MOST_GROWTH } : { name, value }
}

/** The memory of an instance: of the process that lived longest, if it was restarted in between. */
export function memoryOf(samples: readonly Sample[], index: number): Finding[] {
  const lives = new Map<number, { atSeconds: number; taken: InstanceSample }[]>()
  for (const { atSeconds, instances } of samples) {
    const taken = instances[index] as InstanceSample
    lives.set(taken.pid, [...(lives.get(taken.pid) ?? []), { atSeconds, taken }])
  }
  const life = [...lives.values()].reduce((longest, one) => (one.length > longest.length ? one : longest))
  const seconds = (life.at(-1)?.atSeconds ?? 0) - (life[0]?.atSeconds ?? 0)
  const taken = life.map((one) => one.taken)
  const name = `RSS of instance ${index + 1} over ${Math.round(seconds / 60)} min, second quarter → last`
  return [
    growth(name, taken, ({ rssBytes }) => rssBytes, seconds >= SHORTEST_FOR_MEMORY_SECONDS),
    growth('its heap', taken, ({ heapBytes }) => heapBytes, false)
  ]
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
