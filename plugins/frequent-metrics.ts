/**
 * A counter and a histogram of one label, for what happens too often to be counted by the metrics library: counting costs a
 * look into a map and an addition or two. The library sees what it would have counted, when it asks.
 */
import { Counter, Histogram, type Registry } from 'prom-client'

export interface FrequentCounterParts {
  name: string
  help: string
  label: string
  registry: Registry
}

/** Registers the counter; answers with the function that counts one more for a value of the label. */
export function createFrequentCounter<T extends string | number>(parts: FrequentCounterParts): (labelValue: T) => void {
  const { name, help, label, registry } = parts
  const counts = new Map<T, number>()
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset()
      for (const [value, count] of counts) this.inc({ [label]: value }, count)
    }
  })
  return (labelValue) => {
    counts.set(labelValue, (counts.get(labelValue) ?? 0) + 1)
  }
}

export interface LatencyHistogramParts<L extends string> {
  name: string
  help: string
  label: L
  /** Upper bounds in seconds, ascending. */
  bounds: readonly number[]
  registry: Registry
}

/** What one label value counts: durations by bucket, not cumulated, the last bucket for what is beyond every bound. */
interface Series {
  counts: number[]
  sum: number
}

/** Registers the histogram; answers with the function that observes a duration, in seconds. */
export function createLatencyHistogram<L extends string>(
  parts: LatencyHistogramParts<L>
): (labelValue: string, seconds: number) => void {
  const { name, help, label, bounds, registry } = parts
  const series = new Map<string, Series>()

  const histogram = new Histogram({ name, help, labelNames: [label], buckets: [...bounds], registers: [registry] })
  // The library reads a metric by either of two methods.
  const read = async () => {
    const values = [...series].flatMap(([value, one]) => exported(value, one))
    return { name, help, type: 'histogram', aggregator: 'sum', values }
  }
  Object.assign(histogram, { get: read, getForPromString: read })

  function exported(value: string, { counts, sum }: Series) {
    const labels = { [label]: value } as Record<L, string>
    let atMost = 0
    const buckets = counts.map((count, i) => {
      atMost += count
      return {
        metricName: `${name}_bucket`,
        labels: { ...labels, le: bounds[i] ?? '+Inf' },
        value: atMost,
        exemplar: null
      }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: atMost }
    ]
  }

  return (labelValue, seconds) => {
    let one = series.get(labelValue)
    if (!one) {
      one = { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 }
      series.set(labelValue, one)
    }
    let bucket = 0
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1
    one.counts[bucket] = (one.counts[bucket] as number) + 1
    one.sum += seconds
  }
}
