import type { LoadTarget, LoadTiming } from '../load/flow-spec.ts'
import type { LoadGenerator } from '../load-generator.ts'
import type { RunningBroker, StorageSync } from '../peers/broker-peer.ts'

/** A figure that a scenario measures. `key` names it in the JSON result. */
export interface Metric {
  key: string
  title: string
  unit: '/s' | 'ms' | 'ns' | 'B' | 'KiB' | 'MiB' | 'cores' | '%' | ''
  /** Which way is good; absent where the figure only explains others. */
  better?: 'higher' | 'lower'
}

/**
 * What DESIGN section 8 asks of a scenario's first metric or, with `metric`, of another one. `times`: at least so many
 * times the peer's · `at-most-peer`: no more than the peer's · `at-least`, `at-most`: absolute.
 */
export type Budget = { metric?: string } & (
  | { kind: 'times'; peer: string; factor: number }
  | { kind: 'at-most-peer'; peer: string }
  | { kind: 'at-least'; value: number }
  | { kind: 'at-most'; value: number }
)

/** One run against one broker. */
export interface Measurement {
  metrics: Record<string, number>
  /** Latency in milliseconds by percentile, where it is measured. */
  latencyCurve?: [percentile: number, ms: number][]
  /** CPU time of processes that the scenario itself started. */
  cpuSeconds?: number
  /** What was wrong with the result, e.g. a loss at QoS 1; the run then counts as failed. */
  fault?: string
}

export interface RunContext {
  broker: RunningBroker
  load: LoadGenerator
  target: LoadTarget
  timing: LoadTiming
  /** For processes that the scenario starts: where to pin them, and what ends them. */
  cores: { broker: number; load: number } | null
  signal: AbortSignal
}

export interface Scenario {
  /** The name on the command line. */
  id: string
  /** A name for several scenarios together. */
  group?: string
  title: string
  /** What is done, with its numbers. */
  description: string
  /** The first is the one that is compared. */
  metrics: readonly [Metric, ...Metric[]]
  budgets?: readonly Budget[]
  /** Skipped, with the reason, where the broker does not offer this. */
  needs?: { qos?: 1 | 2; retained?: true; shared?: true }
  /** Open files that broker and load process each need. */
  openFiles?: number
  /**
   * `brokers`: the subject and its peers · `bare`: bare sockets alone · `both` · `etcd`: no broker, but an etcd · `own`:
   * nothing, the scenario starts what it measures.
   */
  against: 'brokers' | 'bare' | 'both' | 'etcd' | 'own'
  /** What the tables call that which is measured where it is not a broker; by default `etcd` or `grapevine nodes`. */
  contestant?: string
  /** What the peers are tuned for; by default throughput. */
  tuneFor?: 'latency'
  /** Measured for each of these where the broker lets one choose. */
  storageSyncs?: readonly StorageSync[]
  /** Throws `RunFailure` when the broker does not do what is needed. */
  measure(context: RunContext): Promise<Measurement>
}
