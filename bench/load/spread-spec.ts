import type { LatencySummary } from './latency-recorder.ts'
import type { SubackBarrier } from './mqtt-packets.ts'

/** New subscriptions at many brokers of one cluster in turn, as the load process is asked to make them. */
export interface SpreadSpec {
  /** Begins every topic: no two requests to one cluster have the same. */
  prefix: string
  barrier: SubackBarrier
  /** Subscriptions per second in the whole cluster; each has a filter of its own, every fourth one with a wildcard. */
  changesPerSecond: number
  /** Milliseconds after SUBACK at which one message is published at each other broker; none: nothing is published. */
  probesAfterMs: readonly number[]
}

/** The brokers, all in one process. */
export interface SpreadTarget {
  ports: readonly number[]
}

export interface SpreadResult {
  changes: number
  /** Barriers that were not reached in time. */
  refused: number
  /** From SUBSCRIBE, when it was due, to SUBACK. */
  suback: LatencySummary
  /** By the place in `probesAfterMs`: messages published, and those that the subscriber never got. */
  probes: { sent: number; missed: number }[]
}
