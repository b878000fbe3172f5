import { encodeDeltas, ExactChanges } from '../../gossip/delta-codec.ts'
import { InterestExchange } from '../../gossip/interest-exchange.ts'
import type { SimGossip } from '../../sim/ports/sim-gossip.ts'
import { SimGossipBus } from '../../sim/ports/sim-gossip.ts'
import type { SimPeerTransport } from '../../sim/ports/sim-peer-network.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { Incarnation, NodeId } from '../../src/core/ids.ts'
import { TopicHasher } from '../../src/core/interest-hash.ts'
import type { Gossip, GossipListener } from '../../src/core/ports/gossip.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import type {
  LocalGroup,
  RemoteGroup,
  RemoteIndex,
  RemoteNodeInterest,
} from '../../src/core/ports/routing.ts'
import { hasWildcard } from '../../src/core/topic.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { MemoryLogger } from '../mesh/mesh-harness.ts'

/** The cluster's name, which seeds the hashes. */
const CLUSTER = 'test'

/** The production index, which also tells what it was told of each node. */
export class ObservedRemoteIndex implements RemoteIndex {
  readonly inner = new HashedRemoteIndex(CLUSTER)
  /** Without wildcards and shared subscriptions. */
  readonly #exact = new HashedRemoteIndex(CLUSTER)
  readonly known = new Map<NodeId, boolean>()
  readonly #nodes = new Map<
    NodeId,
    { patterns: Map<string, number>; inner: RemoteNodeInterest; outer: RemoteNodeInterest }
  >()

  node(nodeId: NodeId): RemoteNodeInterest {
    const held = this.#nodes.get(nodeId)
    if (held !== undefined) return held.outer
    const inner = this.inner.node(nodeId)
    const exact = this.#exact.node(nodeId)
    const patterns = new Map<string, number>()
    const { known } = this
    const outer: RemoteNodeInterest = {
      setKnown(isKnown) {
        inner.setKnown(isKnown)
        exact.setKnown(isKnown)
        known.set(nodeId, isKnown)
      },
      begin(bits) {
        inner.begin(bits)
        exact.begin(bits)
      },
      writeSegment(index, words) {
        inner.writeSegment(index, words)
        exact.writeSegment(index, words)
      },
      addExact(low, high) {
        inner.addExact(low, high)
        exact.addExact(low, high)
      },
      removeExact(low, high, fallen) {
        inner.removeExact(low, high, fallen)
        exact.removeExact(low, high, fallen)
      },
      get checksums() {
        return inner.checksums
      },
      get checksum() {
        return inner.checksum
      },
      setPattern(group, filter, members) {
        const name = group === '' ? filter : `$share/${group}/${filter} × ${members}`
        for (const other of patterns.keys())
          if (other.startsWith(`$share/${group}/${filter} × `)) patterns.delete(other)
        if (members > 0) patterns.set(name, members)
        else patterns.delete(name)
        return inner.setPattern(group, filter, members)
      },
      clearPatterns() {
        inner.clearPatterns()
        patterns.clear()
      },
      segment: index => inner.segment(index),
      get patterns() {
        return inner.patterns
      },
    }
    this.#nodes.set(nodeId, { patterns, inner, outer })
    return outer
  }

  clear(nodeId: NodeId): void {
    this.inner.clear(nodeId)
    this.#exact.clear(nodeId)
    this.#nodes.delete(nodeId)
    this.known.delete(nodeId)
  }

  match(topic: string): readonly NodeId[] {
    return this.inner.match(topic)
  }

  get unknownNodes(): readonly string[] {
    return this.inner.unknownNodes
  }

  matchShared(topic: string): readonly RemoteGroup[] | undefined {
    return this.inner.matchShared(topic)
  }

  has(nodeId: NodeId): boolean {
    return this.#nodes.has(nodeId)
  }

  /** Wildcards, shared subscriptions, and those of `candidates` (exact filters) that the bloom filter has. */
  filtersOf(nodeId: NodeId, candidates: Iterable<string>): readonly string[] {
    const held = this.#nodes.get(nodeId)
    if (held === undefined) return []
    const exact = [...candidates].filter(filter => this.#exact.match(filter).includes(nodeId))
    return [...held.patterns.keys(), ...exact].sort()
  }
}

/** Passes messages on, but for those a test wants lost. */
export class LossyGossip implements Gossip {
  readonly #inner: SimGossip
  #listener: GossipListener | undefined
  /** Whether the message about to be delivered here is lost. */
  loses: (message: Uint8Array, from: string) => boolean = () => false

  constructor(inner: SimGossip) {
    this.#inner = inner
    inner.onMessage((message, from) => {
      if (!this.loses(message, from)) this.#listener?.(message, from)
    })
  }

  publish(message: Uint8Array): boolean {
    return this.#inner.publish(message)
  }

  onMessage(listener: GossipListener): void {
    this.#listener = listener
  }

  /** Delivers a message that nobody published, or once more, as that node's. */
  forge(message: Uint8Array, from: string): void {
    this.#listener?.(message, from)
  }
}

/** One node's interest exchange with everything around it simulated. */
export class InterestNode {
  readonly address: PeerAddress
  readonly transport: SimPeerTransport
  readonly gossip: LossyGossip
  readonly index = new ObservedRemoteIndex()
  readonly logger = new MemoryLogger()
  readonly filters = new Set<string>()
  /** Members by `$share/<group>/<filter>`. */
  readonly groups = new Map<string, LocalGroup>()
  readonly exchange: InterestExchange
  readonly #bus: SimGossip
  readonly #world: InterestWorld

  constructor(world: InterestWorld, nodeId: NodeId, incarnation: Incarnation, filters: readonly string[]) {
    this.#world = world
    this.transport = world.network.transport(nodeId)
    this.address = { nodeId, incarnation, ...this.transport.self }
    this.#bus = world.bus.member(this.address.peerId)
    this.gossip = new LossyGossip(this.#bus)
    for (const filter of filters) {
      this.filters.add(filter)
      world.mention(filter)
    }
    this.exchange = new InterestExchange(
      {
        gossip: this.gossip,
        transport: this.transport,
        local: { filters: () => this.filters, groups: () => this.groups.values() },
        remote: this.index,
        clock: world.clock,
        logger: this.logger,
      },
      { cluster: CLUSTER, batchIntervalMs: 20, digestIntervalMs: 1000 },
    )
    this.exchange.start(nodeId, incarnation)
    this.transport.start(nodeId, incarnation)
  }

  subscribe(filter: string): void {
    this.filters.add(filter)
    this.#world.mention(filter)
    this.exchange.added(filter)
  }

  unsubscribe(filter: string): void {
    this.filters.delete(filter)
    this.exchange.removed(filter)
  }

  share(group: string, filter: string, members: number): void {
    const key = `$share/${group}/${filter}`
    if (members > 0) this.groups.set(key, { group, filter, members })
    else this.groups.delete(key)
    this.exchange.groupChanged(group, filter, members)
  }

  /** What this node's clients want, sorted, as `seen` of another node says it. */
  get wanted(): readonly string[] {
    const shared = [...this.groups].map(([name, { members }]) => `${name} × ${members}`)
    return [...this.filters, ...shared].sort()
  }

  /** What this node takes `nodeId` to be interested in, sorted; undefined while it is not known. */
  seen(nodeId: NodeId): readonly string[] | undefined {
    if (this.index.known.get(nodeId) !== true) return undefined
    return this.index.filtersOf(nodeId, this.#world.mentioned)
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
  /** Every filter without wildcards that anybody spoke of. */
  readonly mentioned = new Set<string>()

  mention(filter: string): void {
    if (!hasWildcard(filter)) this.mentioned.add(filter)
  }

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

/** A delta message that adds filters without wildcards, of the origin's first generation. */
export function exactDelta(
  nodeId: string,
  incarnation: number,
  firstSequence: number,
  filters: string[],
): Uint8Array {
  const exact = new ExactChanges()
  const hasher = new TopicHasher(CLUSTER)
  for (const filter of filters) {
    hasher.hash(filter)
    exact.added(hasher.low, hasher.high)
  }
  const message = encodeDeltas({ nodeId, incarnation, firstSequence, generation: 1, exact, patterns: [] })[0]
  return message as Uint8Array
}
