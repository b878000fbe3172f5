import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import type { Metric, NodeStatusSource, NumberMetric } from '../core/ports/node-status.ts'
import { ReadHistogram } from './read-histogram.ts'

/** One node's metrics in Prometheus' text format. */
export interface MetricsRegistry {
  readonly contentType: string
  /** The numbers as of now. */
  text(): Promise<string>
  /** Stops measuring the event loop. */
  close(): void
}

const PREFIX = 'grapevine_'
const LOOP_RESOLUTION_MS = 20
const NANOSECONDS = 1e9

/**
 * A registry of this node's own, never prom-client's global one: several nodes live in one process. What the node counts
 * is prefixed `grapevine_`; the process's numbers keep the names every dashboard knows.
 */
export function createMetricsRegistry(source: Pick<NodeStatusSource, 'metrics'>): MetricsRegistry {
  const registry = new Registry()
  for (const metrics of byName(source.metrics())) addMetrics(registry, metrics)
  const stopMeasuring = addProcessMetrics(registry)
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    close: stopMeasuring,
  }
}

function byName(metrics: readonly Metric[]): Iterable<readonly [Metric, ...Metric[]]> {
  const groups = new Map<string, [Metric, ...Metric[]]>()
  for (const metric of metrics) {
    const group = groups.get(metric.name)
    if (group === undefined) groups.set(metric.name, [metric])
    else group.push(metric)
  }
  return groups.values()
}

/** One metric of Prometheus out of those that share a name and differ in labels. */
function addMetrics(registry: Registry, metrics: readonly [Metric, ...Metric[]]): void {
  const [{ name, help, type, labels = {} }] = metrics
  const options = { name: PREFIX + name, help, registers: [registry], labelNames: Object.keys(labels) }
  const numbers = metrics.filter((metric): metric is NumberMetric => metric.type !== 'histogram')
  if (type === 'histogram') {
    new ReadHistogram(
      options,
      metrics.filter(metric => metric.type === 'histogram'),
    )
  } else if (type === 'gauge') {
    new Gauge({
      ...options,
      collect() {
        for (const metric of numbers) this.set(metric.labels ?? {}, metric.read())
      },
    })
  } else {
    new Counter({
      ...options,
      collect() {
        this.reset()
        for (const metric of numbers) this.inc(metric.labels ?? {}, metric.read())
      },
    })
  }
}

function gaugeOf(read: () => number) {
  return function (this: Gauge): void {
    this.set(read())
  }
}

function counterOf(read: () => number) {
  return function (this: Counter): void {
    this.reset()
    this.inc(read())
  }
}

/** prom-client's own collector watches garbage collection until the process ends; this one can be stopped. */
function addProcessMetrics(registry: Registry): () => void {
  const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  loopDelay.enable()
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => number): Gauge =>
    new Gauge({ name, help, registers, collect: gaugeOf(read) })
  const usedSeconds = (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }

  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time used by the process, in seconds.',
    registers,
    collect: counterOf(usedSeconds),
  })
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
  gauge('process_start_time_seconds', 'Start of the process, Unix time.', () =>
    Math.round(Date.now() / 1000 - process.uptime()),
  )
  gauge('nodejs_heap_size_used_bytes', 'Used heap of the process.', () => process.memoryUsage().heapUsed)
  gauge('nodejs_heap_size_total_bytes', 'Heap of the process.', () => process.memoryUsage().heapTotal)
  gauge(
    'nodejs_external_memory_bytes',
    'Memory outside the heap that its objects hold.',
    () => process.memoryUsage().external,
  )
  gauge(
    'nodejs_eventloop_lag_p99_seconds',
    '99th percentile of the event loop’s delay since the last scrape.',
    () => {
      const seconds = loopDelay.percentile(99) / NANOSECONDS
      loopDelay.reset()
      return seconds
    },
  )
  return () => {
    loopDelay.disable()
  }
}
