/**
 * How long subscriptions take to be known everywhere, in virtual time: complete production nodes on simulated ports, clients that
 * subscribe at random times, and the nodes' own record of when the last one had applied a change.
 */
import { SPREAD_CLASSES_MS } from '../../gossip/interest-stats.ts'
import type { SubscriptionMode } from '../../src/core/ports/subscription-mode.ts'
import { History } from '../clients/history.ts'
import { SimClient } from '../clients/sim-client.ts'
import { isolated } from '../world/ambient.ts'
import { World } from '../world/world.ts'

export interface SpreadTask {
  readonly kind: 'spread'
  readonly mode: SubscriptionMode
  readonly seed: number
  readonly nodes: number
  readonly changes: number
  readonly changesPerSecond: number
  /** Of one hop of gossip, mean; two are on the way. */
  readonly gossipHopMs: number
}

export interface SpreadResult {
  /** Changes that nodes took from the store's records; none in mode gossip. */
  readonly recorded: number
  /** Batches of changes of which all nodes' word came. */
  readonly spread: number
  /** Upper bounds of the classes in which half of them, and 99 of 100, lie; the last class has none. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly meanMs: number
  readonly maxMs: number
}

/** Everybody serves and knows everybody by then. */
const FORMING_MS = 8_000
const SETTLING_MS = 5_000
const RACK = { baseMs: 0.1, jitterMs: 0.1, tailShare: 0.001, tailMs: 20, bytesPerMs: 100_000 }
const GOSSIP_HOPS = 2

export async function runSpread(task: SpreadTask): Promise<SpreadResult> {
  const { seed, nodes, mode } = task
  const gossip = { lost: 0, doubled: 0, delayMs: (GOSSIP_HOPS - 1) * task.gossipHopMs }
  const world = new World({ seed, nodes, latency: RACK, gossip, isDetailed: false, mode })
  return isolated(
    () => run(world, task),
    reason => world.reportBroken(String(reason)),
  )
}

async function run(world: World, { changes, changesPerSecond }: SpreadTask): Promise<SpreadResult> {
  const { clock, trace } = world
  const nodeIds = world.nodes.map(({ nodeId }) => nodeId)
  for (const node of world.nodes) node.boot()
  const dial: SimClientWorld['dial'] = (nodeId, listener) => world.node(nodeId).dial(listener)
  const context = { clock, trace, history: new History(), nodeIds, dial }
  const clients = nodeIds.map((home, i) => {
    const profile = {
      clientId: `client-${i}`,
      version: 5,
      cleanStart: true,
      expirySeconds: 0,
      willDelaySeconds: undefined,
      home,
    } as const
    return new SimClient(context, profile, world.random(`client ${i}`))
  })
  await clock.advance(FORMING_MS)
  for (const client of clients) client.connect()
  await clock.advance(SETTLING_MS)
  const before = spreadOf(world)
  const random = world.random('changes')
  let atMs = 0
  for (let change = 0; change < changes; change++) {
    atMs += (-Math.log(1 - random.fraction()) * 1000) / changesPerSecond
    const client = clients[random.uint32() % clients.length]
    clock.schedule(atMs, () =>
      client?.subscribe({ filter: `site/${change}/state`, qos: 0, barrier: 'local' }),
    )
  }
  await clock.advance(atMs + SETTLING_MS)
  if (world.broken.length > 0) throw new Error(`a simulated node broke: ${world.broken[0]}`)
  return resultOf(before, spreadOf(world))
}

type SimClientWorld = ConstructorParameters<typeof SimClient>[0]

interface Spread {
  readonly recorded: number
  readonly counts: readonly number[]
  readonly sumMs: number
  readonly maxMs: number
}

function spreadOf(world: World): Spread {
  const all = world.nodes.flatMap(({ broker }) => (broker === undefined ? [] : [broker.interest.stats]))
  const counts = Array.from({ length: SPREAD_CLASSES_MS.length + 1 }, (_, i) =>
    all.reduce((sum, { spreadCounts }) => sum + (spreadCounts[i] ?? 0), 0),
  )
  const sumMs = all.reduce((sum, { spreadSumMs }) => sum + spreadSumMs, 0)
  const recorded = world.nodes.reduce(
    (sum, { broker }) => sum + (broker?.interest.feeds.stats.recordedDeltas ?? 0),
    0,
  )
  return { recorded, counts, sumMs, maxMs: Math.max(...all.map(({ spreadMaxMs }) => spreadMaxMs)) }
}

function resultOf(before: Spread, after: Spread): SpreadResult {
  const counts = after.counts.map((count, i) => count - (before.counts[i] ?? 0))
  const spread = counts.reduce((sum, count) => sum + count, 0)
  const boundOf = (share: number): number | null => {
    let seen = 0
    for (const [i, count] of counts.entries()) {
      seen += count
      if (seen >= spread * share) return SPREAD_CLASSES_MS[i] ?? null
    }
    return null
  }
  const meanMs = spread === 0 ? 0 : (after.sumMs - before.sumMs) / spread
  const recorded = after.recorded - before.recorded
  return { recorded, spread, p50Ms: boundOf(0.5), p99Ms: boundOf(0.99), meanMs, maxMs: after.maxMs }
}
