import { gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import type { GossipSub, GossipSubComponents, Message } from '@libp2p/gossipsub'
import { limits } from '../src/core/limits.ts'
import type { Gossip } from '../src/core/ports/gossip.ts'
import { gossipMessageId } from './delta-codec.ts'

/** Bytes gossipsub may hold for a peer that does not read; past it gossip to that peer stops until it reconnects. */
const OUTBOUND_BYTES_MAX = 16 * 1024 * 1024

/**
 * The cluster is a full mesh, so an origin reaches everybody in one hop; what its neighbours forward besides only replaces copies
 * that are lost, and costs every node a message per copy. Digests over the links find what is missing, within the time that
 * announcements of message ids (IHAVE) would take.
 */
const FLOOD_AND_A_THIN_MESH = {
  floodPublish: true,
  ...{ D: 2, Dlo: 1, Dhi: 3, Dout: 0, Dscore: 1 },
  ...{ Dlazy: 0, gossipFactor: 0 },
}

/** The one topic of a cluster. */
export function gossipTopic(cluster: string): string {
  return `grapevine/${cluster}/interest`
}

/** What the mesh host needs to make the service that `GossipsubGossip` is handed. */
export function gossipsubService(cluster: string): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    // The encrypted connection proves the neighbour, and every neighbour is a member.
    globalSignaturePolicy: StrictNoSign,
    // By default the id is a hash of the data, and the same change made twice within two minutes is dropped.
    msgIdFn: (message: Message) => gossipMessageId(message.data),
    allowPublishToZeroTopicPeers: true,
    allowedTopics: [gossipTopic(cluster)],
    fallbackToFloodsub: false,
    maxOutboundBufferSize: OUTBOUND_BYTES_MAX,
    ...FLOOD_AND_A_THIN_MESH,
    // Peers are members, admitted by id: a score can only cut the cluster in two, as it does for many on one address.
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
  })
}

/** `Gossip` over a gossipsub service, on the cluster's one topic. */
export class GossipsubGossip implements Gossip {
  readonly #service: GossipSub
  readonly #topic: string
  #listener: ((message: Uint8Array) => void) | undefined
  #closed = false

  constructor(service: GossipSub, cluster: string) {
    this.#service = service
    this.#topic = gossipTopic(cluster)
    service.addEventListener('message', ({ detail: { topic, data } }) => {
      if (topic === this.#topic && !this.#closed) this.#listener?.(data)
    })
    service.subscribe(this.#topic)
  }

  publish(message: Uint8Array): boolean {
    if (this.#closed || message.length > limits.gossipMessageBytesMax) return false
    // Best effort: a message gossipsub refuses is lost like any other.
    this.#service.publish(this.#topic, new Uint8Array(message)).catch(() => undefined)
    return true
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#listener = listener
  }

  /** Publishes and hears nothing from now on. The service stops with its host. */
  close(): void {
    this.#closed = true
  }
}
