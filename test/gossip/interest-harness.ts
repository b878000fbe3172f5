import { InterestExchange } from '../../gossip/interest-exchange.ts'
import type { SimGossip } from '../../sim/ports/sim-gossip.ts'
import { SimGossipBus } from '../../sim/ports/sim-gossip.ts'
import type { SimPeerTransport } from '../../sim/ports/sim-peer-network.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { Incarnation, NodeId } from '../../src/core/ids.ts'
import type { Gossip } from '../../src/core/ports/gossip.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import type { RemoteIndex } from '../../src/core/ports/routing.ts'
import { MemoryLogger } from '../mesh/mesh-harness.ts'

/** A remote index as sets, which also refuses what an index need not bear: adding twice, removing what is not there. */
export class SetRemoteIndex implements RemoteIndex {
  readonly filtersOf = new Map<NodeId, Set<string>>()
  readonly known = new Map<NodeId, boolean>()

  add(nodeId: NodeId, filter: string): void {
    const filters = this.filtersOf.get(nodeId) ?? new Set()
    if (filters.has(filter)) throw new Error(`${nodeId} has ${filter} already`)
    this.filtersOf.set(nodeId, filters.add(filter))
  }

  remove(nodeId: NodeId, filter: string): void {
    if (this.filtersOf.get(nodeId)?.delete(filter) !== true) throw new Error(`${nodeId} has no ${filter}`)
  }

  clear(nodeId: NodeId): void {
    this.filtersOf.delete(nodeId)
    this.known.delete(nodeId)
  }

  setKnown(nodeId: NodeId, known: boolean): void {
    this.known.set(nodeId, known)
  }

  match(): readonly NodeId[] {
    throw new Error('the interest exchange never routes')
  }

  nodesOf(filter: string): readonly NodeId[] {
    return [...this.filtersOf].filter(([, filters]) => filters.has(filter)).map(([nodeId]) => nodeId)
  }

  get filterCount(): number {
    return [...this.filtersOf.values()].reduce((sum, { size }) => sum + size, 0)
  }
}

/** Passes messages on, but for those a test wants lost. */
export class LossyGossip implements Gossip {
  readonly #inner: SimGossip
  #listener: ((message: Uint8Array) => void) | undefined
  /** Whether the message about to be delivered here is lost. */
  loses: (message: Uint8Array) => boolean = () => false

  constructor(inner: SimGossip) {
    this.#inner = inner
    inner.onMessage(message => {
      if (!this.loses(message)) this.#listener?.(message)
    })
  }

  publish(message: Uint8Array): boolean {
    return this.#inner.publish(message)
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#listener = listener
  }

  /** Delivers a message that nobody published. */
  forge(message: Uint8Array): void {
    this.#listener?.(message)
  }
}

/** One node's interest exchange with everything around it simulated. */
export class InterestNode {
  readonly address: PeerAddress
  readonly transport: SimPeerTransport
  readonly gossip: LossyGossip
  readonly index = new SetRemoteIndex()
  readonly logger = new MemoryLogger()
  readonly filters = new Set<string>()
  readonly exchange: InterestExchange
  readonly #bus: SimGossip

  constructor(world: InterestWorld, nodeId: NodeId, incarnation: Incarnation, filters: readonly string[]) {
    this.transport = world.network.transport(nodeId)
    this.address = { nodeId, incarnation, ...this.transport.self }
    this.#bus = world.bus.member()
    this.gossip = new LossyGossip(this.#bus)
    for (const filter of filters) this.filters.add(filter)
    this.exchange = new InterestExchange(
      {
        gossip: this.gossip,
        transport: this.transport,
        local: { filters: () => this.filters },
        remote: this.index,
        clock: world.clock,
        logger: this.logger,
      },
      { batchIntervalMs: 20, digestIntervalMs: 1000 },
    )
    this.exchange.start(nodeId, incarnation)
    this.transport.start(nodeId, incarnation)
  }

  subscribe(filter: string): void {
    this.filters.add(filter)
    this.exchange.added(filter)
  }

  unsubscribe(filter: string): void {
    this.filters.delete(filter)
    this.exchange.removed(filter)
  }

  /** What this node takes `nodeId` to be interested in, sorted; undefined while it is not known. */
  seen(nodeId: NodeId): readonly string[] | undefined {
    if (this.index.known.get(nodeId) !== true) return undefined
    return [...(this.index.filtersOf.get(nodeId) ?? [])].sort()
  }

  async die(): Promise<void> {
    this.exchange.stop()
    this.#bus.close()
    await this.transport.close()
  }
}

/** A cluster in virtual time; `join` and `leave` play the membership. */
export class InterestWorld {
  readonly clock = new VirtualClock()
  readonly network = new SimPeerNetwork(this.clock)
  readonly bus = new SimGossipBus(this.clock)
  readonly #nodes: InterestNode[] = []

  /** Starts a node; one with the same id is replaced. */
  join(nodeId: NodeId, incarnation: Incarnation, filters: readonly string[] = []): InterestNode {
    const node = new InterestNode(this, nodeId, incarnation, filters)
    const before = this.#nodes.findIndex(({ address }) => address.nodeId === nodeId)
    this.#nodes.splice(before === -1 ? this.#nodes.length : before, 1, node)
    this.#announce()
    return node
  }

  leave(node: InterestNode): void {
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
    this.#announce()
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  #announce(): void {
    for (const node of this.#nodes) {
      const others = this.#nodes.filter(other => other !== node).map(({ address }) => address)
      node.exchange.setMembers(others)
      node.transport.setMembers(others)
    }
  }
}
