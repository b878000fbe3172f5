/**
 * In how many chunks a node's forwards leave. What a turn of the event loop finds for one peer goes to it in one encrypted chunk,
 * which costs many times what a further message in it does: so a forward is the cheaper the busier its node. Pure arithmetic.
 */

export interface Forwarding {
  /** Forwards that leave, per second, to so many peers evenly. */
  readonly perSecond: number
  readonly peers: number
  /** Messages and chunks per second that give the node something to do. */
  readonly arrivals: number
}

/** A core that never waits. A turn then finds some twenty arrivals: it cannot tell how many more there are. */
const SHARE_MAX = 1 - 1e-9

/**
 * What a turn finds, on average, on a core that works for such a share of the time: what came during the turn before, or, where that
 * was nothing, the one thing that ended the wait. For arrivals at random and turns as long as what they find: n such that
 * n = n·share + e^(−n·share).
 */
export function arrivalsPerTurn(share: number): number {
  const busy = Math.min(share, SHARE_MAX)
  return root(1, 1 / (1 - busy), n => n * (1 - busy) - Math.exp(-n * busy))
}

/** Of a node whose core works for such a share of the time. */
export function chunksPerSecond({ perSecond, peers, arrivals }: Forwarding, share: number): number {
  if (perSecond === 0) return 0
  const found = arrivalsPerTurn(share)
  // Each arrival is for a given peer with this chance.
  const chance = Math.min(1, perSecond / arrivals / peers)
  return (arrivals / found) * peers * (1 - (1 - chance) ** found)
}

/** Chunks per second where each takes `chunkUs` of CPU besides, and everything else `otherCores`: the share follows from them. */
export function settledChunks(forwarding: Forwarding, chunkUs: number, otherCores: number): number {
  const cores = (share: number): number => otherCores + (chunksPerSecond(forwarding, share) * chunkUs) / 1e6
  const share = root(0, SHARE_MAX, candidate => candidate - cores(candidate))
  return chunksPerSecond(forwarding, share)
}

/** Where a rising function passes 0; the end it does not reach it at. */
function root(low: number, high: number, rising: (x: number) => number): number {
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2
    if (rising(middle) < 0) low = middle
    else high = middle
  }
  return high
}
