/**
 * What of a broker takes part in spreading subscriptions, put together as `src/node/broker-node.ts` does it, on simulated ports:
 * local index, interest exchange and remote index, unchanged.
 *
 * Not whole brokers: sessions, ownership and MQTT do not decide how fast interest spreads, a hundred of them cost minutes per run,
 * and a node's time must go only into what is being measured. Members are known from the start and do not change.
 */
import { InterestExchange } from '../../gossip/interest-exchange.ts'
import type { InterestFrame } from '../../gossip/interest-frame-codec.ts'
import { KeptInterest } from '../../routing/kept-interest.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { Gossip } from '../../src/core/ports/gossip.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import type { LocalDelivery } from '../../src/core/ports/routing.ts'
import type { CoreClock } from '../world/cpu-core.ts'
import type { MeshTransport } from '../world/mesh-network.ts'
import { CostedTransport, type FrameCosts } from './costed-transport.ts'

const CLUSTER = 'sim'
const DIGEST_INTERVAL_MS = 1000

export interface InterestNodePorts {
  readonly clock: CoreClock
  readonly transport: MeshTransport
  readonly gossip: Gossip
}

export interface InterestNodeOptions {
  readonly nodeId: NodeId
  readonly batchIntervalMs: number
  readonly frames: FrameCosts
  /** A frame was sent. */
  readonly onSent: (from: InterestNode, to: NodeId, frame: InterestFrame | undefined, bytes: number) => void
  /** Changes were announced: they have their sequence. */
  readonly onAnnounced: (node: InterestNode) => void
}

export class InterestNode {
  readonly nodeId: NodeId
  readonly clock: CoreClock
  readonly interest: InterestExchange
  readonly remoteIndex = new HashedRemoteIndex(CLUSTER)
  readonly #localIndex = new TrieLocalIndex()
  readonly #transport: CostedTransport
  readonly #linked = new Set<NodeId>()

  constructor({ clock, transport, gossip }: InterestNodePorts, options: InterestNodeOptions) {
    const { nodeId, batchIntervalMs, frames, onSent, onAnnounced } = options
    this.nodeId = nodeId
    this.clock = clock
    this.#transport = new CostedTransport(transport, clock.core, frames, {
      sent: (to, frame, bytes) => {
        if (frame?.type === 'delta') onAnnounced(this)
        onSent(this, to, frame, bytes)
      },
    })
    this.#transport.addPeerListener({
      onPeerUp: peer => void this.#linked.add(peer.nodeId),
      onPeerDown: peer => void this.#linked.delete(peer.nodeId),
    })
    this.interest = new InterestExchange(
      {
        gossip: {
          publish: message => {
            onAnnounced(this)
            return gossip.publish(message)
          },
          onMessage: listener => gossip.onMessage(listener),
        },
        transport: this.#transport,
        local: this.#localIndex,
        remote: new KeptInterest(this.remoteIndex),
        clock,
        logger: silent,
      },
      { cluster: CLUSTER, batchIntervalMs, digestIntervalMs: DIGEST_INTERVAL_MS },
    )
  }

  /** Filters its clients have before it starts. */
  fill(filters: Iterable<string>): void {
    for (const filter of filters) this.#localIndex.add(subscriptionTo(filter))
  }

  start(peer: PeerAddress, peers: readonly PeerAddress[]): void {
    this.#transport.start(this.nodeId, peer.incarnation)
    this.interest.start(this.nodeId, peer.incarnation)
    this.interest.setMembers(peers)
    this.#transport.setMembers(peers)
  }

  get isSynchronized(): boolean {
    return this.interest.missing.length === 0 && this.interest.unheard.length === 0
  }

  isLinkedTo(nodeId: NodeId): boolean {
    return this.#linked.has(nodeId)
  }

  /** As a client's SUBSCRIBE does. */
  subscribe(filter: string): void {
    if (this.#localIndex.add(subscriptionTo(filter))) this.interest.added(filter)
  }

  /** Whether a message on the topic that is published here goes to that node. */
  routesTo(nodeId: NodeId, topic: string): boolean {
    return this.remoteIndex.match(topic).includes(nodeId)
  }
}

const subscriber: LocalDelivery = { clientId: 'sim', canTakeShared: true, deliver: () => undefined }

function subscriptionTo(filter: string): Parameters<TrieLocalIndex['add']>[0] {
  return {
    ...{ filter, subscriber, group: undefined, qos: 0, noLocal: false, retainAsPublished: false },
    subscriptionIdentifiers: [],
  }
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}
