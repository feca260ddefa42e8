/**
 * A histogram of durations by one label, for what happens too often to be counted by the metrics library: observing costs a
 * look into a map and two additions. The library sees what it would have counted, when it asks.
 */
import { Histogram, type Registry } from 'prom-client'

export interface LatencyHistogramParts<L extends string> {
  name: string
  help: string
  label: L
  /** Upper bounds in seconds, ascending. */
  bounds: readonly number[]
  registry: Registry
}

/** One label value: how many fell into each bucket, not cumulated, and the last one for what is beyond every bound. */
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
  // Under both names by which the library asks a metric for what it has.
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
