/**
 * One run: a cluster that forms, new subscriptions for some time, perhaps a partition meanwhile, and time to settle. A function of
 * its settings and costs alone.
 */
import type { Random } from '../../src/core/ports/random.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import { isolated } from '../world/ambient.ts'
import { InterestCluster } from './interest-cluster.ts'
import type { InterestNode } from './interest-node.ts'
import type { Partition, PointCosts, PointResult, PointSettings } from './point.ts'
import { MissCount, percentilesOf } from './spread-log.ts'

/** A cluster that has not formed by then is overloaded. */
const FORMING_MS_MAX = 120_000
/** What is not applied so long after the last change, or the end of the partition, never will be. */
const SETTLING_MS_MAX = 20_000
/** After it a message that misses a subscription is a false negative, whatever the barrier. */
const SETTLED_MS = 100
const BARRIER_TIMEOUT_MS = 2000
/** Every so many changes one has a wildcard. */
const WILDCARD_EVERY = 4
const DIVERGENCE_SAMPLES = 300
const PROGRESS_PARTS = 40

type Counts = Pick<PointResult, 'gossip' | 'stream'> & {
  readonly exchange: Pick<PointResult, 'gaps' | 'repairs'>
  /** By core. */
  readonly busyMs: Readonly<Record<number, number>>
  readonly time: { readonly ms: number }
}

/** `onProgress` hears how much of it is done, from 0 to 1. */
export async function runPoint(
  settings: PointSettings,
  costs: PointCosts,
  onProgress: (share: number) => void = () => undefined,
): Promise<PointResult> {
  return isolated(
    () => new PointRun(settings, costs).run(onProgress),
    reason => {
      throw reason
    },
  )
}

class PointRun {
  readonly #settings: PointSettings
  readonly #costs: PointCosts
  readonly #cluster: InterestCluster
  readonly #random: Random
  readonly #misses = {
    local: new MissCount(),
    settled: new MissCount(),
    quorum: new MissCount(),
    all: new MissCount(),
  }
  readonly #subackMs = { quorum: [] as number[], all: [] as number[] }
  readonly #refused = { quorum: 0, all: 0 }
  readonly #divergence: [number, number][] = []
  #made = 0

  constructor(settings: PointSettings, costs: PointCosts) {
    this.#settings = settings
    this.#costs = costs
    this.#cluster = new InterestCluster(settings, costs)
    this.#random = SeededRandom.for(settings.seed, 'workload')
  }

  async run(onProgress: (share: number) => void): Promise<PointResult> {
    const { clock, log } = this.#cluster
    const { seconds, partition, filtersPerNode, heartbeatMs } = this.#settings
    this.#cluster.start(filtersPerNode)
    const formedMs = await this.#form()
    if (formedMs === undefined)
      return this.#result(
        0,
        this.#counts(),
        'the nodes never all knew each other: too much work for their cores',
      )
    // Two heartbeats, for the mesh of the gossip to be whole.
    await clock.advance(2 * heartbeatMs)
    const before = this.#counts()
    const beginMs = clock.now()
    this.#scheduleChanges(seconds * 1000)
    if (partition !== undefined) this.#schedulePartition(partition)
    this.#sampleDivergence(beginMs, seconds * 1000)
    for (let part = 1; part <= PROGRESS_PARTS; part++) {
      await clock.advance((seconds * 1000) / PROGRESS_PARTS)
      onProgress(part / PROGRESS_PARTS)
    }
    const counted = difference(this.#counts(), before)
    for (let waitedMs = 0; waitedMs < SETTLING_MS_MAX; waitedMs += 100) {
      if (log.missing === 0 && waitedMs >= BARRIER_TIMEOUT_MS + SETTLED_MS) break
      await clock.advance(100)
      if (partition !== undefined) this.#noteDivergence(beginMs)
    }
    return this.#result(formedMs, counted)
  }

  /** When all knew each other; undefined when that never came. */
  async #form(): Promise<number | undefined> {
    const { clock } = this.#cluster
    while (clock.now() < FORMING_MS_MAX) {
      await clock.advance(50)
      if (this.#cluster.isSynchronized) return clock.now()
    }
    return undefined
  }

  #scheduleChanges(durationMs: number): void {
    const { changesPerSecond, arrivals, nodes } = this.#settings
    const meanMs = 1000 / changesPerSecond
    const next = (afterMs: number): void => {
      const gapMs = arrivals === 'even' ? meanMs : -Math.log(1 - this.#random.fraction()) * meanMs
      const atMs = afterMs + gapMs
      if (atMs > durationMs) return
      this.#cluster.clock.schedule(gapMs, () => {
        const number = this.#made++
        const index = arrivals === 'even' ? number % nodes : this.#random.uint32() % nodes
        this.#change(this.#cluster.nodes[index] as InterestNode, number)
        next(atMs)
      })
    }
    next(0)
  }

  #schedulePartition({ from, to, cut }: Partition): void {
    const { clock, network, nodes } = this.#cluster
    const apart = new Set<string>()
    for (const [index, { nodeId }] of nodes.entries()) {
      if (
        cut === 'one-node'
          ? index === 0
          : cut === 'half'
            ? index < nodes.length / 2
            : network.zoneOf(nodeId) === 0
      )
        apart.add(nodeId)
    }
    clock.schedule(from * 1000, () => network.cut(nodeId => apart.has(nodeId)))
    clock.schedule(to * 1000, () => network.heal())
  }

  /** A client subscribes to a filter nobody had: the node's work waits its turn, the time counts from the packet's arrival. */
  #change(node: InterestNode, number: number): void {
    const { clock, log } = this.#cluster
    const arrivedMs = clock.now()
    const isWildcard = number % WILDCARD_EVERY === WILDCARD_EVERY - 1
    const topic = `change/${number}${isWildcard ? '/x' : ''}`
    node.clock.core.run(this.#costs.packetMs, () => {
      log.changed(node.nodeId, arrivedMs)
      node.subscribe(isWildcard ? `change/${number}/+` : topic)
      this.#publishElsewhere(node, topic, this.#misses.local)
      clock.schedule(SETTLED_MS, () => this.#publishElsewhere(node, topic, this.#misses.settled))
      for (const level of ['quorum', 'all'] as const) {
        node.interest.whenApplied(level, BARRIER_TIMEOUT_MS, isApplied => {
          if (!isApplied) {
            this.#refused[level]++
            return
          }
          this.#subackMs[level].push(node.clock.now() - arrivedMs)
          this.#publishElsewhere(node, topic, this.#misses[level])
        })
      }
    })
  }

  /**
   * As soon as a client near the node has its SUBACK, it has somebody publish at each other node: the shortest ways there are.
   * The publishes wait for their turn at those nodes but cost them nothing, so that probing does not slow down what it probes.
   */
  #publishElsewhere(node: InterestNode, topic: string, misses: MissCount): void {
    const { clock, network, nodes } = this.#cluster
    const nearMs = node.clock.core.aheadMs + network.travelMs(node.nodeId, node.nodeId)
    for (const other of nodes) {
      if (other === node) continue
      clock.schedule(nearMs + network.travelMs(node.nodeId, other.nodeId), () => {
        other.clock.core.look(() => misses.count(!other.routesTo(node.nodeId, topic)))
      })
    }
  }

  #sampleDivergence(beginMs: number, durationMs: number): void {
    if (this.#settings.partition === undefined) return
    const everyMs = Math.max(100, durationMs / DIVERGENCE_SAMPLES)
    for (let atMs = 0; atMs < durationMs; atMs += everyMs)
      this.#cluster.clock.schedule(atMs, () => this.#noteDivergence(beginMs))
  }

  #noteDivergence(beginMs: number): void {
    const atMs = this.#cluster.clock.now() - beginMs
    this.#divergence.push([Math.round(atMs) / 1000, this.#cluster.divergentPairs])
  }

  /** What has been counted since the start. */
  #counts(): Counts {
    const { gossip, frames, nodes, cores, clock } = this.#cluster
    const sum = (key: 'deltasSent' | 'gaps' | 'repairs'): number =>
      nodes.reduce((total, { interest }) => total + interest.stats[key], 0)
    return {
      gossip: { published: sum('deltasSent'), ...gossip.traffic },
      stream: { ...frames },
      exchange: { gaps: sum('gaps'), repairs: sum('repairs') },
      busyMs: Object.fromEntries(cores.map((core, index) => [index, core.busyMs])),
      time: { ms: clock.now() },
    }
  }

  #result(formedMs: number, counted: Counts, fault?: string): PointResult {
    const { log, broken } = this.#cluster
    if (broken.length > 0) throw broken[0]
    const { gossip, stream, exchange, busyMs, time } = counted
    const shares = Object.values(busyMs).map(ms => (time.ms === 0 ? 0 : ms / time.ms))
    return {
      ...(fault === undefined ? {} : { fault }),
      settings: this.#settings,
      formedMs,
      changes: log.changes,
      neverApplied: log.missing,
      everywhere: log.everywhere(),
      perNode: log.perNode(),
      curve: log.curve(),
      suback: { quorum: percentilesOf(this.#subackMs.quorum), all: percentilesOf(this.#subackMs.all) },
      refused: this.#refused,
      misses: this.#misses,
      gossip,
      stream,
      ...exchange,
      cpu: {
        mean: rounded(shares.reduce((sum, share) => sum + share, 0) / shares.length),
        most: rounded(Math.max(...shares)),
      },
      divergence: this.#divergence,
    }
  }
}

function difference(after: Counts, before: Counts): Counts {
  return {
    gossip: minus(after.gossip, before.gossip),
    stream: minus(after.stream, before.stream),
    exchange: minus(after.exchange, before.exchange),
    busyMs: minus(after.busyMs, before.busyMs),
    time: minus(after.time, before.time),
  }
}

function minus<T extends Readonly<Record<string, number>>>(after: T, before: T): T {
  const rest = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const)
  return Object.fromEntries(rest) as T
}

function rounded(share: number): number {
  return Math.round(share * 10_000) / 10_000
}
