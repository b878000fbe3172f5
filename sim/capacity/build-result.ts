/** What the builders of real structures are asked for and answer. `measured` differs from run to run; the rest is a function of the task. */

export type BuildTask = RemoteTask | LocalTask | FilterTask

/** The index of all other nodes' interest, as one node holds it. */
export interface RemoteTask {
  readonly kind: 'remote'
  readonly seed: number
  readonly nodes: number
  /** Of each other node. */
  readonly exactFilters: number
  readonly wildcardSubscriptions: number
  readonly sharedSubscriptions: number
  /** Different ones, in the cluster. */
  readonly wildcardFilters: number
  readonly sharedGroups: number
}

/** The index of one node's own clients, and its counting bloom filter. */
export interface LocalTask {
  readonly kind: 'local'
  readonly seed: number
  readonly clients: number
  readonly subscriptionsPerClient: number
  /** Different filters per subscription without wildcards. */
  readonly distinctShare: number
  readonly wildcardShare: number
  readonly sharedShare: number
  readonly wildcardFilters: number
  readonly sharedGroups: number
}

/** One node's bloom filter alone, with so many filters. */
export interface FilterTask {
  readonly kind: 'filter'
  readonly seed: number
  readonly exactFilters: number
}

export interface RemoteResult {
  readonly kind: 'remote'
  readonly exactFilters: number
  /** The table of all nodes has 2^bits words. */
  readonly bits: number
  readonly tableBytes: number
  /** Different wildcards and groups, and those of each node added up. */
  readonly patterns: number
  readonly patternsOfNodes: number
  /** Nodes whose checksum is that of their origin's. */
  readonly digestsEqual: number
  /** Topics tried that nobody wants; nodes named for them. */
  readonly strays: number
  readonly wasted: number
  /** Topics tried that one node wants; nodes named for them, and how often that node was not among them. */
  readonly hits: number
  readonly named: number
  readonly missed: number
  readonly measured: {
    readonly buildMs: number
    readonly hitNs: number
    readonly strayNs: number
    readonly wildcardNs: number
    /** Heap of the patterns. */
    readonly patternHeapBytes: number
  }
}

export interface LocalResult {
  readonly kind: 'local'
  readonly clients: number
  readonly subscriptions: number
  /** Different ones without wildcards, and all, groups included. */
  readonly exactFilters: number
  readonly filters: number
  readonly bits: number
  /** Of the counting bloom filter. */
  readonly bloomBytes: number
  readonly hits: number
  readonly missed: number
  readonly measured: {
    readonly buildMs: number
    readonly hitNs: number
    readonly strayNs: number
    readonly wildcardNs: number
    /** Heap of sessions' maps and the index, without the sessions. */
    readonly heapBytes: number
  }
}

export interface FilterResult {
  readonly kind: 'filter'
  readonly exactFilters: number
  readonly bits: number
  readonly strays: number
  /** Of those, how many the filter takes for its own. */
  readonly wasted: number
  readonly measured: { readonly buildMs: number }
}

export type BuildResult = RemoteResult | LocalResult | FilterResult

/** What a builder needs of the world to measure itself. */
export interface Meter {
  /** ms of processor time, from any beginning. */
  now(): number
  /** Bytes of heap in use after a collection. */
  heapBytes(): number
}

/** Told now and then how many of how many steps are done. */
export type OnProgress = (done: number, total: number) => void
