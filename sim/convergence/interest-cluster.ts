import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import type { Random } from '../../src/core/ports/random.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import { VirtualClock } from '../ports/virtual-clock.ts'
import { CoreClock, CpuCore } from '../world/cpu-core.ts'
import { GossipMesh } from '../world/gossip-mesh.ts'
import { MeshNetwork } from '../world/mesh-network.ts'
import { Trace } from '../world/trace.ts'
import { hopOverhead } from './hop-overhead.ts'
import { InterestNode } from './interest-node.ts'
import { PlacedNetwork, placements } from './placed-network.ts'
import type { PointCosts, PointSettings } from './point.ts'
import { SpreadLog } from './spread-log.ts'

/** Of the time, that processes do nothing. */
const PAUSED_SHARE = 0.1

/** Times in a second that a process works for nobody in particular. */
const IDLE_BEATS = 20

/** Frames on streams since the start, by what they are for. */
interface FrameCounts {
  deltas: number
  applied: number
  digests: number
  repairs: number
  bytes: number
}

/** The nodes of one run with everything between them, all in one virtual time. */
export class InterestCluster {
  /** Nothing here awaits, so that nothing has to settle between events. */
  readonly clock = new VirtualClock(() => Promise.resolve())
  readonly network: PlacedNetwork
  readonly gossip: GossipMesh
  readonly nodes: readonly InterestNode[]
  readonly cores: readonly CpuCore[]
  readonly log: SpreadLog
  readonly frames: FrameCounts = { deltas: 0, applied: 0, digests: 0, repairs: 0, bytes: 0 }
  /** Exceptions that escaped from production code. */
  readonly broken: unknown[] = []
  readonly #peers: PeerAddress[] = []
  /** Of one of these times, beginning included; the timers of several nodes in a process end together, so it is no more for them. */
  readonly #idleMs: number
  readonly #pauses: { readonly pauseMs: number; readonly random: Random }

  constructor(settings: PointSettings, costs: PointCosts) {
    this.#idleMs = Math.max(0, costs.idleMsPerSecond / IDLE_BEATS - costs.wakeMs)
    this.#pauses = {
      pauseMs: costs.pauseMs * settings.nodesPerCore,
      random: SeededRandom.for(settings.seed, 'pauses'),
    }
    const { seed, nodes, nodesPerCore, profile, loss, gossipDegree, gossipLazy, heartbeatMs, floodPublish } =
      settings
    const nodeIds = Array.from({ length: nodes }, (_, index) => `node-${index}`)
    this.cores = Array.from(
      { length: Math.ceil(nodes / nodesPerCore) },
      () => new CpuCore(this.clock, costs.wakeMs),
    )
    const coreOf = new Map(
      nodeIds.map((nodeId, index) => [nodeId, this.cores[Math.floor(index / nodesPerCore)] as CpuCore]),
    )
    const network = new PlacedNetwork(
      nodeIds,
      placements[profile],
      loss,
      SeededRandom.for(seed, 'latency'),
      nodeId => coreOf.get(nodeId)?.aheadMs ?? 0,
    )
    this.network = network
    this.log = new SpreadLog(nodeIds)
    const byId = new Map<string, InterestNode>()
    this.gossip = new GossipMesh(
      this.clock,
      {
        isBlocked: (from, to) => network.isBlocked(from, to),
        delayMs: (from, to, bytes) => network.unrepeatedDelayMs(from, to, bytes),
      },
      SeededRandom.for(seed, 'gossip'),
      {
        degree: gossipDegree,
        lazy: gossipLazy,
        heartbeatMs,
        isFlooding: floodPublish,
        lossShare: loss,
        sendMs: costs.gossipSendMs,
        receiveMs: costs.gossipReceiveMs,
        handleMs: costs.gossipChangeMs,
        overheadMs: hopOverhead(costs, SeededRandom.for(seed, 'overhead')),
        isLinked: (a, b) => byId.get(a)?.isLinkedTo(b) === true,
      },
    )
    const mesh = new MeshNetwork({
      clock: this.clock,
      conditions: network,
      random: SeededRandom.for(seed, 'links'),
      trace: new Trace(() => this.clock.now()),
    })
    this.nodes = nodeIds.map((nodeId, index) => {
      const clock = new CoreClock(this.clock, coreOf.get(nodeId) as CpuCore, error => this.broken.push(error))
      const transport = mesh.transport(nodeId, clock)
      this.#peers.push({ nodeId, incarnation: index + 1, ...transport.self })
      const node = new InterestNode(
        { clock, transport, gossip: this.gossip.member(nodeId, transport.self.peerId, clock) },
        {
          nodeId,
          batchIntervalMs: settings.batchIntervalMs,
          frames: { frameMs: costs.streamFrameMs, bytesPerMs: costs.streamBytesPerMs },
          onAnnounced: from => this.log.announced(from.nodeId, from.interest.sequence),
          onSent: (from, to, frame, bytes) => {
            this.frames.bytes += bytes
            if (frame?.type === 'applied') {
              this.frames.applied++
              this.log.applied(to, from.nodeId, frame.sequence, clock.now())
            } else if (frame?.type === 'delta') this.frames.deltas++
            else if (frame?.type === 'digest') this.frames.digests++
            else this.frames.repairs++
          },
        },
      )
      byId.set(nodeId, node)
      return node
    })
  }

  start(filtersPerNode: number): void {
    for (const core of this.cores) {
      this.#idleLater(core)
      this.#pauseLater(core)
    }
    for (const [index, node] of this.nodes.entries()) {
      const filters = Array.from({ length: filtersPerNode }, (_, filter) => `fill/${index}/${filter}`)
      node.fill(filters)
      const peer = this.#peers[index] as PeerAddress
      node.clock.deliver(() =>
        node.start(
          peer,
          this.#peers.filter(other => other !== peer),
        ),
      )
    }
  }

  #idleLater(core: CpuCore): void {
    if (this.#idleMs === 0) return
    this.clock.schedule(1000 / IDLE_BEATS, () => {
      core.run(this.#idleMs, () => undefined)
      this.#idleLater(core)
    })
  }

  /** Processes stop now and then, for the longer the more nodes they have. */
  #pauseLater(core: CpuCore): void {
    const { pauseMs } = this.#pauses
    if (pauseMs === 0) return
    const meanMs = pauseMs / PAUSED_SHARE
    this.clock.schedule(-Math.log(1 - this.#pauses.random.fraction()) * meanMs, () => {
      core.stall(pauseMs)
      this.#pauseLater(core)
    })
  }

  get isSynchronized(): boolean {
    return this.nodes.every(node => node.isSynchronized)
  }

  /** Pairs of nodes of which one does not have the other's interest as it is now. */
  get divergentPairs(): number {
    const sequences = new Map(this.nodes.map(({ nodeId, interest }) => [nodeId, interest.sequence]))
    let pairs = 0
    for (const { interest } of this.nodes) {
      for (const { nodeId, known, sequence } of interest.status())
        if (!known || sequence !== sequences.get(nodeId)) pairs++
    }
    return pairs
  }
}
