import type { Random } from '../../src/core/ports/random.ts'
import type { PointCosts } from './point.ts'

/** Standard normal quantile of 0.99. */
const Z99 = 2.326

/**
 * What a measured hop of gossip takes beyond the work at both ends: waiting for turns of event loops, timers and the kernel.
 * Drawn from a lognormal distribution with the measured median and 99th percentile; nothing when the work explains all of it.
 */
export function hopOverhead(costs: PointCosts, random: Random): () => number {
  const workMs = costs.gossipSendMs + costs.gossipReceiveMs + costs.wakeMs
  const median = costs.gossipHopMsP50 - workMs
  if (median <= 0) return () => 0
  const sigma = Math.log(Math.max(median, costs.gossipHopMsP99 - workMs) / median) / Z99
  return () => median * Math.exp(sigma * standardNormal(random))
}

/** Box and Muller's. */
function standardNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction())
}
