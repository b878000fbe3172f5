/**
 * A simulated cluster and all it stands on: one virtual clock, one network, one coordination service, and nodes that run the
 * production code.
 *
 * Invariant: everything that happens follows from the seed. Each purpose draws from a generator of its own, so that a change
 * in one (another fault, another client) does not shift the chance of the others.
 */
import { KeyValueState } from '../../coordination/embedded/key-value-state.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { CoordinationEntry } from '../../src/core/ports/coordination-store.ts'
import type { SubscriptionMode } from '../../src/core/ports/subscription-mode.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { BrokerNode } from '../../src/node/broker-node.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import { SimCoordinationService } from '../ports/sim-coordination-store.ts'
import { VirtualClock } from '../ports/virtual-clock.ts'
import { settling } from './ambient.ts'
import { CrashDisk } from './crash-disk.ts'
import { GossipNetwork, type GossipWeakness } from './gossip-network.ts'
import { MeshNetwork } from './mesh-network.ts'
import { type LatencyProfile, NetworkConditions } from './network-conditions.ts'
import { SimNode } from './sim-node.ts'
import type { StoreAvailability, StoreClientContext } from './store-client.ts'
import { Trace } from './trace.ts'

export interface WorldOptions {
  readonly seed: number
  readonly nodes: number
  readonly latency: LatencyProfile
  readonly gossip: GossipWeakness
  /** Whether the timeline has every frame and packet. */
  readonly isDetailed: boolean
  /** How subscriptions spread from the beginning. Default: gossip. */
  readonly mode?: SubscriptionMode
  /** How much may happen at all, see `VirtualClock`. Default: without end. */
  readonly eventsMax?: number
}

export class World {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly conditions: NetworkConditions
  readonly service: SimCoordinationService
  readonly availability: StoreAvailability = { isDown: false, isElecting: false }
  readonly mesh: MeshNetwork
  readonly gossip: GossipNetwork
  readonly nodes: readonly SimNode[]
  /** What production code did that it must never do: exceptions and rejections nobody handled. */
  readonly broken: string[] = []
  /** Every process that began. */
  readonly starts: { readonly nodeId: NodeId; readonly atMs: number }[] = []
  /** Nodes that served clients from a damaged disk. */
  readonly servedDamaged: { readonly nodeId: NodeId; readonly atMs: number }[] = []
  readonly storeReplacedMs: number[] = []
  /** Clients to whose sessions messages of an earlier owner may come late, as a node has said, and since when. */
  readonly tailsLate = new Map<string, number>()
  /** Processes that were stopped or suspended, and went on. */
  readonly pauses: { readonly nodeId: NodeId; readonly fromMs: number; readonly toMs: number }[] = []
  /** Times at which the store granted or renewed a node's lease. */
  readonly renewals: { readonly nodeId: NodeId; readonly atMs: number }[] = []
  /** Called when the content of the store was replaced. */
  onStoreReplaced: () => void = () => undefined
  readonly storeContext: StoreClientContext
  /** Sees each process before it starts: where tests plant bugs. */
  onProcess: (broker: BrokerNode) => void = () => undefined
  readonly mode: SubscriptionMode
  readonly #seed: number
  readonly #processes: Random
  #backup: { readonly entries: readonly CoordinationEntry[]; readonly revision: number } | undefined
  readonly #wallOffsets = new Map<NodeId, number>()

  constructor({ seed, nodes, latency, gossip, isDetailed, eventsMax, mode }: WorldOptions) {
    this.mode = mode ?? 'gossip'
    this.#seed = seed
    this.clock = new VirtualClock(settling(), eventsMax)
    this.trace = new Trace(() => this.clock.now(), isDetailed)
    this.conditions = new NetworkConditions(latency, this.random('latency'), () => this.clock.now())
    this.service = new SimCoordinationService(this.clock)
    this.#processes = this.random('processes')
    const context = { clock: this.clock, conditions: this.conditions, trace: this.trace }
    this.mesh = new MeshNetwork({ ...context, random: this.random('mesh') })
    this.gossip = new GossipNetwork(this.clock, this.conditions, this.random('gossip'), gossip)
    this.storeContext = {
      ...context,
      service: this.service,
      availability: this.availability,
      random: this.random('store'),
      onRenewed: nodeId => this.renewals.push({ nodeId, atMs: this.clock.now() }),
    }
    this.nodes = Array.from({ length: nodes }, (_, i) => {
      const nodeId = `node-${i}`
      return new SimNode(this, nodeId, new CrashDisk(this.random(`disk of ${nodeId}`)))
    })
  }

  random(purpose: string): SeededRandom {
    return SeededRandom.for(this.#seed, purpose)
  }

  node(nodeId: NodeId): SimNode {
    const node = this.nodes.find(candidate => candidate.nodeId === nodeId)
    if (node === undefined) throw new Error(`there is no ${nodeId} in this world`)
    return node
  }

  /** Randomness for a process about to start. */
  processRandom(): SeededRandom {
    return new SeededRandom(this.#processes.uint32())
  }

  /** How far the node's wall clock is off. */
  wallOffsetOf(nodeId: NodeId): number {
    return this.#wallOffsets.get(nodeId) ?? 0
  }

  /** Jumps the wall clock of a machine. */
  jumpWallClock(nodeId: NodeId, byMs: number): void {
    this.#wallOffsets.set(nodeId, this.wallOffsetOf(nodeId) + byMs)
    this.node(nodeId).jumpWallClock(byMs)
  }

  backUpStore(): void {
    const { state } = this.service
    // Leases run out before anybody has restored a backup.
    const entries = state.range('').filter(({ leaseId }) => leaseId === '0')
    this.#backup = { entries, revision: state.revision }
  }

  /** The coordination store loses everything, or what was written since the backup; every connection to it breaks. */
  replaceStore(by: 'empty' | 'backup'): void {
    const { entries, revision } = (by === 'backup' ? this.#backup : undefined) ?? { entries: [], revision: 1 }
    this.service.replace(new KeyValueState(entries, revision))
    this.storeReplacedMs.push(this.clock.now())
    this.onStoreReplaced()
    for (const node of this.nodes) node.breakStoreConnection()
  }

  noteServing({ nodeId, disk }: SimNode): void {
    if (disk.isDamaged) this.servedDamaged.push({ nodeId, atMs: this.clock.now() })
  }

  reportBroken(what: string): void {
    this.trace.note('BROKEN', what)
    this.broken.push(what)
  }
}
