/** What a claim process is asked to do, one request at a time, and what it answers. */
export type ClaimRequest = {
  /** No two requests to one etcd have the same: it begins every client id. */
  prefix: string
  warmupMs: number
  measureMs: number
  /** `batched`: as a node claims. `single`: one transaction of the store per claim, for comparison. */
  how: 'batched' | 'single'
} & (
  | { kind: 'storm'; /** Claims under way at any time. */ underWay: number }
  | { kind: 'paced'; perSecond: number }
)

/** Latencies in ms; those of paced claims count from when they were due. */
export interface ClaimResult {
  perSecond: number
  p50: number
  p99: number
  curve: [percentile: number, ms: number][]
  /** Cores this process used. */
  cores: number
  /** CPU time of this process since it started. */
  cpuSeconds: number
  /** Claims per batch; 0 where none were sent. */
  perBatch: number
}

export type ClaimResponse = { result: ClaimResult } | { fault: string }
