import {
  Histogram,
  type HistogramConfiguration,
  type MetricObjectWithValues,
  type MetricValueWithName,
} from 'prom-client'
import type { HistogramMetric } from '../core/ports/node-status.ts'

/** A histogram whose counts are kept elsewhere and read when it is scraped; prom-client's own can only count itself. */
export class ReadHistogram extends Histogram {
  readonly #metrics: readonly HistogramMetric[]
  readonly #name: string
  readonly #help: string

  /** `metrics` share a name and differ in labels. */
  constructor(options: HistogramConfiguration<string>, metrics: readonly HistogramMetric[]) {
    super(options)
    this.#metrics = metrics
    this.#name = options.name
    this.#help = options.help
  }

  override get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    return this.getForPromString()
  }

  /** What prom-client's registry asks for, though its types do not say so. */
  async getForPromString(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const values = this.#metrics.flatMap(metric => valuesOf(this.#name, metric))
    // prom-client's types name the type by an enum it does not export when it runs.
    return {
      name: this.#name,
      help: this.#help,
      type: 'histogram' as never,
      values,
      aggregator: 'sum',
      collect: () => {},
    }
  }
}

/** Buckets as Prometheus wants them: each counts all below its bound. */
function valuesOf(name: string, metric: HistogramMetric): MetricValueWithName<string>[] {
  const { bounds, labels = {} } = metric
  const { counts, sum } = metric.read()
  let count = 0
  const buckets = counts.map((here, index) => {
    count += here
    const le = index < bounds.length ? String(bounds[index]) : '+Inf'
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
