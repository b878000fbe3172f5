/** How often the nodes' changes needed how long to be applied everywhere, all nodes together, since they started. */
export interface SpreadCounts {
  /** Upper bounds of the classes in ms, and what fell into each; the last class has no bound. */
  bounds: number[]
  counts: number[]
  /** The longest of all. */
  maxMs: number
  /** CPU time of the process. */
  cpuSeconds: number
}

export type SpreadRequest = { kind: 'ports' } | { kind: 'counts' }

export interface SpreadAnswer {
  ports?: number[]
  /** In the same order. */
  adminUrls?: string[]
  counts?: SpreadCounts
}
